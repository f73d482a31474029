#include "services/feedback/feedback_service.h"

#include <utility>

#include "common/crypto/crypto.h"
#include "common/ids/entity_id.h"
#include "common/pg/param.h"
#include "common/status/macros.h"
#include "services/feedback/errors.h"
#include "services/feedback/metadata.h"

namespace verdict::feedback {
namespace {

using types::v1::EntityType;
using types::v1::Person;

constexpr std::string_view kTokenPrefix = "fbt1.";

// The record of a completion and a rater. `end_user` is null when the caller speaks for itself.
template <typename EndUser>
absl::StatusOr<FeedbackKey> CompletionKey(const auth::Principal& principal, std::string_view completion_id,
                                          const EndUser* end_user) {
  const std::string& rater_id = end_user != nullptr ? end_user->id() : principal.user.id();
  if (rater_id.empty()) return error::RaterRequired();
  return FeedbackKey{.project_id = principal.project_id,
                     .target_type = types::v1::ENTITY_TYPE_SPAN,
                     .target_id = EntityKey(completion_id),
                     .rater_kind = end_user != nullptr ? RaterKind::kEndUser : RaterKind::kKeyUser,
                     .rater_id = rater_id};
}

template <typename Request>
auto* EndUserOf(const Request& request) {
  return request.has_created_by() ? &request.created_by() : nullptr;
}

// What of it can be told without knowing the judge.
absl::Status SetScoreFeedback(const v1::SubmitCompletionFeedbackRequest& request, FeedbackWrite& write) {
  if (!request.has_judge_id()) {
    if (request.has_expected_score()) return error::JudgeRequired("expected_score");
    if (request.score_direction() != types::v1::SCORE_DIRECTION_UNSPECIFIED) {
      return error::JudgeRequired("score_direction");
    }
    if (!request.criteria_feedback().empty()) return error::JudgeRequired("criteria_feedback");
    return absl::OkStatus();
  }
  write.key.judge_id = Uuid::Parse(request.judge_id());
  if (!write.key.judge_id) return error::JudgeNotFound();
  if (request.has_expected_score()) write.score.expected_score = request.expected_score();
  write.score.direction = request.score_direction();
  if (request.criteria_feedback().empty()) return absl::OkStatus();
  write.score.criteria = &request.criteria_feedback();
  return CheckLength("criteria_feedback", *write.score.CriteriaJson());
}

void SetRater(const Person& rater, FeedbackWrite& write) {
  if (rater.has_email()) write.rater_email = rater.email();
  if (rater.has_name()) write.rater_name = rater.name();
}

// What a completion's and a token's request say alike.
template <typename Request>
absl::Status SetValues(const Request& request, FeedbackWrite& write) {
  write.thumbs_up = request.thumbs_up();
  if (request.has_reason()) write.reason = request.reason();
  if (request.has_expected_output()) write.expected_output = request.expected_output();
  if (!request.has_metadata()) return absl::OkStatus();
  write.metadata = request.metadata();
  return CheckMetadata(request.metadata());
}

template <typename Request, typename Feedback>
void EchoValues(const Request& request, const StoredFeedback& stored, Feedback& feedback) {
  feedback.set_id(stored.id.ToString());
  feedback.set_thumbs_up(request.thumbs_up());
  if (request.has_reason()) feedback.set_reason(request.reason());
  if (request.has_expected_output()) feedback.set_expected_output(request.expected_output());
  if (request.has_metadata()) feedback.set_metadata(request.metadata());
  *feedback.mutable_created_at() = ToProto(stored.created_at);
  *feedback.mutable_updated_at() = ToProto(stored.updated_at);
}

// Equal for requests that ask for the same, whatever the JSON looked like that they came from.
crypto::Digest HashOf(const FeedbackWrite& write) {
  std::string present;  // tells an absent text from an empty one
  const auto text = [&present](const auto& value) {
    present += value ? '1' : '0';
    return std::string_view(value ? std::string_view(*value) : "");
  };
  const std::string metadata = write.metadata ? CanonicalMetadata(*write.metadata).value() : "";
  const std::string target_type = std::to_string(write.key.target_type);
  const std::string rater_kind = std::to_string(static_cast<int>(write.key.rater_kind));
  const std::string_view email = text(write.rater_email);
  const std::string_view name = text(write.rater_name);
  const std::string_view slug = text(write.prompt_slug);
  const std::string_view reason = text(write.reason);
  const std::string_view expected_output = text(write.expected_output);
  std::string parts =
      crypto::EncodeParts({crypto::AsText(write.key.project_id.bytes), target_type, write.target_text,
                           rater_kind, write.key.rater_id, email, name, slug, write.thumbs_up ? "1" : "0",
                           reason, expected_output, metadata, present});
  // Apart, so that what has no judge hashes as it did when there were none: repeats outlive a release.
  if (write.key.judge_id) {
    const ScoreFeedback& score = write.score;
    parts += crypto::EncodeParts({crypto::AsText(write.key.judge_id->bytes),
                                  score.expected_score ? pg::Text(*score.expected_score) : "",
                                  std::to_string(score.direction), score.CriteriaJson().value_or("")});
  }
  return crypto::Sha256(parts);
}

// The token of a redemption: in the body or as the call's credential, which may also be of another kind.
absl::StatusOr<std::string_view> TokenOf(std::string_view bearer, const v1::RedeemTokenRequest& request) {
  if (request.has_token()) {
    if (bearer.starts_with(kTokenPrefix) && bearer != request.token()) return error::TokensDiffer();
    return request.token();
  }
  if (bearer.empty()) return error::TokenMissing();
  return bearer;
}

// The record that a token's redemption writes: its subject's, or else the token's own.
FeedbackKey TokenKey(const token::TokenClaims& claims) {
  return {.project_id = claims.project,
          .target_type = claims.type,
          .target_id = EntityKey(claims.resource),
          .rater_kind = claims.subject ? RaterKind::kEndUser : RaterKind::kToken,
          .rater_id = claims.subject ? claims.subject->id() : claims.jti.ToString()};
}

}  // namespace

absl::StatusOr<FeedbackWrite> FeedbackService::CompletionWrite(
    const WriteCall& call, const v1::SubmitCompletionFeedbackRequest& request) const {
  const Time now = clock_.Now();
  FeedbackWrite write = {.id = NewUuidV7(now),
                         .target_text = request.completion_id(),
                         .submitted_by = call.principal.key_id,
                         .at = now};
  if (!request.prompt_slug().empty()) write.prompt_slug = request.prompt_slug();
  ASSIGN_OR_RETURN(write.key, CompletionKey(call.principal, request.completion_id(), EndUserOf(request)));
  RETURN_IF_ERROR(SetScoreFeedback(request, write));
  SetRater(request.has_created_by() ? request.created_by() : call.principal.user, write);
  RETURN_IF_ERROR(SetValues(request, write));
  if (call.idempotency_key) {
    write.idempotency = {
        .owner = call.principal.key_id, .key = *call.idempotency_key, .body_hash = HashOf(write)};
  }
  return write;
}

void FeedbackService::Submit(const WriteCall& call, const v1::SubmitCompletionFeedbackRequest& request,
                             Done<v1::SubmitCompletionFeedbackResponse> done) {
  absl::StatusOr<FeedbackWrite> write = CompletionWrite(call, request);
  if (!write.ok()) return done(write.status(), false);

  std::optional<RunningKey> running;
  if (write->idempotency) {
    running.emplace(call.principal.project_id, call.principal.key_id, write->idempotency->key);
    absl::MutexLock lock(&mutex_);
    if (!running_.insert(*running).second) return done(error::IdempotencyInProgress(), false);
  }
  const std::optional<Uuid> judge_id = write->key.judge_id;
  queue_.Submit(*std::move(write), call.deadline,
                [this, &principal = call.principal, &request, judge_id, running = std::move(running),
                 done = std::move(done)](absl::StatusOr<StoredFeedback> stored) mutable {
                  if (running) {
                    absl::MutexLock lock(&mutex_);
                    running_.erase(*running);
                  }
                  if (!stored.ok()) return done(stored.status(), false);
                  v1::SubmitCompletionFeedbackResponse response;
                  v1::CompletionFeedback& feedback = *response.mutable_feedback();
                  EchoValues(request, *stored, feedback);
                  feedback.set_completion_id(request.completion_id());
                  if (stored->prompt_id) feedback.set_prompt_id(stored->prompt_id->ToString());
                  if (stored->prompt_version_id) {
                    feedback.set_prompt_version_id(stored->prompt_version_id->ToString());
                  }
                  feedback.set_project_id(principal.project_id.ToString());
                  *feedback.mutable_created_by() =
                      request.has_created_by() ? request.created_by() : principal.user;
                  if (judge_id) feedback.set_judge_id(judge_id->ToString());
                  if (request.has_expected_score()) feedback.set_expected_score(request.expected_score());
                  feedback.set_score_direction(request.score_direction());
                  *feedback.mutable_criteria_feedback() = request.criteria_feedback();
                  done(std::move(response), stored->replayed);
                });
}

absl::StatusOr<FeedbackWrite> FeedbackService::TokenWrite(const token::TokenClaims& claims,
                                                          const v1::RedeemTokenRequest& request) const {
  const Time now = clock_.Now();
  FeedbackWrite write = {.key = TokenKey(claims),
                         .id = NewUuidV7(now),
                         .target_text = claims.resource,
                         .submitted_by = claims.jti,
                         .at = now};
  if (claims.subject) SetRater(*claims.subject, write);
  RETURN_IF_ERROR(SetValues(request, write));
  write.token = {.jti = claims.jti, .iat = claims.iat, .exp = claims.exp, .fingerprint = HashOf(write)};
  return write;
}

void FeedbackService::Redeem(std::string_view bearer, std::chrono::steady_clock::time_point deadline,
                             const v1::RedeemTokenRequest& request, Done<v1::RedeemTokenResponse> done) {
  const auto refuse = [&](const absl::Status& status) {
    redemptions_.CountRefused(ReasonOf(status));
    done(status, false);
  };
  const absl::StatusOr<std::string_view> token = TokenOf(bearer, request);
  if (!token.ok()) return refuse(token.status());
  // Whether it has expired is for the database to say: a repeat of its redemption is answered also then.
  absl::StatusOr<token::TokenClaims> claims = token::VerifyToken(keys_, *token, clock_.Now());
  if (!claims.ok()) return refuse(claims.status());
  absl::StatusOr<FeedbackWrite> write = TokenWrite(*claims, request);
  if (!write.ok()) return refuse(write.status());

  queue_.Submit(*std::move(write), deadline,
                [this, &request, claims = *std::move(claims),
                 done = std::move(done)](absl::StatusOr<StoredFeedback> stored) mutable {
                  if (!stored.ok()) {
                    redemptions_.CountRefused(ReasonOf(stored.status()));
                    return done(stored.status(), false);
                  }
                  if (stored->replayed) {
                    redemptions_.CountReplayed();
                  } else {
                    redemptions_.CountStored(std::chrono::duration<double>(clock_.Now() - claims.iat) /
                                             (claims.exp - claims.iat));
                  }
                  v1::RedeemTokenResponse response;
                  v1::TokenFeedback& feedback = *response.mutable_feedback();
                  EchoValues(request, *stored, feedback);
                  feedback.set_resource_type(claims.type);
                  feedback.set_resource_id(claims.resource);
                  if (claims.subject) {
                    *feedback.mutable_created_by() = *claims.subject;
                  } else {
                    feedback.mutable_created_by()->set_id(claims.jti.ToString());
                  }
                  done(std::move(response), stored->replayed);
                });
}

absl::StatusOr<v1::GetCompletionFeedbackResponse> FeedbackService::Get(
    const auth::Principal& principal, const v1::GetCompletionFeedbackRequest& request) {
  ASSIGN_OR_RETURN(FeedbackKey key, CompletionKey(principal, request.completion_id(), EndUserOf(request)));
  ASSIGN_OR_RETURN(const Uuid prompt_id, store_.FindPromptId(principal.project_id, request.prompt_slug()));
  if (request.has_judge_id()) {
    key.judge_id = Uuid::Parse(request.judge_id());
    if (!key.judge_id) return error::FeedbackNotFound();
  }
  v1::GetCompletionFeedbackResponse response;
  v1::CompletionFeedback& feedback = *response.mutable_feedback();
  ASSIGN_OR_RETURN(feedback, store_.FindFeedback(key));
  feedback.set_completion_id(request.completion_id());
  // A record that came by token alone names no prompt.
  if (feedback.prompt_id().empty()) feedback.set_prompt_id(prompt_id.ToString());
  return response;
}

absl::StatusOr<v1::WithdrawCompletionFeedbackResponse> FeedbackService::Withdraw(
    const auth::Principal& principal, const v1::WithdrawCompletionFeedbackRequest& request) {
  ASSIGN_OR_RETURN(FeedbackKey key, CompletionKey(principal, request.completion_id(), EndUserOf(request)));
  RETURN_IF_ERROR(store_.FindPromptId(principal.project_id, request.prompt_slug()).status());
  if (request.has_judge_id()) {
    key.judge_id = Uuid::Parse(request.judge_id());
    if (!key.judge_id) return v1::WithdrawCompletionFeedbackResponse();  // nobody's id, so no record's
  }
  RETURN_IF_ERROR(store_.WithdrawFeedback(key, clock_.Now()));
  return v1::WithdrawCompletionFeedbackResponse();
}

absl::StatusOr<v1::DeleteFeedbackResponse> FeedbackService::Delete(const auth::Principal& principal,
                                                                   const v1::DeleteFeedbackRequest& request) {
  // What is no id of ours names nothing, and nothing is what is left of it.
  if (const auto id = Uuid::Parse(request.feedback_id())) {
    RETURN_IF_ERROR(store_.DeleteRecord(principal.project_id, *id));
  }
  return v1::DeleteFeedbackResponse();
}

absl::StatusOr<v1::EraseUserResponse> FeedbackService::EraseUser(
    const auth::Principal& principal, const v1::EraseUserRequest& request,
    std::chrono::steady_clock::time_point deadline) {
  v1::EraseUserResponse response;
  for (;;) {
    ASSIGN_OR_RETURN(const Erased erased, store_.EraseSome(principal.project_id, request.user_id()));
    response.set_feedback_count(response.feedback_count() + erased.records);
    response.set_revision_count(response.revision_count() + erased.revisions);
    response.set_claim_count(response.claim_count() + erased.claims);
    if (!erased.more) return response;
    if (std::chrono::steady_clock::now() >= deadline) return error::ErasureUnfinished();
  }
}

absl::StatusOr<v1::PeekTokenResponse> FeedbackService::Peek(std::string_view bearer) {
  if (bearer.empty()) return error::TokenMissing();
  ASSIGN_OR_RETURN(const token::TokenClaims claims, token::VerifyToken(keys_, bearer, clock_.Now()));
  RETURN_IF_ERROR(store_.CheckToken(claims));
  v1::PeekTokenResponse response;
  response.set_resource_type(claims.type);
  response.set_resource_id(claims.resource);
  *response.mutable_expires_at() = ToProto(claims.exp);
  if (claims.subject && claims.subject->has_name()) response.set_subject_name(claims.subject->name());
  return response;
}

}  // namespace verdict::feedback
