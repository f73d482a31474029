#include "common/rpc/service.h"

#include <grpcpp/impl/rpc_service_method.h>

namespace verdict::rpc {

using grpc::internal::RpcMethod;
using grpc::internal::RpcServiceMethod;

DescribedService::DescribedService(const google::protobuf::ServiceDescriptor* descriptor) {
  for (int i = 0; i < descriptor->method_count(); ++i) {
    names_.push_back("/" + descriptor->full_name() + "/" + descriptor->method(i)->name());
  }
  for (int i = 0; i < descriptor->method_count(); ++i) {
    const RpcMethod::RpcType type =
        descriptor->method(i)->server_streaming() ? RpcMethod::SERVER_STREAMING : RpcMethod::NORMAL_RPC;
    AddMethod(new RpcServiceMethod(names_[static_cast<std::size_t>(i)].c_str(), type,
                                   nullptr));  // grpc::Service owns it
    MarkMethodRaw(i);
  }
}

void DescribedService::AwaitUnary(int index, grpc::ServerContext& context, grpc::ByteBuffer& request,
                                  grpc::ServerAsyncResponseWriter<google::protobuf::Message>& responder,
                                  grpc::ServerCompletionQueue* queue, void* tag) {
  RequestAsyncUnary(index, &context, &request, &responder, queue, queue, tag);
}

void DescribedService::AwaitStreamed(int index, grpc::ServerContext& context, grpc::ByteBuffer& request,
                                     grpc::ServerAsyncWriter<grpc::ByteBuffer>& responder,
                                     grpc::ServerCompletionQueue* queue, void* tag) {
  RequestAsyncServerStreaming(index, &context, &request, &responder, queue, queue, tag);
}

}  // namespace verdict::rpc
