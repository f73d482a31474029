#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/wire_format_lite.h>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "verdict/options/v1/options.pb.h"

// What JSON makes of messages, worked out once per type: so that reading and writing a field neither looks
// into descriptors nor builds strings.
namespace verdict::gateway {

struct MessagePlan;

// Which JSON. OTLP's is protobuf's own, but for ids in hex: names in lowerCamelCase, texts for 64-bit
// integers and for the numbers that JSON has no word for, no member for what has its type's default; and
// U+0000 is text.
enum class JsonStyle : std::uint8_t { kOurs, kOtlp };

// The JSON names of an enum: its values' names without the type's prefix, in lower case. The zero value
// means absent and has none.
struct EnumPlan {
  absl::flat_hash_map<std::string_view, int> number_of;
  std::vector<std::string> name_of;  // by number; empty: none has it
  std::string names;                 // in the order of the contract: "span, trace, session"

  // Empty when the number has no name. Negative ones are huge here.
  std::string_view NameOf(std::uint64_t number) const {
    return number < name_of.size() ? name_of[number] : std::string_view();
  }
};

// How one field is read and written.
struct FieldPlan {
  enum class Kind {
    kBool,
    kInt32,
    kInt64,
    kUint32,
    kUint64,
    kDouble,
    kString,
    kHex,
    kJson,
    kEnum,
    kTimestamp,
    kMessage
  };

  const google::protobuf::FieldDescriptor* field = nullptr;
  const google::protobuf::Reflection* reflection = nullptr;  // of the message; dear to ask it for
  Kind kind = Kind::kString;                                 // of a map: of its values
  JsonStyle style = JsonStyle::kOurs;
  bool is_repeated = false;  // a list or a map
  int index = 0;             // in MessagePlan::fields
  std::uint32_t tag = 0;     // before each value, in protobuf's bytes
  google::protobuf::internal::WireFormatLite::WireType wire_type = {};  // of a value; packed ones as without
  std::string_view name = {};              // in JSON; in ours, as in the contract
  std::string key = {};                    // `"name":`
  const EnumPlan* enumeration = nullptr;   // of kEnum
  const MessagePlan* message = nullptr;    // of kMessage
  const MessagePlan* map_entry = nullptr;  // of a map
  const FieldPlan* map_key = nullptr;      // the fields of its entry
  const FieldPlan* map_value = nullptr;
  const options::v1::FieldRule* rule = nullptr;

  bool is_map() const { return map_value != nullptr; }
  bool is_list() const { return is_repeated && !is_map(); }
};

// How many fields a message has at most, so that a word can say which were seen.
inline constexpr int kFieldsMax = 64;

// How one type of message is read and written.
struct MessagePlan {
  const google::protobuf::Descriptor* descriptor = nullptr;
  JsonStyle style = JsonStyle::kOurs;
  std::vector<FieldPlan> fields = {};   // in the order of the contract
  std::uint64_t shown_when_absent = 0;  // bits of the fields that answers always have
  absl::flat_hash_map<std::string_view, const FieldPlan*> by_name = {};
  std::vector<const FieldPlan*> by_number = {};  // null: no field has it

  const FieldPlan* Find(std::string_view name) const {
    const auto found = by_name.find(name);
    return found == by_name.end() ? nullptr : found->second;
  }
  // The field whose values stand behind this tag.
  const FieldPlan* WithTag(std::uint32_t tag) const {
    const auto number =
        static_cast<size_t>(google::protobuf::internal::WireFormatLite::GetTagFieldNumber(tag));
    const FieldPlan* const field = number < by_number.size() ? by_number[number] : nullptr;
    return field != nullptr && field->tag == tag ? field : nullptr;
  }
};

// A field, from the outermost message inwards; never empty.
using FieldPath = std::vector<const FieldPlan*>;

// The field that `dotted` names (created_by.id), if it can be told by one text: neither a message nor `json`
// nor repeated, nor inside of what is.
std::optional<FieldPath> ResolvePath(const MessagePlan& plan, std::string_view dotted);

// The path as JSON and queries spell it: created_by.id
std::string ToString(const FieldPath& path);

// Makes plans and owns them. A plan never changes, and is safe to use from all threads; making one is not.
class JsonPlans {
 public:
  // The plan of a message, and of every message in it. INTERNAL when one has no JSON form here (bytes that
  // are not `hex`, float, a map whose keys are not strings, a well-known type other than Timestamp, an enum
  // in OTLP, ...).
  absl::StatusOr<const MessagePlan*> Make(const google::protobuf::Descriptor& descriptor,
                                          JsonStyle style = JsonStyle::kOurs);

 private:
  absl::Status MakeField(const google::protobuf::FieldDescriptor& field, FieldPlan& plan);
  absl::StatusOr<const EnumPlan*> MakeEnum(const google::protobuf::EnumDescriptor& descriptor);

  absl::flat_hash_map<std::pair<const google::protobuf::Descriptor*, JsonStyle>, std::unique_ptr<MessagePlan>>
      messages_;
  absl::flat_hash_map<const google::protobuf::EnumDescriptor*, std::unique_ptr<EnumPlan>> enums_;
};

}  // namespace verdict::gateway
