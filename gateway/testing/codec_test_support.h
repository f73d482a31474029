#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/status/error.h"
#include "gateway/json_plan.h"
#include "gateway/json_reader.h"
#include "gateway/json_writer.h"
#include "gateway/route_table.h"
#include "gateway/testing/codec_test.pb.h"
#include "verdict/aggregator/v1/aggregator_service.pb.h"
#include "verdict/feedback/v1/evaluation_service.pb.h"
#include "verdict/feedback/v1/feedback_service.pb.h"
#include "verdict/feedback/v1/judge_service.pb.h"
#include "verdict/feedback/v1/prompt_service.pb.h"
#include "verdict/feedback/v1/span_service.pb.h"
#include "verdict/token/v1/identity_service.pb.h"
#include "verdict/token/v1/token_service.pb.h"

namespace verdict::gateway {

// The reason's name; "" when OK.
inline std::string Reason(const absl::Status& status) {
  return status.ok() ? "" : std::string(ReasonName(ReasonOf(status)));
}

// The field that the first violation names.
inline std::string Field(const absl::Status& status) {
  const auto violations = DetailsOf(status).violations;
  return violations.empty() ? "" : violations[0].field;
}

inline std::string Message(const absl::Status& status) { return std::string(status.message()); }

inline const google::protobuf::ServiceDescriptor* ServiceNamed(std::string_view name) {
  return google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(std::string(name));
}

inline RouteTable TestRoutes() {
  const auto* service = testing::Everything::descriptor()->file()->FindServiceByName("Servable");
  return *RouteTable::Build({{service}});
}

// The services that the gateway serves.
inline RouteTable ContractRoutes() {
  const google::protobuf::ServiceDescriptor* services[] = {
      token::v1::MintTokenRequest::descriptor()->file()->service(0),
      token::v1::Principal::descriptor()->file()->service(0),
      feedback::v1::RedeemTokenRequest::descriptor()->file()->service(0),
      feedback::v1::Prompt::descriptor()->file()->service(0),
      feedback::v1::Span::descriptor()->file()->service(0),
      feedback::v1::Judge::descriptor()->file()->service(0),
      feedback::v1::EvaluationInput::descriptor()->file()->service(0),
      aggregator::v1::FeedbackItem::descriptor()->file()->service(0),
  };
  return *RouteTable::Build(services);
}

inline std::string ToJson(const MessagePlan& plan, const google::protobuf::Message& message) {
  std::string json;
  AppendJson(plan, message, json);
  return json;
}

}  // namespace verdict::gateway
