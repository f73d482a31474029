#pragma once

#include <memory>
#include <vector>

#include <google/protobuf/message.h>

#include "absl/status/status.h"
#include "verdict/options/v1/options.pb.h"

namespace verdict::rpc {

// The rules that a request's fields state about themselves (verdict.options.v1.field), compiled once for
// a message type. Checked for gRPC and REST callers alike, so that handlers need not. Immutable.
class FieldRules {
 public:
  explicit FieldRules(const google::protobuf::Descriptor* message);
  ~FieldRules();
  FieldRules(FieldRules&&) noexcept;
  FieldRules& operator=(FieldRules&&) noexcept;

  // INVALID_TEXT when a text has U+0000; else VALIDATION_ERROR naming every field that is required and
  // missing, too short or too long (texts and lists), out of range, not a finite number, an unknown enum
  // value, or a time of no year from 1 to 9999. Elements of a list that are each_by_itself are not looked at.
  absl::Status Check(const google::protobuf::Message& message) const;

 private:
  struct Rule;
  struct Plan;
  struct Findings;

  static void CheckMessage(const Plan& plan, const google::protobuf::Message& message,
                           const std::string& path, Findings& findings);
  static void CheckValue(const Rule& rule, const google::protobuf::Message& message, int index,
                         const std::string& path, Findings& findings);

  std::vector<std::unique_ptr<Plan>> plans_;  // the first is the message's own
};

// The field that names the caller's own project, if the message has one.
const google::protobuf::FieldDescriptor* TenantField(const google::protobuf::Descriptor* message);

}  // namespace verdict::rpc
