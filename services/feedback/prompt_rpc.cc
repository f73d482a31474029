#include "services/feedback/prompt_rpc.h"

#include "services/feedback/idempotent_rpc.h"

namespace verdict::feedback {

void RegisterPromptService(rpc::Server& server, IdempotentCalls& calls, const PromptService& prompts) {
  server.Blocking<v1::CreatePromptRequest, v1::CreatePromptResponse>(
      "verdict.feedback.v1.PromptService/CreatePrompt",
      [&prompts](rpc::Context& context, const v1::CreatePromptRequest& request) {
        return prompts.Create(context.principal(), request);
      });
  server.Blocking<v1::ListPromptsRequest, v1::ListPromptsResponse>(
      "verdict.feedback.v1.PromptService/ListPrompts",
      [&prompts](rpc::Context& context, const v1::ListPromptsRequest& request) {
        return prompts.List(context.principal(), request);
      });
  server.Blocking<v1::GetPromptRequest, v1::GetPromptResponse>(
      "verdict.feedback.v1.PromptService/GetPrompt",
      [&prompts](rpc::Context& context, const v1::GetPromptRequest& request) {
        return prompts.Get(context.principal(), request);
      });
  server.Blocking<v1::GetLatestPromptVersionRequest, v1::GetLatestPromptVersionResponse>(
      "verdict.feedback.v1.PromptService/GetLatestPromptVersion",
      [&prompts](rpc::Context& context, const v1::GetLatestPromptVersionRequest& request) {
        return prompts.GetLatestVersion(context.principal(), request);
      });
  IdempotentBlocking<v1::EnsurePromptVersionRequest, v1::EnsurePromptVersionResponse>(
      server, calls, "verdict.feedback.v1.PromptService/EnsurePromptVersion",
      [&prompts](rpc::Context& context, const v1::EnsurePromptVersionRequest& request) {
        return prompts.EnsureVersion(context.principal(), request);
      });
  server.Blocking<v1::GetPromptVersionByHashRequest, v1::GetPromptVersionByHashResponse>(
      "verdict.feedback.v1.PromptService/GetPromptVersionByHash",
      [&prompts](rpc::Context& context, const v1::GetPromptVersionByHashRequest& request) {
        return prompts.GetVersionByHash(context.principal(), request);
      });
  server.Blocking<v1::GetPromptVersionModelRequest, v1::GetPromptVersionModelResponse>(
      "verdict.feedback.v1.PromptService/GetPromptVersionModel",
      [&prompts](rpc::Context& context, const v1::GetPromptVersionModelRequest& request) {
        return prompts.GetVersionModel(context.principal(), request);
      });
  server.Blocking<v1::ListPromptVersionsRequest, v1::ListPromptVersionsResponse>(
      "verdict.feedback.v1.PromptService/ListPromptVersions",
      [&prompts](rpc::Context& context, const v1::ListPromptVersionsRequest& request) {
        return prompts.ListVersions(context.principal(), request);
      });
  server.Blocking<v1::ListPromptTagsRequest, v1::ListPromptTagsResponse>(
      "verdict.feedback.v1.PromptService/ListPromptTags",
      [&prompts](rpc::Context& context, const v1::ListPromptTagsRequest& request) {
        return prompts.ListTags(context.principal(), request);
      });
  server.Blocking<v1::PinPromptTagRequest, v1::PinPromptTagResponse>(
      "verdict.feedback.v1.PromptService/PinPromptTag",
      [&prompts](rpc::Context& context, const v1::PinPromptTagRequest& request) {
        return prompts.PinTag(context.principal(), request);
      });
}

}  // namespace verdict::feedback
