#include "gateway/json_reader.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <boost/json/basic_parser_impl.hpp>
#include <google/protobuf/descriptor.h>

#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status/macros.h"
#include "gateway/errors.h"
#include "gateway/json_values.h"
#include "gateway/json_writer.h"
#include "gateway/url.h"

namespace verdict::gateway {
namespace {

using boost::json::error_code;
using google::protobuf::Message;
using Kind = FieldPlan::Kind;

bool HasNul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

// Takes the parser's events and fills a message from them. The parser checks the syntax; here stands what the
// events mean. One pass, and no tree of values: the message itself is the tree.
class BodyReader {
 public:
  struct Rules {
    std::span<const FieldPath> bound_by_path = {};
    bool ignore_unknown_fields = false;
    const FieldPlan* list = nullptr;  // the body is an array, of this field's elements; null: the message
  };

  BodyReader(const MessagePlan& plan, std::string_view body, const Rules& rules, Message& message)
      : plan_(plan),
        body_(body),
        rules_(rules),
        elements_max_(plan.style == JsonStyle::kOtlp ? kOtlpElementsMax : kJsonElementsMax),
        message_(message) {}

  const absl::Status& status() const { return status_; }

  // What boost::json::basic_parser calls, under its names. NOLINTBEGIN(readability-identifier-naming)
  static constexpr size_t max_object_size = static_cast<size_t>(-1);
  static constexpr size_t max_array_size = static_cast<size_t>(-1);
  static constexpr size_t max_key_size = static_cast<size_t>(-1);
  static constexpr size_t max_string_size = static_cast<size_t>(-1);
  // NOLINTEND(readability-identifier-naming)

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code& ec) { return Continue(BeginObject(), ec); }
  bool on_object_end(size_t, error_code&) { return End('}'); }
  bool on_array_begin(error_code& ec) { return Continue(BeginArray(), ec); }
  bool on_array_end(size_t, error_code&) { return End(']'); }
  bool on_key_part(std::string_view part, size_t, error_code&) { return Collect(part); }
  bool on_key(std::string_view part, size_t, error_code& ec) { return Continue(Key(Whole(part)), ec); }
  bool on_string_part(std::string_view part, size_t, error_code&) { return Collect(part); }
  bool on_string(std::string_view part, size_t, error_code& ec) { return Continue(String(Whole(part)), ec); }
  bool on_number_part(std::string_view part, error_code&) { return Collect(part); }
  bool on_int64(int64_t, std::string_view part, error_code& ec) { return Continue(Number(Whole(part)), ec); }
  bool on_uint64(uint64_t, std::string_view part, error_code& ec) {
    return Continue(Number(Whole(part)), ec);
  }
  // The parser's own double is wrong in the last bit now and then: only the text counts.
  bool on_double(double, std::string_view part, error_code& ec) { return Continue(Number(Whole(part)), ec); }
  bool on_bool(bool value, error_code& ec) { return Continue(Bool(value), ec); }
  bool on_null(error_code& ec) { return Continue(Null(), ec); }
  bool on_comment_part(std::string_view, error_code&) { return false; }  // comments are off: never called
  bool on_comment(std::string_view, error_code&) { return false; }

 private:
  // An object or array that has begun and not ended.
  struct Frame {
    enum class Kind : uint8_t {
      kMessage,  // an object that is a message
      kMap,      // an object that is a map field
      kList,     // an array that is a repeated field
      kObject,   // an object or array within a `json` field, or within what is ignored
      kArray,
    };
    Kind kind;
    Message* message = nullptr;         // kMessage: itself; kMap, kList: the one that has the field
    const MessagePlan* plan = nullptr;  // kMessage
    const FieldPlan* field =
        nullptr;                // kMessage: the member whose value comes; null: ignored. Else the field
    std::string_view key = {};  // name of the member whose value comes
    uint64_t seen = 0;          // kMessage: bits of the fields that stood already
    uint32_t id = 0;            // tells this object's members apart from others' in `keys_`
    size_t count = 0;           // of members (kObject) or elements so far
    size_t keys_before = 0;     // of `keys_in_order_` and `kept_`, when this began
    size_t kept_before = 0;
  };

