#include "gateway/problem.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <google/protobuf/util/json_util.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/status/error.h"
#include "common/status/grpc_status.h"
#include "google/rpc/status.pb.h"

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

std::string ProblemDocument(Reason reason, std::string_view detail, const ErrorDetails& details,
                            std::string_view request_id) {
  const errors::v1::ReasonRule& rule = RuleOf(reason);
  const std::string_view code = ReasonName(reason);
  boost::json::array violations;
  for (const FieldViolation& violation : details.violations) {
    violations.push_back(boost::json::object{{"field", violation.field}, {"message", violation.message}});
  }
  return boost::json::serialize(boost::json::object{
      {"type", TypeOf(code)},
      {"title", rule.title()},
      {"status", rule.http_status()},
      {"detail", detail},
      {"instance", absl::StrCat("urn:verdict:request:", std::string(request_id))},
      {"code", code},
      {"errors", std::move(violations)},
      {"success", false},
      {"error", {{"code", code}, {"message", detail}, {"requestId", request_id}}},
  });
}

// Protobuf's own JSON: of the error, not of what a stranger sent.
std::string StatusAsJson(const std::string& bytes) {
  google::rpc::Status status;
  status.ParseFromString(bytes);
  std::string json;
  return google::protobuf::util::MessageToJsonString(status, &json).ok() ? json : "{}";
}

}  // namespace

Response ErrorResponse(const absl::Status& error, std::string_view request_id, ErrorFormat format) {
  const absl::Status status = StripInternal(error);
  const Reason reason = ReasonOf(status);
  const ErrorDetails details = DetailsOf(status);
  const std::string_view message(status.message().data(), status.message().size());
  Response response{.status = RuleOf(reason).http_status(), .reason = reason};
  if (format == ErrorFormat::kProblem) {
    response.body = ProblemDocument(reason, message, details, request_id);
    response.AddField("Content-Type", "application/problem+json");
  } else {
    const bool is_json = format == ErrorFormat::kStatusJson;
    // Made anew: with its reason, whoever's it was, and with nothing that has no JSON.
    const std::string bytes = ToGrpc(MakeError(reason, message, details)).error_details();
    response.body = is_json ? StatusAsJson(bytes) : bytes;
    response.AddField("Content-Type", is_json ? "application/json" : "application/x-protobuf");
  }
  if (response.status == 401) response.AddField("WWW-Authenticate", "Bearer");
  if (response.status == 429 || response.status == 503) response.AddField("Retry-After", RetryAfter(details));
  return response;
}

}  // namespace verdict::gateway
