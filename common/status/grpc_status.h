#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"

namespace verdict {

// absl::Status and google.rpc.Status, both ways.
google::rpc::Status ToRpc(const absl::Status& status);
absl::Status FromRpc(const google::rpc::Status& rpc);

// absl::Status and grpc::Status, both ways. Payloads travel as the `details` of a serialized
// google.rpc.Status in the trailer, as gRPC's error model has it.
grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace verdict
