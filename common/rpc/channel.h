#pragma once

#include <memory>
#include <string>

#include <google/protobuf/descriptor.h>
#include <grpcpp/channel.h>

namespace verdict::rpc {

// A channel to a service at HOST:PORT, or at any name that gRPC resolves (`dns:///host:port`, `ipv4:…`).
// Spreads calls over all addresses of the name; retries reads and mints that found the service
// unavailable, and nothing that stores: a write's unknown outcome is its caller's to resolve.
std::shared_ptr<grpc::Channel> NewChannel(const std::string& address);

// Whether such a channel makes calls of the RPC again that found the service unavailable.
bool IsRetried(const google::protobuf::MethodDescriptor& method);

}  // namespace verdict::rpc
