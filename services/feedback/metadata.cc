#include "services/feedback/metadata.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse_options.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>

#include "services/feedback/errors.h"

namespace verdict::feedback {
namespace {

namespace json = boost::json;

// As the gateway has it: metadata is the second level of a body that nests at most 32 deep.
constexpr size_t kDepthMax = 31;
constexpr size_t kNumberCharactersMax = 32;
// jsonb writes numbers out, 1e300 as 301 digits: so that what is read back is no longer than what may be
// written, these count as well.
constexpr size_t kWrittenOutBytesMax = 16'384;

bool IsStorableNumber(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return text.size() <= kNumberCharactersMax && error == std::errc() && end == text.data() + text.size();
}

// The digits that a number's exponent stands for.
size_t DigitsOfExponent(const std::string& number) {
  const size_t e = number.find_first_of("eE");
  if (e == std::string::npos) return 0;
  int exponent = 0;
  const char* const start = number.data() + e + (number[e + 1] == '+' ? 2 : 1);
  std::from_chars(start, number.data() + number.size(), exponent);
  return static_cast<size_t>(std::abs(exponent));
}

// Boost's parser calls these as it reads; each returns whether to go on. Makes the canonical text.
class Canonicalizer {
 public:
  explicit Canonicalizer(std::string_view field) : field_(field) {}

  // Their names are Boost's. NOLINTBEGIN(readability-identifier-naming)
  static constexpr size_t max_array_size = SIZE_MAX;
  static constexpr size_t max_object_size = SIZE_MAX;
  static constexpr size_t max_string_size = SIZE_MAX;
  static constexpr size_t max_key_size = SIZE_MAX;
  // NOLINTEND(readability-identifier-naming)

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) { return Open(); }
  bool on_object_end(size_t, json::error_code& error) {
    auto& members = open_.back().members;
    std::ranges::sort(members, {}, &Member::key);
    const auto twice = std::ranges::adjacent_find(members, {}, &Member::key);
    if (twice != members.end()) return Refuse(error::DuplicateKeyInMetadata(field_, twice->key), error);
    std::string text = "{";
    for (const Member& member : members) text += Quoted(member.key) + ':' + member.value + ',';
    return Close(text + '}');
  }
  bool on_array_begin(json::error_code&) { return Open(); }
  bool on_array_end(size_t, json::error_code&) {
    std::string text = "[";
    for (const Member& element : open_.back().members) text += element.value + ',';
    return Close(text + ']');
  }
  bool on_key_part(json::string_view part, size_t, json::error_code& error) { return Text(part, error); }
  bool on_key(json::string_view part, size_t, json::error_code& error) {
    if (!Text(part, error)) return false;
    open_.back().key = std::exchange(text_, {});
    return true;
  }
  bool on_string_part(json::string_view part, size_t, json::error_code& error) { return Text(part, error); }
  bool on_string(json::string_view part, size_t, json::error_code& error) {
    return Text(part, error) && Value(Quoted(std::exchange(text_, {})));
  }
  bool on_number_part(json::string_view part, json::error_code&) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_int64(int64_t, json::string_view part, json::error_code& error) { return Number(part, error); }
  bool on_uint64(uint64_t, json::string_view part, json::error_code& error) { return Number(part, error); }
  bool on_double(double, json::string_view part, json::error_code& error) { return Number(part, error); }
  bool on_bool(bool value, json::error_code&) { return Value(value ? "true" : "false"); }
  bool on_null(json::error_code&) { return Value("null"); }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

  // Why this itself ended the parse; OK when it was the syntax.
  const absl::Status& status() const { return status_; }
  // How much longer the text is once its numbers are written out.
  size_t written_out_bytes() const { return written_out_bytes_; }
  std::string Take() { return std::move(canonical_); }

 private:
  struct Member {
    std::string key;  // empty in an array
    std::string value;
  };
  struct Container {
    std::vector<Member> members;
    std::string key;  // of the member to come
  };

  static std::string Quoted(const std::string& text) { return json::serialize(json::string(text)); }

  bool Open() {
    open_.emplace_back();
    return true;
  }

  bool Close(std::string text) {
    open_.pop_back();
    return Value(std::move(text));
  }

  bool Value(std::string text) {
    if (open_.empty()) {
      canonical_ = std::move(text);
    } else {
      open_.back().members.push_back({std::move(open_.back().key), std::move(text)});
    }
    return true;
  }

  bool Text(json::string_view part, json::error_code& error) {
    if (part.find('\0') != json::string_view::npos) return Refuse(error::NulInMetadata(field_), error);
    text_.append(part.data(), part.size());
    return true;
  }

  bool Number(json::string_view part, json::error_code& error) {
    text_.append(part.data(), part.size());
    const std::string number = std::exchange(text_, {});
    if (!IsStorableNumber(number)) {
      return Refuse(error::BadMetadata(field_, "free of numbers that a double cannot hold"), error);
    }
    written_out_bytes_ += DigitsOfExponent(number);
    return Value(number);
  }

  bool Refuse(absl::Status status, json::error_code& error) {
    status_ = std::move(status);
    error = json::error::syntax;
    return false;
  }

  const std::string_view field_;
  absl::Status status_;
  std::vector<Container> open_;  // from the outermost
  std::string text_;             // of the string or number that is being read
  std::string canonical_;
  size_t written_out_bytes_ = 0;
};

}  // namespace

absl::Status CheckMetadata(std::string_view text, std::string_view field) {
  return CanonicalMetadata(text, field).status();
}

absl::StatusOr<std::string> CanonicalMetadata(std::string_view text, std::string_view field) {
  const size_t start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos || text[start] != '{')
    return error::BadMetadata(field, "a JSON object");
  json::parse_options options;
  options.max_depth = kDepthMax;
  json::basic_parser<Canonicalizer> parser(options, field);
  json::error_code error;
  const size_t consumed = parser.write_some(false, text.data(), text.size(), error);
  if (!parser.handler().status().ok()) return parser.handler().status();
  // The parser stops after the value without an error, whatever follows.
  if (error || text.find_first_not_of(" \t\r\n", consumed) != std::string_view::npos) {
    return error::BadMetadata(field, "one valid JSON object, nested at most 31 deep");
  }
  if (text.size() + parser.handler().written_out_bytes() > kWrittenOutBytesMax) {
    return error::BadMetadata(field, "at most 16384 bytes long with its numbers written out");
  }
  return parser.handler().Take();
}

}  // namespace verdict::feedback
