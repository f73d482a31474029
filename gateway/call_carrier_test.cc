#include "gateway/call_carrier.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
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

// A service that takes calls, and answers those whose method is "Echo" with their requests; those of "Later"
// once it is told to.
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
    for (auto& [stream, state] : streams_) stream->Write(ending);
  }
  // Takes no further streams, as one of an old version would not.
  void RefuseStreams() {
    absl::MutexLock lock(&mutex_);
    refusing_ = true;
  }
  // Answers the "Later"s of before, and those to come at once.
  void AnswerLater() {
    absl::MutexLock lock(&mutex_);
    later_ = false;
    for (auto& [stream, state] : streams_) {
      AnswerAll(*stream, state, std::exchange(state.later, {}));
    }
  }

  std::vector<CarryCallsRequest> messages() const {
    absl::MutexLock lock(&mutex_);
    return messages_;
  }
  bool was_told_of(std::uint64_t cancelled) const {
    absl::MutexLock lock(&mutex_);
    return std::ranges::any_of(messages_, [&](const CarryCallsRequest& message) {
      return std::ranges::count(message.cancelled_ids(), cancelled) > 0;
    });
  }
  std::size_t calls() const {
    std::size_t calls = 0;
    for (const CarryCallsRequest& message : messages())
      calls += static_cast<std::size_t>(message.calls_size());
    return calls;
  }
  // The most calls that were under way in one stream.
  std::size_t under_way_max() const {
    absl::MutexLock lock(&mutex_);
    return under_way_max_;
  }
  int streams_refused() const {
    absl::MutexLock lock(&mutex_);
    return streams_refused_;
  }
  int streams_opened() const {
    absl::MutexLock lock(&mutex_);
    return streams_opened_;
  }
  int streams_ended() const {
    absl::MutexLock lock(&mutex_);
    return streams_ended_;
  }
  // Those of now that have brought calls.
  std::ptrdiff_t streams_used() const {
    absl::MutexLock lock(&mutex_);
    return std::ranges::count_if(streams_, [](const auto& entry) { return entry.second.used; });
  }

 private:
  using Calls = google::protobuf::RepeatedPtrField<calls::v1::CarriedCall>;
  struct State {
    bool used = false;
    std::size_t under_way = 0;
    Calls later = {};
  };

  void AnswerAll(ServerStream& stream, State& state, const Calls& calls)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (calls.empty()) return;
    CarryCallsResponse response;
    for (const auto& call : calls) {
      auto& answer = *response.add_answers();
      answer.set_id(call.id());
      answer.add_responses(call.request());
    }
    state.under_way -= static_cast<std::size_t>(calls.size());
    stream.Write(response);
  }

  grpc::Status CarryCalls(grpc::ServerContext* /*context*/, ServerStream* stream) override {
    {
      absl::MutexLock lock(&mutex_);
      if (refusing_) {
        ++streams_refused_;
        return {grpc::StatusCode::UNIMPLEMENTED, ""};
      }
      ++streams_opened_;
      streams_.emplace(stream, State());
      stream->Write({});
    }
    CarryCallsRequest message;
    while (stream->Read(&message)) {
      absl::MutexLock lock(&mutex_);
      messages_.push_back(message);
      State& state = streams_.at(stream);
      state.used = true;
      state.under_way += static_cast<std::size_t>(message.calls_size());
      under_way_max_ = std::max(under_way_max_, state.under_way);
      Calls at_once;
      for (const auto& call : message.calls()) {
        if (call.method() == "Later" && later_) *state.later.Add() = call;
        if (call.method() == "Echo" || (call.method() == "Later" && !later_)) *at_once.Add() = call;
      }
      AnswerAll(*stream, state, at_once);
    }
    absl::MutexLock lock(&mutex_);
    ++streams_ended_;
    streams_.erase(stream);
    return grpc::Status::OK;
  }

  mutable absl::Mutex mutex_;
  std::vector<CarryCallsRequest> messages_ ABSL_GUARDED_BY(mutex_);
  std::map<ServerStream*, State> streams_ ABSL_GUARDED_BY(mutex_);
  std::size_t under_way_max_ ABSL_GUARDED_BY(mutex_) = 0;
  int streams_opened_ ABSL_GUARDED_BY(mutex_) = 0;
  int streams_ended_ ABSL_GUARDED_BY(mutex_) = 0;
  int streams_refused_ ABSL_GUARDED_BY(mutex_) = 0;
  bool refusing_ ABSL_GUARDED_BY(mutex_) = false;
  bool later_ ABSL_GUARDED_BY(mutex_) = true;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

