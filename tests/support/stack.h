#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/token/test_keyset.h"
#include "tests/support/database.h"
#include "tests/support/http_client.h"
#include "tests/support/process.h"

namespace verdict::test {

// A project with a user, a prompt `support-bot` and an API key.
struct Tenant {
  std::string org_id;
  std::string project_id;
  std::string user_id;
  std::string key_id;
  std::string key;
};

// The whole product: a database of its own, the three services and the gateway as processes on free ports,
// as `./dev run` starts them. Everything ends with this object. Throws std::exception when a part does not
// come up, with the end of its log.
class Stack {
 public:
  // Flags of one process, by the names token, feedback, aggregator and gateway.
  using Flags = std::map<std::string, std::vector<std::string>>;

  explicit Stack(Flags flags = {});
  ~Stack();

  // The first tenant, made at the start.
  const Tenant& tenant() const { return tenant_; }
  // Another one, in an organization of its own.
  Tenant NewTenant(const std::string& name);

  int port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  const TestDatabase& database() const { return database_; }

  // The directory of signing keys, which the token and the feedback service share.
  token::TestKeySet& keyset() { return keyset_; }

  // The page at `path` on the admin port of one of the processes.
  std::string AdminPage(const std::string& name, const std::string& path) const;

  // One request on a connection of its own.
  HttpResponse Send(const HttpRequest& request) const { return HttpClient(port_).Send(request); }

  // Runs verdictctl with the stack's addresses and admin key.
  Finished Ctl(const std::vector<std::string>& arguments) const;
  // The same with --json, for a command that must succeed; the member `field` of the object it prints.
  std::string CtlField(std::vector<std::string> arguments, const std::string& field) const;

  // What a shell needs to talk to the stack, as `.verdict/env` has it; and VERDICT_GATEWAY_PID and so on, the
  // processes.
  std::map<std::string, std::string> Environment() const;

  // The process by its name, while it runs.
  const Process& process(const std::string& name) const { return *processes_.at(name); }

  // Sends a signal to a process, waits for its end, and returns its exit code.
  int Stop(const std::string& name, int signal);
  // Starts a stopped process again, on the ports it had, and waits until the gateway, if it runs, is ready.
  void Start(const std::string& name);
  void AwaitReady() const;

  // Everything that the processes have logged.
  std::string Logs() const;

 private:
  void EndOrderly();
  void Launch(const std::string& name);
  std::string Address(const std::string& name) const;
  std::filesystem::path File(const std::string& name) const { return folder_ / name; }

  TestDatabase database_;
  token::TestKeySet keyset_;
  Flags flags_;
  std::filesystem::path folder_;
  std::map<std::string, std::unique_ptr<Process>> processes_;
  std::map<std::string, std::map<std::string, std::string>> addresses_;  // of each process: listen, admin
  int port_ = 0;
  Tenant tenant_;
};

}  // namespace verdict::test
