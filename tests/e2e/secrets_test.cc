#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>
#include <sys/resource.h>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/e2e/example_body.h"
#include "tests/support/await.h"
#include "tests/support/stack.h"

// What callers send and operators configure stays out of logs, metrics, errors and core files.
namespace verdict::test {
namespace {

namespace json = boost::json;

constexpr const char* kProcesses[] = {"gateway", "aggregator", "feedback", "token"};

// Stands in every text that a caller sends: ids, reasons, metadata, query strings, headers.
constexpr const char* kCanary = "canary7f3a";
// As a text that is an e-mail address. Those of the stack's users have the same domain.
constexpr const char* kMail = "mail-canary7f3a@example.com";
// As a member, a parameter or a prompt's slug in the path: an error may say these back to its caller, and
// nothing else.
constexpr const char* kName = "bird_of_a_name";

// The key that signs the stack's tokens.
constexpr const char* kSigningKey = "the-key-that-signs-all-of-these!";

void AddTexts(json::value& value, std::vector<json::string*>& texts) {
  if (value.is_string()) texts.push_back(&value.as_string());
  if (value.is_array()) {
    for (json::value& element : value.as_array()) AddTexts(element, texts);
  }
  if (value.is_object()) {
    for (auto& [name, member] : value.as_object()) AddTexts(member, texts);
  }
}

// The document with `canary` as each of its texts in turn, and then as all of them: where one alone is
// refused, the others would not be looked at.
std::vector<std::string> WithCanary(const json::value& document, const char* canary) {
  std::vector<std::string> bodies;
  json::value all = document;
  std::vector<json::string*> texts;
  AddTexts(all, texts);
  for (json::string* text : texts) {
    const json::string before = std::exchange(*text, canary);
    bodies.push_back(json::serialize(all));
    *text = before;
  }
  for (json::string* text : texts) *text = canary;
  bodies.push_back(json::serialize(all));
  return bodies;
}

// Calls every operation of the document with canaries in path, query, headers and body, in ways that are
// right and wrong. Returns the errors.
class Run {
 public:
  explicit Run(const Stack& stack)
      : stack_(stack), document_(json::parse(stack.Send({.target = "/openapi.json"}).body)) {}

  void Everything(const std::string& key, const std::string& token) {
    for (const auto& [path, item] : document_.at("paths").as_object()) {
      std::string target =
          absl::StrReplaceAll(std::string(path), {{"{project_id}", stack_.tenant().project_id},
                                                  {"{prompt_slug}", "support-bot"},
                                                  {"{slug}", kName},
                                                  {"{entity_type}", "span"}});
      for (size_t open = target.find('{'); open != std::string::npos; open = target.find('{')) {
        target.replace(open, target.find('}') - open + 1, kCanary);
      }
      for (const auto& [verb, operation] : item.as_object()) {
        if (!operation.is_object() || !operation.as_object().contains("responses")) continue;
        const std::string method = absl::AsciiStrToUpper(std::string(verb));
        std::string body;
        if (const auto example = ExampleBody(operation)) {
          body = json::serialize(*example);
          for (const char* canary : {kCanary, kMail}) {
            for (const std::string& texts : WithCanary(*example, canary)) {
              REQUIRE(absl::StrContains(texts, canary) == absl::StrContains(body, ":\""));
              Send(method, target, key, texts);
            }
          }
        }
        Send(method, target, key, body);
        Send(method, target, key,
             absl::StrCat(R"({"reason":")", kCanary, R"(",")", kName, R"(":")", kMail, "\""));
        Send(method, target, key, absl::StrCat(R"({")", kName, R"(":")", kCanary, R"("})"));
        Send(method, absl::StrCat(target, "?token=", token, "&", kName, "=", kCanary), key, body);
        Send(method, target, kCanary, body);
        Send(method, target, token, body);
        Send(method, absl::StrCat(target, "/", kCanary, "/%00"), key, body);
      }
    }
  }

  void Send(const std::string& method, const std::string& target, const std::string& credential,
            const std::string& body) {
    const HttpResponse response =
        stack_.Send({.method = method,
                     .target = target,
                     .headers = {{"Authorization", "Bearer " + credential},
                                 {"Content-Type", "application/json"},
                                 {"Idempotency-Key", absl::StrCat(kCanary, refused, "-", taken)},
                                 {"If-None-Match", absl::StrCat("\"", kCanary, "\"")},
                                 {"Cookie", kCanary},
                                 {"X-Forwarded-For", kCanary}},
                     .body = body});
    if (response.status >= 400) errors += response.body;
    ++(response.status >= 400 ? refused : taken);
  }

