#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "gateway/framing_guard.h"

namespace verdict::gateway {

// The credential of a request, from `Authorization: Bearer X` or `x-api-key: X`, as the value of gRPC's
// `authorization`; empty when there is none. Who it belongs to is for the services to say. UNAUTHENTICATED
// when the two differ.
absl::StatusOr<std::string> AuthorizationOf(const RequestHead& head);

// The refusal of a request without a usable API key.
absl::Status ApiKeyRequired();

}  // namespace verdict::gateway
