#include "tests/e2e/contract.h"

#include <fstream>
#include <stdexcept>

#include <google/protobuf/descriptor.pb.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/api/annotations.pb.h"

namespace verdict::test {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using Values = std::map<std::string, std::string>;

void AddRoutes(const google::api::HttpRule& rule, std::vector<Contract::Route>& routes) {
  switch (rule.pattern_case()) {
    case google::api::HttpRule::kGet:
      return routes.push_back({"GET", rule.get()});
    case google::api::HttpRule::kPost:
      return routes.push_back({"POST", rule.post()});
    case google::api::HttpRule::kPut:
      return routes.push_back({"PUT", rule.put()});
    case google::api::HttpRule::kPatch:
      return routes.push_back({"PATCH", rule.patch()});
    case google::api::HttpRule::kDelete:
      return routes.push_back({"DELETE", rule.delete_()});
    default:
      return;
  }
}

void Fill(Message& message, const Values& values);

// Sets a required field that has no value of its own to one that its type takes.
void FillRequired(Message& message, const FieldDescriptor* field, const Values& values) {
  const auto* reflection = message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection->SetString(&message, field, "x");
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection->SetEnumValue(&message, field, 1);
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->SetBool(&message, field, true);
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection->SetInt32(&message, field, 1);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return Fill(*reflection->MutableMessage(&message, field), values);
    default:
      throw std::runtime_error(absl::StrCat("no value for ", field->full_name()));
  }
}

void Fill(Message& message, const Values& values) {
  const auto* descriptor = message.GetDescriptor();
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    const auto value = values.find(field->name());
    const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (field->is_map()) continue;
    if (field->is_repeated()) {
      if (is_message) Fill(*reflection->AddMessage(&message, field), values);
    } else if (value != values.end() && field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      reflection->SetString(&message, field, value->second);
    } else if (field->options().GetExtension(options::v1::field).required()) {
      FillRequired(message, field, values);
    }
  }
}

}  // namespace

std::string Contract::Method::rpc() const {
  return absl::StrCat("/", descriptor->service()->full_name(), "/", descriptor->name());
}

std::string Contract::Method::address_variable() const {
  // verdict.NAME.v1, or OpenTelemetry's, which the feedback service takes.
  const std::string& package = descriptor->file()->package();
  if (!absl::StartsWith(package, "verdict.")) return "VERDICT_FEEDBACK_ADDR";
  const std::string name = package.substr(8, package.rfind('.') - 8);
  return absl::StrCat("VERDICT_", absl::AsciiStrToUpper(name), "_ADDR");
}

Contract::Contract() {
  std::ifstream image(VERDICT_PROTO_IMAGE, std::ios::binary);
  google::protobuf::FileDescriptorSet files;
  if (!files.ParseFromIstream(&image)) throw std::runtime_error("no image of the contracts");
  for (const auto& file : files.file()) {
    const auto* built = pool_.BuildFile(file);
    if (built == nullptr) throw std::runtime_error("the image is broken at " + file.name());
    for (int i = 0; i < built->service_count(); ++i) {
      for (int j = 0; j < built->service(i)->method_count(); ++j) {
        const auto* method = built->service(i)->method(j);
        methods_.push_back({method, method->options().GetExtension(options::v1::auth), {}});
        const auto& http = method->options().GetExtension(google::api::http);
        AddRoutes(http, methods_.back().routes);
        for (const auto& more : http.additional_bindings()) AddRoutes(more, methods_.back().routes);
      }
    }
  }
}

std::unique_ptr<Message> Contract::Request(const Method& method, const Values& values) {
  std::unique_ptr<Message> message(factory_.GetPrototype(method.descriptor->input_type())->New());
  Fill(*message, values);
  return message;
}

std::unique_ptr<Message> Contract::Response(const Method& method) {
  return std::unique_ptr<Message>(factory_.GetPrototype(method.descriptor->output_type())->New());
}

}  // namespace verdict::test
