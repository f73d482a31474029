#pragma once

#include <optional>
#include <string_view>

#include <google/protobuf/timestamp.pb.h>

namespace verdict::gateway {

// Reads a time of RFC 3339 with any offset and up to nine digits after the second. Nullopt for all else, also
// for a leap second, which no Timestamp can hold.
std::optional<google::protobuf::Timestamp> ParseTimestamp(std::string_view text);

// Reads a date, 2026-01-31, as its midnight in UTC.
std::optional<google::protobuf::Timestamp> ParseDate(std::string_view text);

// The time so many seconds after 1970, to the nearest microsecond; nullopt outside of the years 1 to 9999.
std::optional<google::protobuf::Timestamp> TimestampOf(double epoch_seconds);

}  // namespace verdict::gateway
