#include "gateway/problem.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "google/rpc/status.pb.h"

namespace verdict::gateway {
namespace {

using namespace std::chrono_literals;
using errors::v1::Reason;

constexpr const char* kGolden = VERDICT_SOURCE_DIR "/tests/golden/problems.txt";

std::string Header(const Response& response, std::string_view name) {
  for (const auto& [key, value] : response.fields) {
    if (key == name) return value;
  }
  return "";
}

// Every reason's answer to its own example, as status, header fields and document.
std::string AllProblems() {
  std::string all;
  const auto* reasons = errors::v1::Reason_descriptor();
  for (int i = 0; i < reasons->value_count(); ++i) {
    const auto reason = static_cast<Reason>(reasons->value(i)->number());
    if (reason == errors::v1::REASON_UNSPECIFIED) continue;
    const Response response = ErrorResponse(MakeError(reason, RuleOf(reason).example()), "request-1");
    absl::StrAppend(&all, response.status, "\n");
    for (const auto& [name, value] : response.fields)
      absl::StrAppend(&all, std::string(name), ": ", value, "\n");
    absl::StrAppend(&all, response.body, "\n\n");
  }
  return all;
}

// UPDATE_GOLDEN=1 rewrites the file: a reason's answer is API, so look at the difference.
TEST_CASE("the problem document of every reason is the one on record") {
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(kGolden) << AllProblems();
  std::ostringstream golden;
  golden << std::ifstream(kGolden).rdbuf();
  CHECK(AllProblems() == golden.str());
}

TEST_CASE("a problem names each field, and escapes what it quotes") {
  const Response response =
      ErrorResponse(ValidationError({{"a\"b", "a\"b is required."}, {"c", "c is \xc3\xa9."}}), "id");
  CHECK(
      response.body.find(
          R"("errors":[{"field":"a\"b","message":"a\"b is required."},{"field":"c","message":"c is é."}])") !=
      std::string::npos);
}

TEST_CASE("the cause of an internal error is not told") {
  const Response response = ErrorResponse(InternalError("relation \"x\" does not exist"), "id");
  CHECK(response.status == 500);
  CHECK(response.body.find("relation") == std::string::npos);
  CHECK(ErrorResponse(absl::UnknownError("secret"), "id").body.find("secret") == std::string::npos);
}

TEST_CASE("an error may be a google.rpc.Status, with the same status and header fields") {
  const absl::Status error =
      MakeError(errors::v1::REASON_RATE_LIMITED, "Too \"many\" \xc3\xa9.", {.retry_after = 1500ms});
  const Response problem = ErrorResponse(error, "id");
  const Response json = ErrorResponse(error, "id", ErrorFormat::kStatusJson);
  const Response protobuf = ErrorResponse(error, "id", ErrorFormat::kStatusProtobuf);
  for (const Response* response : {&json, &protobuf}) {
    CHECK(response->status == problem.status);
    CHECK(response->reason == errors::v1::REASON_RATE_LIMITED);
    CHECK(Header(*response, "Retry-After") == "2");
  }
  CHECK(Header(json, "Content-Type") == "application/json");
  CHECK_THAT(json.body,
             Catch::StartsWith("{\"code\":8,\"message\":\"Too \\\"many\\\" \xc3\xa9.\",\"details\":["));
  CHECK_THAT(json.body, Catch::Contains(R"({"@type":"type.googleapis.com/google.rpc.ErrorInfo",)"
                                        R"("reason":"RATE_LIMITED","domain":"verdict"})"));
  CHECK_THAT(json.body, Catch::Contains(R"("retryDelay":"1.500s")"));
  CHECK(Header(protobuf, "Content-Type") == "application/x-protobuf");
  google::rpc::Status status;
  REQUIRE(status.ParseFromString(protobuf.body));
  CHECK(status.code() == 8);
  CHECK(status.message() == "Too \"many\" \xc3\xa9.");
  CHECK(status.details_size() == 2);
  CHECK(Header(ErrorResponse(MakeError(errors::v1::REASON_UNAUTHENTICATED, "No."), "id",
                             ErrorFormat::kStatusJson),
               "WWW-Authenticate") == "Bearer");
}

TEST_CASE("the cause of an internal error is not told as google.rpc.Status either") {
  for (const ErrorFormat format : {ErrorFormat::kStatusJson, ErrorFormat::kStatusProtobuf}) {
    for (const absl::Status& error :
         {InternalError("relation \"x\""), absl::UnknownError("relation \"x\"")}) {
      const Response response = ErrorResponse(error, "id", format);
      CHECK(response.status == 500);
      CHECK_THAT(response.body, !Catch::Contains("relation") && Catch::Contains("INTERNAL"));
    }
  }
}

TEST_CASE("Retry-After is in whole seconds, rounded up, at least one") {
  const auto retry_after = [](std::optional<std::chrono::milliseconds> delay) {
    return Header(
        ErrorResponse(MakeError(errors::v1::REASON_OVERLOADED, "busy", {.retry_after = delay}), "id"),
        "Retry-After");
  };
  CHECK(retry_after({}) == "1");
  CHECK(retry_after(0ms) == "1");
  CHECK(retry_after(1000ms) == "1");
  CHECK(retry_after(1001ms) == "2");
  CHECK(retry_after(60s) == "60");
}

}  // namespace
}  // namespace verdict::gateway
