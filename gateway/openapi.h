#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "gateway/route_table.h"

namespace verdict::gateway {

// The OpenAPI 3.1 document of the routes, as JSON: made of the contracts' descriptors and comments, so that
// it says what the server does. INTERNAL when the comments cannot be read.
absl::StatusOr<std::string> MakeOpenApi(const RouteTable& routes);

}  // namespace verdict::gateway