  // Notes an error; the parser stops at the first.
  bool Continue(absl::Status status, error_code& ec) {
    part_.clear();
    if (status.ok() && elements_ > elements_max_) status = TooManyElements(elements_max_);
    if (status.ok()) return true;
    status_ = std::move(status);
    ec = boost::json::error::exception;  // any: status_ is what is reported
    return false;
  }

  // Texts come in parts when they contain escapes.
  bool Collect(std::string_view part) {
    part_ += part;
    return true;
  }
  std::string_view Whole(std::string_view last_part) {
    if (part_.empty()) return last_part;
    part_ += last_part;
    return part_;
  }

  bool IsInText() const {
    return !frames_.empty() &&
           (frames_.back().kind == Frame::Kind::kObject || frames_.back().kind == Frame::Kind::kArray);
  }

  // The path of the value that has just begun.
  std::string Path() const { return PathOf(frames_.size()); }
  // The path of the innermost object itself, for what is wrong with its members' names.
  std::string OuterPath() const { return PathOf(frames_.size() - 1); }

  std::string PathOf(size_t depth) const {
    std::string path;
    for (size_t i = 0; i < depth; ++i) {
      const Frame& frame = frames_[i];
      if (i == 0 && rules_.list != nullptr) path = rules_.list->name;
      if (frame.kind == Frame::Kind::kList || frame.kind == Frame::Kind::kArray) {
        absl::StrAppend(&path, "[", frame.count - 1, "]");
      } else {
        if (!path.empty()) path += '.';
        path += frame.key;
      }
    }
    return path.empty() ? "The body" : path;
  }

  absl::Status Wrong(std::string_view expectation) const { return WrongValue(Path(), expectation); }
  absl::Status WrongBody() const {
    return Wrong(rules_.list != nullptr ? "must be a JSON array" : "must be a JSON object");
  }

  // A view that lives as long as this reader: of the body itself, unless escapes had to be decoded.
  std::string_view Keep(std::string_view text) {
    const std::less_equal<const char*> at_or_before;
    if (at_or_before(body_.data(), text.data()) &&
        at_or_before(text.data() + text.size(), body_.data() + body_.size())) {
      return text;
    }
    return kept_.emplace_back(text);
  }

  bool IsBoundByPath(const FieldPlan* field) const {
    for (const FieldPath& bound : rules_.bound_by_path) {
      bool is_bound = bound.size() == frames_.size() && bound.back() == field;
      for (size_t i = 0; is_bound && i + 1 < bound.size(); ++i) is_bound = frames_[i].field == bound[i];
      if (is_bound) return true;
    }
    return false;
  }

  // In OTLP the service rejects the span that would keep it, and not the whole batch.
  bool HasForbiddenNul(std::string_view text) const {
    return plan_.style != JsonStyle::kOtlp && HasNul(text);
  }

  absl::Status Key(std::string_view name) {
    if (HasForbiddenNul(name)) return ContainsNul("A member's name in " + OuterPath());
    Frame& frame = frames_.back();
    if (frame.kind == Frame::Kind::kMessage) {
      frame.field = frame.plan->Find(name);
      if (frame.field != nullptr) {
        frame.key = frame.field->name;
        const bool is_bound = IsBoundByPath(frame.field);
        if (is_bound && !rules_.ignore_unknown_fields) return StandsInPath(Path());
        const uint64_t bit = uint64_t{1} << frame.field->index;
        if ((frame.seen & bit) != 0) return DuplicateKey(Path());
        frame.seen |= bit;
        if (is_bound || frame.field->rule->output_only()) frame.field = nullptr;
        return absl::OkStatus();
      }
      frame.key = Keep(name);
      if (!rules_.ignore_unknown_fields) return UnknownField(Path());
    } else {
      frame.key = Keep(name);
    }
    const auto [key, is_new] = keys_.emplace(frame.id, frame.key);
    if (!is_new) return DuplicateKey(Path());
    keys_in_order_.push_back(*key);
    if (keys_.size() > elements_max_) return TooManyElements(elements_max_);
    if (frame.kind == Frame::Kind::kObject && !is_ignoring_) {
      if (frame.count++ > 0) text_ += ',';
      AppendJsonString(name, text_);
      text_ += ':';
    }
    return absl::OkStatus();
  }

