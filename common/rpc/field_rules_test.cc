#include "common/rpc/field_rules.h"

#include <limits>
#include <string>
#include <tuple>

#include <catch2/catch.hpp>

#include "common/status/error.h"
#include "verdict/feedback/v1/evaluation_service.pb.h"
#include "verdict/feedback/v1/feedback_service.pb.h"
#include "verdict/feedback/v1/judge_service.pb.h"
#include "verdict/feedback/v1/span_service.pb.h"
#include "verdict/token/v1/token_service.pb.h"

namespace verdict::rpc {
namespace {

using feedback::v1::SubmitCompletionFeedbackRequest;
using token::v1::MintTokenRequest;

absl::Status Check(const google::protobuf::Message& message) {
  return FieldRules(message.GetDescriptor()).Check(message);
}

std::vector<std::string> Fields(const absl::Status& status) {
  std::vector<std::string> fields;
  for (const FieldViolation& violation : DetailsOf(status).violations) fields.push_back(violation.field);
  return fields;
}

SubmitCompletionFeedbackRequest Valid() {
  SubmitCompletionFeedbackRequest request;
  request.set_prompt_slug("support-bot");
  request.set_completion_id("c1");
  request.set_thumbs_up(false);
  return request;
}

TEST_CASE("a request that keeps its rules passes") {
  CHECK(Check(Valid()).ok());
  auto request = Valid();
  request.set_reason(std::string(65536, 'x'));
  request.mutable_created_by()->set_id(std::string(200, 'x'));
  CHECK(Check(request).ok());
}

TEST_CASE("every missing or overlong field is named, in nested messages too") {
  SubmitCompletionFeedbackRequest request;
  request.set_reason(std::string(65537, 'x'));
  request.mutable_created_by()->set_name(std::string(101, 'x'));
  const absl::Status status = Check(request);
  CHECK(ReasonOf(status) == errors::v1::REASON_VALIDATION_ERROR);
  CHECK(Fields(status) == std::vector<std::string>{"prompt_slug", "completion_id", "thumbs_up", "reason",
                                                   "created_by.id", "created_by.name"});
}

TEST_CASE("texts and lists have bounds") {
  feedback::v1::UpdateJudgeRequest request;
  request.set_project_id("p");
  request.set_automation_id("a");
  CHECK(Check(request).ok());
  request.set_name("");
  for (int i = 0; i < 50; ++i) request.add_criteria()->set_key("k");
  CHECK(Fields(Check(request)) == std::vector<std::string>{"name"});
  request.set_name("n");
  CHECK(Check(request).ok());
  request.add_criteria()->set_key("k");
  CHECK(Fields(Check(request)) == std::vector<std::string>{"criteria"});

  feedback::v1::RecordEvaluationsRequest each_by_itself;
  each_by_itself.set_project_id("p");
  each_by_itself.set_judge_id("j");
  for (int i = 0; i < 1'001; ++i) each_by_itself.add_evaluations();
  CHECK(Fields(Check(each_by_itself)) == std::vector<std::string>{"evaluations"});
  CHECK(DetailsOf(Check(each_by_itself)).violations.at(0).message ==
        "evaluations has 1001 elements; at most 1000 are allowed.");
}

TEST_CASE("false is a value, absent is not") {
  auto request = Valid();
  request.clear_thumbs_up();
  CHECK(Fields(Check(request)) == std::vector<std::string>{"thumbs_up"});
}

TEST_CASE("U+0000 is refused in every text, map values included") {
  auto request = Valid();
  request.set_reason(std::string("a\0b", 3));
  CHECK(ReasonOf(Check(request)) == errors::v1::REASON_INVALID_TEXT);

  request = Valid();
  (*request.mutable_criteria_feedback())["tone"].set_reason(std::string("\0", 1));
  const absl::Status status = Check(request);
  CHECK(ReasonOf(status) == errors::v1::REASON_INVALID_TEXT);
  CHECK(Fields(status) == std::vector<std::string>{"criteria_feedback.tone.reason"});
}

TEST_CASE("numbers stay in their range and are finite") {
  MintTokenRequest mint;
  mint.set_resource_type(types::v1::ENTITY_TYPE_TRACE);
  mint.set_resource_id("t");
  for (const auto& [seconds, good] :
       {std::pair{0, false}, {1, true}, {86400, true}, {86401, false}, {-1, false}}) {
    mint.set_expires_in_seconds(seconds);
    INFO(seconds);
    CHECK(Check(mint).ok() == good);
  }
  auto request = Valid();
  request.set_expected_score(std::numeric_limits<double>::quiet_NaN());
  CHECK(Fields(Check(request)) == std::vector<std::string>{"expected_score"});
  request.set_expected_score(std::numeric_limits<double>::infinity());
  CHECK(Fields(Check(request)) == std::vector<std::string>{"expected_score"});
}

TEST_CASE("times are those of the years 1 to 9999") {
  feedback::v1::CreateSpansRequest request;
  feedback::v1::Span& span = *request.add_spans();
  span.set_trace_id("t");
  span.set_name("answer");
  google::protobuf::Timestamp& time = *span.mutable_started_at();
  for (const auto& [seconds, nanos, good] : {std::tuple{-62'135'596'800, 0, true},
                                             {253'402'300'799, 999'999'999, true},
                                             {-62'135'596'801, 0, false},
                                             {253'402'300'800, 0, false},
                                             {std::numeric_limits<int64_t>::max(), 0, false},
                                             {0, -1, false},
                                             {0, 1'000'000'000, false}}) {
    time.set_seconds(seconds);
    time.set_nanos(nanos);
    INFO(seconds << " s, " << nanos << " ns");
    CHECK(Fields(Check(request)) ==
          (good ? std::vector<std::string>{} : std::vector<std::string>{"spans[0].started_at"}));
  }
}

TEST_CASE("enums take their known values only, and UNSPECIFIED is absent") {
  MintTokenRequest mint;
  mint.set_resource_id("t");
  CHECK(Fields(Check(mint)) == std::vector<std::string>{"resource_type"});
  mint.set_resource_type(static_cast<types::v1::EntityType>(99));
  CHECK(Fields(Check(mint)) == std::vector<std::string>{"resource_type"});
}

TEST_CASE("elements that are checked each by itself are left to the handler, who has the same rules") {
  feedback::v1::RecordEvaluationsRequest request;
  request.set_project_id("p");
  request.set_judge_id("j");
  feedback::v1::EvaluationInput& bad = *request.add_evaluations();
  bad.set_confidence_score(2);
  bad.set_evaluation_reason(std::string("\0", 1));
  CHECK(Check(request).ok());
  CHECK(ReasonOf(Check(bad)) == errors::v1::REASON_INVALID_TEXT);
  bad.clear_evaluation_reason();
  (*bad.mutable_criteria_scores())["clarity"].set_reason("no score");
  CHECK(Fields(Check(bad)) ==
        std::vector<std::string>{"span_id", "confidence_score", "criteria_scores.clarity.score"});
}

}  // namespace
}  // namespace verdict::rpc
