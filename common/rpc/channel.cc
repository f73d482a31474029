#include "common/rpc/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace verdict::rpc {
namespace {

// gRFC A6. Retries stop when half of the ten tokens are gone; each success gives a tenth of one back.
constexpr const char* kServiceConfig = R"json({
  "loadBalancingConfig": [{"round_robin": {}}],
  "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
  "methodConfig": [{
    "name": [
      {"service": "verdict.token.v1.IdentityService", "method": "Authenticate"},
      {"service": "verdict.token.v1.TokenService", "method": "MintToken"},
      {"service": "verdict.token.v1.TokenService", "method": "VerifyToken"},
      {"service": "verdict.feedback.v1.FeedbackService", "method": "GetCompletionFeedback"},
      {"service": "verdict.feedback.v1.FeedbackService", "method": "PeekToken"},
      {"service": "verdict.feedback.v1.JudgeService", "method": "GetJudge"},
      {"service": "verdict.feedback.v1.JudgeService", "method": "ListJudges"},
      {"service": "verdict.feedback.v1.JudgeService", "method": "GetJudgeCriteria"},
      {"service": "verdict.feedback.v1.PromptService", "method": "GetPrompt"},
      {"service": "verdict.feedback.v1.PromptService", "method": "GetLatestPromptVersion"},
      {"service": "verdict.feedback.v1.PromptService", "method": "GetPromptVersionByHash"},
      {"service": "verdict.feedback.v1.PromptService", "method": "GetPromptVersionModel"},
      {"service": "verdict.feedback.v1.PromptService", "method": "ListPrompts"},
      {"service": "verdict.feedback.v1.PromptService", "method": "ListPromptVersions"},
      {"service": "verdict.feedback.v1.PromptService", "method": "ListPromptTags"},
      {"service": "verdict.aggregator.v1.AggregatorService"},
      {"service": "verdict.aggregator.v1.TopologyService"}
    ],
    "retryPolicy": {
      "maxAttempts": 3,
      "initialBackoff": "0.05s",
      "maxBackoff": "0.5s",
      "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE"]
    }
  }]
})json";

// An error with all the violations that it may have; gRPC's own limit is 8 KiB.
constexpr int kMetadataBytesMax = 64 << 10;

}  // namespace

bool IsRetried(const google::protobuf::MethodDescriptor& method) {
  const std::string service = absl::StrCat("{\"service\": \"", method.service()->full_name(), "\"");
  return absl::StrContains(kServiceConfig, service + "}") ||
         absl::StrContains(kServiceConfig, absl::StrCat(service, ", \"method\": \"", method.name(), "\"}"));
}

std::shared_ptr<grpc::Channel> NewChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(kServiceConfig);
  arguments.SetMaxReceiveMessageSize(64 << 20);
  arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytesMax);
  // A peer that vanished without a word is noticed within 15 s.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1'000);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 500);
  const bool named = absl::StrContains(address, ":///") || absl::StartsWith(address, "ipv4:") ||
                     absl::StartsWith(address, "ipv6:") || absl::StartsWith(address, "unix:");
  return grpc::CreateCustomChannel(named ? address : "dns:///" + address, grpc::InsecureChannelCredentials(),
                                   arguments);
}

}  // namespace verdict::rpc
