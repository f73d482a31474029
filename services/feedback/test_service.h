#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/auth/authenticator.h"
#include "common/auth/principal.h"
#include "common/clock.h"
#include "common/metrics/metrics.h"
#include "common/pg/pool.h"
#include "common/rpc/executor.h"
#include "common/token/test_keyset.h"
#include "common/token/token_codec.h"
#include "services/feedback/batch_store.h"
#include "services/feedback/evaluation_batch_store.h"
#include "services/feedback/evaluation_service.h"
#include "services/feedback/feedback_service.h"
#include "services/feedback/feedback_store.h"
#include "services/feedback/garbage_collector.h"
#include "services/feedback/garbage_store.h"
#include "services/feedback/idempotency_store.h"
#include "services/feedback/idempotent_calls.h"
#include "services/feedback/judge_cache.h"
#include "services/feedback/judge_service.h"
#include "services/feedback/judge_store.h"
#include "services/feedback/metrics.h"
#include "services/feedback/prompt_cache.h"
#include "services/feedback/prompt_service.h"
#include "services/feedback/prompt_store.h"
#include "services/feedback/span_service.h"
#include "services/feedback/span_store.h"
#include "tests/support/database.h"

namespace verdict::feedback {

// The answer to a write, once it has come.
template <typename Response>
struct Answer {
  absl::StatusOr<Response> response = absl::UnknownError("not answered");
  bool replayed = false;
};

// The answers to writes that run at the same time.
template <typename Response>
class Answers {
 public:
  FeedbackService::Done<Response> Expect() {
    absl::MutexLock lock(&mutex_);
    ++expected_;
    return [this](absl::StatusOr<Response> response, bool replayed) {
      absl::MutexLock answer_lock(&mutex_);
      answers_.push_back({std::move(response), replayed});
    };
  }
  // The same for what is never replayed here.
  absl::AnyInvocable<void(absl::StatusOr<Response>)> ExpectOnce() {
    return [done = Expect()](absl::StatusOr<Response> response) mutable { done(std::move(response), false); };
  }
  // Waits for all of them.
  std::vector<Answer<Response>> Wait() {
    absl::MutexLock lock(&mutex_);
    const auto complete = [this]()
                              ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return answers_.size() == expected_; };
    mutex_.Await(absl::Condition(&complete));
    return answers_;
  }

 private:
  absl::Mutex mutex_;
  size_t expected_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Answer<Response>> answers_ ABSL_GUARDED_BY(mutex_);
};

// One process's worth of the service, without gRPC.
class Replica {
 public:
  Replica(const std::string& dsn, const token::KeyRing& keys, const Clock& clock);

  Answer<v1::SubmitCompletionFeedbackResponse> Submit(const auth::Principal& principal,
                                                      const v1::SubmitCompletionFeedbackRequest& request,
                                                      const std::optional<std::string>& idempotency_key = {});
  Answer<v1::CreateSpansResponse> CreateSpans(const auth::Principal& principal,
                                              const v1::CreateSpansRequest& request,
                                              const std::optional<std::string>& idempotency_key = {});
  absl::StatusOr<SpanService::ExportResponse> Export(const auth::Principal& principal,
                                                     const SpanService::ExportRequest& request);
  Answer<v1::RedeemTokenResponse> Redeem(std::string_view bearer, const v1::RedeemTokenRequest& request);
  // Throws when it is refused.
  v1::Judge CreateJudge(const auth::Principal& principal, const v1::CreateJudgeRequest& request) const;
  absl::StatusOr<types::v1::Evaluation> Record(const auth::Principal& principal, const std::string& judge_id,
                                               const v1::EvaluationInput& input);
  absl::StatusOr<v1::RecordEvaluationsResponse> RecordAll(const auth::Principal& principal,
                                                          const v1::RecordEvaluationsRequest& request);

  metrics::Registry registry;
  PromptCache prompt_cache;
  JudgeCache judge_cache;
  pg::Pool pool;
  FeedbackStore store;
  WriteQueueMetrics queue_metrics;
  FeedbackQueue queue;
  WriteQueueMetrics evaluation_queue_metrics;
  EvaluationQueue evaluation_queue;
  RedemptionMetrics redemption_metrics;
  FeedbackService feedback;
  PromptStore prompt_store;
  PromptService prompts;
  JudgeStore judge_store;
  JudgeService judges;
  EvaluationService evaluations;
  WriteQueueMetrics span_queue_metrics;
  SpanQueue span_queue;
  OtlpMetrics otlp_metrics;
  SpanService spans;
  IdempotencyStore idempotency_store;
  rpc::Executor executor;
  IdempotentCalls calls;
  GarbageStore garbage;
  GarbageMetrics garbage_metrics;
};

// A database with projects, and two replicas of the service on it: what holds between processes is worth more
// than what holds within one.
class TestService {
 public:
  TestService();

  // A new project with the prompt "support-bot" and a key of its user "ada".
  auth::Principal AddProject();

  // A token for run-42, valid for an hour, changed by `change`.
  template <typename Change>
  std::string Mint(const auth::Principal& principal, Change change) {
    token::TokenClaims claims = Claims(principal);
    change(claims);
    return token::MintToken(*keys, claims).value();
  }
  std::string Mint(const auth::Principal& principal) {
    return Mint(principal, [](token::TokenClaims&) {});
  }

  // A deadline that no test comes near.
  static std::chrono::steady_clock::time_point Deadline() {
    return std::chrono::steady_clock::now() + std::chrono::minutes(1);
  }

  test::TestDatabase database;
  SystemClock clock;
  token::TestKeySet keyset;
  metrics::Registry key_metrics;
  std::unique_ptr<token::KeyRing> keys;
  Replica replica;
  Replica other_replica;

 private:
  token::TokenClaims Claims(const auth::Principal& principal) const;
};

// Knows one key: "key".
class OneKey final : public auth::Authenticator {
 public:
  explicit OneKey(const auth::Principal& principal)
      : principal_(std::make_shared<const auth::Principal>(principal)) {}

  void Authenticate(const auth::Credential& credential, auth::Deadline,
                    auth::AuthenticateDone done) override {
    if (credential.secret != "key") return done(MakeError(errors::v1::REASON_UNAUTHENTICATED, "No."));
    done(principal_);
  }

 private:
  std::shared_ptr<const auth::Principal> principal_;
};

// A service and a project with a judge of each type; the scored one has the range 1 to 5, passes from 3.8 on,
// and looks at clarity and tone.
struct JudgedProject {
  JudgedProject();

  TestService test;
  auth::Principal principal = test.AddProject();
  v1::Judge binary;
  v1::Judge scored;
};

// Feedback on completion c1 of prompt "support-bot".
v1::SubmitCompletionFeedbackRequest Vote(bool thumbs_up, const std::optional<std::string>& reason = {});

// A span of no session and no parent.
v1::Span MakeSpan(const std::string& id, const std::string& trace_id);
v1::CreateSpansRequest Spans(const std::vector<v1::Span>& spans);

v1::RedeemTokenRequest Redemption(bool thumbs_up, const std::optional<std::string>& reason = {});

}  // namespace verdict::feedback
