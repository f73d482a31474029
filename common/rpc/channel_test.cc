#include "common/rpc/channel.h"

#include <catch2/catch.hpp>

#include "verdict/aggregator/v1/aggregator_service.pb.h"
#include "verdict/aggregator/v1/topology_service.pb.h"
#include "verdict/feedback/v1/evaluation_service.pb.h"
#include "verdict/feedback/v1/feedback_service.pb.h"
#include "verdict/feedback/v1/judge_service.pb.h"
#include "verdict/feedback/v1/prompt_service.pb.h"
#include "verdict/feedback/v1/span_service.pb.h"
#include "verdict/options/v1/options.pb.h"
#include "verdict/token/v1/identity_service.pb.h"
#include "verdict/token/v1/token_service.pb.h"

namespace verdict::rpc {
namespace {

TEST_CASE("every read is tried again, and no write") {
  int reads = 0;
  for (const auto* service : {token::v1::MintTokenRequest::descriptor()->file()->service(0),
                              token::v1::AuthenticateRequest::descriptor()->file()->service(0),
                              feedback::v1::RedeemTokenRequest::descriptor()->file()->service(0),
                              feedback::v1::GetPromptRequest::descriptor()->file()->service(0),
                              feedback::v1::GetJudgeRequest::descriptor()->file()->service(0),
                              feedback::v1::CreateSpansRequest::descriptor()->file()->service(0),
                              feedback::v1::RecordEvaluationRequest::descriptor()->file()->service(0),
                              aggregator::v1::GetEntityFeedbackRequest::descriptor()->file()->service(0),
                              aggregator::v1::ListSpansRequest::descriptor()->file()->service(0)}) {
    for (int i = 0; i < service->method_count(); ++i) {
      const auto& method = *service->method(i);
      const auto scope = method.options().GetExtension(options::v1::auth).scope();
      INFO(method.full_name());
      const bool is_retried = IsRetried(method);
      if (scope == options::v1::SCOPE_READ) CHECK(is_retried);
      if (scope == options::v1::SCOPE_WRITE || scope == options::v1::SCOPE_ERASE) CHECK_FALSE(is_retried);
      reads += static_cast<int>(scope == options::v1::SCOPE_READ);
    }
  }
  CHECK(reads > 15);
}

}  // namespace
}  // namespace verdict::rpc
