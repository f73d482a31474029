#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <google/protobuf/timestamp.pb.h>

#include "absl/status/status.h"
#include "common/status/error.h"
#include "gateway/json_plan.h"
#include "gateway/json_reader.h"
#include "gateway/json_writer.h"
#include "gateway/route_table.h"
#include "gateway/testing/codec_test.pb.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"
#include "verdict/aggregator/v1/aggregator_service.pb.h"
#include "verdict/aggregator/v1/topology_service.pb.h"
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
      opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest::descriptor()->file()->service(0),
      aggregator::v1::FeedbackItem::descriptor()->file()->service(0),
      aggregator::v1::Trace::descriptor()->file()->service(0),
  };
  return *RouteTable::Build(services);
}

// Which JSON the messages of the type have.
inline JsonStyle StyleOf(const google::protobuf::Descriptor& type) {
  const bool is_otlp = std::string_view(type.file()->package()).starts_with("opentelemetry.");
  return is_otlp ? JsonStyle::kOtlp : JsonStyle::kOurs;
}

// Adds the type, and every type that its fields have, to those that are not there yet.
inline void AddTypes(const google::protobuf::Descriptor* type,
                     std::vector<const google::protobuf::Descriptor*>& types) {
  if (type == google::protobuf::Timestamp::descriptor() || std::ranges::count(types, type) > 0) return;
  if (!type->options().map_entry()) types.push_back(type);
  for (int i = 0; i < type->field_count(); ++i) {
    if (const auto* inner = type->field(i)->message_type()) AddTypes(inner, types);
  }
}

// Every type of message that can be reached from the REST contract, and the tests' own that has every kind of
// field.
inline std::vector<const google::protobuf::Descriptor*> JsonTypes() {
  std::vector<const google::protobuf::Descriptor*> types;
  AddTypes(testing::Everything::descriptor(), types);
  const RouteTable contract = ContractRoutes();
  for (const Route* route : contract.routes()) {
    AddTypes(route->request->GetDescriptor(), types);
    AddTypes(route->response->GetDescriptor(), types);
  }
  return types;
}

inline std::string ToJson(const MessagePlan& plan, const google::protobuf::Message& message) {
  std::string json;
  if (!AppendJson(plan, message.SerializeAsString(), json)) return "no message";
  return json;
}

}  // namespace verdict::gateway
