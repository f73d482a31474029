#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <grpcpp/grpcpp.h>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "common/status/grpc_status.h"

namespace verdict::cli {

// Calls one service with the admin key, one call at a time.
class Client {
 public:
  // `timeout` bounds each call.
  Client(std::shared_ptr<grpc::Channel> channel, std::string admin_key, std::chrono::seconds timeout)
      : channel_(std::move(channel)), admin_key_(std::move(admin_key)), timeout_(timeout) {}

  // Calls `method` and waits for its answer. `project` is the project to act for; empty for none.
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                const Request& request, std::string_view project) const {
    grpc::ClientContext context;
    Prepare(context, project);
    Stub stub(channel_);
    Response response;
    if (const grpc::Status status = (stub.*method)(&context, request, &response); !status.ok()) {
      return FromGrpc(status);
    }
    return response;
  }

  // The same of a streamed RPC: `take` gets each message, and returns false when it wants no more.
  template <typename Stub, typename Request, typename Response>
  absl::Status Read(std::unique_ptr<grpc::ClientReader<Response>> (Stub::*method)(grpc::ClientContext*,
                                                                                  const Request&),
                    const Request& request, std::string_view project,
                    absl::FunctionRef<bool(const std::type_identity_t<Response>&)> take) const {
    grpc::ClientContext context;
    Prepare(context, project);
    Stub stub(channel_);
    const auto reader = (stub.*method)(&context, request);
    for (Response response; reader->Read(&response);) {
      if (take(response)) continue;
      context.TryCancel();
      reader->Finish();
      return absl::OkStatus();
    }
    return FromGrpc(reader->Finish());
  }

 private:
  void Prepare(grpc::ClientContext& context, std::string_view project) const;

  const std::shared_ptr<grpc::Channel> channel_;
  const std::string admin_key_;
  const std::chrono::seconds timeout_;
};

}  // namespace verdict::cli
