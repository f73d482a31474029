#include "cli/client.h"

namespace verdict::cli {

void Client::Prepare(grpc::ClientContext& context, std::string_view project) const {
  context.set_deadline(std::chrono::system_clock::now() + timeout_);
  context.AddMetadata("authorization", "Bearer " + admin_key_);
  if (!project.empty()) context.AddMetadata("verdict-project", std::string(project));
}

}  // namespace verdict::cli
