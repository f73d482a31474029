#pragma once

#include <memory>
#include <string>

#include <google/protobuf/descriptor.h>

#include "absl/status/statusor.h"

namespace verdict::gateway {

// The comments of the contracts: compiled descriptors have none, so that the program carries a copy of the
// .proto files' descriptors that has them. Immutable, and safe to use from all threads.
class ContractComments {
 public:
  // INTERNAL when the copy cannot be read.
  static absl::StatusOr<ContractComments> Load();

  // The comment above a declaration, its lines joined; "" without one.
  std::string Of(const google::protobuf::ServiceDescriptor& service) const;
  std::string Of(const google::protobuf::MethodDescriptor& method) const;
  std::string Of(const google::protobuf::Descriptor& message) const;
  std::string Of(const google::protobuf::FieldDescriptor& field) const;
  std::string Of(const google::protobuf::EnumDescriptor& enumeration) const;
  std::string Of(const google::protobuf::EnumValueDescriptor& value) const;

 private:
  ContractComments();

  std::unique_ptr<google::protobuf::DescriptorPool> pool_;
};

}  // namespace verdict::gateway
