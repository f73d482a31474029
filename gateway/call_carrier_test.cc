#include "gateway/call_carrier.h"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/rpc/channel.h"
#include "tests/support/await.h"
#include "verdict/calls/v1/call_service.grpc.pb.h"

namespace verdict::gateway {
namespace {

using namespace std::chrono_literals;
using calls::v1::CallService;
using calls::v1::CarryCallsRequest;
using calls::v1::CarryCallsResponse;
using ServerStream = grpc::ServerReaderWriter<CarryCallsResponse, CarryCallsRequest>;

// A service that takes calls, and answers those whose method is "Echo" with their requests.
class EchoService final : public CallService::Service {
 public:
  EchoService() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  ~EchoService() override { Stop(); }

  const std::string& address() const { return address_; }
  // Cuts every connection.
  void Stop() { server_->Shutdown(std::chrono::system_clock::now()); }
  // Tells the callers of the streams of now to go.
  void SayEnding() {
    absl::MutexLock lock(&mutex_);
    CarryCallsResponse ending;
    ending.set_ending(true);
    for (ServerStream* stream : streams_) stream->Write(ending);
  }

  std::vector<CarryCallsRequest> messages() const {
    absl::MutexLock lock(&mutex_);
    return messages_;
  }
  int calls() const {
    int calls = 0;
    for (const CarryCallsRequest& message : messages()) calls += message.calls_size();
    return calls;
  }
  int streams_opened() const {
    absl::MutexLock lock(&mutex_);
    return streams_opened_;
  }
  int streams_ended() const {
    absl::MutexLock lock(&mutex_);
    return streams_ended_;
  }

 private:
  grpc::Status CarryCalls(grpc::ServerContext* /*context*/, ServerStream* stream) override {
    {
      absl::MutexLock lock(&mutex_);
      ++streams_opened_;
      streams_.push_back(stream);
      stream->Write({});
    }
    CarryCallsRequest message;
    while (stream->Read(&message)) {
      absl::MutexLock lock(&mutex_);
      messages_.push_back(message);
      CarryCallsResponse response;
      for (const auto& call : message.calls()) {
        if (call.method() != "Echo") continue;
        auto& answer = *response.add_answers();
        answer.set_id(call.id());
        answer.add_responses(call.request());
      }
      if (!response.answers().empty()) stream->Write(response);
    }
    absl::MutexLock lock(&mutex_);
    ++streams_ended_;
    std::erase(streams_, stream);
    return grpc::Status::OK;
  }

  mutable absl::Mutex mutex_;
  std::vector<CarryCallsRequest> messages_ ABSL_GUARDED_BY(mutex_);
  std::vector<ServerStream*> streams_ ABSL_GUARDED_BY(mutex_);
  int streams_opened_ ABSL_GUARDED_BY(mutex_) = 0;
  int streams_ended_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

// A carrier to a service, an event loop, and the answers that came.
class Fixture {
 public:
  explicit Fixture(const std::string& address)
      : stub_(rpc::NewChannel(address)), carrier("echo", stub_, queue_, registry) {}
  explicit Fixture(const EchoService& service) : Fixture(service.address()) {}

  // Keeps streams open until calls are carried.
  void Open() {
    test::Await("a call to be carried", [this] {
      carrier.Maintain(std::chrono::steady_clock::now());
      return Call("Echo").carriage == Carriage::kAnswered;
    });
  }

  // Begins a call on the loop.
  std::uint64_t Begin(const std::string& method, const std::string& request = "r",
                      std::chrono::milliseconds timeout = 60s) {
    calls::v1::CarriedCall call;
    const std::uint64_t id = carrier.NewId();
    call.set_id(id);
    call.set_method(method);
    call.set_request(request);
    call.set_timeout_ms(static_cast<std::uint32_t>(timeout.count()));
    carrier.Begin(std::move(call), loop.get_executor(), [this, id](CarriedAnswer answer) {
      absl::MutexLock lock(&mutex_);
      answers_.emplace(id, std::move(answer));
    });
    return id;
  }
  CarriedAnswer Answer(std::uint64_t id) {
    test::Await("an answer", [&] { return answered(id); });
    absl::MutexLock lock(&mutex_);
    return answers_.at(id);
  }
  bool answered(std::uint64_t id) {
    absl::MutexLock lock(&mutex_);
    return answers_.contains(id);
  }
  CarriedAnswer Call(const std::string& method) { return Answer(Begin(method)); }

 private:
  grpc::GenericStub stub_;
  CallQueue queue_{2};
  absl::Mutex mutex_;
  std::map<std::uint64_t, CarriedAnswer> answers_ ABSL_GUARDED_BY(mutex_);

 public:
  metrics::Registry registry;
  asio::io_context loop{1};
  CallCarrier carrier;

 private:
  asio::executor_work_guard<Executor> work_{loop.get_executor()};
  std::jthread thread_{[this] { loop.run(); }};

