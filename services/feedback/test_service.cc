#include "services/feedback/test_service.h"

#include "common/ids/uuid.h"

namespace verdict::feedback {
namespace {

constexpr int kWriters = 2;

std::vector<FeedbackQueue::StoreBatch> MakeWriters(const std::string& dsn, PromptCache& prompts) {
  std::vector<FeedbackQueue::StoreBatch> writers;
  for (int i = 0; i < kWriters; ++i) {
    auto writer = std::make_shared<BatchStore>(
        pg::ConnectionOptions{.dsn = dsn, .application_name = "writer"}, prompts);
    writers.emplace_back([writer](auto batch) { return writer->Store(batch); });
  }
  return writers;
}

}  // namespace

Replica::Replica(const std::string& dsn, const token::KeyRing& keys, const Clock& clock)
    : prompt_cache(clock),
      pool({.dsn = dsn, .size = 2, .statements = FeedbackStore::Statements()}),
      store(pool, prompt_cache),
      queue_metrics(registry, "feedback"),
      queue({}, MakeWriters(dsn, prompt_cache), queue_metrics),
      redemption_metrics(registry),
      feedback(store, queue, keys, clock, redemption_metrics),
      prompts(store, clock) {}

Answer<v1::SubmitCompletionFeedbackResponse> Replica::Submit(
    const auth::Principal& principal, const v1::SubmitCompletionFeedbackRequest& request,
    const std::optional<std::string>& idempotency_key) {
  Answers<v1::SubmitCompletionFeedbackResponse> answers;
  feedback.Submit({principal, idempotency_key, TestService::Deadline()}, request, answers.Expect());
  return answers.Wait().front();
}

Answer<v1::RedeemTokenResponse> Replica::Redeem(std::string_view bearer,
                                                const v1::RedeemTokenRequest& request) {
  Answers<v1::RedeemTokenResponse> answers;
  feedback.Redeem(bearer, TestService::Deadline(), request, answers.Expect());
  return answers.Wait().front();
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

v1::SubmitCompletionFeedbackRequest Vote(bool thumbs_up, const std::optional<std::string>& reason) {
  v1::SubmitCompletionFeedbackRequest request;
  request.set_prompt_slug("support-bot");
  request.set_completion_id("c1");
  request.set_thumbs_up(thumbs_up);
  if (reason) request.set_reason(*reason);
  return request;
}

v1::RedeemTokenRequest Redemption(bool thumbs_up, const std::optional<std::string>& reason) {
  v1::RedeemTokenRequest request;
  request.set_thumbs_up(thumbs_up);
  if (reason) request.set_reason(*reason);
  return request;
}

}  // namespace verdict::feedback
