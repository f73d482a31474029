#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <sys/resource.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/support/await.h"
#include "tests/support/stack.h"

// Signing keys while the product runs: what an operator does to them, and does wrong.
namespace verdict::test {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

using KeySetFiles = std::map<std::string, std::string>;
using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string kRoot1(32, 'a');  // as TestKeySet has it
const std::string kRoot2(32, '2');
const KeySetFiles kNext2 = {
    {"keyset.json", R"({"primary":"k1","keys":{"k1":{"state":"active"},"k2":{"state":"next"}}})"},
    {"k1", kRoot1},
    {"k2", kRoot2}};
const KeySetFiles kPrimary2 = {
    {"keyset.json", R"({"primary":"k2","keys":{"k1":{"state":"verify"},"k2":{"state":"active"}}})"},
    {"k1", kRoot1},
    {"k2", kRoot2}};
const KeySetFiles kOnly2 = {{"keyset.json", R"({"primary":"k2","keys":{"k2":{"state":"active"}}})"},
                            {"k2", kRoot2}};

HttpRequest Mint(const Tenant& tenant) {
  return {.method = "POST",
          .target = "/api/v1/feedback/token",
          .headers = {{"Authorization", "Bearer " + tenant.key}, {"Content-Type", "application/json"}},
          .body = R"({"resource_type":"trace","resource_id":"t"})"};
}

HttpRequest Verify(const Tenant& tenant, const std::string& token) {
  return {.target = "/api/v1/feedback/token?token=" + token,
          .headers = {{"Authorization", "Bearer " + tenant.key}}};
}

HttpRequest Peek(const std::string& token) {
  return {.target = "/api/v1/feedback", .headers = {{"Authorization", "Bearer " + token}}};
}

HttpRequest Redeem(const std::string& token) {
  return {.method = "POST",
          .target = "/api/v1/feedback",
          .headers = {{"Authorization", "Bearer " + token}, {"Content-Type", "application/json"}},
          .body = R"({"thumbs_up":true})"};
}

std::string MintToken(const Stack& stack) {
  return std::string(json::parse(stack.Send(Mint(stack.tenant())).body).at("token").as_string());
}

std::string Kid(const std::string& token) {
  const std::vector<std::string> parts = absl::StrSplit(token, '.');
  return parts.at(1);
}

std::string Code(const HttpResponse& response) {
  return std::string(json::parse(response.body).at("code").as_string());
}

double Metric(const Stack& stack, const std::string& process, const std::string& name) {
  const std::string page = stack.AdminPage(process, "/metrics");
  const auto at = page.find("\n" + name + " ");
  return at == std::string::npos ? 0 : std::stod(page.substr(at + name.size() + 2));
}

constexpr int kNewTokens = 20;

void CheckNewTokensWork(const Stack& stack) {
  for (int i = 0; i < kNewTokens; ++i) {
    const std::string token = MintToken(stack);
    CHECK(stack.Send(Verify(stack.tenant(), token)).status == 200);
    CHECK(stack.Send(Redeem(token)).status == 200);
  }
}

// Waits until both processes that have keys show a value.
void AwaitMetric(const Stack& stack, const std::string& name, double value) {
  for (const char* process : {"token", "feedback"}) {
    Await(
        absl::StrCat(name, " of ", process), [&] { return Metric(stack, process, name) >= value; },
        seconds(15));
  }
}

// Clients that mint tokens without pause, verify and show each, and redeem it some tokens later: so there are
// always tokens under way.
class Load {
 public:
  static constexpr int kClients = 3;

  explicit Load(const Stack& stack) : stack_(stack) {
    for (int client = 0; client < kClients; ++client) {
      clients_.emplace_back([this, client](const std::stop_token& stop) { Run(client, stop); });
    }
  }
  ~Load() { Stop(); }

  // Ends when the tokens under way have been redeemed.
  void Stop() {
    for (std::jthread& client : clients_) client.request_stop();
    clients_.clear();
  }

  // Tokens of a key.
  struct Tally {
    int minted = 0;
    int redeemed = 0;
    std::set<int> redeemers = {};  // the clients; each redeems in the order of minting
  };
  Tally Of(const std::string& kid) const {
    const std::lock_guard lock(mutex_);
    const auto found = tallies_.find(kid);
    return found == tallies_.end() ? Tally() : found->second;
  }
  void AwaitRedeemed(const std::string& kid, int more) const {
    Await(absl::StrCat("redemptions of ", kid),
          [&, until = Of(kid).redeemed + more] { return Of(kid).redeemed >= until; });
  }
  // What was not answered 200: the step, the key's id and the answer.
  std::vector<std::string> Refused() const {
    const std::lock_guard lock(mutex_);
    return refused_;
  }

