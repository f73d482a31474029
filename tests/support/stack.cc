#include "tests/support/stack.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <boost/json/parse.hpp>

#include "absl/strings/ascii.h"
#include "tests/support/await.h"
#include "tests/support/sanitized.h"

namespace verdict::test {
namespace {

// The environment that ctest sets (cmake/Verdict.cmake).
std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) throw std::runtime_error(std::string(name) + " is not set: run the tests with ctest");
  return value;
}

std::filesystem::path NewFolder() {
  char folder[] = "/tmp/verdict-stack-XXXXXX";
  if (mkdtemp(folder) == nullptr) throw std::runtime_error("mkdtemp failed");
  return folder;
}

void Write(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
  std::filesystem::permissions(path,
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

std::string Read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

Stack::Stack(Flags flags) : flags_(std::move(flags)), folder_(NewFolder()) {
  Write(File("admin.key"), "admin-key-of-a-test-stack-0123456789");
  for (const char* role : {"token", "feedback", "aggregator"}) {
    Write(File(std::string(role) + ".dsn"), database_.Dsn(role));
  }
  for (const char* name : {"token", "feedback", "aggregator", "gateway"}) Launch(name);
  port_ = std::stoi(Address("gateway").substr(Address("gateway").rfind(':') + 1));
  AwaitReady();
  tenant_ = NewTenant("first");
}

Stack::~Stack() {
  // What a sanitizer has to say of a process it says at the end: a process that is killed takes it along.
  if (kSanitized) EndOrderly();
  for (const char* name : {"gateway", "aggregator", "feedback", "token"}) processes_.erase(name);
  std::filesystem::remove_all(folder_);
}

void Stack::EndOrderly() {
  for (const char* name : {"gateway", "aggregator", "feedback", "token"}) {
    if (!processes_.contains(name)) continue;
    const int exit_code = Stop(name, SIGTERM);
    if (exit_code == 0) continue;
    std::fprintf(stderr, "%s ended with %d:\n%s\n", name, exit_code, Logs().c_str());
    std::abort();
  }
}

std::string Stack::Address(const std::string& name) const { return addresses_.at(name).at("listen"); }

std::string Stack::AdminPage(const std::string& name, const std::string& path) const {
  const std::string& address = addresses_.at(name).at("admin");
  return HttpClient(std::stoi(address.substr(address.rfind(':') + 1))).Send({.target = path}).body;
}

void Stack::Launch(const std::string& name) {
  // A process that comes back keeps its ports: others know them.
  auto& addresses = addresses_[name];
  const auto address = [&](const char* kind) {
    return addresses.contains(kind) ? addresses[kind] : std::string("127.0.0.1:0");
  };
  const std::string address_file = File(name + ".address");
  std::filesystem::remove(address_file);
  std::vector<std::string> command = {Variable("VERDICT_BIN") + "/verdict-" + name,
                                      "--listen=" + address("listen"), "--admin-listen=" + address("admin"),
                                      "--address-file=" + address_file};
  if (name == "gateway") {
    for (const char* service : {"token", "feedback", "aggregator"}) {
      command.push_back("--" + std::string(service) + "-address=" + Address(service));
    }
  } else {
    command.push_back("--database-dsn-file=" + File(name + ".dsn").string());
  }
  if (name == "token") command.push_back("--admin-key-file=" + File("admin.key").string());
  if (name == "token" || name == "feedback")
    command.push_back("--keyset-dir=" + keyset_.directory().string());
  if (name == "feedback" || name == "aggregator") command.push_back("--token-address=" + Address("token"));
  for (const std::string& flag : flags_[name]) command.push_back(flag);

  auto& process = processes_[name] = std::make_unique<Process>(command, File(name + ".log"));
  Await(name + " to serve", [&] {
    if (!process->Running()) throw std::runtime_error(name + " ended:\n" + Read(File(name + ".log")));
    return std::filesystem::exists(address_file);
  });
  std::ifstream lines(address_file);
  for (std::string line; std::getline(lines, line);) {
    const auto equals = line.find('=');
    addresses[line.substr(0, equals)] = line.substr(equals + 1);
  }
}

void Stack::AwaitReady() const {
  try {
    Await("the stack to be ready", [this] {
      try {
        return Send({.target = "/readyz"}).status == 200;
      } catch (const std::exception&) {
        return false;
      }
    });
  } catch (const std::exception& error) {
    throw std::runtime_error(error.what() + ("\n" + Logs()));
  }
}

int Stack::Stop(const std::string& name, int signal) {
  Process& process = *processes_.at(name);
  process.Signal(signal);
  const int exit_code = process.Wait();
  processes_.erase(name);
  return exit_code;
}

void Stack::Start(const std::string& name) {
  Launch(name);
  if (processes_.contains("gateway")) AwaitReady();
}

std::string Stack::Logs() const {
  std::string logs;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (entry.path().extension() == ".log") logs += Read(entry.path());
  }
  return logs;
}

std::map<std::string, std::string> Stack::Environment() const {
  std::map<std::string, std::string> variables = {{"VERDICT_URL", url()},
                                                  {"VERDICT_API_KEY", tenant_.key},
                                                  {"VERDICT_PROJECT_ID", tenant_.project_id},
                                                  {"VERDICT_ORG_ID", tenant_.org_id},
                                                  {"VERDICT_DATABASE_URL", database_.Dsn("owner")},
                                                  {"VERDICT_TOKEN_ADDR", Address("token")},
                                                  {"VERDICT_FEEDBACK_ADDR", Address("feedback")},
                                                  {"VERDICT_AGGREGATOR_ADDR", Address("aggregator")},
                                                  {"VERDICT_ADMIN_KEY", Read(File("admin.key"))}};
  for (const auto& [name, process] : processes_) {
    variables["VERDICT_" + absl::AsciiStrToUpper(name) + "_PID"] = std::to_string(process->pid());
  }
  return variables;
}

Finished Stack::Ctl(const std::vector<std::string>& arguments) const {
  std::vector<std::string> command = {Variable("VERDICT_BIN") + "/verdictctl"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return Run(command, Environment());
}

std::string Stack::CtlField(std::vector<std::string> arguments, const std::string& field) const {
  arguments.emplace_back("--json");
  const Finished finished = Ctl(arguments);
  if (finished.exit_code != 0) {
    throw std::runtime_error("verdictctl " + arguments[0] + " " + arguments[1] + ": " + finished.err);
  }
  return std::string(boost::json::parse(finished.out).at(field).as_string());
}

Tenant Stack::NewTenant(const std::string& name) {
  Tenant tenant;
  tenant.org_id = CtlField({"org", "create", name}, "id");
  tenant.project_id = CtlField({"project", "create", "--org", tenant.org_id, name}, "id");
  tenant.user_id = CtlField(
      {"user", "create", "--org", tenant.org_id, "--email", name + "@example.com", "--name", name}, "id");
  CtlField({"prompt", "create", "--project", tenant.project_id, "support-bot"}, "id");
  const Finished key =
      Ctl({"key", "create", "--project", tenant.project_id, "--user", tenant.user_id, "--json"});
  const auto object = boost::json::parse(key.out);
  tenant.key_id = std::string(object.at("id").as_string());
  tenant.key = std::string(object.at("key").as_string());
  return tenant;
}

}  // namespace verdict::test
