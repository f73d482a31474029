#include "gateway/json_writer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/wire_format_lite.h>

#include "common/clock.h"
#include "gateway/url.h"

namespace verdict::gateway {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using Kind = FieldPlan::Kind;

constexpr int kDepthMax = 100;  // as protobuf's own parser
constexpr std::string_view kHexDigits = "0123456789abcdef";

bool IsPlain(char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; }

// How many bytes at the front of the text a JSON string has as they are.
size_t PlainLength(std::string_view text) {
  constexpr size_t kBlock = 16;
  size_t length = 0;
  // Without a branch a byte: so the compiler looks at a whole block at once.
  for (; text.size() - length >= kBlock; length += kBlock) {
    unsigned plain = 1;
    for (size_t i = 0; i < kBlock; ++i) plain &= static_cast<unsigned>(IsPlain(text[length + i]));
    if (plain == 0) break;
  }
  while (length < text.size() && IsPlain(text[length])) ++length;
  return length;
}

void AppendEscape(char c, std::string& out) {
  out += '\\';
  switch (c) {
    case '"':
    case '\\':
      out += c;
      return;
    case '\n':
      out += 'n';
      return;
    case '\r':
      out += 'r';
      return;
    case '\t':
      out += 't';
      return;
    default:
      out += "u00";
      out += kHexDigits[static_cast<unsigned char>(c) >> 4];
      out += kHexDigits[static_cast<unsigned char>(c) & 15];
  }
}

// What the bytes of a message say of one field.
struct Value {
  const char* data;  // a text or a message; a list or map from its first element's tag on
  size_t size;
  uint64_t number;  // any other; of a double its bits

  std::string_view bytes() const { return {data, size}; }
};

CodedInputStream Input(std::string_view bytes) {
  return CodedInputStream(reinterpret_cast<const uint8_t*>(bytes.data()), static_cast<int>(bytes.size()));
}

// Reads a value of the wire type, from the input made of `bytes`.
bool ReadValue(WireFormatLite::WireType type, std::string_view bytes, CodedInputStream& in, Value& value) {
  switch (type) {
    case WireFormatLite::WIRETYPE_VARINT:
      return in.ReadVarint64(&value.number);
    case WireFormatLite::WIRETYPE_FIXED64:
      return in.ReadLittleEndian64(&value.number);
    case WireFormatLite::WIRETYPE_LENGTH_DELIMITED: {
      int size = 0;
      if (!in.ReadVarintSizeAsInt(&size)) return false;
      value.data = bytes.data() + in.CurrentPosition();
      value.size = static_cast<size_t>(size);
      return in.Skip(size);
    }
    default:
      return false;
  }
}

// The fields of a message, where its bytes have them; the last of those that stand twice and are no list.
struct Fields {
  uint64_t seen = 0;                     // bits of FieldPlan::index
  std::array<Value, kFieldsMax> values;  // by FieldPlan::index, of those seen