// A carrier to a service, an event loop, and the answers that came.
class Fixture {
 public:
  explicit Fixture(const std::string& address, std::size_t queue_threads = 2)
      : channel_(rpc::NewChannel(address)),
        stub_(channel_),
        queue_(queue_threads),
        carrier(std::in_place, "echo", stub_, queue_, registry) {}
  explicit Fixture(const EchoService& service, std::size_t queue_threads = 2)
      : Fixture(service.address(), queue_threads) {}

  // Keeps streams open until calls are carried.
  void Open() {
    test::Await("a call to be carried", [this] {
      carrier->Maintain(std::chrono::steady_clock::now());
      return Call("Echo").carriage == Carriage::kAnswered;
    });
  }

  // The same, until all streams are.
  void OpenAll(const EchoService& service) {
    Open();
    test::Await("all streams to be used", [&] {
      carrier->Maintain(std::chrono::steady_clock::now());
      return Call("Echo").carriage == Carriage::kAnswered && service.streams_used() == 4;
    });
  }

  // Begins a call on the loop.
  std::uint64_t Begin(const std::string& method, const std::string& request = "r",
                      std::chrono::milliseconds timeout = 60s) {
    return Begin(method, request, timeout, [] {});
  }
  // The same; when the answer has come, `then` runs before it is there.
  std::uint64_t Begin(const std::string& method, const std::string& request,
                      std::chrono::milliseconds timeout, std::function<void()> then) {
    calls::v1::CarriedCall call;
    const std::uint64_t id = carrier->NewId();
    call.set_id(id);
    call.set_method(method);
    call.set_request(request);
    call.set_timeout_ms(static_cast<std::uint32_t>(timeout.count()));
    carrier->Begin(std::move(call), loop.get_executor(),
                   [this, id, then = std::move(then)](CarriedAnswer answer) {
                     then();
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
  // Waits until the channel knows that its connection is gone, and that there is no other.
  void AwaitDisconnected() {
    const auto deadline = std::chrono::system_clock::now() + 20s;
    for (auto state = channel_->GetState(true); state != GRPC_CHANNEL_TRANSIENT_FAILURE;
         state = channel_->GetState(true)) {
      REQUIRE(channel_->WaitForStateChange(state, deadline));
    }
  }
  // Returns when the loop has done what it has to do now.
  void Turn() {
    absl::Notification done;
    asio::post(loop, [&] { asio::post(loop, [&] { done.Notify(); }); });
    done.WaitForNotification();
  }

 private:
  std::shared_ptr<grpc::Channel> channel_;
  grpc::GenericStub stub_;
  CallQueue queue_;
  absl::Mutex mutex_;
  std::map<std::uint64_t, CarriedAnswer> answers_ ABSL_GUARDED_BY(mutex_);

 public:
  metrics::Registry registry;
  asio::io_context loop{1};
  std::optional<CallCarrier> carrier;

 private:
  asio::executor_work_guard<Executor> work_{loop.get_executor()};
  std::jthread thread_{[this] { loop.run(); }};

 public:
  ~Fixture() { loop.stop(); }
};

// Has as many calls under way as all streams may, until the service answers those of later.
std::vector<std::uint64_t> FillStreams(Fixture& f, const EchoService& service) {
  const std::size_t before = service.calls();
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 4'000; ++i) ids.push_back(f.Begin("Later"));
  test::Await("the streams to be full", [&] { return service.calls() == before + 4'000; });
  return ids;
}

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
  f.carrier->Cancel(silent);
  CHECK(f.Answer(silent).answer.status().code() == grpc::StatusCode::CANCELLED);
  test::Await("the service to be told", [&] { return service.was_told_of(silent); });
  f.carrier->Cancel(silent);  // twice is once

  const std::uint64_t late = f.Begin("Silent", "r", 5s);
  f.carrier->Maintain(std::chrono::steady_clock::now() + 4s);
  CHECK_FALSE(f.answered(late));
  f.carrier->Maintain(std::chrono::steady_clock::now() + 6s);
  CHECK(f.Answer(late).answer.status().code() == grpc::StatusCode::DEADLINE_EXCEEDED);
  test::Await("the service to be told", [&] { return service.was_told_of(late); });
}

TEST_CASE("the time that a call has is what is left of it when it leaves") {
  EchoService service;
  Fixture f(service);
  f.OpenAll(service);
  FillStreams(f, service);
  const auto begun = std::chrono::steady_clock::now();
  const std::uint64_t id = f.Begin("Echo", "waited", 30s);
  test::Await("time to pass", [&] { return std::chrono::steady_clock::now() - begun > 100ms; });
  service.AnswerLater();
  CHECK(f.Answer(id).carriage == Carriage::kAnswered);
  for (const CarryCallsRequest& message : service.messages()) {
    for (const auto& call : message.calls()) {
      if (call.id() == id) CHECK(call.timeout_ms() <= 29'900);
    }
  }
}

TEST_CASE("calls gather up to a bound of their bytes, and those given up make room") {
  EchoService service;
  Fixture f(service);
  f.OpenAll(service);
  FillStreams(f, service);
  const std::string large(CallCarrier::kRequestBytesMax, 'x');
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 70; ++i) ids.push_back(f.Begin("Echo", large));
  f.Turn();
  const auto gathered = std::ranges::count_if(ids, [&](std::uint64_t id) { return !f.answered(id); });
  CHECK(gathered >= 60);
  CHECK(gathered <= 64);
  CHECK(f.Answer(ids.back()).carriage == Carriage::kNotSent);
  for (const std::uint64_t id : ids) f.carrier->Cancel(id);
  f.carrier->Maintain(std::chrono::steady_clock::now());
  const std::uint64_t another = f.Begin("Echo", large);
  f.Turn();
  CHECK_FALSE(f.answered(another));
  service.AnswerLater();
  CHECK(f.Answer(another).carriage == Carriage::kAnswered);
  for (const CarryCallsRequest& message : service.messages()) {  // those given up never left
    for (const auto& call : message.calls()) CHECK(std::ranges::count(ids, call.id()) == 0);
  }
}

TEST_CASE("no more calls of a stream are under way than its service reads, and the others wait") {
  EchoService service;
  Fixture f(service);
  f.OpenAll(service);
  std::vector<std::uint64_t> ids = FillStreams(f, service);
  for (int i = 0; i < 500; ++i) ids.push_back(f.Begin("Later"));
  // What a full stream has to say of calls it is still told.
  f.carrier->Cancel(ids.front());
  test::Await("the service to be told", [&] { return service.was_told_of(ids.front()); });
  service.AnswerLater();
  for (const std::uint64_t id : ids) REQUIRE(f.Answer(id).carriage == Carriage::kAnswered);
  CHECK(service.under_way_max() == 1'000);
}

TEST_CASE("a loop that is busy holds up no other's calls") {
  EchoService service;
  Fixture f(service);
  f.OpenAll(service);
  absl::Notification busy, go_on;
  std::uint64_t id = 0;
  asio::post(f.loop, [&] {
    id = f.Begin("Echo");
    busy.Notify();
    go_on.WaitForNotification();
  });
  busy.WaitForNotification();
  asio::io_context other(1);
  absl::Notification answered;
  calls::v1::CarriedCall call;
  call.set_id(f.carrier->NewId());
  call.set_method("Echo");
  call.set_timeout_ms(60'000);
  f.carrier->Begin(std::move(call), other.get_executor(),
                   [&](const CarriedAnswer& /*answer*/) { answered.Notify(); });
  other.run();
  CHECK(answered.WaitForNotificationWithTimeout(absl::Seconds(20)));
  CHECK(f.Answer(id).carriage == Carriage::kAnswered);  // it left, too
  go_on.Notify();
}

TEST_CASE("streams are renewed in time, and no call is lost by it") {
  EchoService service;
  Fixture f(service);
  f.OpenAll(service);
  const int opened = service.streams_opened();
  test::Await("the old streams to end", [&] {
    f.carrier->Maintain(std::chrono::steady_clock::now() + 31s);
    CHECK(f.Call("Echo").carriage == Carriage::kAnswered);
    return service.streams_ended() >= 4;
  });
  CHECK(service.streams_opened() > opened);
}

TEST_CASE("streams that are too old end, whether there are others or not") {
  EchoService service;
  Fixture f(service);
  f.OpenAll(service);
  service.RefuseStreams();
  f.carrier->Maintain(std::chrono::steady_clock::now() + 46s);
  test::Await("all streams to end", [&] { return service.streams_ended() == service.streams_opened(); });
}

TEST_CASE("streams of a service that ends are left, and their answers awaited") {
  EchoService service;
  Fixture f(service);
  f.OpenAll(service);
  const int ended = service.streams_ended();
  service.SayEnding();
  test::Await("the streams to end", [&] { return service.streams_ended() >= ended + 4; });
  CHECK(f.Call("Echo").carriage == Carriage::kNotSent);
  f.Open();  // anew, since this service goes on
}

TEST_CASE("a service that carries no calls is not asked again for a while") {
  EchoService service;
  service.RefuseStreams();
  Fixture f(service);
  auto now = std::chrono::steady_clock::now();
  test::Await("streams to be refused", [&] {
    f.carrier->Maintain(now);
    return service.streams_refused() == 4;
  });
  int rounds = 0;
  test::Await("time to ask again", [&] {
    f.carrier->Maintain(now += 1s);
    CHECK(f.Call("Echo").carriage == Carriage::kNotSent);
    return ++rounds == 20;
  });
  CHECK(service.streams_refused() == 4);
  test::Await("the service to be asked again", [&] {
    f.carrier->Maintain(now += 1s);
    return service.streams_refused() > 4;
  });
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

TEST_CASE("a carrier that is gone answers nothing any more") {
  EchoService service;
  Fixture f(service);
  f.Open();
  absl::Notification gone;
  bool outlived = false;
  const std::size_t before = service.calls();
  const std::uint64_t silent = f.Begin(
      "Silent", "r", 60s, [&] { outlived = gone.WaitForNotificationWithTimeout(absl::Milliseconds(200)); });
  test::Await("the call to arrive", [&] { return service.calls() == before + 1; });
  f.carrier.reset();
  gone.Notify();
  CHECK(f.Answer(silent).carriage == Carriage::kLost);
  CHECK_FALSE(outlived);
}

// All streams break, each sending a call, while the only thread that could learn of it is held up. What
// becomes of a call that waits behind them.
Carriage BreakWhileSending() {
  EchoService service;
  Fixture f(service, 1);
  f.OpenAll(service);
  absl::Notification held, go_on;
  const std::size_t before = service.calls();
  f.Begin("Later", "r", 60s, [&] {
    held.Notify();
    go_on.WaitForNotification();
  });
  test::Await("the call to arrive", [&] { return service.calls() == before + 1; });
  f.Call("Echo");  // by then it is known that it was sent
  service.AnswerLater();
  held.WaitForNotification();
  service.Stop();
  f.AwaitDisconnected();
  std::vector<std::uint64_t> sent;
  for (int i = 0; i < 4; ++i) {
    sent.push_back(f.Begin("Echo"));
    f.Turn();
  }
  const std::uint64_t waiting = f.Begin("Echo");
  f.Turn();
  go_on.Notify();
  for (const std::uint64_t id : sent) CHECK(f.Answer(id).carriage == Carriage::kLost);
  return f.Answer(waiting).carriage;
}

TEST_CASE("a stream that breaks while it sends is given no further calls") {
  // The transport may take one more message, in good faith.
  test::Await("a message that is refused", [] { return BreakWhileSending() == Carriage::kNotSent; });
}

}  // namespace
}  // namespace verdict::gateway
