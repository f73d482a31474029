#pragma once

#include <optional>
#include <string_view>

#include "absl/status/status.h"

// What a caller says of a call besides its message, and what of it is accepted: over HTTP in the gateway, as
// gRPC metadata in the services.
namespace verdict::rpc {

// Whether a caller's id of its request may stand in logs and answers: [A-Za-z0-9._-]{1,64}.
bool IsRequestId(std::string_view text);

// Whether gRPC takes the text as the value of metadata; it ends the process over others.
bool IsVisibleAscii(std::string_view text);

// VALIDATION_ERROR unless it is 1 to 255 visible ASCII characters.
absl::Status CheckIdempotencyKey(std::string_view key);

// Whether If-None-Match, a list of tags or `*`, names the state `etag`, which is in quotes. Weak tags (W/"7")
// compare equal to strong ones.
bool HasETag(std::string_view if_none_match, std::string_view etag);

// The X of "Bearer X"; nullopt for another scheme. The scheme's case does not matter (RFC 9110, 11.1).
std::optional<std::string_view> BearerOf(std::string_view authorization);

// A call's credential: the X of `authorization: Bearer X`, or `x-api-key`, which is for what cannot set the
// former. Empty when there is neither; nullopt when they differ, and so say not whose the call is.
std::optional<std::string_view> CredentialOf(std::optional<std::string_view> authorization,
                                             std::optional<std::string_view> api_key);

}  // namespace verdict::rpc
