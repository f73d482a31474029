#include "services/feedback/metadata.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <utility>
#include <vector>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "services/feedback/errors.h"

namespace verdict::feedback {
namespace {

namespace json = boost::json;

// As the gateway has it. jsonb keeps every digit: an exponent of some thousand or a text of digits would be
// refused by it, or grow.
constexpr size_t kNumberCharactersMax = 32;

bool IsStorableNumber(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return text.size() <= kNumberCharactersMax && error == std::errc() && end == text.data() + text.size();
}

// Boost's parser calls these as it reads; each returns whether to go on.
class Checker {
 public:
  // Their names are Boost's. NOLINTBEGIN(readability-identifier-naming)
  static constexpr size_t max_array_size = SIZE_MAX;
  static constexpr size_t max_object_size = SIZE_MAX;
  static constexpr size_t max_string_size = SIZE_MAX;
  static constexpr size_t max_key_size = SIZE_MAX;
  // NOLINTEND(readability-identifier-naming)

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) { return true; }
  bool on_object_end(size_t, json::error_code&) { return true; }
  bool on_array_begin(json::error_code&) { return true; }
  bool on_array_end(size_t, json::error_code&) { return true; }
  bool on_key_part(json::string_view part, size_t, json::error_code& error) { return Text(part, error); }
  bool on_key(json::string_view part, size_t, json::error_code& error) { return Text(part, error); }
  bool on_string_part(json::string_view part, size_t, json::error_code& error) { return Text(part, error); }
  bool on_string(json::string_view part, size_t, json::error_code& error) { return Text(part, error); }
  bool on_number_part(json::string_view part, json::error_code&) {
    number_.append(part.data(), part.size());
    return true;
  }
  bool on_int64(int64_t, json::string_view part, json::error_code& error) { return Number(part, error); }
  bool on_uint64(uint64_t, json::string_view part, json::error_code& error) { return Number(part, error); }
  bool on_double(double, json::string_view part, json::error_code& error) { return Number(part, error); }
  bool on_bool(bool, json::error_code&) { return true; }
  bool on_null(json::error_code&) { return true; }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

  // Why the checker itself ended the parse; OK when it was the syntax.
  const absl::Status& status() const { return status_; }

 private:
  bool Text(json::string_view part, json::error_code& error) {
    if (part.find('\0') == json::string_view::npos) return true;
    return Refuse(error::NulInMetadata(), error);
  }

  bool Number(json::string_view part, json::error_code& error) {
    number_.append(part.data(), part.size());
    const bool is_storable = IsStorableNumber(number_);
    number_.clear();
    if (is_storable) return true;
    return Refuse(error::BadMetadata("free of numbers that a double cannot hold"), error);
  }

  bool Refuse(absl::Status status, json::error_code& error) {
    status_ = std::move(status);
    error = json::error::syntax;
    return false;
  }

  absl::Status status_;
  std::string number_;
};

void AppendCanonical(const json::value& value, std::string& out) {
  if (const auto* object = value.if_object()) {
    std::vector<const json::key_value_pair*> members;
    for (const auto& member : *object) members.push_back(&member);
    std::ranges::sort(members, {}, [](const auto* member) { return member->key(); });
    out += '{';
    for (const auto* member : members) {
      out += json::serialize(member->key());
      out += ':';
      AppendCanonical(member->value(), out);
      out += ',';
    }
    out += '}';
  } else if (const auto* array = value.if_array()) {
    out += '[';
    for (const auto& element : *array) {
      AppendCanonical(element, out);
      out += ',';
    }
    out += ']';
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

absl::Status CheckMetadata(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos || text[start] != '{') return error::BadMetadata("a JSON object");
  json::basic_parser<Checker> parser{json::parse_options()};
  json::error_code error;
  const size_t consumed = parser.write_some(false, text.data(), text.size(), error);
  if (!parser.handler().status().ok()) return parser.handler().status();
  // The parser stops after the value without an error, whatever follows.
  if (error || text.find_first_not_of(" \t\r\n", consumed) != std::string_view::npos) {
    return error::BadMetadata("one valid JSON object, nested at most 32 deep");
  }
  return absl::OkStatus();
}

std::string CanonicalMetadata(std::string_view text) {
  std::string canonical;
  AppendCanonical(json::parse({text.data(), text.size()}), canonical);
  return canonical;
}

}  // namespace verdict::feedback
