#include <catch2/catch.hpp>

#include "common/status/error.h"
#include "common/status/grpc_status.h"
#include "google/rpc/status.pb.h"

namespace verdict {
namespace {

TEST_CASE("an error crosses gRPC with its reason, violations, metadata and retry time") {
  const absl::Status status = MakeError(errors::v1::REASON_TOKEN_USED, "The feedback token has been used.",
                                        {.violations = {{"token", "token has been used."}},
                                         .retry_after = std::chrono::milliseconds(1500),
                                         .metadata = {{"used_at", "2026-01-01T00:00:00Z"}}});

  const absl::Status received = FromGrpc(ToGrpc(status));

  CHECK(received.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(received.message() == "The feedback token has been used.");
  CHECK(ReasonOf(received) == errors::v1::REASON_TOKEN_USED);
  const ErrorDetails details = DetailsOf(received);
  REQUIRE(details.violations.size() == 1);
  CHECK(details.violations[0].field == "token");
  CHECK(details.retry_after == std::chrono::milliseconds(1500));
  CHECK(details.metadata.at("used_at") == "2026-01-01T00:00:00Z");
}

TEST_CASE("details stand in one order") {
  for (int i = 0; i < 10; ++i) {
    google::rpc::Status sent;
    REQUIRE(sent.ParseFromString(ToGrpc(ValidationError({{"a", "a is wrong."}})).error_details()));
    REQUIRE(sent.details_size() == 2);
    CHECK(sent.details(0).type_url() == "type.googleapis.com/google.rpc.BadRequest");
    CHECK(sent.details(1).type_url() == "type.googleapis.com/google.rpc.ErrorInfo");
  }
}

TEST_CASE("an error is small enough for trailers, whatever it is about") {
  std::vector<FieldViolation> violations(1000, {std::string(5000, 'f'), std::string(5000, 'm')});
  const absl::Status status = ValidationError(violations);
  CHECK(ToGrpc(status).error_details().size() < 32 << 10);
  CHECK(status.message().size() <= 4099);
  const ErrorDetails details = DetailsOf(status);
  REQUIRE(details.violations.size() == 20);
  CHECK(details.violations[0].field == std::string(400, 'f') + "...");
  CHECK(details.violations[0].message == std::string(400, 'm') + "...");

  CHECK(Shortened("abc", 3) == "abc");
  CHECK(Shortened("abcd", 3) == "abc...");
  CHECK(Shortened("ab\xC3\xA9", 3) == "ab...");
  CHECK(Shortened("\x80\x80", 1) == "...");
}

TEST_CASE("every reason has a rule with a title, a remedy, an example and statuses that exist") {
  const auto* reasons = errors::v1::Reason_descriptor();
  for (int i = 0; i < reasons->value_count(); ++i) {
    const auto reason = static_cast<Reason>(reasons->value(i)->number());
    if (reason == errors::v1::REASON_UNSPECIFIED) continue;
    INFO(ReasonName(reason));
    const auto& rule = RuleOf(reason);
    CHECK(rule.http_status() >= 400);
    CHECK(rule.http_status() < 600);
    CHECK(rule.grpc_code() >= 1);
    CHECK(rule.grpc_code() <= 16);
    CHECK_FALSE(rule.title().empty());
    CHECK_FALSE(rule.remedy().empty());
    CHECK_FALSE(rule.example().empty());
    CHECK(ReasonOf(MakeError(reason, rule.example())) == reason);
  }
}

TEST_CASE("a status that gRPC itself made gets the reason of its code") {
  CHECK(ReasonOf(FromGrpc({grpc::StatusCode::UNAVAILABLE, "connection refused"})) ==
        errors::v1::REASON_UNAVAILABLE);
  CHECK(ReasonOf(FromGrpc({grpc::StatusCode::UNKNOWN, "?"})) == errors::v1::REASON_INTERNAL);
}

TEST_CASE("the cause of an internal error stays inside") {
  const absl::Status stripped = StripInternal(InternalError("relation \"x\" does not exist"));
  CHECK(stripped.message() == "An internal error occurred.");
  CHECK(ReasonOf(stripped) == errors::v1::REASON_INTERNAL);
  CHECK(StripInternal(ValidationError({{"a", "a is required."}})).message() == "a is required.");
}

}  // namespace
}  // namespace verdict
