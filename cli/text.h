#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/descriptor.h"

namespace verdict::cli {

// The parts, one after the other.
std::string Cat(std::initializer_list<std::string_view> parts);

// "a,b" as a and b.
std::vector<std::string> SplitAtCommas(std::string_view text);

// A number and its unit, like 30d: whole seconds, at least one, at most 10,000 days (which fit 32 bits).
std::optional<std::chrono::seconds> ParseDuration(std::string_view text);

// A finite number in decimal notation.
std::optional<double> ParseNumber(std::string_view text);

// A whole number from 1 to 2,147,483,647.
std::optional<int32_t> ParseCount(std::string_view text);

// The value's name as our JSON spells it: without its type's prefix, in lower case (eval_run).
std::string EnumName(const google::protobuf::EnumValueDescriptor& value);

// The value of this name, if the enum has it; UNSPECIFIED has none.
const google::protobuf::EnumValueDescriptor* FindEnumValue(const google::protobuf::EnumDescriptor& type,
                                                           std::string_view name);

// The names of all values but UNSPECIFIED: "span, trace, session".
std::string EnumNames(const google::protobuf::EnumDescriptor& type);

// How many characters must be inserted, removed or replaced to make `a` of `b`.
size_t EditDistance(std::string_view a, std::string_view b);

// `text` with control characters written as \xNN, so that a stored name cannot drive the terminal.
std::string Printable(std::string_view text);

}  // namespace verdict::cli
