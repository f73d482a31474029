#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <google/protobuf/message.h>

#include "gateway/json_plan.h"

// Single values, from text into fields.
namespace verdict::gateway {

// The longest number in a `json` field, in characters.
inline constexpr size_t kJsonNumberBytesMax = 32;

// Where a value goes: a field of a message; at the end of it when it is a list.
struct Slot {
  google::protobuf::Message* message = nullptr;
  const FieldPlan* field = nullptr;
};

// The message in the slot; makes it.
google::protobuf::Message& MessageOf(Slot slot);

// A whole number.
struct Integer {
  bool is_negative = false;
  uint64_t magnitude = 0;
};

// The value of a JSON number (its text) that is whole, however it is written: 3600, 3600.0, 36e2. Nullopt for
// others and beyond 64 bits.
std::optional<Integer> ParseInteger(std::string_view number);

// The double nearest to a JSON number; nullopt when there is none but zero or infinity.
std::optional<double> ParseDouble(std::string_view number);

// Each sets (or adds) a value, and answers whether the field takes it. `number` is the text of a JSON number;
// OTLP's fields take numbers as strings, too. There one bad value must not cost a batch: an integer's field
// takes any number, and stays unset when it cannot hold it; what is no hex becomes a zero byte, which is no
// id.
bool SetBool(Slot slot, bool value);
bool SetNumber(Slot slot, std::string_view number);
bool SetString(Slot slot, std::string_view text);

// The same from a path or a query, where every value is text; a time may be a date there: its midnight in
// UTC.
bool SetFromText(Slot slot, std::string_view text);

// Sets a `json` field.
void SetJson(Slot slot, std::string&& json);

// What the field (or one element of it) takes, to go on after its name: "must be true or false".
std::string Expectation(const FieldPlan& field);

}  // namespace verdict::gateway