  // Where a value goes that begins now, outside of text. Without a message: it is ignored.
  Slot NextSlot() {
    Frame& frame = frames_.back();
    if (frame.kind == Frame::Kind::kList) ++frame.count;
    if (frame.kind != Frame::Kind::kMessage) ++elements_;
    if (frame.kind != Frame::Kind::kMap)
      return {frame.field != nullptr ? frame.message : nullptr, frame.field};
    Message* const entry = frame.field->reflection->AddMessage(frame.message, frame.field->field);
    SetString({entry, frame.field->map_key}, frame.key);
    return {entry, frame.field->map_value};
  }

  // Whether the value that begins is a whole list or map, rather than an element of it.
  bool IsWhole() const { return frames_.back().kind == Frame::Kind::kMessage; }

  std::string ExpectationAt(const FieldPlan& field) const {
    if (IsWhole() && field.is_list()) return "must be an array";
    if (IsWhole() && field.is_map()) return "must be an object";
    return Expectation(field);
  }

  // A value begins within text: separates it from the element before.
  void NextInText() {
    Frame& frame = frames_.back();
    if (frame.kind == Frame::Kind::kArray && frame.count++ > 0 && !is_ignoring_) text_ += ',';
  }

  void AppendToText(std::string_view json) {
    if (!is_ignoring_) text_ += json;
  }

  void Push(Frame frame) {
    frame.keys_before = keys_in_order_.size();
    frame.kept_before = kept_.size();
    frames_.push_back(frame);
  }

  void PushText(Frame::Kind kind) {
    AppendToText(kind == Frame::Kind::kObject ? "{" : "[");
    Push({.kind = kind, .id = ++last_id_});
  }

  void BeginText(Frame::Kind kind, Slot slot) {
    text_slot_ = slot;
    is_ignoring_ = slot.message == nullptr;
    text_.clear();
    PushText(kind);
  }

  absl::Status BeginObject() {
    if (frames_.empty()) {
      if (rules_.list != nullptr) return WrongBody();
      Push({.kind = Frame::Kind::kMessage, .message = &message_, .plan = &plan_, .id = ++last_id_});
      return absl::OkStatus();
    }
    if (IsInText()) {
      NextInText();
      PushText(Frame::Kind::kObject);
      return absl::OkStatus();
    }
    const Slot slot = NextSlot();
    if (slot.message == nullptr) {
      BeginText(Frame::Kind::kObject, slot);
    } else if (IsWhole() && slot.field->is_map()) {
      Push({.kind = Frame::Kind::kMap, .message = slot.message, .field = slot.field, .id = ++last_id_});
    } else if (IsWhole() && slot.field->is_list()) {
      return Wrong(ExpectationAt(*slot.field));
    } else if (slot.field->kind == Kind::kJson) {
      BeginText(Frame::Kind::kObject, slot);
    } else if (slot.field->kind == Kind::kMessage) {
      Push({.kind = Frame::Kind::kMessage,
            .message = &MessageOf(slot),
            .plan = slot.field->message,
            .id = ++last_id_});
    } else {
      return Wrong(ExpectationAt(*slot.field));
    }
    return absl::OkStatus();
  }

  absl::Status BeginArray() {
    if (frames_.empty()) {
      if (rules_.list == nullptr) return WrongBody();
      Push({.kind = Frame::Kind::kList, .message = &message_, .field = rules_.list});
      return absl::OkStatus();
    }
    if (IsInText()) {
      NextInText();
      PushText(Frame::Kind::kArray);
      return absl::OkStatus();
    }
    const bool is_whole = IsWhole();
    const Slot slot = NextSlot();
    if (slot.message == nullptr) {
      BeginText(Frame::Kind::kArray, slot);
    } else if (is_whole && slot.field->is_list()) {
      Push({.kind = Frame::Kind::kList, .message = slot.message, .field = slot.field});
    } else if (slot.field->rule->lenient()) {
      BeginText(Frame::Kind::kArray, {});
    } else {
      return Wrong(ExpectationAt(*slot.field));
    }
    return absl::OkStatus();
  }

  bool End(char bracket) {
    const bool was_in_text = IsInText();
    const Frame ended = frames_.back();
    frames_.pop_back();
    // What has been read of a list's element is not needed for the next.
    if (!frames_.empty() && frames_.back().kind == Frame::Kind::kList) {
      for (; keys_in_order_.size() > ended.keys_before; keys_in_order_.pop_back()) {
        keys_.erase(keys_in_order_.back());
      }
      kept_.resize(ended.kept_before);
    }
    if (!was_in_text) return true;
    AppendToText({&bracket, 1});
    if (!IsInText() && !is_ignoring_) SetJson(text_slot_, std::move(text_));
    return true;
  }