 public:
  ~Fixture() { loop.stop(); }
};

TEST_CASE("nothing is carried before there is a stream, and calls are answered each by its own id after") {
  EchoService service;
  Fixture f(service);
  CHECK(f.Call("Echo").carriage == Carriage::kNotSent);
  f.Open();
  const std::uint64_t first = f.Begin("Echo", "one");
  const std::uint64_t second = f.Begin("Echo", "two");
  CHECK(f.Answer(second).answer.responses(0) == "two");
  CHECK(f.Answer(first).answer.responses(0) == "one");
}

TEST_CASE("what a loop begins at one time leaves in one message") {
  EchoService service;
  Fixture f(service);
  f.Open();
  const std::size_t before = service.messages().size();
  absl::Notification begun;
  std::vector<std::uint64_t> ids;
  asio::post(f.loop, [&] {
    for (int i = 0; i < 100; ++i) ids.push_back(f.Begin("Echo"));
    begun.Notify();
  });
  begun.WaitForNotification();
  for (const std::uint64_t id : ids) CHECK(f.Answer(id).carriage == Carriage::kAnswered);
  REQUIRE(service.messages().size() == before + 1);
  CHECK(service.messages().back().calls_size() == 100);
}

TEST_CASE("messages are bounded in calls and in bytes") {
  EchoService service;
  Fixture f(service);
  f.Open();
  absl::Notification begun;
  std::vector<std::uint64_t> ids;
  asio::post(f.loop, [&] {
    for (int i = 0; i < 600; ++i) ids.push_back(f.Begin("Echo"));
    for (int i = 0; i < 60; ++i) {
      ids.push_back(f.Begin("Echo", std::string(CallCarrier::kRequestBytesMax, 'x')));
    }
    begun.Notify();
  });
  begun.WaitForNotification();
  for (const std::uint64_t id : ids) CHECK(f.Answer(id).carriage == Carriage::kAnswered);
  for (const CarryCallsRequest& message : service.messages()) {
    CHECK(message.calls_size() <= 256);
    CHECK(message.ByteSizeLong() <= 768 << 10);
  }
}

TEST_CASE("calls of a service that vanishes are lost when they were sent, and not sent afterwards") {
  auto service = std::make_optional<EchoService>();
  Fixture f(*service);
  f.Open();
  const std::uint64_t sent = f.Begin("Silent");
  test::Await("the call to arrive", [&] {
    return !service->messages().empty() && service->messages().back().calls(0).id() == sent;
  });
  service->Stop();
  CHECK(f.Answer(sent).carriage == Carriage::kLost);
  CHECK(f.registry.Text().find(R"(verdict_gateway_carried_calls_total{backend="echo",outcome="lost"} 1)") !=
        std::string::npos);
  test::Await("the loss to be noticed", [&] { return f.Call("Echo").carriage == Carriage::kNotSent; });
}

TEST_CASE("a call may be given up, which the service is told, and runs out of time") {
  EchoService service;
  Fixture f(service);
  f.Open();
  const std::uint64_t silent = f.Begin("Silent");
  test::Await("the call to arrive", [&] { return service.messages().back().calls(0).id() == silent; });
  f.carrier.Cancel(silent);
  CHECK(f.Answer(silent).answer.status().code() == grpc::StatusCode::CANCELLED);
  test::Await("the service to be told", [&] {
    const CarryCallsRequest last = service.messages().back();
    return last.cancelled_ids_size() == 1 && last.cancelled_ids(0) == silent;
  });
  f.carrier.Cancel(silent);  // twice is once

  const std::uint64_t late = f.Begin("Silent", "r", 5s);
  f.carrier.Maintain(std::chrono::steady_clock::now() + 4s);
  CHECK_FALSE(f.answered(late));
  f.carrier.Maintain(std::chrono::steady_clock::now() + 6s);
  CHECK(f.Answer(late).answer.status().code() == grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_CASE("streams are renewed in time, and no call is lost by it") {
  EchoService service;
  Fixture f(service);
  f.Open();
  test::Await("all streams", [&] { return service.streams_opened() >= 4; });
  const int opened = service.streams_opened();
  auto now = std::chrono::steady_clock::now();
  test::Await("the old streams to end", [&] {
    f.carrier.Maintain(now += 31s);
    CHECK(f.Call("Echo").carriage == Carriage::kAnswered);
    return service.streams_ended() >= 4;
  });
  CHECK(service.streams_opened() > opened);
}

TEST_CASE("streams of a service that ends are left, and their answers awaited") {
  EchoService service;
  Fixture f(service);
  f.Open();
  test::Await("all streams", [&] { return service.streams_opened() >= 4; });
  const int ended = service.streams_ended();
  service.SayEnding();
  test::Await("the streams to end", [&] { return service.streams_ended() >= ended + 4; });
  CHECK(f.Call("Echo").carriage == Carriage::kNotSent);
  f.Open();  // anew, since this service goes on
}

TEST_CASE("a service that carries no calls is not asked again for a while") {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  Fixture f("127.0.0.1:" + std::to_string(port));
  for (int i = 0; i < 20; ++i) {
    f.carrier.Maintain(std::chrono::steady_clock::now());
    CHECK(f.Call("Echo").carriage == Carriage::kNotSent);
  }
}

TEST_CASE("a carrier that ends loses its calls and leaves nothing behind") {
  EchoService service;
  std::uint64_t silent = 0;
  auto f = std::make_unique<Fixture>(service);
  f->Open();
  silent = f->Begin("Silent");
  test::Await("the call to arrive", [&] { return service.messages().back().calls(0).id() == silent; });
  f.reset();
  test::Await("the streams to end", [&] { return service.streams_ended() == service.streams_opened(); });
}

}  // namespace
}  // namespace verdict::gateway
