#include "services/feedback/prompt_service.h"

#include <optional>
#include <utility>
#include <vector>

#include "common/status/macros.h"
#include "services/feedback/errors.h"

namespace verdict::feedback {
namespace {

constexpr int kPageSizeDefault = 100;

}  // namespace

absl::StatusOr<v1::CreatePromptResponse> PromptService::Create(const auth::Principal& principal,
                                                               const v1::CreatePromptRequest& request) const {
  const Time now = clock_.Now();
  v1::CreatePromptResponse response;
  ASSIGN_OR_RETURN(*response.mutable_prompt(),
                   store_.InsertPrompt(principal.project_id, NewUuidV7(now), request.slug(), now));
  return response;
}

absl::StatusOr<v1::GetPromptResponse> PromptService::Get(const auth::Principal& principal,
                                                         const v1::GetPromptRequest& request) const {
  v1::GetPromptResponse response;
  ASSIGN_OR_RETURN(*response.mutable_prompt(), store_.FindPrompt(principal.project_id, request.slug()));
  return response;
}

absl::StatusOr<v1::ListPromptsResponse> PromptService::List(const auth::Principal& principal,
                                                            const v1::ListPromptsRequest& request) const {
  // A page's token is the id of its last prompt.
  const std::optional<Uuid> after = request.page_token().empty() ? Uuid{} : Uuid::Parse(request.page_token());
  if (!after) return error::BadPageToken();
  const int page_size = request.page_size() == 0 ? kPageSizeDefault : request.page_size();
  // One more than the page holds shows whether there is another.
  ASSIGN_OR_RETURN(std::vector<v1::Prompt> prompts,
                   store_.ListPrompts(principal.project_id, *after, page_size + 1));
  v1::ListPromptsResponse response;
  if (prompts.size() > static_cast<size_t>(page_size)) {
    prompts.pop_back();
    response.set_next_page_token(prompts.back().id());
  }
  for (v1::Prompt& prompt : prompts) *response.add_prompts() = std::move(prompt);
  return response;
}

}  // namespace verdict::feedback
