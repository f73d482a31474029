#include "common/criteria/criteria_json.h"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <system_error>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>

namespace verdict::criteria {
namespace {

namespace json = boost::json;
using types::v1::CriterionFeedback;
using types::v1::CriterionScore;

// What the number is called, and where it stands.
constexpr std::string_view NumberName(const CriterionScore&) { return "score"; }
constexpr std::string_view NumberName(const CriterionFeedback&) { return "expected_score"; }
std::optional<double> NumberOf(const CriterionScore& value) {
  return value.has_score() ? std::optional(value.score()) : std::nullopt;
}
std::optional<double> NumberOf(const CriterionFeedback& value) {
  return value.has_expected_score() ? std::optional(value.expected_score()) : std::nullopt;
}
void SetNumber(CriterionScore& value, double number) { value.set_score(number); }
void SetNumber(CriterionFeedback& value, double number) { value.set_expected_score(number); }

void AppendText(std::string_view text, std::string& out) {
  out += json::serialize(json::string(text.data(), text.size()));
}

template <typename Values>
std::string Print(const Values& values) {
  std::map<std::string_view, const typename Values::mapped_type*> in_order;
  for (const auto& [key, value] : values) in_order.emplace(key, &value);
  std::string out = "{";
  for (const auto& [key, value] : in_order) {
    if (out.size() > 1) out += ',';
    AppendText(key, out);
    out += ":{";
    if (const std::optional<double> number = NumberOf(*value)) {
      char text[32];  // the longest double has 24 characters
      out.append("\"").append(NumberName(*value)).append("\":");
      out.append(text, std::to_chars(text, text + sizeof text, *number).ptr);
    }
    if (value->has_reason()) {
      out += out.back() == '{' ? "\"reason\":" : ",\"reason\":";
      AppendText(value->reason(), out);
    }
    out += '}';
  }
  return out + '}';
}

// Takes the events of Boost's parser, whose own doubles are wrong in the last bit now and then: only their
// texts count. Depth 1 has the criteria, depth 2 their members.
template <typename Values>
class Reader {
 public:
  explicit Reader(Values& values) : values_(values) {}

  // Their names are Boost's. NOLINTBEGIN(readability-identifier-naming)
  static constexpr size_t max_object_size = SIZE_MAX;
  static constexpr size_t max_array_size = SIZE_MAX;
  static constexpr size_t max_key_size = SIZE_MAX;
  static constexpr size_t max_string_size = SIZE_MAX;
  // NOLINTEND(readability-identifier-naming)

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code& ec) { return Check(++depth_ <= 2, ec); }
  bool on_object_end(size_t, json::error_code&) {
    --depth_;
    return true;
  }
  bool on_array_begin(json::error_code& ec) { return Check(false, ec); }
  bool on_array_end(size_t, json::error_code&) { return true; }
  bool on_key_part(json::string_view part, size_t, json::error_code&) { return Collect(part); }
  bool on_key(json::string_view part, size_t, json::error_code&) {
    Collect(part);
    if (depth_ == 1) {
      value_ = &values_[text_];
    } else {
      member_ = text_;
    }
    text_.clear();
    return true;
  }
  bool on_string_part(json::string_view part, size_t, json::error_code&) { return Collect(part); }
  bool on_string(json::string_view part, size_t, json::error_code& ec) {
    Collect(part);
    if (!Check(depth_ == 2 && member_ == "reason", ec)) return false;
    value_->set_reason(std::move(text_));
    text_.clear();
    return true;
  }
  bool on_number_part(json::string_view part, json::error_code&) { return Collect(part); }
  bool on_int64(int64_t, json::string_view part, json::error_code& ec) { return Number(part, ec); }
  bool on_uint64(uint64_t, json::string_view part, json::error_code& ec) { return Number(part, ec); }
  bool on_double(double, json::string_view part, json::error_code& ec) { return Number(part, ec); }
  bool on_bool(bool, json::error_code& ec) { return Check(false, ec); }
  bool on_null(json::error_code& ec) { return Check(false, ec); }
  bool on_comment_part(json::string_view, json::error_code&) { return false; }
  bool on_comment(json::string_view, json::error_code&) { return false; }

 private:
  static bool Check(bool expected, json::error_code& ec) {
    if (!expected) ec = json::error::exception;
    return expected;
  }

  bool Collect(json::string_view part) {
    text_.append(part.data(), part.size());
    return true;
  }

  bool Number(json::string_view part, json::error_code& ec) {
    Collect(part);
    double number = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), number);
    if (!Check(depth_ == 2 && member_ == NumberName(*value_) && error == std::errc(), ec)) return false;
    SetNumber(*value_, number);
    text_.clear();
    return true;
  }

  Values& values_;
  typename Values::mapped_type* value_ = nullptr;  // of the criterion whose members come
  std::string member_;                             // whose value comes
  std::string text_;                               // of a key, string or number, so far
  int depth_ = 0;
};

template <typename Values>
bool Parse(std::string_view text, Values& values) {
  json::basic_parser<Reader<Values>> parser(json::parse_options(), values);
  json::error_code ec;
  return parser.write_some(false, text.data(), text.size(), ec) == text.size() && !ec;
}

}  // namespace

std::string ToJson(const Scores& scores) { return Print(scores); }
std::string ToJson(const Opinions& opinions) { return Print(opinions); }

bool FromJson(std::string_view json, Scores& scores) { return Parse(json, scores); }
bool FromJson(std::string_view json, Opinions& opinions) { return Parse(json, opinions); }

}  // namespace verdict::criteria
