#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>

namespace verdict::rpc {

// A gRPC service made of its descriptor: every method async, requests as bytes, so that one template
// serves all of them. What generated WithRawMethod_ classes do, for every method at once.
class DescribedService final : public grpc::Service {
 public:
  explicit DescribedService(const google::protobuf::ServiceDescriptor* descriptor);

  // Waits for the next call of the method at `index`; `tag` completes when it arrives.
  void AwaitUnary(int index, grpc::ServerContext& context, grpc::ByteBuffer& request,
                  grpc::ServerAsyncResponseWriter<google::protobuf::Message>& responder,
                  grpc::ServerCompletionQueue* queue, void* tag);
  void AwaitStreamed(int index, grpc::ServerContext& context, grpc::ByteBuffer& request,
                     grpc::ServerAsyncWriter<grpc::ByteBuffer>& responder, grpc::ServerCompletionQueue* queue,
                     void* tag);

 private:
  std::vector<std::string> names_;  // "/package.Service/Method"; gRPC keeps pointers to them
};

}  // namespace verdict::rpc