 private:
  static constexpr size_t kUnderWay = 20;

  void Run(int client, const std::stop_token& stop) {
    HttpClient connection(stack_.port());
    std::deque<std::string> tokens;
    const auto send = [&](const std::string& step, const std::string& kid, const HttpRequest& request) {
      HttpResponse response;
      try {
        response = connection.Send(request);
      } catch (const std::exception& error) {
        response.body = error.what();
      }
      if (response.status != 200) {
        const std::lock_guard lock(mutex_);
        refused_.push_back(absl::StrCat(step, " ", kid, " ", response.status, " ", response.body));
      }
      return response;
    };
    const auto redeem = [&] {
      const std::string token = tokens.front();
      tokens.pop_front();
      const bool stored = send("redeem", Kid(token), Redeem(token)).status == 200;
      const std::lock_guard lock(mutex_);
      if (!stored) return;
      Tally& tally = tallies_[Kid(token)];
      ++tally.redeemed;
      tally.redeemers.insert(client);
    };
    while (!stop.stop_requested()) {
      const HttpResponse minted = send("mint", "", Mint(stack_.tenant()));
      if (minted.status != 200) continue;
      tokens.emplace_back(json::parse(minted.body).at("token").as_string());
      const std::string& token = tokens.back();
      {
        const std::lock_guard lock(mutex_);
        ++tallies_[Kid(token)].minted;
      }
      send("verify", Kid(token), Verify(stack_.tenant(), token));
      send("peek", Kid(token), Peek(token));
      if (tokens.size() > kUnderWay) redeem();
    }
    while (!tokens.empty()) redeem();
  }

