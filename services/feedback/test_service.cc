#include "services/feedback/test_service.h"

#include "common/ids/uuid.h"
#include "services/feedback/pool_statements.h"
#include "services/feedback/writers.h"

namespace verdict::feedback {
namespace {

constexpr size_t kWriters = 2;

pg::ConnectionOptions Connection(const std::string& dsn, const std::string& name) {
  return {.dsn = dsn, .application_name = name};
}

}  // namespace

Replica::Replica(const std::string& dsn, const token::KeyRing& keys, const Clock& clock)
    : prompt_cache(clock),
      judge_cache(clock),
      // A busy machine is no reason for a test to fail: only those of the pool are about its patience.
      pool({.dsn = dsn,
            .size = 2,
            .statements = PoolStatements(),
            .acquire_timeout = std::chrono::seconds(4)}),
      store(pool, prompt_cache),
      queue_metrics(registry, "feedback"),
      queue({},
            MakeWriters<FeedbackQueue, BatchStore>(kWriters, Connection(dsn, "writer"), prompt_cache,
                                                   judge_cache),
            queue_metrics),
      evaluation_queue_metrics(registry, "evaluations"),
      evaluation_queue(EvaluationService::QueueOptions({}),
                       MakeWriters<EvaluationQueue, EvaluationBatchStore>(kWriters, Connection(dsn, "writer"),
                                                                          judge_cache),
                       evaluation_queue_metrics),
      redemption_metrics(registry),
      feedback(store, queue, keys, clock, redemption_metrics),
      prompt_store(pool),
      prompts(prompt_store, clock),
      judge_store(pool, judge_cache),
      judges(judge_store, clock),
      evaluations(evaluation_queue, clock),
      span_queue_metrics(registry, "spans"),
      span_queue({.batch_rows_max = 4'000, .waiting_rows_max = 20'000},
                 MakeWriters<SpanQueue, SpanStore>(kWriters, Connection(dsn, "span writer")),
                 span_queue_metrics),
      otlp_metrics(registry),
      spans(span_queue, clock, otlp_metrics),
      idempotency_store(pool),
      executor(2, 100),
      calls(idempotency_store, executor),
      garbage(pool),
      garbage_metrics(registry) {}

Answer<v1::SubmitCompletionFeedbackResponse> Replica::Submit(
    const auth::Principal& principal, const v1::SubmitCompletionFeedbackRequest& request,
    const std::optional<std::string>& idempotency_key) {
  Answers<v1::SubmitCompletionFeedbackResponse> answers;
  feedback.Submit({principal, idempotency_key, TestService::Deadline()}, request, answers.Expect());
  return answers.Wait().front();
}

Answer<v1::CreateSpansResponse> Replica::CreateSpans(const auth::Principal& principal,
                                                     const v1::CreateSpansRequest& request,
                                                     const std::optional<std::string>& idempotency_key) {
  Answers<v1::CreateSpansResponse> answers;
  const WriteCall call = {principal, idempotency_key, TestService::Deadline()};
  calls.RunAsync<v1::CreateSpansResponse>(
      call, request, [&](SpanService::Done done) { spans.Create(call, request, std::move(done)); },
      answers.Expect());
  return answers.Wait().front();
}

absl::StatusOr<SpanService::ExportResponse> Replica::Export(const auth::Principal& principal,
                                                            const SpanService::ExportRequest& request) {
  const std::optional<std::string> no_key;
  Answers<SpanService::ExportResponse> answers;
  spans.Export({principal, no_key, TestService::Deadline()}, request, answers.ExpectOnce());
  return answers.Wait().front().response;
}

Answer<v1::RedeemTokenResponse> Replica::Redeem(std::string_view bearer,
                                                const v1::RedeemTokenRequest& request) {
  Answers<v1::RedeemTokenResponse> answers;
  feedback.Redeem(bearer, TestService::Deadline(), request, answers.Expect());
  return answers.Wait().front();
}

v1::Judge Replica::CreateJudge(const auth::Principal& principal,
                               const v1::CreateJudgeRequest& request) const {
  const std::optional<std::string> no_key;
  return judges.Create({principal, no_key, TestService::Deadline()}, request).value().judge();
}

absl::StatusOr<types::v1::Evaluation> Replica::Record(const auth::Principal& principal,
                                                      const std::string& judge_id,
                                                      const v1::EvaluationInput& input) {
  v1::RecordEvaluationRequest request;
  request.set_judge_id(judge_id);
  *request.mutable_evaluation() = input;
  const std::optional<std::string> no_key;
  Answers<v1::RecordEvaluationResponse> answers;
  evaluations.Record({principal, no_key, TestService::Deadline()}, request, answers.ExpectOnce());
  const auto answer = answers.Wait().front();
  if (!answer.response.ok()) return answer.response.status();
  return answer.response->evaluation();
}

absl::StatusOr<v1::RecordEvaluationsResponse> Replica::RecordAll(
    const auth::Principal& principal, const v1::RecordEvaluationsRequest& request) {
  const std::optional<std::string> no_key;
  Answers<v1::RecordEvaluationsResponse> answers;
  evaluations.RecordAll({principal, no_key, TestService::Deadline()}, request, answers.ExpectOnce());
  return answers.Wait().front().response;
}

TestService::TestService()
    : keys(token::KeyRing::Open(keyset.directory(), key_metrics).value()),
      replica(database.Dsn("feedback"), *keys, clock),
      other_replica(database.Dsn("feedback"), *keys, clock) {}

auth::Principal TestService::AddProject() {
  const Time now = clock.Now();
  auth::Principal principal = {
      .org_id = NewUuidV7(now), .project_id = NewUuidV7(now), .key_id = NewUuidV7(now)};
  principal.user.set_id(NewUuidV7(now).ToString());
  principal.user.set_email("ada@example.com");
  principal.user.set_name("Ada");
  const std::string org = principal.org_id.ToString();
  const std::string project = principal.project_id.ToString();
  database.Query("insert into organization (id, name, created_at) values ('" + org + "', 'o', now());" +
                 "insert into project (id, org_id, name, created_at) values ('" + project + "', '" + org +
                 "', 'p', now());" + "insert into prompt (project_id, id, slug, created_at) values ('" +
                 project + "', '" + NewUuidV7(now).ToString() + "', 'support-bot', now())");
  return principal;
}

token::TokenClaims TestService::Claims(const auth::Principal& principal) const {
  const Time now = clock.Now();
  return {.type = types::v1::ENTITY_TYPE_EVAL_RUN,
          .iat = now,
          .exp = now + std::chrono::hours(1),
          .org = principal.org_id,
          .project = principal.project_id,
          .jti = NewUuidV7(now),
          .resource = "run-42"};
}

JudgedProject::JudgedProject() {
  v1::CreateJudgeRequest request;
  request.set_name("binary");
  binary = test.replica.CreateJudge(principal, request);
  request.set_name("scored");
  request.set_evaluation_type(types::v1::EVALUATION_TYPE_SCORED);
  request.set_score_min(1);
  request.set_score_max(5);
  for (const char* key : {"clarity", "tone"}) request.add_criteria()->set_key(key);
  scored = test.replica.CreateJudge(principal, request);
}

v1::SubmitCompletionFeedbackRequest Vote(bool thumbs_up, const std::optional<std::string>& reason) {
  v1::SubmitCompletionFeedbackRequest request;
  request.set_prompt_slug("support-bot");
  request.set_completion_id("c1");
  request.set_thumbs_up(thumbs_up);
  if (reason) request.set_reason(*reason);
  return request;
}

v1::Span MakeSpan(const std::string& id, const std::string& trace_id) {
  v1::Span span;
  span.set_id(id);
  span.set_trace_id(trace_id);
  span.set_name("answer");
  *span.mutable_started_at() = ToProto(Time(std::chrono::seconds(1'780'088'059)));
  return span;
}

v1::CreateSpansRequest Spans(const std::vector<v1::Span>& spans) {
  v1::CreateSpansRequest request;
  request.mutable_spans()->Assign(spans.begin(), spans.end());
  return request;
}

v1::RedeemTokenRequest Redemption(bool thumbs_up, const std::optional<std::string>& reason) {
  v1::RedeemTokenRequest request;
  request.set_thumbs_up(thumbs_up);
  if (reason) request.set_reason(*reason);
  return request;
}

}  // namespace verdict::feedback
