#include "common/rpc/call_stream.h"

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>
#include <grpcpp/client_context.h>

#include "common/rpc/channel.h"
#include "common/rpc/test_server.h"
#include "common/status/error.h"
#include "common/status/grpc_status.h"
#include "tests/support/await.h"
#include "verdict/calls/v1/call_service.grpc.pb.h"

namespace verdict::rpc {
namespace {

using namespace std::chrono_literals;
using calls::v1::CarriedAnswer;
using calls::v1::CarryCallsRequest;
using calls::v1::CarryCallsResponse;

const std::string kMint = "verdict.token.v1.TokenService/MintToken";
const std::string kVerify = "verdict.token.v1.TokenService/VerifyToken";
const std::string kRead = "verdict.aggregator.v1.AggregatorService/GetEntityFeedback";

// A stream of calls to a server, whose calls are taken once it is made.
class Stream {
 public:
  explicit Stream(TestServer& server)
      : stub_(calls::v1::CallService::NewStub(NewChannel(server.server_.address()))) {
    context_.set_wait_for_ready(true);
    context_.set_deadline(std::chrono::system_clock::now() + 60s);
    stream_ = stub_->CarryCalls(&context_);
    REQUIRE(stream_->Read(&response_));
    REQUIRE(response_.answers().empty());
  }

  // Adds a call to the next message.
  calls::v1::CarriedCall& Add(std::uint64_t id, const std::string& method,
                              const google::protobuf::Message& request, const CallOptions& options = {}) {
    calls::v1::CarriedCall& call = *message_.add_calls();
    call.set_id(id);
    call.set_method(method);
    call.set_timeout_ms(static_cast<std::uint32_t>(options.deadline.count()));
    if (!options.key.empty()) AddMetadata(call, "authorization", "bearer " + options.key);
    for (const auto& [key, value] : options.metadata) AddMetadata(call, key, value);
    request.SerializeToString(call.mutable_request());
    return call;
  }
  void Cancel(std::uint64_t id) { message_.add_cancelled_ids(id); }
  bool Send() { return stream_->Write(std::exchange(message_, {})); }
  bool Send(const CarryCallsRequest& message) { return stream_->Write(message); }
  void SendLast() { stream_->WritesDone(); }

  // Waits for the answer of a call.
  CarriedAnswer Answer(std::uint64_t id) {
    while (!answers_.contains(id)) REQUIRE(Read());
    return answers_.at(id);
  }
  // Reads a message; false at the stream's end.
  bool Read() {
    if (!stream_->Read(&response_)) return false;
    for (const CarriedAnswer& answer : response_.answers()) {
      CHECK(answers_.emplace(answer.id(), answer).second);
    }
    messages_ += response_.answers().empty() ? 0 : 1;
    return true;
  }
  // The status of the stream, at its end.
  grpc::Status Finish() {
    while (Read()) {
    }
    return stream_->Finish();
  }
  void Break() { context_.TryCancel(); }

  const CarryCallsResponse& last() const { return response_; }
  std::size_t answers() const { return answers_.size(); }
  int messages() const { return messages_; }

 private:
  static void AddMetadata(calls::v1::CarriedCall& call, const std::string& key, const std::string& value) {
    calls::v1::CallMetadata& entry = *call.add_metadata();
    entry.set_key(key);
    entry.set_value(value);
  }

