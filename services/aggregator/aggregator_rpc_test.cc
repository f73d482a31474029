#include "services/aggregator/aggregator_rpc.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include <grpcpp/grpcpp.h>

#include "common/rpc/channel.h"
#include "common/status/error.h"
#include "common/status/grpc_status.h"
#include "services/aggregator/test_feedback.h"
#include "services/aggregator/topology_rpc.h"
#include "tests/support/await.h"
#include "verdict/aggregator/v1/aggregator_service.grpc.pb.h"
#include "verdict/aggregator/v1/topology_service.grpc.pb.h"

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
    RegisterTopologyRpcs(server, aggregator.topology);
    REQUIRE(server.Start().ok());
    stub = v1::AggregatorService::NewStub(rpc::NewChannel(server.address()));
    topology = v1::TopologyService::NewStub(rpc::NewChannel(server.address()));
  }

  TestAggregator aggregator;
  OneKey keys;
  rpc::Server server;
  std::unique_ptr<v1::AggregatorService::Stub> stub;
  std::unique_ptr<v1::TopologyService::Stub> topology;
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

// What a call of a reader that knows the state `known` is answered with.
Read Call(TestServer& server, const v1::GetEntityFeedbackRequest& request, const std::string& known = "") {
  grpc::ClientContext context;
  Prepare(context);
  if (!known.empty()) context.AddMetadata("if-none-match", known);
  const auto reader = server.stub->GetEntityFeedback(&context, request);
  Read read;
  for (v1::GetEntityFeedbackResponse response; reader->Read(&response);) read.messages.push_back(response);
  read.status = FromGrpc(reader->Finish());
  const auto tag = context.GetServerInitialMetadata().find("etag");
  if (tag != context.GetServerInitialMetadata().end()) {
    read.etag = std::string(tag->second.data(), tag->second.size());
  }
  return read;
}

