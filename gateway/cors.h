#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "gateway/response.h"

namespace verdict::gateway {

// Which other origins' pages may call the routes that browsers call, and read the answers. No route uses
// cookies, so that "any" gives a page nothing that its own credential does not.
class CorsPolicy {
 public:
  // `origins`: "*", or origins (https://app.example.com) separated by commas. INVALID_ARGUMENT, with a
  // message for operators, when one is not an origin.
  static absl::StatusOr<CorsPolicy> Parse(std::string_view origins);

  // What every answer of such a route carries, errors too: a page could not tell 410 from a network failure
  // otherwise. `origin` is the request's.
  Fields AnswerFields(std::optional<std::string_view> origin) const;

  // What the answer to a preflight request carries beyond those.
  static Fields PreflightFields(std::string_view methods);

 private:
  std::vector<std::string> origins_;  // empty: any
};

}  // namespace verdict::gateway