  std::unique_ptr<calls::v1::CallService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<CarryCallsRequest, CarryCallsResponse>> stream_;
  CarryCallsRequest message_;
  CarryCallsResponse response_;
  std::map<std::uint64_t, CarriedAnswer> answers_;
  int messages_ = 0;
};

std::map<std::string, std::string> MetadataOf(const CarriedAnswer& answer) {
  std::map<std::string, std::string> metadata;
  for (const auto& entry : answer.metadata()) metadata[entry.key()] = entry.value();
  return metadata;
}

GetEntityFeedbackRequest ReadRequest(int messages) {
  GetEntityFeedbackRequest request;
  request.set_project_id(kProject);
  request.set_entity_type(types::v1::ENTITY_TYPE_SPAN);
  request.set_entity_id(std::to_string(messages));
  return request;
}

TEST_CASE("a carried call passes what it would pass by itself, and is answered alike") {
  TestServer f({.rate_limit = {.per_second = 1, .burst = 3}});
  Context* seen = nullptr;
  std::string request_id;
  f.mint = [&](Context& context, const MintTokenRequest& request) -> absl::StatusOr<MintTokenResponse> {
    seen = &context;
    request_id = context.request_id();
    if (request.resource_id() == "used") {
      return MakeError(errors::v1::REASON_TOKEN_USED, "The feedback token has been used.");
    }
    if (request.resource_id() == "broken") return InternalError("relation x does not exist");
    context.SetReplayed();
    MintTokenResponse response;
    response.set_token("t-" + request.resource_id());
    return response;
  };
  Stream stream(f);

  MintTokenRequest request = TestServer::ValidMint();
  stream.Add(1, kMint, request, {.metadata = {{"x-request-id", "r-1"}}});
  request.set_resource_id("used");
  stream.Add(2, kMint, request);
  request.set_resource_id("broken");
  stream.Add(3, kMint, request);
  stream.Add(4, kMint, request);
  stream.Add(5, kMint, request, {.key = "read"});
  stream.Add(6, kMint, request, {.key = ""});
  stream.Add(7, kMint, MintTokenRequest(), {.key = "admin", .metadata = {{"verdict-project", kProject}}});
  stream.Add(8, kMint, request, {.deadline = 15ms});
  stream.Add(9, "verdict.token.v1.TokenService/NoSuchMethod", request);
  stream.Add(10, kMint, request, {.metadata = {{"idempotency-key", ""}}});
  stream.Add(11, kMint, request).set_request("\xff");
  REQUIRE(stream.Send());

  const CarriedAnswer minted = stream.Answer(1);
  CHECK_FALSE(minted.has_status());
  REQUIRE(minted.responses_size() == 1);
  MintTokenResponse response;
  REQUIRE(response.ParseFromString(minted.responses(0)));
  CHECK(response.token() == "t-t");
  CHECK(MetadataOf(minted).at("idempotent-replayed") == "true");
  const auto error = [&](std::uint64_t id) {
    const CarriedAnswer answer = stream.Answer(id);
    CHECK(answer.responses().empty());
    return FromRpc(answer.status());
  };
  CHECK(ReasonOf(error(2)) == errors::v1::REASON_TOKEN_USED);
  CHECK(error(2).message() == "The feedback token has been used.");
  CHECK(ReasonOf(error(3)) == errors::v1::REASON_INTERNAL);
  CHECK(error(3).message() == "An internal error occurred.");
  CHECK(ReasonOf(error(4)) == errors::v1::REASON_RATE_LIMITED);
  CHECK(DetailsOf(error(4)).retry_after > 0ms);
  CHECK(MetadataOf(stream.Answer(4)).at("ratelimit") == "\"key\";r=0;t=1");
  CHECK(ReasonOf(error(5)) == errors::v1::REASON_SCOPE_REQUIRED);
  CHECK(ReasonOf(error(6)) == errors::v1::REASON_UNAUTHENTICATED);
  CHECK(ReasonOf(error(7)) == errors::v1::REASON_VALIDATION_ERROR);
  CHECK(error(8).code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(ReasonOf(error(9)) == errors::v1::REASON_UNIMPLEMENTED);
  CHECK(ReasonOf(error(10)) == errors::v1::REASON_VALIDATION_ERROR);
  CHECK(ReasonOf(error(11)) == errors::v1::REASON_RATE_LIMITED);
  CHECK(f.registry_.Text().find(
            R"(verdict_rpc_total{method="verdict.token.v1.TokenService/MintToken",reason="TOKEN_USED"} 1)") !=
        std::string::npos);
}

TEST_CASE("answers that are ready at once leave together") {
  TestServer f;
  Stream stream(f);
  for (std::uint64_t id = 1; id <= 200; ++id) stream.Add(id, kMint, TestServer::ValidMint());
  REQUIRE(stream.Send());
  for (std::uint64_t id = 1; id <= 200; ++id) CHECK_FALSE(stream.Answer(id).has_status());
  CHECK(stream.messages() == 1);
}

TEST_CASE("a slow call keeps no other one waiting") {
  TestServer f;
  Stream stream(f);
  VerifyTokenRequest slow;
  slow.set_token("t");
  stream.Add(1, kVerify, slow);
  stream.Add(2, kMint, TestServer::ValidMint());
  REQUIRE(stream.Send());
  CHECK_FALSE(stream.Answer(2).has_status());
  CHECK(stream.answers() == 1);
  f.verifying.wait();
  stream.Cancel(1);
  REQUIRE(stream.Send());
  f.release.count_down();
  stream.Answer(1);
  CHECK(f.ended_cancelled);  // and its handler learnt that nobody waits for it
}

TEST_CASE("a streamed RPC is carried as long as it answers little") {
  TestServer f({.rate_limit = {.per_second = 1, .burst = 3}});
  Stream stream(f);
  stream.Add(1, kRead, ReadRequest(3), {.key = "read"});
  stream.Add(2, kRead, ReadRequest(3), {.key = "read", .metadata = {{"if-none-match", "\"7\""}}});
  stream.Add(3, kRead, ReadRequest(2'000), {.key = "read"});
  REQUIRE(stream.Send());

  const CarriedAnswer whole = stream.Answer(1);
  CHECK_FALSE(whole.too_large());
  REQUIRE(whole.responses_size() == 3);
  CHECK(MetadataOf(whole).at("etag") == "\"7\"");
  GetEntityFeedbackResponse last;
  REQUIRE(last.ParseFromString(whole.responses(2)));
  CHECK(last.items(0).id() == "2");

  const CarriedAnswer unchanged = stream.Answer(2);
  CHECK(unchanged.responses().empty());
  CHECK(MetadataOf(unchanged).at("etag") == "\"7\"");

  const CarriedAnswer large = stream.Answer(3);
  CHECK(large.too_large());
  CHECK(large.responses().empty());
  CHECK_FALSE(large.has_status());
  // It counts once, when it is made by itself, and so for the rate limit.
  CHECK(f.Answered("aggregator.v1.AggregatorService/GetEntityFeedback") == 2);
  CHECK(
      f.registry_.Text().find(
          R"(verdict_rpc_in_flight{method="verdict.aggregator.v1.AggregatorService/GetEntityFeedback"} 0)") !=
      std::string::npos);
  stream.Add(4, kRead, ReadRequest(3), {.key = "read"});
  REQUIRE(stream.Send());
  CHECK_FALSE(stream.Answer(4).has_status());
}

TEST_CASE(
    "a carried streamed RPC may be answered at once, with a message or without, or streamed after all") {
  TestServer f;
  Stream stream(f);
  for (std::size_t id = 0; id < kSpanAnswers.size(); ++id) {
    stream.Add(id, "verdict.aggregator.v1.AggregatorService/ListSpanEvaluations",
               SpanRequest(kSpanAnswers[id].span_id), {.key = "read"});
  }
  REQUIRE(stream.Send());
  for (std::size_t id = 0; id < kSpanAnswers.size(); ++id) {
    const SpanAnswer& expected = kSpanAnswers[id];
    CAPTURE(expected.span_id);
    const CarriedAnswer answer = stream.Answer(id);
    std::vector<std::string> messages;
    for (const std::string& bytes : answer.responses()) {
      ListSpanEvaluationsResponse response;
      REQUIRE(response.ParseFromString(bytes));
      messages.push_back(response.span_id());
    }
    CHECK(messages == expected.messages);
    CHECK(MetadataOf(answer)["etag"] == expected.etag);
    CHECK(ReasonOf(FromRpc(answer.status())) == expected.reason);
    CHECK_FALSE(answer.too_large());
  }
}

TEST_CASE("what is no message of calls ends the stream, and the calls before it are answered") {
  TestServer f;
  const auto refused = [&](const CarryCallsRequest& message) {
    Stream stream(f);
    stream.Add(1, kMint, TestServer::ValidMint());
    REQUIRE(stream.Send());
    stream.Send(message);
    const grpc::Status status = stream.Finish();
    CHECK(stream.answers() >= 1);
    return status.error_code();
  };
  CarryCallsRequest too_many;
  for (std::uint64_t id = 2; id < 2 + 1025; ++id) too_many.add_calls()->set_id(id);
  CHECK(refused(too_many) == grpc::StatusCode::INVALID_ARGUMENT);
  CarryCallsRequest too_large;
  too_large.add_calls()->set_request(std::string(800 << 10, 'x'));
  CHECK(refused(too_large) == grpc::StatusCode::INVALID_ARGUMENT);
  CarryCallsRequest nothing_but_metadata;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    if (i % 1000 == 0) nothing_but_metadata.add_calls()->set_id(2 + i);
    nothing_but_metadata.mutable_calls(nothing_but_metadata.calls_size() - 1)->add_metadata();
  }
  CHECK(refused(nothing_but_metadata) == grpc::StatusCode::INVALID_ARGUMENT);
  CarryCallsRequest twice;
  twice.add_calls()->set_id(7);
  twice.add_calls()->set_id(7);
  // The first of the two may be over before the second begins; where both are under way nobody could tell
  // their answers apart.
  twice.mutable_calls(0)->set_method(kVerify);
  twice.mutable_calls(0)->set_timeout_ms(5'000);
  auto& entry = *twice.mutable_calls(0)->add_metadata();
  entry.set_key("authorization");
  entry.set_value("bearer token");
  VerifyTokenRequest verify;
  verify.set_token("t");
  verify.SerializeToString(twice.mutable_calls(0)->mutable_request());
  f.release.count_down();
  Stream stream(f);
  REQUIRE(stream.Send(twice));
  stream.Break();  // lets the handler, which waits for it if it was called yet, end
  CHECK_FALSE(stream.Finish().ok());
}

TEST_CASE("no further calls are read while very many are under way") {
  TestServer f({.executor_threads = 1, .executor_waiting_max = 5'000});
  Stream stream(f);
  VerifyTokenRequest slow;
  slow.set_token("t");
  for (std::uint64_t id = 1; id <= 1024; ++id) {
    stream.Add(id, kVerify, slow, {.deadline = 30s});
    if (id % 256 == 0) REQUIRE(stream.Send());
  }
  f.verifying.wait();
  test::Await("all to be under way", [&] {
    return f.registry_.Text().find(
               R"(verdict_rpc_in_flight{method="verdict.token.v1.TokenService/VerifyToken"} 1024)") !=
           std::string::npos;
  });
  stream.Add(2'000, kMint, TestServer::ValidMint());
  REQUIRE(stream.Send());
  // Another stream's are.
  Stream other(f);
  other.Add(1, kMint, TestServer::ValidMint());
  REQUIRE(other.Send());
  CHECK_FALSE(other.Answer(1).has_status());
  CHECK(f.registry_.Text().find(
            R"(verdict_rpc_total{method="verdict.token.v1.TokenService/MintToken",reason="OK"} 1)") !=
        std::string::npos);
  for (std::uint64_t id = 1; id <= 1024; ++id) stream.Cancel(id);
  stream.Break();
  f.release.count_down();
  CHECK_FALSE(stream.Finish().ok());
}

TEST_CASE("a server that ends says so, answers what it has, and takes no further stream") {
  TestServer f;
  f.release.count_down();
  Stream stream(f);
  VerifyTokenRequest slow;
  slow.set_token("t");
  stream.Add(1, kVerify, slow, {.deadline = 30s});
  REQUIRE(stream.Send());
  f.verifying.wait();
  std::jthread shutdown([&] { f.server_.Shutdown(30s); });
  while (!stream.last().ending()) REQUIRE(stream.Read());
  // It still takes what was under way to it.
  stream.Add(2, kMint, TestServer::ValidMint());
  stream.Cancel(1);
  REQUIRE(stream.Send());
  CHECK_FALSE(stream.Answer(2).has_status());
  stream.SendLast();
  CHECK(stream.Finish().ok());
  CHECK(stream.answers() == 2);
}

TEST_CASE("a broken stream cancels its calls, and the server waits for them when it ends") {
  TestServer f;
  auto stream = std::make_optional<Stream>(f);
  VerifyTokenRequest slow;
  slow.set_token("t");
  stream->Add(1, kVerify, slow, {.deadline = 30s});
  REQUIRE(stream->Send());
  f.verifying.wait();
  stream->Break();
  CHECK_FALSE(stream->Finish().ok());
  std::jthread shutdown([&] { f.server_.Shutdown(0ms); });
  f.release.count_down();
  shutdown.join();
  CHECK(f.ended_cancelled);
}

// So much waits for its caller, which reads nothing, that the stream reads nothing any more, either.
void Fill(TestServer& f, Stream& stream, std::uint64_t first_id) {
  f.mint = [](Context&, const MintTokenRequest&) {
    MintTokenResponse response;
    response.set_token(std::string(400 << 10, 't'));
    return response;
  };
  // The first message is more than the transport takes by itself; the others wait behind it.
  std::uint64_t id = first_id;
  for (const std::uint64_t calls : {40, 70}) {
    for (; id < first_id + calls; ++id) stream.Add(id, kMint, TestServer::ValidMint());
    REQUIRE(stream.Send());
    test::Await("all to be answered", [&] { return f.Answered("token.v1.TokenService/MintToken") == calls; });
  }
}

TEST_CASE("a stream that breaks while much waits for its caller ends") {
  TestServer f;
  Stream stream(f);
  Fill(f, stream, 1);
  stream.Break();
  CHECK_FALSE(stream.Finish().ok());
  f.server_.Shutdown(0ms);  // which waits for it
}

TEST_CASE(
    "reads are handed back while much waits for their caller, and count when they are made by themselves") {
  TestServer f({.rate_limit = {.per_second = 1, .burst = 72}});
  Stream stream(f);
  stream.Add(1, kRead, ReadRequest(3), {.key = "read"});
  REQUIRE(stream.Send());
  CHECK_FALSE(stream.Answer(1).too_large());
  // Begun before the stream was full, and answered afterwards.
  f.reading_on_release = true;
  stream.Add(2, kRead, ReadRequest(3), {.key = "read"});
  Fill(f, stream, 100);
  f.release.count_down();
  test::Await("the read to end", [&] {
    return f.registry_.Text().find(
               R"(verdict_rpc_in_flight{method="verdict.aggregator.v1.AggregatorService/GetEntityFeedback"} 0)") !=
           std::string::npos;
  });
  CHECK(stream.Answer(2).too_large());
  CHECK(stream.Answer(2).responses().empty());
  CHECK(f.Answered("aggregator.v1.AggregatorService/GetEntityFeedback") == 1);
  stream.Add(3, kRead, ReadRequest(3), {.key = "read"});
  REQUIRE(stream.Send());
  CHECK_FALSE(stream.Answer(3).too_large());
  CHECK_FALSE(stream.Answer(3).has_status());  // the 72nd that is admitted
}

TEST_CASE("streams that are given up as soon as they begin leave nothing behind, also when the server ends") {
  for (int round = 0; round < 20; ++round) {
    TestServer f({.queues = 2});
    const auto stub = calls::v1::CallService::NewStub(NewChannel(f.server_.address()));
    std::atomic<int> begun = 0;
    std::vector<std::jthread> callers;
    for (int i = 0; i < 4; ++i) {
      callers.emplace_back([&] {
        for (int streams = 0; streams < 50; ++streams) {
          grpc::ClientContext context;
          const auto stream = stub->CarryCalls(&context);
          if (++begun % 2 == 0) stream->Write({});
          context.TryCancel();
          stream->Finish();
        }
      });
    }
    test::Await("streams", [&] { return begun > 50; });
    f.server_.Shutdown(0ms);
  }
}

}  // namespace
}  // namespace verdict::rpc