  bool Has(const FieldPlan& field) const { return (seen >> field.index & 1) != 0; }
  Value Get(const FieldPlan& field) const {
    return Has(field) ? values[static_cast<size_t>(field.index)] : Value();
  }
};

// False when the bytes are no message.
bool FindFields(const MessagePlan& plan, std::string_view message, Fields& fields) {
  CodedInputStream in = Input(message);
  for (;;) {
    const auto start = static_cast<size_t>(in.CurrentPosition());
    const uint32_t tag = in.ReadTag();
    if (tag == 0) return in.ConsumedEntireMessage();
    const FieldPlan* field = plan.WithTag(tag);
    if (field == nullptr) {
      if (!WireFormatLite::SkipField(&in, tag)) return false;
      continue;
    }
    Value value = {};
    if (!ReadValue(WireFormatLite::GetTagWireType(tag), message, in, value)) return false;
    if (field->is_repeated) {
      value.data = fields.Has(*field) ? fields.Get(*field).data : message.data() + start;
      value.size = static_cast<size_t>(message.data() + in.CurrentPosition() - value.data);
    }
    fields.values[static_cast<size_t>(field->index)] = value;
    fields.seen |= uint64_t{1} << field->index;
  }
}

// Calls `each` with the elements of a list or the entries of a map until it returns false; false then, or
// when the bytes are none.
template <typename Each>
bool ForEach(const FieldPlan& plan, std::string_view elements, Each each) {
  CodedInputStream in = Input(elements);
  while (const uint32_t tag = in.ReadTag()) {
    if (tag != plan.tag) {
      if (!WireFormatLite::SkipField(&in, tag)) return false;
      continue;
    }
    Value element = {};
    if (!ReadValue(WireFormatLite::GetTagWireType(tag), elements, in, element)) return false;
    if (!plan.field->is_packed()) {
      if (!each(element)) return false;
      continue;
    }
    const std::string_view numbers = element.bytes();
    CodedInputStream packed = Input(numbers);
    while (static_cast<size_t>(packed.CurrentPosition()) < numbers.size()) {
      if (!ReadValue(plan.wire_type, numbers, packed, element) || !each(element)) return false;
    }
  }
  return true;
}

// Writes messages from their bytes: nothing is made of them on the way. Where a member returns false the
// bytes are not what they should be.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  bool Message(const MessagePlan& plan, std::string_view message) {
    if (depth_ > kDepthMax) return false;
    Fields fields;
    if (!FindFields(plan, message, fields)) return false;
    ++depth_;
    out_ += '{';
    if (!Members(plan, fields, fields.seen | plan.shown_when_absent)) return false;
    if (out_.back() == ',') {
      out_.back() = '}';
    } else {
      out_ += '}';
    }
    --depth_;
    return true;
  }

  // `"name":value,` for every field of `shown`, bits of FieldPlan::index, that JSON has a word for.
  bool Members(const MessagePlan& plan, const Fields& fields, uint64_t shown) {
    for (; shown != 0; shown &= shown - 1) {
      const FieldPlan& field = plan.fields[static_cast<size_t>(std::countr_zero(shown))];
      const Value value = fields.Get(field);
      if (!HasJson(field, value)) continue;
      out_ += field.key;
      if (!Field(field, value)) return false;
      out_ += ',';
    }
    return true;
  }

  bool Field(const FieldPlan& plan, const Value& value) {
    if (plan.is_map()) return Map(plan, value.bytes());
    if (!plan.is_list()) return Single(plan, value);
    out_ += '[';
    if (!Elements(plan, value.bytes())) return false;
    out_ += ']';
    return true;
  }

  // The elements of a list, with commas between them.
  bool Elements(const FieldPlan& plan, std::string_view elements) {
    bool is_first = true;
    return ForEach(plan, elements, [&](const Value& element) {
      if (!std::exchange(is_first, false)) out_ += ',';
      return Single(plan, element);
    });
  }

  // The value of a field, or one element of a list.
  bool Single(const FieldPlan& plan, const Value& value) {
    switch (plan.kind) {
      case Kind::kBool:
        out_ += value.number != 0 ? "true" : "false";
        return true;
      case Kind::kInt32:
        return Number(static_cast<int32_t>(value.number));
      case Kind::kInt64:
        return Integer64(plan, static_cast<int64_t>(value.number));
      case Kind::kUint32:
        return Number(static_cast<uint32_t>(value.number));
      case Kind::kUint64:
        return Integer64(plan, value.number);
      case Kind::kDouble:
        return Double(std::bit_cast<double>(value.number));
      case Kind::kString:
        if (!IsUtf8(value.bytes())) return false;
        AppendJsonString(value.bytes(), out_);
        return true;
      case Kind::kHex:
        return Hex(value.bytes());
      case Kind::kJson:
        out_ += value.bytes();
        return IsUtf8(value.bytes());
      case Kind::kEnum:
        out_ += '"';
        out_ += plan.enumeration->NameOf(value.number);
        out_ += '"';
        return true;
      case Kind::kTimestamp:
        return Time(value.bytes());
      case Kind::kMessage:
        return Message(*plan.message, value.bytes());
    }
    return false;
  }

 private:
  // Whether JSON has a word for the value of the field.
  static bool HasJson(const FieldPlan& plan, const Value& value) {
    if (plan.style == JsonStyle::kOtlp || plan.is_repeated) return true;
    switch (plan.kind) {
      case Kind::kEnum:
        return !plan.enumeration->NameOf(value.number).empty();
      case Kind::kJson:  // empty is no JSON text
        return !value.bytes().empty();
      case Kind::kDouble:
        return std::isfinite(std::bit_cast<double>(value.number));
      default:
        return true;
    }
  }

  template <typename T>
  bool Number(T number) {
    char text[32];  // the longest double has 24 characters
    out_.append(text, std::to_chars(text, text + sizeof text, number).ptr);
    return true;
  }

  // JSON's numbers are doubles to many a reader.
  template <typename T>
  bool Integer64(const FieldPlan& plan, T number) {
    const std::string_view quote = plan.style == JsonStyle::kOtlp ? "\"" : "";
    out_ += quote;
    Number(number);
    out_ += quote;
    return true;
  }

  bool Double(double number) {
    if (std::isfinite(number)) return Number(number);
    out_ += std::isnan(number) ? "\"NaN\"" : number > 0 ? "\"Infinity\"" : "\"-Infinity\"";
    return true;
  }

  bool Hex(std::string_view bytes) {
    out_ += '"';
    for (const char c : bytes) {
      const auto byte = static_cast<unsigned char>(c);
      out_ += kHexDigits[byte >> 4];
      out_ += kHexDigits[byte & 15];
    }
    out_ += '"';
    return true;
  }

  bool Time(std::string_view timestamp) {
    google::protobuf::Timestamp time;
    CodedInputStream in = Input(timestamp);
    while (const uint32_t tag = in.ReadTag()) {
      Value value = {};
      if (!ReadValue(WireFormatLite::GetTagWireType(tag), timestamp, in, value)) return false;
      switch (WireFormatLite::GetTagFieldNumber(tag)) {
        case google::protobuf::Timestamp::kSecondsFieldNumber:
          time.set_seconds(static_cast<int64_t>(value.number));
          break;
        case google::protobuf::Timestamp::kNanosFieldNumber:
          time.set_nanos(static_cast<int32_t>(value.number));
          break;
        default:
          break;
      }
    }
    if (!IsTime(time)) return false;
    out_ += '"';
    AppendTime(FromProto(time), out_);
    out_ += '"';
    return true;
  }

  // By key: the message has no order of its own that would be the same the next time.
  bool Map(const FieldPlan& plan, std::string_view map) {
    std::vector<std::pair<Value, Value>> entries;
    const bool are_entries = ForEach(plan, map, [&](const Value& entry) {
      Fields fields;
      if (!FindFields(*plan.map_entry, entry.bytes(), fields)) return false;
      entries.emplace_back(fields.Get(*plan.map_key), fields.Get(*plan.map_value));
      return true;
    });
    if (!are_entries) return false;
    std::ranges::sort(entries, {}, [](const auto& entry) { return entry.first.bytes(); });
    out_ += '{';
    for (const auto& [key, value] : entries) {
      if (out_.back() != '{') out_ += ',';
      if (!Single(*plan.map_key, key)) return false;
      out_ += ':';
      if (!Single(*plan.map_value, value)) return false;
    }
    out_ += '}';
    return true;
  }

  std::string& out_;
  int depth_ = 0;
};

