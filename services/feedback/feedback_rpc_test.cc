#include "services/feedback/feedback_rpc.h"

#include <map>
#include <memory>
#include <string>

#include <catch2/catch.hpp>
#include <grpcpp/client_context.h>

#include "common/rpc/channel.h"
#include "common/status/grpc_status.h"
#include "services/feedback/judge_rpc.h"
#include "services/feedback/prompt_rpc.h"
#include "services/feedback/span_rpc.h"
#include "services/feedback/test_service.h"
#include "verdict/feedback/v1/evaluation_service.grpc.pb.h"
#include "verdict/feedback/v1/feedback_service.grpc.pb.h"
#include "verdict/feedback/v1/judge_service.grpc.pb.h"
#include "verdict/feedback/v1/prompt_service.grpc.pb.h"
#include "verdict/feedback/v1/span_service.grpc.pb.h"

namespace verdict::feedback {
namespace {

using Metadata = std::map<std::string, std::string>;

// The service behind gRPC, and its caller.
class Fixture {
 public:
  Fixture() {
    RegisterFeedbackService(server_, test.replica.feedback);
    RegisterPromptService(server_, test.replica.calls, test.replica.prompts);
    RegisterJudgeService(server_, test.replica.calls, test.replica.judges);
    RegisterEvaluationService(server_, test.replica.calls, test.replica.evaluations);
    RegisterSpanService(server_, test.replica.calls, test.replica.spans);
    REQUIRE(server_.Start().ok());
    const auto channel = rpc::NewChannel(server_.address());
    feedback_ = v1::FeedbackService::NewStub(channel);
    prompts_ = v1::PromptService::NewStub(channel);
    judges_ = v1::JudgeService::NewStub(channel);
    evaluations_ = v1::EvaluationService::NewStub(channel);
    spans_ = v1::SpanService::NewStub(channel);
  }

  // Calls with the metadata and returns the answer; `trailers` are those of the last call.
  template <typename Response, typename Stub, typename Request>
  absl::StatusOr<Response> Call(Stub& stub,
                                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                const Request& request,
                                const Metadata& metadata = {{"authorization", "Bearer key"}}) {
    grpc::ClientContext context;
    for (const auto& [name, value] : metadata) context.AddMetadata(name, value);
    Response response;
    absl::Status status = FromGrpc((stub.*method)(&context, request, &response));
    replayed = false;
    for (const auto& [name, value] : context.GetServerInitialMetadata()) {
      replayed = replayed || (name == "idempotent-replayed" && value == "true");
    }
    for (const auto& [name, value] : context.GetServerTrailingMetadata()) {
      replayed = replayed || (name == "idempotent-replayed" && value == "true");
    }
    if (!status.ok()) return status;
    return response;
  }
  absl::StatusOr<v1::SubmitCompletionFeedbackResponse> Submit(
      const v1::SubmitCompletionFeedbackRequest& request,
      const Metadata& metadata = {{"authorization", "Bearer key"}}) {
    return Call(*feedback_, &v1::FeedbackService::Stub::SubmitCompletionFeedback, request, metadata);
  }

  TestService test;
  auth::Principal principal = [this] {
    auth::Principal added = test.AddProject();
    added.AddScope(options::v1::SCOPE_WRITE);
    added.AddScope(options::v1::SCOPE_READ);
    return added;
  }();
  bool replayed = false;
  std::unique_ptr<v1::FeedbackService::Stub> feedback_;
  std::unique_ptr<v1::PromptService::Stub> prompts_;
  std::unique_ptr<v1::JudgeService::Stub> judges_;
  std::unique_ptr<v1::EvaluationService::Stub> evaluations_;
  std::unique_ptr<v1::SpanService::Stub> spans_;

