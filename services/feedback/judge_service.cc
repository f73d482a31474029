#include "services/feedback/judge_service.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/status/macros.h"
#include "services/feedback/errors.h"
#include "services/feedback/idempotent_calls.h"
#include "services/feedback/judge_rules.h"
#include "services/feedback/metadata.h"

namespace verdict::feedback {
namespace {

constexpr int kPageSizeDefault = 100;

// The name under which feedback on a judge's own outputs comes.
std::string TaskSlug(const Uuid& judge_id) {
  std::string id = judge_id.ToString();
  std::erase(id, '-');
  return "judge-" + id;
}

// Sets what a request says of a judge and leaves the rest as it is; of its target no more than is known
// without asking the database. Fails as CheckMetadata does of the request's filter. A stored one is not
// checked again: the database writes its numbers longer than requests may.
template <typename Request>
absl::Status Merge(const Request& request, v1::Judge& judge) {
  if (request.has_score_min()) judge.set_score_min(request.score_min());
  if (request.has_score_max()) judge.set_score_max(request.score_max());
  if (request.has_pass_threshold()) judge.set_pass_threshold(request.pass_threshold());
  if (!request.criteria().empty()) *judge.mutable_criteria() = request.criteria();
  if (request.has_template_()) judge.set_template_(request.template_());
  if (request.has_sample_rate()) judge.set_sample_rate(request.sample_rate());
  if (request.has_temperature()) judge.set_temperature(request.temperature());
  if (request.has_is_paused()) judge.set_is_paused(request.is_paused());
  if (!request.has_filter()) return absl::OkStatus();
  judge.set_filter(request.filter());
  return CheckMetadata(request.filter(), "filter");
}

}  // namespace

absl::Status JudgeService::SetTarget(const auth::Principal& principal, std::string_view prompt_id,
                                     v1::Judge& judge) const {
  const std::optional<Uuid> id = Uuid::Parse(prompt_id);
  if (!id) return error::PromptIdNotFound();
  RETURN_IF_ERROR(store_.CheckPrompt(principal.project_id, *id));
  judge.set_target_prompt_id(id->ToString());
  return absl::OkStatus();
}

absl::StatusOr<v1::CreateJudgeResponse> JudgeService::Create(const WriteCall& call,
                                                             const v1::CreateJudgeRequest& request) const {
  const auth::Principal& principal = call.principal;
  const Time now = clock_.Now();
  MadeIds ids(call, request, now);
  const Uuid id = ids.Next();
  v1::CreateJudgeResponse response;
  v1::Judge& judge = *response.mutable_judge();
  judge.set_id(id.ToString());
  judge.set_project_id(principal.project_id.ToString());
  judge.set_name(request.name());
  judge.set_evaluation_type(request.evaluation_type());
  judge.set_task_id(ids.Next().ToString());
  judge.set_prompt_slug(TaskSlug(id));
  judge.set_evaluation_count(0);
  judge.set_positive_evaluations(0);
  *judge.mutable_created_at() = ToProto(now);
  *judge.mutable_modified_at() = ToProto(now);
  RETURN_IF_ERROR(Merge(request, judge));
  RETURN_IF_ERROR(CompleteJudge(judge));
  if (request.has_target_prompt_id()) {
    RETURN_IF_ERROR(SetTarget(principal, request.target_prompt_id(), judge));
  }
  const absl::Status inserted = store_.InsertJudge(judge);
  // The judge of this name may be the one that this request made when it ran before.
  if (absl::IsAlreadyExists(inserted) && call.idempotency_key) {
    absl::StatusOr<v1::Judge> made =
        store_.FindJudge({principal.project_id, id}, JudgeStore::Evaluations::kCounted);
    if (made.ok()) {
      judge = *std::move(made);
      return response;
    }
  }
  RETURN_IF_ERROR(inserted);
  return response;
}

absl::StatusOr<v1::Judge> JudgeService::Find(const auth::Principal& principal, std::string_view judge_id,
                                             JudgeStore::Evaluations evaluations) const {
  const std::optional<Uuid> id = Uuid::Parse(judge_id);
  if (!id) return error::JudgeNotFound();
  return store_.FindJudge({principal.project_id, *id}, evaluations);
}

absl::StatusOr<v1::GetJudgeResponse> JudgeService::Get(const auth::Principal& principal,
                                                       const v1::GetJudgeRequest& request) const {
  v1::GetJudgeResponse response;
  ASSIGN_OR_RETURN(*response.mutable_judge(),
                   Find(principal, request.automation_id(), JudgeStore::Evaluations::kCounted));
  return response;
}

absl::StatusOr<v1::ListJudgesResponse> JudgeService::List(const auth::Principal& principal,
                                                          const v1::ListJudgesRequest& request) const {
  // A page's token is the id of its last judge.
  const std::optional<Uuid> after = request.page_token().empty() ? Uuid{} : Uuid::Parse(request.page_token());
  if (!after) return error::BadPageToken();
  const int page_size = request.page_size() == 0 ? kPageSizeDefault : request.page_size();
  // One more than the page holds shows whether there is another.
  ASSIGN_OR_RETURN(std::vector<v1::Judge> judges,
                   store_.ListJudges(principal.project_id, *after, page_size + 1));
  v1::ListJudgesResponse response;
  if (judges.size() > static_cast<size_t>(page_size)) {
    judges.pop_back();
    response.set_next_page_token(judges.back().id());
  }
  for (v1::Judge& judge : judges) *response.add_automations() = std::move(judge);
  return response;
}

absl::StatusOr<v1::Judge> JudgeService::Change(const auth::Principal& principal, std::string_view judge_id,
                                               absl::FunctionRef<absl::Status(v1::Judge&)> change) const {
  const std::optional<Uuid> id = Uuid::Parse(judge_id);
  if (!id) return error::JudgeNotFound();
  return store_.UpdateJudge({principal.project_id, *id}, clock_.Now(), change);
}

absl::StatusOr<v1::UpdateJudgeResponse> JudgeService::Update(const auth::Principal& principal,
                                                             const v1::UpdateJudgeRequest& request) const {
  v1::Judge target;
  if (request.has_target_prompt_id()) {
    RETURN_IF_ERROR(SetTarget(principal, request.target_prompt_id(), target));
  }
  v1::UpdateJudgeResponse response;
  ASSIGN_OR_RETURN(*response.mutable_judge(),
                   Change(principal, request.automation_id(), [&](v1::Judge& judge) {
                     if (request.evaluation_type() != types::v1::EVALUATION_TYPE_UNSPECIFIED &&
                         request.evaluation_type() != judge.evaluation_type()) {
                       return error::EvaluationTypeFixed();
                     }
                     if (request.has_name()) judge.set_name(request.name());
                     // A threshold that nobody has set follows the range.
                     if (HasDefaultThreshold(judge)) judge.clear_pass_threshold();
                     RETURN_IF_ERROR(Merge(request, judge));
                     judge.MergeFrom(target);
                     return CompleteJudge(judge);
                   }));
  return response;
}

absl::StatusOr<v1::LinkJudgeResponse> JudgeService::Link(const auth::Principal& principal,
                                                         const v1::LinkJudgeRequest& request) const {
  v1::Judge target;
  RETURN_IF_ERROR(SetTarget(principal, request.prompt_id(), target));
  v1::LinkJudgeResponse response;
  ASSIGN_OR_RETURN(*response.mutable_judge(),
                   Change(principal, request.automation_id(), [&](v1::Judge& judge) {
                     judge.MergeFrom(target);
                     return absl::OkStatus();
                   }));
  return response;
}

absl::StatusOr<v1::GetJudgeCriteriaResponse> JudgeService::GetCriteria(
    const auth::Principal& principal, const v1::GetJudgeCriteriaRequest& request) const {
  ASSIGN_OR_RETURN(v1::Judge judge, Find(principal, request.judge_id(), JudgeStore::Evaluations::kUncounted));
  v1::GetJudgeCriteriaResponse response;
  response.set_judge_id(judge.id());
  response.set_evaluation_type(judge.evaluation_type());
  if (judge.has_score_min()) response.set_score_min(judge.score_min());
  if (judge.has_score_max()) response.set_score_max(judge.score_max());
  if (judge.has_pass_threshold()) response.set_pass_threshold(judge.pass_threshold());
  *response.mutable_criteria() = std::move(*judge.mutable_criteria());
  return response;
}

}  // namespace verdict::feedback