  // A value that is neither object nor array, outside of text: `set` puts it into its slot if it is one for
  // it.
  template <typename Set>
  absl::Status Scalar(Set set) {
    if (frames_.empty()) return WrongBody();
    const bool is_whole = IsWhole();
    const Slot slot = NextSlot();
    if (slot.message == nullptr || slot.field->rule->lenient()) return absl::OkStatus();
    const bool needs_brackets = is_whole && slot.field->field->is_repeated();
    if (needs_brackets || !set(slot)) return Wrong(ExpectationAt(*slot.field));
    return absl::OkStatus();
  }

  absl::Status String(std::string_view text) {
    if (!IsInText()) {
      RETURN_IF_ERROR(Scalar([text](Slot slot) { return SetString(slot, text); }));
    } else {
      NextInText();
      if (!is_ignoring_) AppendJsonString(text, text_);
    }
    return HasForbiddenNul(text) ? ContainsNul(Path()) : absl::OkStatus();
  }

  absl::Status Number(std::string_view number) {
    if (!IsInText()) return Scalar([number](Slot slot) { return SetNumber(slot, number); });
    NextInText();
    if (is_ignoring_) return absl::OkStatus();
    // PostgreSQL would write 1e131000 out in full.
    if (number.size() > kJsonNumberBytesMax || !ParseDouble(number)) {
      if (text_slot_.field->rule->lenient()) {
        text_ += '0';
        return absl::OkStatus();
      }
      return Wrong(absl::StrCat("must be a number of at most ", kJsonNumberBytesMax,
                                " characters that a double can hold"));
    }
    text_ += number;
    return absl::OkStatus();
  }

  absl::Status Bool(bool value) {
    if (!IsInText()) return Scalar([value](Slot slot) { return SetBool(slot, value); });
    NextInText();
    AppendToText(value ? "true" : "false");
    return absl::OkStatus();
  }

  // A member that is null is one that is absent; an element of a list cannot be.
  absl::Status Null() {
    if (IsInText()) {
      NextInText();
      AppendToText("null");
      return absl::OkStatus();
    }
    const bool is_member = !frames_.empty() && frames_.back().kind != Frame::Kind::kList;
    return is_member ? absl::OkStatus() : Scalar([](Slot) { return false; });
  }

  const MessagePlan& plan_;
  const std::string_view body_;
  const Rules rules_;
  const size_t elements_max_;
  Message& message_;
  absl::Status status_;

  absl::InlinedVector<Frame, 4> frames_;
  std::string part_;              // of a key, string or number, so far
  std::deque<std::string> kept_;  // owns keys that had escapes
  uint32_t last_id_ = 0;
  size_t elements_ = 0;  // of lists and maps so far
  // One set for the members of all objects whose members are not fields: no table per object.
  absl::flat_hash_set<std::pair<uint32_t, std::string_view>> keys_;
  std::vector<std::pair<uint32_t, std::string_view>> keys_in_order_;

