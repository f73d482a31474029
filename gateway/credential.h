#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/auth/authenticator.h"
#include "gateway/asio.h"
#include "gateway/framing_guard.h"

namespace verdict::gateway {

// The credential of a request, from `Authorization: Bearer X` or `x-api-key: X`, as the value of gRPC's
// `authorization`; empty when there is none. UNAUTHENTICATED when the two differ.
absl::StatusOr<std::string> AuthorizationOf(const RequestHead& head);

// Whether `authorization`, not empty, is somebody's API key: UNAUTHENTICATED, or UNAVAILABLE when nobody can
// say. What the key may do is for the services to say. `authenticator` answers before it ends.
Awaitable<absl::Status> CheckApiKey(auth::Authenticator& authenticator, const std::string& authorization,
                                    auth::Deadline deadline);

}  // namespace verdict::gateway