TEST_CASE("a large entity streams over gRPC, whole and in order") {
  TestServer server;
  server.aggregator.InsertMany(kProject, types::v1::ENTITY_TYPE_SPAN, "busy", 2'500);
  const Read read = Call(server, RequestFor(kProject, "busy"));
  CHECK(read.status.ok());
  CHECK(read.messages.size() == 6);
  const auto all = read.All();
  CHECK(all.SerializeAsString() ==
        ReadEntity(server.aggregator, types::v1::ENTITY_TYPE_SPAN, "busy").All().SerializeAsString());
}

TEST_CASE("a caller that names the state gets it without a message") {
  TestServer server;
  // At once, by one statement and by a cursor.
  const auto [count, messages] = GENERATE(table<int, std::size_t>({{0, 1}, {3, 1}, {300, 1}, {1'200, 4}}));
  if (count > 0) server.aggregator.InsertMany(kProject, types::v1::ENTITY_TYPE_SPAN, "s", count);
  const auto request = RequestFor(kProject, "s");
  const Read read = Call(server, request);
  CHECK(read.status.ok());
  CHECK(read.messages.size() == messages);
  CHECK(read.All().items_size() == count);
  REQUIRE_FALSE(read.etag.empty());
  for (const std::string& known : {read.etag, "\"x\", W/" + read.etag}) {
    const Read again = Call(server, request, known);
    CHECK(again.status.ok());
    CHECK(again.messages.empty());
    CHECK(again.etag == read.etag);
  }
  server.aggregator.Insert(Row{.target = "s", .rater_id = "somebody"});
  CHECK(Call(server, request, read.etag).All().items_size() == count + 1);
}

TEST_CASE("a small entity is one message, by one statement beside others; filters and pages are not") {
  TestServer server;
  server.aggregator.InsertMany(kProject, types::v1::ENTITY_TYPE_SPAN, "s", 30);
  auto request = RequestFor(kProject, "s");
  const Read whole = Call(server, request);
  CHECK(whole.messages.size() == 1);
  CHECK(whole.All().SerializeAsString() ==
        ReadEntity(server.aggregator, types::v1::ENTITY_TYPE_SPAN, "s").All().SerializeAsString());

  request.set_thumbs_up(false);
  CHECK(Call(server, request).All().items_size() == 10);
  request.set_limit(4);
  const Read page = Call(server, request);
  CHECK(page.All().items_size() == 4);
  CHECK(page.etag == whole.etag);
  request.set_cursor(page.All().next_cursor());
  CHECK(Call(server, request).All().items_size() == 4);
  request.clear_limit();
  CHECK(ReasonOf(Call(server, request).status) == errors::v1::REASON_VALIDATION_ERROR);
  CHECK(server.aggregator.registry.Text().find("verdict_aggregator_read_batch_entities_count 1") !=
        std::string::npos);
}

TEST_CASE("many reads at once are each answered with their own entity") {
  TestServer server;
  constexpr int kEntities = 8;
  for (int i = 0; i < kEntities; ++i) {
    server.aggregator.InsertMany(kProject, types::v1::ENTITY_TYPE_SPAN, std::to_string(i), i + 1);
  }
  std::atomic<int> right = 0;
  std::vector<std::jthread> callers;
  for (int i = 0; i < kEntities; ++i) {
    callers.emplace_back([&, i] {
      for (int n = 0; n < 50; ++n) {
        const auto all = Call(server, RequestFor(kProject, std::to_string(i))).All();
        if (all.entity_id() == std::to_string(i) && all.items_size() == i + 1) ++right;
      }
    });
  }
  callers.clear();
  CHECK(right == kEntities * 50);
}

TEST_CASE("what the database does not do is an error of the read, and over when it does") {
  TestServer server;
  server.aggregator.Insert(Row{.target = "s"});
  const auto request = RequestFor(kProject, "s");
  CHECK(Call(server, request).status.ok());
  auto filtered = request;
  filtered.set_thumbs_up(true);
  CHECK(Call(server, filtered).status.ok());  // connects what reads by itself

  server.aggregator.database.Query("alter table feedback rename to moved");
  const Read broken = Call(server, request);
  CHECK(ReasonOf(broken.status) == errors::v1::REASON_INTERNAL);
  CHECK(broken.messages.empty());
  server.aggregator.database.Query("alter table moved rename to feedback");
  CHECK(Call(server, request).status.ok());

  server.aggregator.database.AllowConnections(false);
  const Read away = Call(server, request);
  CHECK(ReasonOf(away.status) == errors::v1::REASON_UNAVAILABLE);
  CHECK(away.messages.empty());
  server.aggregator.database.AllowConnections(true);
  test::Await("the readers to connect again", [&] { return Call(server, request).status.ok(); });
}

TEST_CASE("every read is served over gRPC") {
  TestServer server;
  const JudgeRow judge;
  const Row row;
  server.aggregator.Insert(judge);
  server.aggregator.Insert(row);
  server.aggregator.Insert(EvaluationRow{.judge = judge.id});
  const std::string project = kProject.ToString();
  const auto all = [](auto reader, auto response) {
    auto together = response;
    while (reader->Read(&response)) together.MergeFrom(response);
    CHECK(reader->Finish().ok());
    return together;
  };

  grpc::ClientContext list_context;
  Prepare(list_context);
  v1::ListFeedbackRequest list;
  list.set_project_id(project);
  v1::ListFeedbackResponse listed;
  CHECK(server.stub->ListFeedback(&list_context, list, &listed).ok());
  CHECK(listed.items_size() == 2);

  grpc::ClientContext export_context;
  Prepare(export_context);
  v1::ExportFeedbackRequest everything;
  everything.set_project_id(project);
  CHECK(all(server.stub->ExportFeedback(&export_context, everything), v1::ExportFeedbackResponse())
            .items_size() == 2);

  grpc::ClientContext get_context;
  Prepare(get_context);
  v1::GetFeedbackRequest get;
  get.set_project_id(project);
  get.set_feedback_id(row.id.ToString());
  v1::GetFeedbackResponse got;
  CHECK(server.stub->GetFeedback(&get_context, get, &got).ok());
  CHECK(got.feedback().id() == row.id.ToString());

  grpc::ClientContext judge_context;
  Prepare(judge_context);
  v1::ListJudgeEvaluationsRequest of_judge;
  of_judge.set_project_id(project);
  of_judge.set_judge_id(judge.id.ToString());
  CHECK(all(server.stub->ListJudgeEvaluations(&judge_context, of_judge), v1::ListJudgeEvaluationsResponse())
            .total() == 1);

  grpc::ClientContext span_context;
  Prepare(span_context);
  v1::ListSpanEvaluationsRequest of_span;
  of_span.set_project_id(project);
  of_span.set_span_id("span-1");
  CHECK(all(server.stub->ListSpanEvaluations(&span_context, of_span), v1::ListSpanEvaluationsResponse())
            .evaluations_size() == 1);
}

TEST_CASE("topology is served over gRPC, of the caller's own project alone") {
  TestServer server;
  server.aggregator.Insert(SpanRow{.session = "session-1"});
  server.aggregator.Insert(TraceRow{.session = "session-1"});
  server.aggregator.Insert(SessionRow());
  // The elements of the project, or the error.
  const auto list = [&](auto method, auto request, auto response, auto elements, const Uuid& project) {
    grpc::ClientContext context;
    Prepare(context);
    request.set_project_id(project.ToString());
    const auto reader = (*server.topology.*method)(&context, request);
    int count = 0;
    while (reader->Read(&response)) count += (response.*elements)();
    return std::pair(count, ReasonOf(FromGrpc(reader->Finish())));
  };
  using Stub = v1::TopologyService::Stub;
  const auto refused = std::pair(0, errors::v1::REASON_PERMISSION_DENIED);
  for (const Uuid& project : {kProject, kOtherProject}) {
    const auto expected = project == kProject ? std::pair(1, errors::v1::REASON_UNSPECIFIED) : refused;
    CHECK(list(&Stub::ListSpans, v1::ListSpansRequest(), v1::ListSpansResponse(),
               &v1::ListSpansResponse::spans_size, project) == expected);
    CHECK(list(&Stub::ListTraces, v1::ListTracesRequest(), v1::ListTracesResponse(),
               &v1::ListTracesResponse::traces_size, project) == expected);
    CHECK(list(&Stub::ListSessions, v1::ListSessionsRequest(), v1::ListSessionsResponse(),
               &v1::ListSessionsResponse::sessions_size, project) == expected);
  }
}

TEST_CASE("another project's feedback is refused, whether the project exists or not") {
  TestServer server;
  CHECK(Call(server, RequestFor(kProject, "s")).status.ok());
  CHECK(ReasonOf(Call(server, RequestFor(kOtherProject, "s")).status) ==
        errors::v1::REASON_PERMISSION_DENIED);
  auto unknown = RequestFor(kProject, "s");
  unknown.set_entity_type(static_cast<types::v1::EntityType>(99));
  CHECK(ReasonOf(Call(server, unknown).status) == errors::v1::REASON_VALIDATION_ERROR);
  CHECK(ReasonOf(Call(server, RequestFor(kProject, std::string(201, 'x'))).status) ==
        errors::v1::REASON_VALIDATION_ERROR);
  CHECK(ReasonOf(Call(server, RequestFor(kProject, "")).status) == errors::v1::REASON_VALIDATION_ERROR);
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
  CHECK(Call(server, RequestFor(kProject, "busy")).status.ok());
}

}  // namespace
}  // namespace verdict::aggregator
