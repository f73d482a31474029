#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "gateway/response.h"

namespace verdict::gateway {

// The answer to a request that failed: an RFC 9457 problem document, with the members that EvalGuard's
// clients read beside it, and the header fields that its status calls for (WWW-Authenticate, Retry-After).
// The cause of an internal error is left out.
Response ProblemResponse(const absl::Status& error, std::string_view request_id);

}  // namespace verdict::gateway