 private:
  OneKey keys_{principal};
  metrics::Registry registry_;
  rpc::Server server_{{}, keys_, registry_};
};

TEST_CASE("feedback on a span is that on the completion, and leaves its prompt as it is") {
  Fixture test;
  const auto submit = [&](const v1::SubmitSpanFeedbackRequest& request, const Metadata& more = {}) {
    Metadata metadata = {{"authorization", "Bearer key"}};
    metadata.insert(more.begin(), more.end());
    return test.Call(*test.feedback_, &v1::FeedbackService::Stub::SubmitSpanFeedback, request, metadata);
  };
  v1::SubmitSpanFeedbackRequest request;
  request.set_project_id(test.principal.project_id.ToString());
  request.set_span_id("span-1");
  request.set_thumbs_up(false);
  const v1::CompletionFeedback first = submit(request)->feedback();
  CHECK(first.completion_id() == "span-1");
  CHECK_FALSE(first.has_prompt_id());

  v1::SubmitCompletionFeedbackRequest on_completion;
  on_completion.set_prompt_slug("support-bot");
  on_completion.set_completion_id("span-1");
  on_completion.set_thumbs_up(true);
  const v1::CompletionFeedback second = test.Submit(on_completion)->feedback();
  CHECK(second.id() == first.id());
  CHECK(submit(request)->feedback().prompt_id() == second.prompt_id());

  request.set_reason("r");
  request.set_expected_output("o");
  request.set_metadata("{}");
  request.mutable_created_by()->set_id("user-1");
  const v1::CompletionFeedback of_user = submit(request, {{"idempotency-key", "k"}})->feedback();
  CHECK(of_user.id() != first.id());
  CHECK(of_user.reason() == "r");
  CHECK(of_user.expected_output() == "o");
  CHECK(of_user.metadata() == "{}");
  CHECK(of_user.created_by().id() == "user-1");
  CHECK(submit(request, {{"idempotency-key", "k"}})->feedback().SerializeAsString() ==
        of_user.SerializeAsString());
  CHECK(test.replayed);

  request.set_expected_score(1);
  CHECK(ReasonOf(submit(request).status()) == errors::v1::REASON_VALIDATION_ERROR);
  request.set_judge_id(request.project_id());  // of no judge
  CHECK(ReasonOf(submit(request).status()) == errors::v1::REASON_JUDGE_NOT_FOUND);
}

TEST_CASE("every RPC about judges works over gRPC") {
  Fixture test;
  const std::string project = test.principal.project_id.ToString();
  using Judges = v1::JudgeService::Stub;
  v1::CreateJudgeRequest create;
  create.set_project_id(project);
  create.set_name("j");
  const auto judge = test.Call(*test.judges_, &Judges::CreateJudge, create)->judge();
  v1::GetJudgeRequest get;
  get.set_project_id(project);
  get.set_automation_id(judge.id());
  CHECK(test.Call(*test.judges_, &Judges::GetJudge, get)->judge().name() == "j");
  v1::ListJudgesRequest list;
  list.set_project_id(project);
  CHECK(test.Call(*test.judges_, &Judges::ListJudges, list)->automations_size() == 1);
  v1::UpdateJudgeRequest update;
  update.set_project_id(project);
  update.set_automation_id(judge.id());
  update.set_name("renamed");
  CHECK(test.Call(*test.judges_, &Judges::UpdateJudge, update)->judge().name() == "renamed");
  v1::LinkJudgeRequest link;
  link.set_project_id(project);
  link.set_automation_id(judge.id());
  link.set_prompt_id(judge.task_id());
  CHECK(test.Call(*test.judges_, &Judges::LinkJudge, link)->judge().target_prompt_id() == judge.task_id());
  v1::GetJudgeCriteriaRequest criteria;
  criteria.set_project_id(project);
  criteria.set_judge_id(judge.id());
  CHECK(test.Call(*test.judges_, &Judges::GetJudgeCriteria, criteria)->judge_id() == judge.id());

  using Evaluations = v1::EvaluationService::Stub;
  v1::RecordEvaluationRequest record;
  record.set_project_id(project);
  record.set_judge_id(judge.id());
  record.mutable_evaluation()->set_span_id("s");
  record.mutable_evaluation()->set_evaluation_result(true);
  CHECK(test.Call(*test.evaluations_, &Evaluations::RecordEvaluation, record)->evaluation().judge_name() ==
        "renamed");
  v1::RecordEvaluationsRequest records;
  records.set_project_id(project);
  records.set_judge_id(judge.id());
  *records.add_evaluations() = record.evaluation();
  records.add_evaluations();
  const auto results = test.Call(*test.evaluations_, &Evaluations::RecordEvaluations, records);
  REQUIRE(results.ok());
  CHECK(results->results(0).has_id());
  CHECK(results->results(1).error().code() == "VALIDATION_ERROR");
  records.set_project_id(NewUuidV7(test.test.clock.Now()).ToString());
  CHECK(ReasonOf(test.Call(*test.evaluations_, &Evaluations::RecordEvaluations, records).status()) ==
        errors::v1::REASON_PERMISSION_DENIED);
}

TEST_CASE("judges and evaluations honour an Idempotency-Key") {
  Fixture test;
  const std::string project = test.principal.project_id.ToString();
  const auto under = [](const std::string& key) -> Metadata {
    return {{"authorization", "Bearer key"}, {"idempotency-key", key}};
  };
  v1::CreateJudgeRequest create;
  create.set_project_id(project);
  create.set_name("j");
  using Judges = v1::JudgeService::Stub;
  const auto judge = test.Call(*test.judges_, &Judges::CreateJudge, create, under("k1"));
  REQUIRE(judge.ok());
  CHECK_FALSE(test.replayed);
  CHECK(test.Call(*test.judges_, &Judges::CreateJudge, create, under("k1"))->SerializeAsString() ==
        judge->SerializeAsString());
  CHECK(test.replayed);

  using Evaluations = v1::EvaluationService::Stub;
  v1::RecordEvaluationsRequest records;
  records.set_project_id(project);
  records.set_judge_id(judge->judge().id());
  records.add_evaluations()->set_span_id("s");
  records.mutable_evaluations(0)->set_evaluation_result(true);
  v1::RecordEvaluationRequest record;
  record.set_project_id(project);
  record.set_judge_id(judge->judge().id());
  *record.mutable_evaluation() = records.evaluations(0);
  for (const bool replayed : {false, true}) {
    CHECK(test.Call(*test.evaluations_, &Evaluations::RecordEvaluations, records, under("k2")).ok());
    CHECK(test.replayed == replayed);
    CHECK(test.Call(*test.evaluations_, &Evaluations::RecordEvaluation, record, under("k3")).ok());
    CHECK(test.replayed == replayed);
  }
  CHECK(test.test.database.Query("select revision from evaluation") == "2");
}

TEST_CASE("every RPC about versions of prompts works over gRPC") {
  Fixture test;
  using Prompts = v1::PromptService::Stub;
  v1::EnsurePromptVersionRequest ensure;
  ensure.set_slug("faq");
  ensure.set_content("one");
  const Metadata under_key = {{"authorization", "Bearer key"}, {"idempotency-key", "k1"}};
  const auto ensured = test.Call(*test.prompts_, &Prompts::EnsurePromptVersion, ensure, under_key);
  REQUIRE(ensured.ok());
  CHECK_FALSE(test.replayed);
  const v1::PromptVersion& version = ensured->prompt_version();
  CHECK(test.Call(*test.prompts_, &Prompts::EnsurePromptVersion, ensure, under_key)
            ->prompt_version()
            .SerializeAsString() == version.SerializeAsString());
  CHECK(test.replayed);
  ensure.set_content("two");
  CHECK(ReasonOf(test.Call(*test.prompts_, &Prompts::EnsurePromptVersion, ensure, under_key).status()) ==
        errors::v1::REASON_IDEMPOTENCY_MISMATCH);

  v1::GetPromptRequest get;
  get.set_slug("faq");
  CHECK(test.Call(*test.prompts_, &Prompts::GetPrompt, get)->prompt_version().id() == version.id());
  v1::GetLatestPromptVersionRequest latest;
  latest.set_slug("faq");
  CHECK(test.Call(*test.prompts_, &Prompts::GetLatestPromptVersion, latest)->prompt_version().id() ==
        version.id());
  v1::GetPromptVersionByHashRequest by_hash;
  by_hash.set_slug("faq");
  by_hash.set_content_hash(version.content_hash());
  CHECK(test.Call(*test.prompts_, &Prompts::GetPromptVersionByHash, by_hash)->prompt_version().id() ==
        version.id());
  v1::GetPromptVersionModelRequest model;
  model.set_version_id(version.id());
  CHECK(test.Call(*test.prompts_, &Prompts::GetPromptVersionModel, model).ok());
  v1::PinPromptTagRequest pin;
  pin.set_project_id(test.principal.project_id.ToString());
  pin.set_slug("faq");
  pin.set_tag("production");
  pin.set_version(1);
  CHECK(test.Call(*test.prompts_, &Prompts::PinPromptTag, pin)->tag().version_id() == version.id());
  v1::ListPromptVersionsRequest versions;
  versions.set_project_id(pin.project_id());
  versions.set_slug("faq");
  CHECK(test.Call(*test.prompts_, &Prompts::ListPromptVersions, versions)->versions_size() == 1);
  v1::ListPromptTagsRequest tags;
  tags.set_project_id(pin.project_id());
  tags.set_slug("faq");
  CHECK(test.Call(*test.prompts_, &Prompts::ListPromptTags, tags)->tags_size() == 1);
}

TEST_CASE("every RPC about feedback and prompts works over gRPC") {
  Fixture test;
  v1::CreatePromptRequest create;
  create.set_slug("other");
  CHECK(test.Call(*test.prompts_, &v1::PromptService::Stub::CreatePrompt, create)->prompt().slug() ==
        "other");
  CHECK(test.Call(*test.prompts_, &v1::PromptService::Stub::ListPrompts, v1::ListPromptsRequest())
            ->prompts_size() == 2);

  const auto stored = test.Submit(Vote(true, "good"));
  REQUIRE(stored.ok());
  CHECK(stored->feedback().reason() == "good");
  v1::GetCompletionFeedbackRequest get;
  get.set_prompt_slug("other");
  get.set_completion_id("c1");
  CHECK(test.Call(*test.feedback_, &v1::FeedbackService::Stub::GetCompletionFeedback, get)->feedback().id() ==
        stored->feedback().id());
  v1::WithdrawCompletionFeedbackRequest withdraw;
  withdraw.set_prompt_slug("other");
  withdraw.set_completion_id("c1");
  CHECK(test.Call(*test.feedback_, &v1::FeedbackService::Stub::WithdrawCompletionFeedback, withdraw).ok());

  const Metadata token = {{"authorization", "Bearer " + test.test.Mint(test.principal)}};
  CHECK(test.Call(*test.feedback_, &v1::FeedbackService::Stub::PeekToken, v1::PeekTokenRequest(), token)
            ->resource_id() == "run-42");
  CHECK(test.Call(*test.feedback_, &v1::FeedbackService::Stub::RedeemToken, Redemption(true), token).ok());
  CHECK_FALSE(test.replayed);
  CHECK(test.Call(*test.feedback_, &v1::FeedbackService::Stub::RedeemToken, Redemption(true), token).ok());
  CHECK(test.replayed);
}

TEST_CASE("a repeat under an Idempotency-Key says so over gRPC") {
  Fixture test;
  const Metadata metadata = {{"authorization", "Bearer key"}, {"idempotency-key", "k1"}};
  REQUIRE(test.Submit(Vote(true), metadata).ok());
  CHECK_FALSE(test.replayed);
  REQUIRE(test.Submit(Vote(true), metadata).ok());
  CHECK(test.replayed);
  CHECK(ReasonOf(test.Submit(Vote(false), metadata).status()) == errors::v1::REASON_IDEMPOTENCY_MISMATCH);
}

TEST_CASE("spans are taken over gRPC, once under an Idempotency-Key") {
  Fixture test;
  const Metadata metadata = {{"authorization", "Bearer key"}, {"idempotency-key", "k1"}};
  const auto create = [&](const v1::CreateSpansRequest& request) {
    return test.Call(*test.spans_, &v1::SpanService::Stub::CreateSpans, request, metadata);
  };
  const auto first = create(Spans({MakeSpan("", "t1")}));
  REQUIRE(first.ok());
  CHECK_FALSE(test.replayed);
  const auto again = create(Spans({MakeSpan("", "t1")}));
  REQUIRE(again.ok());
  CHECK(test.replayed);
  CHECK(again->spans(0).id() == first->spans(0).id());
  CHECK(ReasonOf(create(Spans({MakeSpan("", "t2")})).status()) == errors::v1::REASON_IDEMPOTENCY_MISMATCH);
}

TEST_CASE("one bad span refuses its request, and the error names it") {
  Fixture test;
  const auto refused = [&](auto change) {
    v1::CreateSpansRequest request = Spans({MakeSpan("s1", "t1"), MakeSpan("s2", "t1")});
    change(*request.mutable_spans(1));
    const absl::Status status =
        test.Call(*test.spans_, &v1::SpanService::Stub::CreateSpans, request).status();
    const ErrorDetails details = DetailsOf(status);
    return details.violations.empty() ? std::string(status.message()) : details.violations.front().field;
  };
  CHECK(refused([](v1::Span& span) { span.clear_trace_id(); }) == "spans[1].trace_id");
  CHECK(refused([](v1::Span& span) { span.clear_name(); }) == "spans[1].name");
  CHECK(refused([](v1::Span& span) { span.clear_started_at(); }) == "spans[1].started_at");
  CHECK(refused([](v1::Span& span) { span.mutable_ended_at()->set_seconds(1LL << 60); }) ==
        "spans[1].ended_at");
  CHECK(refused([](v1::Span& span) { span.set_id(std::string(201, 's')); }) == "spans[1].id");
  CHECK(refused([](v1::Span& span) { span.mutable_session()->set_name("n"); }) == "spans[1].session.id");
  CHECK(refused([](v1::Span& span) { span.set_kind(std::string("l\0m", 3)); }) == "spans[1].kind");
  CHECK(test.test.database.Query("select count(*) from span") == "0");
}

TEST_CASE("what cannot be stored whole is refused, and nothing is stored") {
  Fixture test;
  const auto refusal = [&](auto change) {
    v1::SubmitCompletionFeedbackRequest request = Vote(true);
    change(request);
    return ReasonOf(test.Submit(request).status());
  };
  using Request = v1::SubmitCompletionFeedbackRequest;
  const std::string nul("a\0b", 3);
  CHECK(refusal([&](Request& request) { request.set_reason(nul); }) == errors::v1::REASON_INVALID_TEXT);
  CHECK(refusal([&](Request& request) { request.set_completion_id(nul); }) ==
        errors::v1::REASON_INVALID_TEXT);
  CHECK(refusal([&](Request& request) { request.mutable_created_by()->set_id(nul); }) ==
        errors::v1::REASON_INVALID_TEXT);
  CHECK(refusal([&](Request& request) { request.set_metadata(R"({"a":"\u0000"})"); }) ==
        errors::v1::REASON_INVALID_TEXT);
  CHECK(refusal([](Request& request) { request.clear_thumbs_up(); }) == errors::v1::REASON_VALIDATION_ERROR);
  CHECK(refusal([](Request& request) { request.clear_completion_id(); }) ==
        errors::v1::REASON_VALIDATION_ERROR);
  CHECK(refusal([](Request& request) { request.set_completion_id(std::string(201, 'c')); }) ==
        errors::v1::REASON_VALIDATION_ERROR);
  CHECK(refusal([](Request& request) { request.set_reason(std::string(65537, 'r')); }) ==
        errors::v1::REASON_VALIDATION_ERROR);
  CHECK(refusal([](Request& request) {
          request.set_metadata("{\"a\":\"" + std::string(16384, 'm') + "\"}");
        }) == errors::v1::REASON_VALIDATION_ERROR);
  CHECK(refusal([](Request& request) { request.mutable_created_by()->set_name("Ada"); }) ==
        errors::v1::REASON_VALIDATION_ERROR);
  CHECK(test.test.database.Query("select count(*) from feedback") == "0");

  v1::SubmitCompletionFeedbackRequest largest = Vote(true, std::string(65536, 'r'));
  largest.set_expected_output(std::string(65536, 'e'));
  largest.set_metadata("{\"a\":\"" + std::string(16376, 'm') + "\"}");
  CHECK(test.Submit(largest).ok());
  CHECK(test.test.database.Query(
            "select octet_length(reason), octet_length(expected_output) from feedback") == "65536|65536");
}

}  // namespace
}  // namespace verdict::feedback
