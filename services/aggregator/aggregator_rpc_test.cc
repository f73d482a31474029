#include "services/aggregator/aggregator_rpc.h"

#include <catch2/catch.hpp>
#include <grpcpp/grpcpp.h>

#include "common/rpc/channel.h"
#include "common/status/error.h"
#include "common/status/grpc_status.h"
#include "services/aggregator/test_feedback.h"
#include "verdict/aggregator/v1/aggregator_service.grpc.pb.h"

namespace verdict::aggregator {
namespace {

// Knows one key: a reader's of kProject.
class OneKey final : public auth::Authenticator {
 public:
  void Authenticate(const auth::Credential& credential, auth::Deadline,
                    auth::AuthenticateDone done) override {
    if (credential.secret != "reader")
      return done(MakeError(errors::v1::REASON_UNAUTHENTICATED, "No such key."));
    auto principal = std::make_shared<auth::Principal>();
    principal->project_id = kProject;
    principal->AddScope(options::v1::SCOPE_READ);
    done(principal);
  }
};

struct TestServer {
  TestServer() : server({}, keys, aggregator.registry) {
    RegisterAggregatorRpcs(server, aggregator.service);
    REQUIRE(server.Start().ok());
    stub = v1::AggregatorService::NewStub(rpc::NewChannel(server.address()));
  }

  TestAggregator aggregator;
  OneKey keys;
  rpc::Server server;
  std::unique_ptr<v1::AggregatorService::Stub> stub;
};

v1::GetEntityFeedbackRequest RequestFor(const Uuid& project, const std::string& span) {
  v1::GetEntityFeedbackRequest request;
  request.set_project_id(project.ToString());
  request.set_entity_type(types::v1::ENTITY_TYPE_SPAN);
  request.set_entity_id(span);
  return request;
}

void Prepare(grpc::ClientContext& context) {
  context.AddMetadata("authorization", "Bearer reader");
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
}

absl::Status StatusOf(TestServer& server, const v1::GetEntityFeedbackRequest& request) {
  grpc::ClientContext context;
  Prepare(context);
  const auto reader = server.stub->GetEntityFeedback(&context, request);
  v1::GetEntityFeedbackResponse response;
  while (reader->Read(&response)) {
  }
  return FromGrpc(reader->Finish());
}

TEST_CASE("a large entity streams over gRPC, whole and in order") {
  TestServer server;
  server.aggregator.InsertMany(kProject, types::v1::ENTITY_TYPE_SPAN, "busy", 2'500);
  grpc::ClientContext context;
  Prepare(context);
  const auto reader = server.stub->GetEntityFeedback(&context, RequestFor(kProject, "busy"));
  Read read;
  for (v1::GetEntityFeedbackResponse response; reader->Read(&response);) read.messages.push_back(response);
  CHECK(reader->Finish().ok());
  CHECK(read.messages.size() == 6);
  const auto all = read.All();
  CHECK(all.SerializeAsString() ==
        ReadEntity(server.aggregator, types::v1::ENTITY_TYPE_SPAN, "busy").All().SerializeAsString());
}

TEST_CASE("another project's feedback is refused, whether the project exists or not") {
  TestServer server;
  CHECK(StatusOf(server, RequestFor(kProject, "s")).ok());
  CHECK(ReasonOf(StatusOf(server, RequestFor(kOtherProject, "s"))) == errors::v1::REASON_PERMISSION_DENIED);
  auto unknown = RequestFor(kProject, "s");
  unknown.set_entity_type(static_cast<types::v1::EntityType>(99));
  CHECK(ReasonOf(StatusOf(server, unknown)) == errors::v1::REASON_VALIDATION_ERROR);
  CHECK(ReasonOf(StatusOf(server, RequestFor(kProject, std::string(201, 'x')))) ==
        errors::v1::REASON_VALIDATION_ERROR);
  CHECK(ReasonOf(StatusOf(server, RequestFor(kProject, ""))) == errors::v1::REASON_VALIDATION_ERROR);
}

TEST_CASE("a caller that cancels lets the next one in") {
  TestServer server;
  server.aggregator.InsertMany(kProject, types::v1::ENTITY_TYPE_SPAN, "busy", 5'000);
  // There is one connection for streams.
  for (int i = 0; i < 5; ++i) {
    grpc::ClientContext context;
    Prepare(context);
    const auto reader = server.stub->GetEntityFeedback(&context, RequestFor(kProject, "busy"));
    v1::GetEntityFeedbackResponse response;
    REQUIRE(reader->Read(&response));
    context.TryCancel();
    CHECK(reader->Finish().error_code() == grpc::StatusCode::CANCELLED);
  }
  CHECK(StatusOf(server, RequestFor(kProject, "busy")).ok());
}

}  // namespace
}  // namespace verdict::aggregator
