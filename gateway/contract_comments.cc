#include "gateway/contract_comments.h"

#include <algorithm>
#include <string_view>

#include <google/protobuf/descriptor.pb.h>

#include "common/status/error.h"

// The file that proto/CMakeLists.txt makes (VERDICT_PROTO_IMAGE), as it is.
asm(".pushsection .rodata\n"
    "kVerdictProtoImage:\n"
    ".incbin \"" VERDICT_PROTO_IMAGE
    "\"\n"
    "kVerdictProtoImageEnd:\n"
    ".popsection\n");
extern "C" const char kVerdictProtoImage[];
extern "C" const char kVerdictProtoImageEnd[];

namespace verdict::gateway {
namespace {

// "// One.\n// Two." stands in the descriptor as " One.\n Two.\n".
std::string Joined(std::string_view comment) {
  std::string text;
  while (!comment.empty()) {
    std::string_view line = comment.substr(0, comment.find('\n'));
    comment.remove_prefix(std::min(comment.size(), line.size() + 1));
    if (!line.empty() && line.front() == ' ') line.remove_prefix(1);
    if (line.empty()) {
      text += "\n\n";
    } else {
      if (!text.empty() && text.back() != '\n') text += ' ';
      text += line;
    }
  }
  return text;
}

template <typename Descriptor>
std::string CommentOf(const Descriptor* descriptor) {
  google::protobuf::SourceLocation location;
  if (descriptor == nullptr || !descriptor->GetSourceLocation(&location)) return "";
  return Joined(location.leading_comments);
}

}  // namespace

ContractComments::ContractComments() : pool_(std::make_unique<google::protobuf::DescriptorPool>()) {}

absl::StatusOr<ContractComments> ContractComments::Load() {
  ContractComments comments;
  google::protobuf::FileDescriptorSet files;
  if (!files.ParseFromArray(kVerdictProtoImage,
                            static_cast<int>(kVerdictProtoImageEnd - kVerdictProtoImage))) {
    return InternalError("the image of the contracts is damaged");
  }
  for (const auto& file : files.file()) {
    if (comments.pool_->BuildFile(file) == nullptr)
      return InternalError(file.name() + " cannot be built from the image");
  }
  return comments;
}

std::string ContractComments::Of(const google::protobuf::ServiceDescriptor& service) const {
  return CommentOf(pool_->FindServiceByName(service.full_name()));
}
std::string ContractComments::Of(const google::protobuf::MethodDescriptor& method) const {
  return CommentOf(pool_->FindMethodByName(method.full_name()));
}
std::string ContractComments::Of(const google::protobuf::Descriptor& message) const {
  return CommentOf(pool_->FindMessageTypeByName(message.full_name()));
}
std::string ContractComments::Of(const google::protobuf::FieldDescriptor& field) const {
  return CommentOf(pool_->FindFieldByName(field.full_name()));
}
std::string ContractComments::Of(const google::protobuf::EnumDescriptor& enumeration) const {
  return CommentOf(pool_->FindEnumTypeByName(enumeration.full_name()));
}
std::string ContractComments::Of(const google::protobuf::EnumValueDescriptor& value) const {
  return CommentOf(pool_->FindEnumValueByName(value.full_name()));
}

}  // namespace verdict::gateway
