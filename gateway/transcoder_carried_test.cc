#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include "common/status/error.h"
#include "common/status/grpc_status.h"
#include "gateway/testing/gateway.h"
#include "tests/support/await.h"

namespace verdict::gateway {
namespace {

using namespace std::chrono_literals;
using calls::v1::CarriedAnswer;
using calls::v1::CarriedCall;

const std::string kMintRpc = "verdict.token.v1.TokenService/MintToken";
const std::string kRedeemRpc = "verdict.feedback.v1.FeedbackService/RedeemToken";

std::string Read(const std::string& fields = "") { return Request("GET", kReadPath, kKey + fields); }

// What a service answers by carriage; by itself every call would be answered differently.
CarriedAnswer Answered(const google::protobuf::Message& response) {
  CarriedAnswer answer;
  response.SerializeToString(answer.add_responses());
  return answer;
}

// A gateway in front of services that carry calls.
struct CarryingGateway {
  explicit CarryingGateway(TestBackend::Carry carry, TestGateway::Options options = {})
      : gateway([&] {
          options.carry = [this, carry = std::move(carry)](const CarriedCall& call) {
            ++calls;
            return carry(call);
          };
          return options;
        }()) {}

  // Makes requests until one is carried.
  TestResponse Carried(const std::string& request) {
    TestResponse response;
    test::Await("the call to be carried", [&] {
      const int before = calls;
      response = gateway.Exchange(request);
      return calls > before;
    });
    return response;
  }

  std::atomic<int> calls = 0;
  TestGateway gateway;
};

TEST_CASE("an answer that was carried is like one of a call by itself") {
  CarryingGateway test([](const CarriedCall& call) -> std::optional<CarriedAnswer> {
    if (call.method() == kMintRpc) {
      MintTokenRequest request;
      request.ParseFromString(call.request());
      MintTokenResponse response;
      response.set_id("carried " + request.resource_id());
      CarriedAnswer answer = Answered(response);
      auto& entry = *answer.add_metadata();
      entry.set_key("idempotent-replayed");
      entry.set_value("true");
      return answer;
    }
    if (call.method() == kRedeemRpc) {
      CarriedAnswer answer;
      *answer.mutable_status() = ToRpc(MakeError(errors::v1::REASON_TOKEN_USED, "It has been used."));
      return answer;
    }
    GetEntityFeedbackResponse first, second;
    first.set_entity_id("s1");
    first.add_items()->set_id("1");
    second.add_items()->set_id("2");
    CarriedAnswer answer = Answered(first);
    second.SerializeToString(answer.add_responses());
    return answer;
  });

  const auto minted = test.Carried(Mint());
  CHECK(minted.status == 200);
  CHECK(boost::json::parse(minted.body).at("id") == "carried run-42");
  CHECK(minted.Header("idempotent-replayed") == "true");

  const auto refused = test.Carried(Redeem());
  CHECK(refused.status == 410);
  CHECK(CodeOf(refused) == "TOKEN_USED");

  const auto read = test.Carried(Read());
  CHECK(read.status == 200);
  CHECK(boost::json::parse(read.body).at("items").as_array().size() == 2);
  CHECK(read.Has("content-length"));
}

TEST_CASE("what the service hands back is made by itself") {
  CarryingGateway test([](const CarriedCall&) {
    CarriedAnswer answer;
    answer.set_too_large(true);
    return answer;
  });
  test.gateway.backend.read = [](auto&, auto&, auto& writer) {
    GetEntityFeedbackResponse message;
    message.set_entity_id("by itself");
    writer.Write(message);
    return grpc::Status::OK;
  };
  const auto response = test.Carried(Read());
  CHECK(response.status == 200);
  CHECK(boost::json::parse(response.body).at("entity_id") == "by itself");
}

TEST_CASE("when a stream breaks reads are made again, and the outcome of writes is unknown") {
  CarryingGateway test([](const CarriedCall&) -> std::optional<CarriedAnswer> { return std::nullopt; });
  test.gateway.backend.read = [](auto&, auto&, auto& writer) {
    writer.Write(GetEntityFeedbackResponse());
    return grpc::Status::OK;
  };
  CHECK(test.Carried(Read()).status == 200);
  CHECK(test.Carried(Mint()).status == 200);  // which stores nothing
  const auto lost = test.Carried(Redeem());
  CHECK(lost.status == 503);
  CHECK(CodeOf(lost) == "OUTCOME_UNKNOWN");
}

TEST_CASE("an answer that is none is our fault") {
  CarryingGateway test([](const CarriedCall&) { return CarriedAnswer(); });
  CHECK(test.Carried(Mint()).status == 500);
  CHECK(test.Carried(Read()).status == 500);
}

TEST_CASE("a request that waits for its key when the time to drain is over is not carried, either") {
  std::atomic<bool> carried = false;
  CarryingGateway test([&](const CarriedCall& call) -> std::optional<CarriedAnswer> {
    MintTokenRequest request;
    request.ParseFromString(call.request());
    if (request.resource_id() == "late") carried = true;
    return Answered(MintTokenResponse());
  });
  test.Carried(Mint());
  auto client = test.gateway.Connect();
  client.Send(
      Mint("Authorization: Bearer waits\r\n", R"({"resource_type":"eval_run","resource_id":"late"})"));
  test.gateway.authenticator.asked.WaitForNotification();
  std::jthread draining([&] { test.gateway.server->Drain(0ms); });
  CHECK(client.AtEnd());
  test.gateway.authenticator.waiting(std::make_shared<const auth::Principal>());
  draining.join();
  CHECK_FALSE(carried);
}

}  // namespace
}  // namespace verdict::gateway
