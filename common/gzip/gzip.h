#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace verdict {

// What gzip begins with, and no message of protobuf: there it would be the tag of a wire type that is none
// (7).
inline constexpr char kGzipBegin = '\x1f';

// Inflates a body of one or more members of gzip (RFC 1952). BAD_REQUEST when it is anything else, or cut
// short; BODY_TOO_LARGE as soon as it turns out to be larger than `bytes_max`, so that hardly more is ever
// made.
absl::StatusOr<std::string> Gunzip(std::string_view compressed, std::size_t bytes_max);

}  // namespace verdict