  Slot text_slot_;            // where the text goes, or nowhere
  bool is_ignoring_ = false;  // within the text, if it goes nowhere
  std::string text_;
};

absl::Status ReadBody(const MessagePlan& plan, std::string_view body, const BodyReader::Rules& rules,
                      Message& message) {
  boost::json::parse_options options;
  options.max_depth = plan.style == JsonStyle::kOtlp ? kOtlpDepthMax : kJsonDepthMax;
  boost::json::basic_parser<BodyReader> parser(options, plan, body, rules, message);
  error_code ec;
  const size_t read = parser.write_some(false, body.data(), body.size(), ec);
  RETURN_IF_ERROR(parser.handler().status());
  if (ec == boost::json::error::too_deep) {
    return SyntaxError(read, absl::StrCat("nesting deeper than ", options.max_depth));
  }
  if (ec == boost::json::error::syntax) return SyntaxError(read, "");
  if (ec) return SyntaxError(read, ec.message());
  if (read < body.size()) return SyntaxError(read, "something follows the JSON value");
  return absl::OkStatus();
}

// Sets the field at the end of the path, and makes the messages on the way.
absl::Status SetPath(const FieldPath& path, std::string_view value, Message& request) {
  Message* message = &request;
  for (const FieldPlan* outer : std::span(path).first(path.size() - 1)) {
    message = &MessageOf({message, outer});
  }
  if (SetFromText({message, path.back()}, value)) return absl::OkStatus();
  return WrongValue(ToString(path), Expectation(*path.back()));
}

absl::Status ReadQuery(const Route& route, std::string_view query, Message& request) {
  if (query.empty()) return absl::OkStatus();
  std::set<FieldPath> seen(route.variables.begin(), route.variables.end());
  while (!query.empty()) {
    const std::string_view parameter = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), parameter.size() + 1));
    if (parameter.empty()) continue;
    const size_t equals = std::min(parameter.find('='), parameter.size());
    std::string name;
    RETURN_IF_ERROR(AppendPercentDecoded(parameter.substr(0, equals), PlusSign::kIsSpace,
                                         "A query parameter's name", name));
    const auto path = route.has_body ? std::nullopt : ResolvePath(*route.request_plan, name);
    const bool is_new = path && seen.insert(*path).second;
    if (!is_new && route.rest->ignore_unknown_query()) continue;
    if (!path) return UnknownField(name);
    if (!is_new) return DuplicateKey(name);
    std::string value;
    // No time has a space, and the offset's sign is often sent as it is.
    const auto plus = path->back()->kind == Kind::kTimestamp ? PlusSign::kIsPlus : PlusSign::kIsSpace;
    RETURN_IF_ERROR(
        AppendPercentDecoded(parameter.substr(std::min(equals + 1, parameter.size())), plus, name, value));
    RETURN_IF_ERROR(SetPath(*path, value, request));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadRequest(const Match& match, std::string_view query, std::optional<std::string_view> body,
                         Message& request) {
  const Route& route = *match.route;
  for (size_t i = 0; i < match.variables.size(); ++i) {
    RETURN_IF_ERROR(SetPath(route.variables[i], match.variables[i], request));
  }
  RETURN_IF_ERROR(ReadQuery(route, query, request));
  const std::string_view text = body.value_or("");
  // Where unknown fields are ignored, so is a body that none is looked for in: clients send {}.
  if (!route.has_body) {
    return text.empty() || route.rest->ignore_unknown_fields() ? absl::OkStatus() : BodyUnexpected();
  }
  if (text.empty()) return BodyMissing(route.takes_array());
  BodyReader::Rules rules{.ignore_unknown_fields = route.rest->ignore_unknown_fields()};
  const FieldPlan* field = route.body_field;
  if (field == nullptr) {
    rules.bound_by_path = route.variables;
  } else if (route.takes_array()) {
    rules.list = field;
  } else {
    return ReadBody(*field->message, text, rules, MessageOf({&request, field}));
  }
  return ReadBody(*route.request_plan, text, rules, request);
}

void ReplaceLoneSurrogates(std::string& json) {
  constexpr size_t kEscapeBytes = 6;  // \ud83d
  // The second of the four digits tells a leading surrogate from a trailing one.
  const auto is_escape = [&json](size_t at, std::string_view second) {
    const std::string_view escape = std::string_view(json).substr(at, kEscapeBytes);
    return escape.size() == kEscapeBytes && escape.starts_with("\\u") &&
           (escape[2] == 'd' || escape[2] == 'D') && second.find(escape[3]) != std::string_view::npos &&
           std::all_of(escape.begin() + 4, escape.end(), absl::ascii_isxdigit);
  };
  // Every backslash takes a character with it, so that an escaped one begins nothing.
  for (size_t at = json.find('\\'); at != std::string::npos; at = json.find('\\', at)) {
    const bool is_leading = is_escape(at, "89abAB");
    if (is_leading && is_escape(at + kEscapeBytes, "cdefCDEF")) {
      at += 2 * kEscapeBytes;
    } else if (is_leading || is_escape(at, "cdefCDEF")) {
      json.replace(at, kEscapeBytes, "\\ufffd");
      at += kEscapeBytes;
    } else {
      at += 2;
    }
  }
}

absl::Status ReadJson(const MessagePlan& plan, std::string_view json, Message& message) {
  return ReadBody(plan, json, {}, message);
}

}  // namespace verdict::gateway