  const Stack& stack_;
  mutable std::mutex mutex_;
  std::map<std::string, Tally> tallies_;
  std::vector<std::string> refused_;
  std::vector<std::jthread> clients_;  // last: they use all of the above
};

TEST_CASE("keys are rotated under load: no valid token is refused, and those of a removed key are at once") {
  Stack stack;
  const pid_t token_pid = stack.process("token").pid();
  const pid_t feedback_pid = stack.process("feedback").pid();
  std::vector<std::string> kept;
  for (int i = 0; i < 10; ++i) kept.push_back(MintToken(stack));

  Load load(stack);
  load.AwaitRedeemed("k1", 50);
  stack.keyset().Publish(kNext2);
  AwaitMetric(stack, R"(verdict_keyset_has_kid{kid="k2"})", 1);
  load.AwaitRedeemed("k1", 50);
  CHECK(load.Of("k2").minted == 0);

  const auto promoted = std::chrono::steady_clock::now();
  stack.keyset().Publish(kPrimary2);
  Await("tokens of the new key", [&] { return load.Of("k2").minted > 0; }, seconds(15));
  const auto signing = std::chrono::steady_clock::now();
  AwaitMetric(stack, R"(verdict_keyset_primary_info{kid="k2"})", 1);
  load.AwaitRedeemed("k2", 50);
  CHECK(stack.Send(Redeem(kept.at(0))).status == 200);
  CHECK(stack.Send(Verify(stack.tenant(), kept.at(1))).status == 200);

  // Here a day passes: no token of k1 is under way any more.
  Await("the last tokens of k1", [&] { return load.Of("k2").redeemers.size() == Load::kClients; });
  CHECK(load.Refused() == std::vector<std::string>{});
  const auto removed = std::chrono::steady_clock::now();
  stack.keyset().Publish(kOnly2);
  Await(
      "both services to refuse k1",
      [&] {
        return stack.Send(Verify(stack.tenant(), kept.at(1))).status == 401 &&
               stack.Send(Peek(kept.at(1))).status == 401;
      },
      seconds(5));
  const auto refusing = std::chrono::steady_clock::now();
  for (size_t i = 1; i < kept.size(); ++i) {
    const HttpResponse refused = stack.Send(Redeem(kept[i]));
    CHECK(refused.status == 401);
    CHECK(Code(refused) == "TOKEN_INVALID");
  }
  load.AwaitRedeemed("k2", 50);
  load.Stop();

  CHECK(load.Refused() == std::vector<std::string>{});
  const int redeemed = load.Of("k1").redeemed + load.Of("k2").redeemed;
  std::cout << redeemed << " tokens minted, verified, shown and redeemed; k2 signed after "
            << duration_cast<milliseconds>(signing - promoted).count() << " ms, k1 was refused after "
            << duration_cast<milliseconds>(refusing - removed).count() << " ms\n";
  CHECK(stack.database().Query("select count(*) from redemption where state = 1") ==
        std::to_string(redeemed + 1));
  CHECK(stack.process("token").pid() == token_pid);
  CHECK(stack.process("feedback").pid() == feedback_pid);
  for (const char* process : {"token", "feedback"}) {
    CHECK(Metric(stack, process, R"(verdict_keyset_has_kid{kid="k1"})") == 0);
    CHECK(Metric(stack, process, "verdict_keyset_reload_failures_total") == 0);
  }
}

TEST_CASE("the load notices a rotation that forgets a step") {
  SECTION("the old key goes while its tokens are under way") {
    Stack stack;
    Load load(stack);
    Await("tokens of k1 under way", [&] { return load.Of("k1").minted >= 30; });
    stack.keyset().Publish(kOnly2);
    load.AwaitRedeemed("k2", 20);
    load.Stop();
    CHECK_FALSE(load.Refused().empty());
  }
  SECTION("a key becomes primary before the feedback service knows it") {
    token::TestKeySet of_feedback;
    Stack stack({{"feedback", {"--keyset-dir=" + of_feedback.directory().string()}}});
    Load load(stack);
    load.AwaitRedeemed("k1", 20);
    stack.keyset().Publish(kPrimary2);
    Await("tokens of k2 under way", [&] { return load.Of("k2").minted > 0; }, seconds(15));
    Await("a refusal", [&] { return !load.Refused().empty(); });
    load.Stop();
    for (const std::string& refused : load.Refused()) {
      INFO(refused);
      CHECK((refused.starts_with("peek k2 401") || refused.starts_with("redeem k2 401")));
    }
  }
}

TEST_CASE("in an emergency under load all that was minted before is refused, and minting goes on") {
  Stack stack;
  const std::string stolen = MintToken(stack);
  Load load(stack);
  size_t checked = 0;
  // That something was refused since the last time, and nothing but tokens, of these kinds and with this
  // code.
  const auto check_refused = [&](const std::vector<std::string>& kinds, const std::string& code) {
    const std::vector<std::string> refused = load.Refused();
    CHECK(refused.size() > checked);
    for (; checked < refused.size(); ++checked) {
      INFO(refused[checked]);
      CHECK_FALSE(refused[checked].starts_with("mint"));
      CHECK(absl::StrContains(refused[checked], code));
      CHECK(std::ranges::any_of(
          kinds, [&](const std::string& kind) { return absl::StrContains(refused[checked], kind); }));
    }
  };
  load.AwaitRedeemed("k1", 20);
  CHECK(load.Refused() == std::vector<std::string>{});

  stack.keyset().Publish(kOnly2);
  AwaitMetric(stack, R"(verdict_keyset_primary_info{kid="k2"})", 1);
  for (const HttpRequest& use : {Verify(stack.tenant(), stolen), Peek(stolen), Redeem(stolen)}) {
    const HttpResponse refused = stack.Send(use);
    CHECK(refused.status == 401);
    CHECK(Code(refused) == "TOKEN_INVALID");
  }
  CheckNewTokensWork(stack);
  Await("the last tokens of k1", [&] { return load.Of("k2").redeemers.size() == Load::kClients; });
  // The services read the keys a moment apart: one may mint by the new key before the other knows it.
  check_refused({" k1 401 ", "peek k2 401 ", "redeem k2 401 "}, "TOKEN_INVALID");
  load.AwaitRedeemed("k2", 50);
  CHECK(load.Refused().size() == checked);

  // Minted in between, by whoever could.
  const std::string doubtful = MintToken(stack);
  REQUIRE(stack.Send(Verify(stack.tenant(), doubtful)).status == 200);
  REQUIRE(stack.Ctl({"token", "revoke", "--project", stack.tenant().project_id, "--all"}).exit_code == 0);
  for (const HttpRequest& use : {Verify(stack.tenant(), doubtful), Peek(doubtful), Redeem(doubtful)}) {
    const HttpResponse refused = stack.Send(use);
    CHECK(refused.status == 410);
    CHECK(Code(refused) == "TOKEN_REVOKED");
  }
  CheckNewTokensWork(stack);
  load.AwaitRedeemed("k2", 50);
  load.Stop();
  check_refused({" k2 410 "}, "TOKEN_REVOKED");

  CHECK(stack.database().Query("select count(*) from redemption where state = 1") ==
        std::to_string(load.Of("k1").redeemed + load.Of("k2").redeemed + 2 * kNewTokens));
}

TEST_CASE("bad key files change nothing in a running process but the count of failures, and can be mended") {
  Stack stack;
  const std::string before = MintToken(stack);
  const std::string failures = "verdict_keyset_reload_failures_total";
  KeySetFiles no_key = kPrimary2;
  no_key.erase("k2");
  KeySetFiles short_key = kPrimary2;
  short_key["k2"] = std::string(31, '2');
  for (const KeySetFiles& files :
       {KeySetFiles{}, KeySetFiles{{"keyset.json", "{"}}, no_key, short_key,
        KeySetFiles{{"keyset.json", R"({"primary":"k1","keys":{"k1":{"state":"verify"}}})"},
                    {"k1", kRoot1}}}) {
    std::map<std::string, double> counted;
    for (const char* process : {"token", "feedback"}) counted[process] = Metric(stack, process, failures);
    stack.keyset().Publish(files);
    for (const auto& [process, count] : counted) {
      Await(
          "the failure to be counted", [&] { return Metric(stack, process, failures) > count; }, seconds(15));
    }
    const std::string token = MintToken(stack);
    CHECK(Kid(token) == "k1");
    CHECK(stack.Send(Verify(stack.tenant(), token)).status == 200);
    CHECK(stack.Send(Redeem(token)).status == 200);
  }
  CHECK(stack.Send(Redeem(before)).status == 200);

  stack.keyset().Publish(kOnly2);
  AwaitMetric(stack, R"(verdict_keyset_primary_info{kid="k2"})", 1);
  CHECK(stack.Send(Redeem(MintToken(stack))).status == 200);
}

TEST_CASE("a process does not start on a bad key set, and says in a sentence what to mend") {
  struct Fault {
    std::string name;
    std::function<void(const token::TestKeySet&)> make;
    std::string says;
  };
  // One of each sort; the others are key_ring_test's.
  const std::vector<Fault> faults = {
      {"no folder", [](const auto& keyset) { fs::remove_all(keyset.directory()); },
       "keyset.json cannot be opened"},
      {"a key for everybody", [](const auto& keyset) { keyset.WriteKey("k1", 'a', 32, 0644); },
       "set its mode to 0440 or 0400"},
      {"a key of 1 GiB", [](const auto& keyset) { fs::resize_file(keyset.directory() / "k1", 1ULL << 30); },
       "k1 is larger than 64 KiB"},
  };
  const std::string bin = std::getenv("VERDICT_BIN");
  const token::TestKeySet other;
  const std::string dsn_file = (other.directory() / "dsn").string();
  std::ofstream(dsn_file) << "host=/nonexistent dbname=none";
  const auto start = [&](const std::string& process, const fs::path& keyset, std::vector<std::string> more) {
    std::vector<std::string> command = {bin + "/verdict-" + process, "--database-dsn-file=" + dsn_file,
                                        "--keyset-dir=" + keyset.string()};
    if (process == "feedback") command.emplace_back("--token-address=127.0.0.1:1");
    command.insert(command.end(), more.begin(), more.end());
    return Run(command);
  };

  for (const std::string process : {"token", "feedback"}) {
    // The control: what all of them begin with is in order.
    CHECK(start(process, other.directory(), {"--check-config"}).exit_code == 0);
    for (const Fault& fault : faults) {
      INFO(process << ": " << fault.name);
      const token::TestKeySet keyset;
      fault.make(keyset);
      const Finished finished =
          start(process, keyset.directory(), {"--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"});
      CHECK(finished.exit_code == 2);
      CHECK_THAT(finished.err, Catch::Contains(fault.says) && Catch::Contains("--keyset-dir"));
      // One sentence and the hint after it.
      CHECK(std::count(finished.err.begin(), finished.err.end(), '\n') == 2);
    }
  }
  // None took the gibibyte into memory, in KiB; sanitizers take several hundred MiB.
  rusage children = {};
  getrusage(RUSAGE_CHILDREN, &children);
  CHECK(children.ru_maxrss < 1'000'000);
}

}  // namespace
}  // namespace verdict::test
