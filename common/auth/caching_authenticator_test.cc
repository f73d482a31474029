#include "common/auth/caching_authenticator.h"

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "common/status/error.h"

namespace verdict::auth {
namespace {

using namespace std::chrono_literals;

// Holds every look-up until the test answers it.
class HeldAuthenticator final : public Authenticator {
 public:
  void Authenticate(const Credential& credential, Deadline /*deadline*/, AuthenticateDone done) override {
    asked.push_back(credential.secret + "@" + credential.project);
    held_.push_back(std::move(done));
  }
  void AnswerNext(absl::StatusOr<std::shared_ptr<const Principal>> answer) {
    AuthenticateDone done = std::move(held_.front());
    held_.erase(held_.begin());
    done(std::move(answer));
  }

  std::vector<std::string> asked;

 private:
  std::vector<AuthenticateDone> held_;
};

std::shared_ptr<const Principal> SomePrincipal() {
  Principal principal;
  principal.key_id.bytes[0] = 1;
  return std::make_shared<const Principal>(principal);
}

absl::Status Unauthenticated() { return MakeError(errors::v1::REASON_UNAUTHENTICATED, "no"); }
absl::Status Unavailable() { return MakeError(errors::v1::REASON_UNAVAILABLE, "away"); }

struct Fixture {
  HeldAuthenticator source;
  Deadline now = std::chrono::steady_clock::now();
  CachingAuthenticator cache{source, {.known_max = 2, .refused_max = 2, .now = [this] { return now; }}};
  std::vector<std::string> answers;

  void Ask(const std::string& secret, const std::string& project = "") {
    cache.Authenticate({secret, project}, now + 1s, [this](const auto& principal) {
      answers.push_back(principal.ok() ? "ok" : std::string(ReasonName(ReasonOf(principal.status()))));
    });
  }
};

TEST_CASE("an answer serves for four seconds from the start of its look-up") {
  Fixture f;
  f.Ask("a");
  f.now += 1s;  // the look-up takes a second
  f.source.AnswerNext(SomePrincipal());
  CHECK(f.answers == std::vector<std::string>{"ok"});

  f.now += 1999ms;
  f.Ask("a");
  CHECK(f.answers.size() == 2);
  CHECK(f.source.asked.size() == 1);

  f.now += 1001ms;
  f.Ask("a");
  CHECK(f.answers.size() == 2);
  CHECK(f.source.asked.size() == 2);
  f.source.AnswerNext(Unauthenticated());
  CHECK(f.answers.back() == "UNAUTHENTICATED");
}

TEST_CASE("calls with one credential share one look-up") {
  Fixture f;
  f.Ask("a");
  f.Ask("a");
  f.Ask("a");
  CHECK(f.source.asked.size() == 1);
  f.source.AnswerNext(SomePrincipal());
  CHECK(f.answers == std::vector<std::string>{"ok", "ok", "ok"});
}

TEST_CASE("after three seconds the answer is renewed beside the call that uses it") {
  Fixture f;
  f.Ask("a");
  f.source.AnswerNext(SomePrincipal());
  f.now += 3s;
  f.Ask("a");
  f.Ask("a");
  CHECK(f.answers == std::vector<std::string>{"ok", "ok", "ok"});
  CHECK(f.source.asked.size() == 2);

  f.source.AnswerNext(Unauthenticated());
  f.Ask("a");
  CHECK(f.answers.back() == "UNAUTHENTICATED");
}

TEST_CASE("a renewal that nobody could answer leaves the answer until its time is over") {
  Fixture f;
  f.Ask("a");
  f.source.AnswerNext(SomePrincipal());
  f.now += 3s;
  f.Ask("a");
  f.source.AnswerNext(Unavailable());
  f.Ask("a");
  CHECK(f.answers == std::vector<std::string>{"ok", "ok", "ok"});
  f.now += 1s;
  f.source.AnswerNext(Unavailable());
  f.Ask("a");
  f.source.AnswerNext(Unavailable());
  CHECK(f.answers.back() == "UNAVAILABLE");
}

TEST_CASE("unavailability is not remembered") {
  Fixture f;
  f.Ask("a");
  f.source.AnswerNext(Unavailable());
  f.Ask("a");
  f.source.AnswerNext(SomePrincipal());
  CHECK(f.answers == std::vector<std::string>{"UNAVAILABLE", "ok"});
}

TEST_CASE("the admin key's projects are apart") {
  Fixture f;
  f.Ask("admin", "p1");
  f.Ask("admin", "p2");
  CHECK(f.source.asked == std::vector<std::string>{"admin@p1", "admin@p2"});
  f.source.AnswerNext(SomePrincipal());
  f.source.AnswerNext(Unauthenticated());
  CHECK(f.answers == std::vector<std::string>{"ok", "UNAUTHENTICATED"});
}

TEST_CASE("garbage cannot evict good keys") {
  Fixture f;
  f.Ask("good");
  f.source.AnswerNext(SomePrincipal());
  for (int i = 0; i < 10; ++i) {
    f.Ask("garbage" + std::to_string(i));
    f.source.AnswerNext(Unauthenticated());
  }
  const auto asked = f.source.asked.size();
  f.Ask("good");
  CHECK(f.answers.back() == "ok");
  CHECK(f.source.asked.size() == asked);
}

TEST_CASE("the cache is bounded") {
  Fixture f;
  for (const char* key : {"a", "b", "c"}) {
    f.Ask(key);
    f.source.AnswerNext(SomePrincipal());
  }
  const auto asked = f.source.asked.size();
  for (const char* key : {"a", "b", "c"}) f.Ask(key);
  CHECK(f.source.asked.size() == asked + 1);  // known_max is 2: one of the three was forgotten
  f.source.AnswerNext(SomePrincipal());
}

TEST_CASE("a cache ends when the look-up that nobody waits for has ended") {
  HeldAuthenticator source;
  Deadline now = std::chrono::steady_clock::now();
  auto cache = std::make_unique<CachingAuthenticator>(source, CacheOptions{.now = [&now] { return now; }});
  cache->Authenticate({.secret = "a"}, now + 1s, [](const auto&) {});
  source.AnswerNext(SomePrincipal());
  now += 3s;
  cache->Authenticate({.secret = "a"}, now + 1s, [](const auto&) {});  // answered, and renewed beside
  REQUIRE(source.asked.size() == 2);

  // The answer comes from a thread that has yet to start, so the end nearly always begins first. Did it not
  // wait, the answer would come to a cache that is no more, as AddressSanitizer says.
  const std::jthread answer([&] { source.AnswerNext(SomePrincipal()); });
  cache.reset();
}

}  // namespace
}  // namespace verdict::auth