// Makes room for what most messages become, at once.
void Reserve(std::string_view message, std::string& out) { out.reserve(out.size() + 2 * message.size()); }

}  // namespace

void AppendJsonString(std::string_view text, std::string& out) {
  out += '"';
  for (;;) {
    const size_t plain = PlainLength(text);
    out += text.substr(0, plain);
    if (plain == text.size()) break;
    AppendEscape(text[plain], out);
    text.remove_prefix(plain + 1);
  }
  out += '"';
}

bool AppendJson(const MessagePlan& plan, std::string_view message, std::string& out) {
  return Writer(out).Message(plan, message);
}

bool AppendResponse(const Route& route, std::string_view response, std::string& out) {
  Reserve(response, out);
  if (route.response_body == nullptr) return AppendJson(*route.response_plan, response, out);
  Fields fields;
  return FindFields(*route.response_plan, response, fields) &&
         Writer(out).Field(*route.response_body, fields.Get(*route.response_body));
}

bool ResponseStream::Append(std::string_view response, std::string& out) {
  const FieldPlan& items = *route_.items;
  const bool is_bare = route_.response_body != nullptr;
  const MessagePlan& plan = *route_.response_plan;
  Fields fields;
  if (!FindFields(plan, response, fields)) return false;
  Reserve(response, out);
  Writer writer(out);
  if (route_.answers_lines()) {
    return ForEach(items, fields.Get(items).bytes(), [&](const Value& item) {
      const bool written = writer.Single(items, item);
      out += '\n';
      return written;
    });
  }
  const uint64_t others = ~(uint64_t{1} << items.index);
  if (!has_begun_) {
    has_begun_ = true;
    if (!is_bare) {
      out += '{';
      if (!writer.Members(plan, fields, (fields.seen | plan.shown_when_absent) & others)) return false;
      out += items.key;
    }
    out += '[';
  } else if (!is_bare) {
    trailer_ += ',';
    if (!Writer(trailer_).Members(plan, fields, fields.seen & others)) return false;
    trailer_.pop_back();
  }
  if (!fields.Has(items)) return true;
  if (has_items_) out += ',';
  has_items_ = true;
  return writer.Elements(items, fields.Get(items).bytes());
}

void ResponseStream::Finish(std::string& out) {
  if (route_.answers_lines()) return;
  out += ']';
  if (route_.response_body != nullptr) return;
  out += trailer_;
  out += '}';
}

}  // namespace verdict::gateway
