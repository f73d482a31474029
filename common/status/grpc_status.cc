#include "common/status/grpc_status.h"

#include <map>
#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "google/rpc/status.pb.h"

namespace verdict {

google::rpc::Status ToRpc(const absl::Status& status) {
  google::rpc::Status rpc;
  rpc.set_code(static_cast<int>(status.code()));
  rpc.set_message(std::string(status.message()));
  // Sorted: payloads come in any order, and errors that are alike shall be so to the byte.
  std::map<std::string, std::string> payloads;
  status.ForEachPayload([&](absl::string_view type_url, const absl::Cord& payload) {
    payloads.emplace(std::string(type_url), std::string(payload));
  });
  for (auto& [type_url, payload] : payloads) {
    auto* detail = rpc.add_details();
    detail->set_type_url(type_url);
    detail->set_value(std::move(payload));
  }
  return rpc;
}

absl::Status FromRpc(const google::rpc::Status& rpc) {
  absl::Status status(static_cast<absl::StatusCode>(rpc.code()), rpc.message());
  for (const auto& detail : rpc.details()) {
    status.SetPayload(detail.type_url(), absl::Cord(absl::string_view(detail.value())));
  }
  return status;
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message()),
          ToRpc(status).SerializeAsString()};
}

absl::Status FromGrpc(const grpc::Status& status) {
  google::rpc::Status rpc;
  if (status.error_details().empty() || !rpc.ParseFromString(status.error_details())) rpc.Clear();
  rpc.set_code(status.error_code());
  rpc.set_message(status.error_message());
  return FromRpc(rpc);
}

}  // namespace verdict
