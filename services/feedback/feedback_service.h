#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/auth/principal.h"
#include "common/clock.h"
#include "common/token/key_ring.h"
#include "common/token/token_codec.h"
#include "services/feedback/feedback_store.h"
#include "services/feedback/feedback_write.h"
#include "services/feedback/metrics.h"
#include "services/feedback/write_call.h"
#include "verdict/feedback/v1/feedback_service.pb.h"

namespace verdict::feedback {

// The use cases of verdict.feedback.v1.FeedbackService. Requests keep the rules that their fields state.
// Thread-safe.
class FeedbackService {
 public:
  template <typename Response>
  using Done = WriteDone<Response>;

  // All outlive the service, and the queue is drained before the service ends.
  FeedbackService(FeedbackStore& store, FeedbackQueue& queue, const token::KeyRing& keys, const Clock& clock,
                  RedemptionMetrics& redemptions)
      : store_(store), queue_(queue), keys_(keys), clock_(clock), redemptions_(redemptions) {}

  // The writes do not block. Principal and request live until `done` is called. A request without a slug
  // names no prompt.
  void Submit(const WriteCall& call, const v1::SubmitCompletionFeedbackRequest& request,
              Done<v1::SubmitCompletionFeedbackResponse> done);
  // `bearer` is the call's bearer credential, if any; it is verified here.
  void Redeem(std::string_view bearer, std::chrono::steady_clock::time_point deadline,
              const v1::RedeemTokenRequest& request, Done<v1::RedeemTokenResponse> done);

  // These block on the database.
  absl::StatusOr<v1::GetCompletionFeedbackResponse> Get(const auth::Principal& principal,
                                                        const v1::GetCompletionFeedbackRequest& request);
  absl::StatusOr<v1::WithdrawCompletionFeedbackResponse> Withdraw(
      const auth::Principal& principal, const v1::WithdrawCompletionFeedbackRequest& request);
  absl::StatusOr<v1::DeleteFeedbackResponse> Delete(const auth::Principal& principal,
                                                    const v1::DeleteFeedbackRequest& request);
  // Erases bit by bit; DEADLINE_EXCEEDED when some is left at the deadline.
  absl::StatusOr<v1::EraseUserResponse> EraseUser(const auth::Principal& principal,
                                                  const v1::EraseUserRequest& request,
                                                  std::chrono::steady_clock::time_point deadline);
  absl::StatusOr<v1::PeekTokenResponse> Peek(std::string_view bearer);

 private:
  using RunningKey = std::tuple<Uuid, Uuid, std::string>;  // project, API key, Idempotency-Key

  absl::StatusOr<FeedbackWrite> CompletionWrite(const WriteCall& call,
                                                const v1::SubmitCompletionFeedbackRequest& request) const;
  absl::StatusOr<FeedbackWrite> TokenWrite(const token::TokenClaims& claims,
                                           const v1::RedeemTokenRequest& request) const;

  FeedbackStore& store_;
  FeedbackQueue& queue_;
  const token::KeyRing& keys_;
  const Clock& clock_;
  RedemptionMetrics& redemptions_;
  absl::Mutex mutex_;
  absl::flat_hash_set<RunningKey> running_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace verdict::feedback
