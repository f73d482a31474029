#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/status/error.h"
#include "common/status/grpc_status.h"
#include "verdict/aggregator/v1/aggregator_service.grpc.pb.h"
#include "verdict/feedback/v1/feedback_service.grpc.pb.h"
#include "verdict/feedback/v1/judge_service.grpc.pb.h"
#include "verdict/feedback/v1/prompt_service.grpc.pb.h"
#include "verdict/token/v1/identity_service.grpc.pb.h"
#include "verdict/token/v1/token_service.grpc.pb.h"

namespace verdict::cli {
namespace {

namespace json = boost::json;

constexpr char kId[] = "0190a5c2-7d3e-7a11-8f00-3b1c5d7e9f10";

// The metadata of the last call that a played service got.
class Seen {
 public:
  void Note(const grpc::ServerContext* context) {
    absl::MutexLock lock(&mutex_);
    ++calls_;
    metadata_.clear();
    for (const auto& [name, value] : context->client_metadata()) {
      metadata_.emplace(std::string(name.data(), name.size()), std::string(value.data(), value.size()));
    }
  }
  std::string Metadata(const std::string& name) const {
    absl::MutexLock lock(&mutex_);
    const auto found = metadata_.find(name);
    return found == metadata_.end() ? "(none)" : found->second;
  }
  int calls() const {
    absl::MutexLock lock(&mutex_);
    return calls_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::map<std::string, std::string> metadata_ ABSL_GUARDED_BY(mutex_);
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

class PlayedIdentity final : public token::v1::IdentityService::Service {
 public:
  explicit PlayedIdentity(Seen& seen) : seen_(seen) {}

  grpc::Status CreateOrganization(grpc::ServerContext* context,
                                  const token::v1::CreateOrganizationRequest* request,
                                  token::v1::CreateOrganizationResponse* response) override {
    seen_.Note(context);
    response->mutable_organization()->set_id(kId);
    response->mutable_organization()->set_name(request->name());
    return grpc::Status::OK;
  }

  // Five organizations on three pages.
  grpc::Status ListOrganizations(grpc::ServerContext* context,
                                 const token::v1::ListOrganizationsRequest* request,
                                 token::v1::ListOrganizationsResponse* response) override {
    seen_.Note(context);
    const int first = request->page_token().empty() ? 0 : std::stoi(request->page_token());
    for (int i = first; i < std::min(first + 2, 5); ++i) {
      response->add_organizations()->set_id("org-" + std::to_string(i));
    }
    if (first + 2 < 5) response->set_next_page_token(std::to_string(first + 2));
    return grpc::Status::OK;
  }

  grpc::Status CreateProject(grpc::ServerContext* context, const token::v1::CreateProjectRequest*,
                             token::v1::CreateProjectResponse*) override {
    seen_.Note(context);
    return ToGrpc(MakeError(errors::v1::REASON_ORGANIZATION_NOT_FOUND, "No organization of this id."));
  }

  grpc::Status CreateUser(grpc::ServerContext*, const token::v1::CreateUserRequest*,
                          token::v1::CreateUserResponse*) override {
    return ToGrpc(ValidationError({{"email", "email is longer than 254 bytes."}}));
  }

  grpc::Status CreateKey(grpc::ServerContext* context, const token::v1::CreateKeyRequest* request,
                         token::v1::CreateKeyResponse* response) override {
    seen_.Note(context);
    response->mutable_key()->set_id(kId);
    response->mutable_key()->set_project_id(request->project_id());
    *response->mutable_key()->mutable_scopes() = request->scopes();
    response->set_secret("vk_secret");
    return grpc::Status::OK;
  }

  // Never answers.
  grpc::Status ListProjects(grpc::ServerContext* context, const token::v1::ListProjectsRequest*,
                            token::v1::ListProjectsResponse*) override {
    while (!context->IsCancelled()) absl::SleepFor(absl::Milliseconds(5));
    return grpc::Status::CANCELLED;
  }

 private:
  Seen& seen_;
};

class PlayedTokens final : public token::v1::TokenService::Service {
 public:
  explicit PlayedTokens(Seen& seen) : seen_(seen) {}

  grpc::Status MintToken(grpc::ServerContext* context, const token::v1::MintTokenRequest*,
                         token::v1::MintTokenResponse* response) override {
    seen_.Note(context);
    response->set_token("fbt1.k1.x.y");
    response->set_id(kId);
    return grpc::Status::OK;
  }

  grpc::Status RevokeToken(grpc::ServerContext* context, const token::v1::RevokeTokenRequest*,
                           token::v1::RevokeTokenResponse*) override {
    seen_.Note(context);
    return grpc::Status::OK;
  }

  grpc::Status RevokeAllTokens(grpc::ServerContext* context, const token::v1::RevokeAllTokensRequest*,
                               token::v1::RevokeAllTokensResponse* response) override {
    seen_.Note(context);
    response->mutable_tokens_valid_after()->set_seconds(1'767'225'600);
    return grpc::Status::OK;
  }

 private:
  Seen& seen_;
};

class PlayedAggregator final : public aggregator::v1::AggregatorService::Service {
 public:
  grpc::Status GetEntityFeedback(
      grpc::ServerContext*, const aggregator::v1::GetEntityFeedbackRequest* request,
      grpc::ServerWriter<aggregator::v1::GetEntityFeedbackResponse>* writer) override {
    aggregator::v1::GetEntityFeedbackResponse head;
    head.set_entity_type(request->entity_type());
    head.set_entity_id(request->entity_id());
    head.mutable_summary()->set_total(2);
    writer->Write(head);
    for (const char* id : {"one", "two"}) {
      aggregator::v1::GetEntityFeedbackResponse part;
      part.add_items()->set_id(id);
      writer->Write(part);
    }
    return grpc::Status::OK;
  }

  // Two messages of two items each; then it fails, when it is asked for user "flaky".
  grpc::Status ExportFeedback(grpc::ServerContext*, const aggregator::v1::ExportFeedbackRequest* request,
                              grpc::ServerWriter<aggregator::v1::ExportFeedbackResponse>* writer) override {
    for (const auto& [first, second] : {std::pair("a", "b"), std::pair("c", "d")}) {
      aggregator::v1::ExportFeedbackResponse part;
      part.add_items()->set_id(first);
      part.add_items()->set_id(second);
      writer->Write(part);
    }
    if (request->user_id() != "flaky") return grpc::Status::OK;
    return ToGrpc(MakeError(errors::v1::REASON_UNAVAILABLE, "The database cannot be reached."));
  }
};

class PlayedFeedback final : public feedback::v1::FeedbackService::Service {
 public:
  explicit PlayedFeedback(Seen& seen) : seen_(seen) {}

  grpc::Status DeleteFeedback(grpc::ServerContext* context, const feedback::v1::DeleteFeedbackRequest*,
                              feedback::v1::DeleteFeedbackResponse*) override {
    seen_.Note(context);
    return grpc::Status::OK;
  }
  grpc::Status EraseUser(grpc::ServerContext* context, const feedback::v1::EraseUserRequest* request,
                         feedback::v1::EraseUserResponse* response) override {
    seen_.Note(context);
    response->set_feedback_count(static_cast<int>(request->user_id().size()));
    return grpc::Status::OK;
  }

 private:
  Seen& seen_;
};

class PlayedJudges final : public feedback::v1::JudgeService::Service {
 public:
  grpc::Status CreateJudge(grpc::ServerContext*, const feedback::v1::CreateJudgeRequest* request,
                           feedback::v1::CreateJudgeResponse* response) override {
    response->mutable_judge()->set_id(kId);
    response->mutable_judge()->set_name(request->name());
    *response->mutable_judge()->mutable_criteria() = request->criteria();
    return grpc::Status::OK;
  }
};

class PlayedPrompts final : public feedback::v1::PromptService::Service {
 public:
  explicit PlayedPrompts(Seen& seen) : seen_(seen) {}

  grpc::Status EnsurePromptVersion(grpc::ServerContext* context,
                                   const feedback::v1::EnsurePromptVersionRequest* request,
                                   feedback::v1::EnsurePromptVersionResponse* response) override {
    seen_.Note(context);
    response->mutable_prompt_version()->set_prompt(request->slug());
    response->mutable_prompt_version()->set_content(request->content());
    response->mutable_prompt_version()->set_model(request->model_id());
    return grpc::Status::OK;
  }
  grpc::Status GetPrompt(grpc::ServerContext* context, const feedback::v1::GetPromptRequest* request,
                         feedback::v1::GetPromptResponse* response) override {
    seen_.Note(context);
    response->mutable_prompt_version()->set_version(request->version());
    response->mutable_prompt_version()->set_tag(request->tag());
    response->mutable_prompt_version()->set_metadata(R"({"prompt_slug": "faq"})");
    return grpc::Status::OK;
  }
  grpc::Status ListPromptVersions(grpc::ServerContext* context,
                                  const feedback::v1::ListPromptVersionsRequest* request,
                                  feedback::v1::ListPromptVersionsResponse* response) override {
    seen_.Note(context);
    for (const int version : {2, 1}) {
      response->add_versions()->set_version(version);
      response->mutable_versions()->rbegin()->set_project_id(request->project_id());
    }
    return grpc::Status::OK;
  }
  grpc::Status PinPromptTag(grpc::ServerContext* context, const feedback::v1::PinPromptTagRequest* request,
                            feedback::v1::PinPromptTagResponse* response) override {
    seen_.Note(context);
    response->mutable_tag()->set_tag(request->slug() + "/" + request->tag());
    response->mutable_tag()->set_version(request->version());
    return grpc::Status::OK;
  }

 private:
  Seen& seen_;
};

// A folder that goes with the test.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& name)
      : path_(std::filesystem::temp_directory_path() /
              ("verdictctl_test_" + name + "_" + std::to_string(getpid()))) {
    std::filesystem::create_directory(path_);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  const std::filesystem::path path_;
};

// What a run of the program left behind.
struct Outcome {
  int exit_code = -1;
  std::string out = {};
  std::string err = {};
};

std::string ReadAll(int descriptor) {
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t n = 0; (n = read(descriptor, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<size_t>(n));
  }
  close(descriptor);
  return text;
}

// Runs verdictctl with this environment and no other, and with `input` (a file's name) as its standard input.
// Its output must fit a pipe (64 KiB).
Outcome Run(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
            const std::string& input = "/dev/null") {
  const auto pointers = [](const std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
    result.push_back(nullptr);
    return result;
  };
  std::vector<std::string> line = {VERDICTCTL};
  line.insert(line.end(), arguments.begin(), arguments.end());
  std::array<int, 2> out;
  std::array<int, 2> err;
  REQUIRE(pipe2(out.data(), O_CLOEXEC) == 0);
  REQUIRE(pipe2(err.data(), O_CLOEXEC) == 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
  pid_t child = 0;
  REQUIRE(posix_spawn(&child, VERDICTCTL, &actions, nullptr, pointers(line).data(),
                      pointers(environment).data()) == 0);
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  close(err[1]);
  Outcome outcome = {.out = ReadAll(out[0]), .err = ReadAll(err[0])};
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

// The services, played on one port.
class Services {
 public:
  Services() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&identity_);
    builder.RegisterService(&tokens_);
    builder.RegisterService(&aggregator_);
    builder.RegisterService(&feedback_);
    builder.RegisterService(&judges_);
    builder.RegisterService(&prompts_);
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
  }

  Outcome Ctl(const std::vector<std::string>& arguments, const std::string& input = "/dev/null") const {
    return Run(arguments,
               {"VERDICT_TOKEN_ADDR=" + address_, "VERDICT_AGGREGATOR_ADDR=" + address_,
                "VERDICT_FEEDBACK_ADDR=" + address_, "VERDICT_ADMIN_KEY=admin-secret"},
               input);
  }

  const Seen& seen() const { return seen_; }
  const std::string& address() const { return address_; }

 private:
  Seen seen_;
  PlayedIdentity identity_{seen_};
  PlayedTokens tokens_{seen_};
  PlayedAggregator aggregator_;
  PlayedFeedback feedback_{seen_};
  PlayedJudges judges_;
  PlayedPrompts prompts_{seen_};
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_CASE("help goes to standard output, wrong usage to standard error") {
  const Outcome help = Run({"--help"}, {});
  CHECK(help.exit_code == 0);
  CHECK_THAT(help.out, Catch::Contains("key create"));
  CHECK(help.err.empty());
  CHECK(Run({"key", "create", "--help"}, {}).exit_code == 0);

  const Outcome nothing = Run({}, {});
  CHECK(nothing.exit_code == 2);
  CHECK(nothing.out.empty());
  CHECK(nothing.err == "verdictctl: A command is needed. See `verdictctl --help`.\n");
}

TEST_CASE("a new thing's id is the JSON object's id") {
  Services services;
  const Outcome created = services.Ctl({"org", "create", "Acme", "--json"});
  CHECK(created.exit_code == 0);
  CHECK(created.err.empty());
  const json::value organization = json::parse(created.out);
  CHECK(organization.at("id") == kId);
  CHECK(organization.at("name") == "Acme");
  CHECK(services.seen().Metadata("authorization") == "Bearer admin-secret");
  CHECK(services.seen().Metadata("verdict-project") == "(none)");
}

TEST_CASE("for people it is a table, and what comes next is said beside it") {
  Services services;
  const Outcome created = services.Ctl({"org", "create", "Acme"});
  CHECK(created.exit_code == 0);
  CHECK(created.out == "id    0190a5c2-7d3e-7a11-8f00-3b1c5d7e9f10\nname  Acme\n");
  CHECK_THAT(created.err, Catch::StartsWith("Next: "));
}

TEST_CASE("a new key's text is shown") {
  Services services;
  const Outcome created =
      services.Ctl({"key", "create", "--project", kId, "--user", kId, "--scopes", "token,read", "--json"});
  CHECK(created.out ==
        "{\"id\":\"0190a5c2-7d3e-7a11-8f00-3b1c5d7e9f10\",\"key\":\"vk_secret\","
        "\"project_id\":\"0190a5c2-7d3e-7a11-8f00-3b1c5d7e9f10\",\"user_id\":\"\","
        "\"scopes\":[\"token\",\"read\"]}\n");
  CHECK(services.seen().Metadata("verdict-project") == "(none)");
}

TEST_CASE("calls on a project's data name the project in their metadata") {
  Services services;
  const Outcome minted =
      services.Ctl({"token", "mint", "--project", kId, "--type", "span", "--id", "s", "--json"});
  CHECK(minted.exit_code == 0);
  CHECK(json::parse(minted.out).at("id") == kId);
  CHECK(services.seen().Metadata("verdict-project") == kId);
}

TEST_CASE("lists follow their pages to the end") {
  Services services;
  const Outcome listed = services.Ctl({"org", "list", "--json"});
  const json::value all = json::parse(listed.out);
  CHECK(all.as_object().size() == 1);
  const json::array& organizations = all.at("organizations").as_array();
  REQUIRE(organizations.size() == 5);
  for (size_t i = 0; i < 5; ++i)
    CHECK(organizations[i].at("id").as_string() == json::string("org-" + std::to_string(i)));
  CHECK(services.seen().calls() == 3);
}

TEST_CASE("one token is revoked by its id, all by a flag") {
  Services services;
  CHECK(services.Ctl({"token", "revoke", "--project", kId, kId, "--json"}).out ==
        "{\"id\":\"0190a5c2-7d3e-7a11-8f00-3b1c5d7e9f10\"}\n");
  CHECK(services.seen().Metadata("verdict-project") == kId);
  CHECK(services.Ctl({"token", "revoke", "--project", kId, "--all", "--json"}).out ==
        "{\"tokens_valid_after\":\"2026-01-01T00:00:00.000Z\"}\n");
  CHECK(services.seen().Metadata("verdict-project") == "(none)");
}

TEST_CASE("a streamed read prints as one object") {
  Services services;
  const Outcome read =
      services.Ctl({"feedback", "list", "--project", kId, "--type", "eval_run", "--id", "run 1", "--json"});
  const json::value feedback = json::parse(read.out);
  CHECK(feedback.at("entity_type") == "eval_run");
  CHECK(feedback.at("entity_id") == "run 1");
  CHECK(feedback.at("summary").at("total") == 2);
  CHECK(feedback.at("items").as_array().size() == 2);
}

TEST_CASE("an export is one JSON object a line, and one that breaks off says so") {
  Services services;
  const Outcome exported = services.Ctl({"feedback", "export", "--project", kId});
  CHECK(exported.exit_code == 0);
  std::string ids;
  std::istringstream lines(exported.out);
  for (std::string line; std::getline(lines, line);) ids += json::parse(line).at("id").as_string();
  CHECK(ids == "abcd");

  const Outcome broken = services.Ctl({"feedback", "export", "--project", kId, "--user", "flaky"});
  CHECK(broken.exit_code == 4);
  CHECK_THAT(broken.err, Catch::StartsWith("verdictctl: UNAVAILABLE: "));
}

TEST_CASE("a record is deleted by its id, an end user erased by theirs") {
  Services services;
  CHECK(services.Ctl({"feedback", "delete", "--project", kId, kId, "--json"}).out ==
        "{\"id\":\"0190a5c2-7d3e-7a11-8f00-3b1c5d7e9f10\"}\n");
  CHECK(services.seen().Metadata("verdict-project") == kId);
  CHECK(services.Ctl({"user", "erase", "--project", kId, "user-123", "--json"}).out ==
        "{\"feedback_count\":8,\"revision_count\":0,\"claim_count\":0}\n");
}

TEST_CASE("a judge's criteria are words between commas") {
  Services services;
  const Outcome created = services.Ctl({"judge", "create", "--project", kId, "--name", "Tone", "--type",
                                        "scored", "--criteria", "clarity,wit", "--json"});
  CHECK(created.exit_code == 0);
  const json::value judge = json::parse(created.out);
  CHECK(judge.at("id") == kId);
  CHECK(json::serialize(judge.at("criteria")) == R"([{"key":"clarity"},{"key":"wit"}])");
}

TEST_CASE("a prompt's text comes from a file or standard input") {
  Services services;
  const TemporaryFolder folder("prompts");
  const std::string file = folder.path() / "prompt.txt";
  constexpr char kText[] = "You are \"kind\".\r\n\tAnswer {{name}}.\n";
  std::ofstream(file) << kText;
  const std::vector<std::string> ensure = {"prompt", "ensure", "--project", kId,
                                           "faq",    "--json", "--content"};
  const auto with = [&](const std::string& content) {
    std::vector<std::string> line = ensure;
    line.push_back(content);
    return line;
  };
  for (const Outcome& ensured : {services.Ctl(with(file)), services.Ctl(with("-"), file)}) {
    CHECK(ensured.exit_code == 0);
    const json::value version = json::parse(ensured.out);
    CHECK(version.at("prompt") == "faq");
    CHECK(version.at("content") == kText);
    CHECK(services.seen().Metadata("verdict-project") == kId);
  }
  CHECK(json::parse(services.Ctl(with("-")).out).at("content") == "");
  std::vector<std::string> with_model = with(file);
  with_model.insert(with_model.end(), {"--model", "gpt-4o-mini"});
  CHECK(json::parse(services.Ctl(with_model).out).at("model") == "gpt-4o-mini");

  const std::string large = folder.path() / "large";
  std::ofstream(large) << std::string((1 << 20) + 1, 'x');
  const int calls = services.seen().calls();
  for (const std::string& content : {std::string(folder.path()), std::string(folder.path() / "missing"),
                                     large, std::string("/dev/zero")}) {
    const Outcome refused = services.Ctl(with(content));
    CHECK(refused.exit_code == 2);
    CHECK(refused.err ==
          "verdictctl: --content: `" + content +
              "` is not a file of at most 1 MiB that can be read. See `verdictctl prompt ensure "
              "--help`.\n");
  }
  CHECK(services.seen().calls() == calls);
}

TEST_CASE("versions of a prompt are shown, listed and tagged") {
  Services services;
  const auto get = [&](const std::vector<std::string>& selector) {
    std::vector<std::string> line = {"prompt", "get", "--project", kId, "faq", "--json"};
    line.insert(line.end(), selector.begin(), selector.end());
    return json::parse(services.Ctl(line).out);
  };
  CHECK(get({}).at("version") == 0);
  CHECK(get({}).at("metadata").at("prompt_slug") == "faq");
  CHECK(get({"--version", "7"}).at("version") == 7);
  CHECK(get({"--tag", "production"}).at("tag") == "production");

  const json::value versions =
      json::parse(services.Ctl({"prompt", "versions", "--project", kId, "faq", "--json"}).out);
  CHECK(versions.at("versions").as_array().size() == 2);
  CHECK(versions.at("versions").at(0).at("project_id") == kId);

  const Outcome tagged =
      services.Ctl({"prompt", "tag", "--project", kId, "faq", "production", "--version", "2", "--json"});
  CHECK(tagged.out == "{\"tag\":\"faq/production\",\"version\":2,\"version_id\":\"\"}\n");
  CHECK(services.seen().Metadata("verdict-project") == kId);
  CHECK(services.Ctl({"prompt", "tag", "--project", kId, "faq", "production"}).exit_code == 2);
}

TEST_CASE("what the service refuses exits 3, with the reason and the remedy") {
  Services services;
  const Outcome refused = services.Ctl({"project", "create", "--org", kId, "support", "--json"});
  CHECK(refused.exit_code == 3);
  CHECK(refused.out.empty());
  CHECK(refused.err ==
        "verdictctl: ORGANIZATION_NOT_FOUND: No organization of this id.\n"
        "  List them: `verdictctl org list`.\n");
  const Outcome invalid = services.Ctl({"user", "create", "--org", kId, "--email", "x", "--name", "y"});
  CHECK(invalid.exit_code == 3);
  CHECK_THAT(invalid.err, Catch::Contains("  --email: email is longer than 254 bytes.\n"));
}

TEST_CASE("a service that is not there or does not answer exits 4, and is named") {
  const std::string nobody = "127.0.0.1:1";
  const Outcome away =
      Run({"org", "list"}, {"VERDICT_TOKEN_ADDR=" + nobody, "VERDICT_ADMIN_KEY=admin-secret"});
  CHECK(away.exit_code == 4);
  CHECK_THAT(away.err, Catch::StartsWith("verdictctl: UNAVAILABLE: ") &&
                           Catch::Contains(
                               "The service is at --token-address 127.0.0.1:1; try again when it answers."));
  Services services;
  const Outcome silent = services.Ctl({"project", "list", "--org", kId, "--timeout", "1s"});
  CHECK(silent.exit_code == 4);
  CHECK_THAT(silent.err, Catch::StartsWith("verdictctl: DEADLINE_EXCEEDED: "));
}

TEST_CASE("the admin key comes from a file or the environment, or nothing is called") {
  Services services;
  const std::string address = "VERDICT_TOKEN_ADDR=" + services.address();
  const TemporaryFolder folder("admin_key");
  const std::string file = folder.path() / "admin-key";
  std::ofstream(file) << "from-file\n";
  std::ofstream(folder.path() / "empty") << "\n";

  CHECK(Run({"org", "list"}, {address}).exit_code == 2);
  CHECK(Run({"org", "list", "--admin-key-file", folder.path() / "missing"}, {address}).exit_code == 2);
  CHECK(Run({"org", "list", "--admin-key-file", folder.path() / "empty"}, {address}).exit_code == 2);
  CHECK(Run({"org", "list"}, {address, "VERDICT_ADMIN_KEY=two\nlines"}).exit_code == 2);
  CHECK(services.seen().calls() == 0);

  CHECK(Run({"org", "list", "--admin-key-file", file}, {address, "VERDICT_ADMIN_KEY=other"}).exit_code == 0);
  CHECK(services.seen().Metadata("authorization") == "Bearer from-file");
}

}  // namespace
}  // namespace verdict::cli
