#include <memory>
#include <string>

#include <catch2/catch.hpp>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include "common/gzip/test_gzip.h"
#include "common/rpc/channel.h"
#include "common/status/grpc_status.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.grpc.pb.h"
#include "services/feedback/span_rpc.h"
#include "services/feedback/test_service.h"
#include "tests/support/sanitized.h"
#include "tests/support/usage.h"

namespace verdict::feedback {
namespace {

using opentelemetry::proto::collector::trace::v1::TraceService;

// The service behind gRPC, for the one key of a project.
struct Fixture {
  Fixture() {
    RegisterTraceService(server, test.replica.spans);
    REQUIRE(server.Start().ok());
  }

  TestService test;
  OneKey keys{[this] {
    auth::Principal principal = test.AddProject();
    principal.AddScope(options::v1::SCOPE_WRITE);
    return principal;
  }()};
  metrics::Registry registry;
  rpc::Server server{{}, keys, registry};
};

TEST_CASE("exporters call over gRPC, with their key as a header and compressed") {
  Fixture fixture;
  const auto traces = TraceService::NewStub(rpc::NewChannel(fixture.server.address()));

  SpanService::ExportRequest request;
  auto& scope = *request.add_resource_spans()->add_scope_spans();
  for (int i = 0; i < 512; ++i) {
    auto& span = *scope.add_spans();
    span.set_trace_id("a trace of bytes");
    span.set_span_id(std::to_string(10'000'000 + i));
    span.set_name("answer");
    span.set_start_time_unix_nano(1'780'088'059'746'000'000);
  }
  scope.add_spans();
  const auto answer = [&](const std::string& name, const std::string& value,
                          SpanService::ExportResponse& response) {
    grpc::ClientContext context;
    context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
    context.AddMetadata(name, value);
    return ReasonOf(FromGrpc(traces->Export(&context, request, &response)));
  };
  SpanService::ExportResponse response;
  CHECK(answer("x-api-key", "other", response) == errors::v1::REASON_UNAUTHENTICATED);
  CHECK(fixture.test.database.Query("select count(*) from span") == "0");
  CHECK(answer("x-api-key", "key", response) == errors::v1::REASON_UNSPECIFIED);
  CHECK(response.partial_success().rejected_spans() == 1);
  CHECK(answer("authorization", "Bearer key", response) == errors::v1::REASON_UNSPECIFIED);
  CHECK(fixture.test.database.Query("select count(*) from span") == "512");
}

// Bytes that are 8 Mi empty elements, compressed to 16 KiB: parsed, they take a gigabyte.
TEST_CASE("a message of nothing but elements takes no memory") {
  constexpr int64_t kMiB = 1 << 20;
  std::string elements;
  for (int i = 0; i < 8 << 20; ++i) elements += std::string_view("\x0a\x00", 2);
  const std::string compressed = Gzip(elements);
  Fixture fixture;

  const grpc::Slice slice(compressed);
  const grpc::ByteBuffer message(&slice, 1);
  grpc::GenericStub stub(rpc::NewChannel(fixture.server.address()));
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer key");
  grpc::ByteBuffer response;
  grpc::CompletionQueue queue;
  grpc::Status status;
  test::ResetPeak();
  const int64_t before = test::ResidentBytes();
  const auto call = stub.PrepareUnaryCall(
      &context, "/opentelemetry.proto.collector.trace.v1.TraceService/Export", message, &queue);
  call->StartCall();
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  const int64_t refused = test::PeakBytes() - before;
  CHECK(ReasonOf(FromGrpc(status)) == errors::v1::REASON_BODY_TOO_LARGE);

  // Control: what the parser makes of a quarter of them.
  test::ResetPeak();
  SpanService::ExportRequest request;
  CHECK(request.ParseFromString(elements.substr(0, elements.size() / 4)));
  const int64_t parsed = test::PeakBytes() - before;
  CHECK((test::kSanitized || refused < 50 * kMiB));
  CHECK((test::kSanitized || parsed > 100 * kMiB));
}

}  // namespace
}  // namespace verdict::feedback
