#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "gateway/response.h"

namespace verdict::gateway {

// How an error looks: as a problem document of RFC 9457, or, as OTLP has it, as a google.rpc.Status in the
// encoding of the request.
enum class ErrorFormat : std::uint8_t { kProblem, kStatusJson, kStatusProtobuf };

// The answer to a request that failed, with the header fields that its status calls for (WWW-Authenticate,
// Retry-After). A problem document has the members that EvalGuard's clients read beside its own. The cause of
// an internal error is left out.
Response ErrorResponse(const absl::Status& error, std::string_view request_id,
                       ErrorFormat format = ErrorFormat::kProblem);

}  // namespace verdict::gateway
