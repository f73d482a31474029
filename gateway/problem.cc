#include "gateway/problem.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/status/error.h"

namespace verdict::gateway {
namespace {

// "urn:verdict:problem:token-used"
std::string TypeOf(std::string_view reason_name) {
  return absl::StrCat("urn:verdict:problem:",
                      absl::StrReplaceAll(absl::AsciiStrToLower(std::string(reason_name)), {{"_", "-"}}));
}

// Whole seconds, as clients read it, and not none: those that repeat at once are what it is to prevent.
std::string RetryAfter(const ErrorDetails& details) {
  const auto delay =
      std::chrono::ceil<std::chrono::seconds>(details.retry_after.value_or(std::chrono::seconds(1)));
  return absl::StrCat(std::max<std::chrono::seconds::rep>(delay.count(), 1));
}

}  // namespace

Response ProblemResponse(const absl::Status& error, std::string_view request_id) {
  const absl::Status status = StripInternal(error);
  const Reason reason = ReasonOf(status);
  const errors::v1::ReasonRule& rule = RuleOf(reason);
  const ErrorDetails details = DetailsOf(status);
  const std::string_view code = ReasonName(reason);
  const std::string_view detail(status.message().data(), status.message().size());

  boost::json::array violations;
  for (const FieldViolation& violation : details.violations) {
    violations.push_back(boost::json::object{{"field", violation.field}, {"message", violation.message}});
  }
  const boost::json::object document{
      {"type", TypeOf(code)},
      {"title", rule.title()},
      {"status", rule.http_status()},
      {"detail", detail},
      {"instance", absl::StrCat("urn:verdict:request:", std::string(request_id))},
      {"code", code},
      {"errors", std::move(violations)},
      {"success", false},
      {"error", {{"code", code}, {"message", detail}, {"requestId", request_id}}},
  };

  Response response{.status = rule.http_status(), .body = boost::json::serialize(document), .reason = reason};
  response.AddField("Content-Type", "application/problem+json");
  if (response.status == 401) response.AddField("WWW-Authenticate", "Bearer");
  if (response.status == 429 || response.status == 503) response.AddField("Retry-After", RetryAfter(details));
  return response;
}

}  // namespace verdict::gateway