  std::string errors;
  int refused = 0;
  int taken = 0;

 private:
  const Stack& stack_;
  const json::value document_;
};

HttpRequest Post(const Stack& stack, const std::string& target, const std::string& body) {
  return {.method = "POST",
          .target = target,
          .headers = {{"Authorization", "Bearer " + stack.tenant().key}},
          .body = body};
}

std::string Mint(const Stack& stack) {
  const HttpResponse minted =
      stack.Send(Post(stack, "/api/v1/feedback/token",
                      absl::StrCat(R"({"resource_type":"trace","resource_id":")", kCanary,
                                   R"(","subject":{"id":")", kCanary, R"(","email":")", kMail, R"("}})")));
  REQUIRE(minted.status == 200);
  return std::string(json::parse(minted.body).at("token").as_string());
}

std::string Redemption(const std::string& token, const std::string& value) {
  return absl::StrCat(R"({"token":")", token, R"(","thumbs_up":)", value, R"(,"reason":")", kCanary, R"("})");
}

void CheckHasNone(const std::string& text, const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets) {
    const size_t at = text.find(secret);
    INFO(secret << " in " << (at == std::string::npos ? "" : text.substr(at < 300 ? 0 : at - 300, 600)));
    CHECK(at == std::string::npos);
  }
}

TEST_CASE("no token, key, connection string, e-mail or body is in a log, a metric or an error") {
  Stack stack({{"token", {"--rate-limit-per-key=0"}},
               {"feedback", {"--rate-limit-per-key=0"}},
               {"aggregator", {"--rate-limit-per-key=0"}}});
  stack.keyset().Publish({{"keyset.json", R"({"primary":"canary","keys":{"canary":{"state":"active"}}})"},
                          {"canary", kSigningKey}});
  for (const char* name : {"token", "feedback"}) {
    Await("the key", [&] {
      return absl::StrContains(stack.AdminPage(name, "/metrics"),
                               R"(verdict_keyset_primary_info{kid="canary"} 1)");
    });
  }
  Run run(stack);
  const std::string key = stack.CtlField({"key", "create", "--project", stack.tenant().project_id, "--user",
                                          stack.tenant().user_id, "--scopes", "token,write,read,erase"},
                                         "key");
  const std::string token = Mint(stack);
  REQUIRE(absl::StartsWith(token, "fbt1.canary."));
  // Again, what was made exists already.
  for (int i = 0; i < 2; ++i) run.Everything(key, token);
  // A token's life: used, used again, and with what is wrong.
  for (const char* value : {"true", "true", "false", "\"canary7f3a\"", "\"mail-canary7f3a@example.com\""}) {
    run.Send("POST", "/api/v1/feedback", token, Redemption(token, value));
  }
  for (int i = 0; i < 2; ++i) {
    run.errors +=
        stack.Ctl({"user", "create", "--org", stack.tenant().org_id, "--email", kMail, "--name", "n"}).err;
  }
  stack.Ctl({"token", "verify", token});
  stack.Ctl({"token", "verify", token + kCanary});
  CHECK(run.taken > 100);
  CHECK(run.refused > 300);

  // The database refuses what we let through, and then is away: such errors have causes, and causes values.
  const std::string vote = absl::StrCat("/v1/prompts/support-bot/completions/", kCanary, "/feedback");
  const std::string voted = absl::StrCat(R"({"thumbs_up":true,"reason":")", kCanary, R"("})");
  stack.database().Query(
      "alter table feedback add constraint no_canary check (reason not like '%canary%') not valid");
  const HttpResponse broken = stack.Send(Post(stack, vote, voted));
  CHECK(broken.status == 500);
  run.errors += broken.body;
  stack.database().Query("alter table feedback drop constraint no_canary");
  stack.database().Query("alter table feedback rename to feedback_elsewhere");
  for (const HttpRequest& request :
       {Post(stack, vote, voted), HttpRequest{.target = absl::StrCat("/projects/", stack.tenant().project_id,
                                                                     "/feedback/span/", kCanary),
                                              .headers = {{"x-api-key", key}}}}) {
    const HttpResponse away = stack.Send(request);
    CHECK(away.status == 500);
    run.errors += away.body;
  }

  std::string metrics;
  for (const char* name : kProcesses) {
    for (const char* page : {"/metrics", "/healthz", "/readyz"}) metrics += stack.AdminPage(name, page);
  }
  for (const char* name : kProcesses) CHECK(stack.Stop(name, SIGTERM) == 0);

  std::vector<std::string> secrets = {kName,
                                      kCanary,
                                      "@example.com",
                                      token,
                                      "fbt1.",
                                      key,
                                      "password=",
                                      stack.tenant().key,
                                      kSigningKey,
                                      absl::BytesToHexString(kSigningKey),
                                      absl::Base64Escape(kSigningKey),
                                      stack.Environment().at("VERDICT_ADMIN_KEY")};
  for (const char* role : {"token", "feedback", "aggregator"}) secrets.push_back(stack.database().Dsn(role));
  const std::string logs = stack.Logs();
  CheckHasNone(logs, secrets);
  CheckHasNone(metrics, secrets);
  secrets.erase(secrets.begin());
  CheckHasNone(run.errors, secrets);
  // The controls: there was something to find.
  CHECK(absl::StrContains(logs, "\"message\":\"rpc\""));
  CHECK(absl::StrContains(logs, "no_canary"));
  CHECK(absl::StrContains(metrics, "verdict_rpc_total"));
  CHECK(absl::StrContains(run.errors, "VALIDATION_ERROR"));
  CHECK(absl::StrContains(run.errors, "ALREADY_EXISTS"));
  CHECK(absl::StrContains(run.errors, "a user with this e-mail address already"));
  CHECK(absl::StrContains(run.errors, kName));
}

// A folder that core files come to and are allowed in, while it lives.
class CoreFolder {
 public:
  CoreFolder() {
    char folder[] = "/tmp/verdict-core-XXXXXX";
    if (mkdtemp(folder) == nullptr) throw std::runtime_error("mkdtemp failed");
    folder_ = folder;
    std::filesystem::current_path(folder_);
    getrlimit(RLIMIT_CORE, &limit_);
    const rlimit allowed = {.rlim_cur = limit_.rlim_max, .rlim_max = limit_.rlim_max};
    setrlimit(RLIMIT_CORE, &allowed);
  }
  ~CoreFolder() {
    setrlimit(RLIMIT_CORE, &limit_);
    std::error_code ignored;
    std::filesystem::current_path(before_, ignored);
    std::filesystem::remove_all(folder_, ignored);
  }
  CoreFolder(const CoreFolder&) = delete;
  CoreFolder& operator=(const CoreFolder&) = delete;

  std::vector<std::filesystem::path> Files() const {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (absl::StartsWith(entry.path().filename().string(), "core")) files.push_back(entry.path());
    }
    return files;
  }
  rlim_t size_max() const { return limit_.rlim_max; }

 private:
  const std::filesystem::path before_ = std::filesystem::current_path();
  std::filesystem::path folder_;
  rlimit limit_ = {};
};

TEST_CASE("a process of ours that crashes leaves no image of its memory") {
  const CoreFolder folder;
  {
    Stack stack;
    for (const char* name : kProcesses) {
      INFO(name);
      std::ifstream limits(absl::StrCat("/proc/", stack.process(name).pid(), "/limits"));
      std::string line;
      while (std::getline(limits, line) && !absl::StartsWith(line, "Max core file size")) continue;
      CHECK(absl::StartsWith(line, "Max core file size        1                    1 "));
      CHECK(stack.Stop(name, SIGQUIT) == 128 + SIGQUIT);
    }
    CHECK(folder.Files().empty());
  }
  // The control, where this machine writes core files and allows them.
  std::string pattern;
  std::ifstream("/proc/sys/kernel/core_pattern") >> pattern;
  if (pattern == "core" && folder.size_max() > 1 << 20) {
    Process other({"/bin/sleep", "60"}, "sleep.log");
    other.Signal(SIGQUIT);
    other.Wait();
    CHECK(folder.Files().size() == 1);
  }
}

}  // namespace
}  // namespace verdict::test
