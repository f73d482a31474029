#include <map>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>
#include <google/protobuf/util/message_differencer.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/status/error.h"
#include "common/status/grpc_status.h"
#include "tests/e2e/contract.h"
#include "tests/e2e/example_body.h"
#include "tests/support/stack.h"

// Who may do what: every RPC and every route of the contracts, with every kind of credential, and with ids
// that are one's own, another tenant's, and nobody's.
namespace verdict::test {
namespace {

namespace json = boost::json;
using google::protobuf::Message;
using Values = std::map<std::string, std::string>;
using errors::v1::Reason;

constexpr const char* kScopes[] = {"token", "write", "read", "erase"};

struct Answer {
  absl::Status status;
  std::string text;                                       // of all messages
  std::multimap<std::string, std::string> metadata = {};  // initial and trailing
};

// Calls any RPC, unary or streamed.
class Caller {
 public:
  explicit Caller(const Stack& stack) : environment_(stack.Environment()) {}

  Answer Call(const Contract::Method& method, const Message& request, std::unique_ptr<Message> response,
              const std::string& credential, const std::string& project = "") {
    auto& stub = stubs_[method.address_variable()];
    if (stub == nullptr) {
      stub = std::make_unique<grpc::GenericStub>(grpc::CreateChannel(
          environment_.at(method.address_variable()), grpc::InsecureChannelCredentials()));
    }
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    if (!credential.empty()) context.AddMetadata("authorization", "Bearer " + credential);
    if (!project.empty()) context.AddMetadata("verdict-project", project);
    const std::string bytes = request.SerializeAsString();
    const grpc::Slice slice(bytes);

    grpc::CompletionQueue queue;
    const auto call = stub->PrepareCall(&context, method.rpc(), &queue);
    const auto done = [&queue] {
      void* tag = nullptr;
      bool ok = false;
      return queue.Next(&tag, &ok) && ok;
    };
    call->StartCall(nullptr);
    Answer answer;
    bool open = done();
    if (open) {
      call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
      open = done();
    }
    grpc::ByteBuffer message;
    while (open && (call->Read(&message, nullptr), done())) {
      grpc::Slice whole;
      REQUIRE(message.DumpToSingleSlice(&whole).ok());
      REQUIRE(response->ParseFromArray(whole.begin(), static_cast<int>(whole.size())));
      answer.text += response->ShortDebugString();
    }
    grpc::Status status;
    call->Finish(&status, nullptr);
    done();
    answer.status = FromGrpc(status);
    for (const auto* metadata : {&context.GetServerInitialMetadata(), &context.GetServerTrailingMetadata()}) {
      for (const auto& [name, value] : *metadata) {
        answer.metadata.emplace(std::string(name.data(), name.size()),
                                std::string(value.data(), value.size()));
      }
    }
    return answer;
  }

 private:
  const std::map<std::string, std::string> environment_;
  std::map<std::string, std::unique_ptr<grpc::GenericStub>> stubs_;
};

HttpResponse Post(const Stack& stack, const Tenant& tenant, const std::string& target,
                  const std::string& body) {
  return stack.Send({.method = "POST",
                     .target = target,
                     .headers = {{"Authorization", "Bearer " + tenant.key}},
                     .body = body});
}

json::value Made(const HttpResponse& response) {
  INFO(response.body);
  REQUIRE(response.status == 200);
  return json::parse(response.body);
}

std::string Text(const json::value& value, const char* member) {
  return std::string(value.at(member).as_string());
}

// Makes one of each thing, with `word` in its texts, and returns what stands behind the contracts' variables.
Values Populate(const Stack& stack, const Tenant& tenant, const std::string& word) {
  const std::string project = "/projects/" + tenant.project_id;
  const std::string judge_id =
      Text(Made(Post(stack, tenant, "/signals" + project + "/automations", R"({"name":"J"})")), "id");
  Made(Post(stack, tenant, "/spans",
            R"([{"id":"s-1","trace_id":"t-1","session_id":"x-1","name":"n","started_at":1}])"));
  Made(Post(
      stack, tenant, absl::StrCat(project, "/judges/", judge_id, "/evaluations"),
      absl::StrCat(R"({"span_id":"s-1","evaluation_result":true,"evaluation_reason":")", word, R"("})")));
  const json::value vote = Made(Post(
      stack, tenant, "/v1/prompts/support-bot/completions/s-1/feedback",
      absl::StrCat(R"({"thumbs_up":true,"reason":")", word, R"(","created_by":{"id":"u-)", word, R"("}})")));
  const json::value version = Made(Post(stack, tenant, "/v1/tasks/support-bot/prompt/versions/ensure",
                                        absl::StrCat(R"({"content":"As )", word, R"("})")));
  Made(Post(stack, tenant, project + "/prompts/support-bot/tags/production:pin", R"({"version":1})"));
  const json::value minted =
      Made(Post(stack, tenant, "/api/v1/feedback/token",
                R"({"resource_type":"span","resource_id":"s-1","subject":{"id":"u-1","name":"theirs"}})"));
  return {{"project_id", tenant.project_id},
          {"judge_id", judge_id},
          {"automation_id", judge_id},
          {"target_prompt_id", Text(vote, "prompt_id")},
          {"prompt_id", Text(vote, "prompt_id")},
          {"feedback_id", Text(vote, "id")},
          {"id", Text(minted, "id")},
          {"token", Text(minted, "token")},
          {"entity_type", "span"},
          {"entity_id", "s-1"},
          {"span_id", "s-1"},
          {"completion_id", "s-1"},
          {"trace_id", "t-1"},
          {"session_id", "x-1"},
          {"user_id", "u-" + word},
          {"prompt_slug", "support-bot"},
          {"slug", "support-bot"},
          {"version_id", Text(version, "version_id")},
          {"content_hash", Text(version, "content_hash")},
          {"tag", "production"},
          {"name", "made"}};
}

// As those, and of nobody. What a tenant names itself stays.
Values Nobodys(Values values) {
  for (auto& [name, value] : values) {
    if (value.size() == 36) value = "01900000-0000-7000-8000-" + value.substr(24);
  }
  return values;
}

// A token that no key of ours has signed.
std::string Forged(std::string token) {
  char& last = token[token.size() - 2];
  last = last == 'A' ? 'B' : 'A';
  return token;
}

// Everything that is stored of a project.
std::string Dump(const Stack& stack, const std::string& project_id) {
  std::string dump;
  for (const char* table :
       {"feedback", "feedback_history", "evaluation", "evaluation_history", "judge", "prompt",
        "prompt_version", "prompt_tag", "span", "trace", "session", "redemption", "idempotency"}) {
    dump += stack.database().Query(absl::StrCat("select string_agg(t::text, '|' order by t::text) from ",
                                                table, " t where project_id = '", project_id, "'"));
  }
  return dump;
}

// Without what differs between two answers that are alike: ids that were asked for are echoed, and what is
// made has its own id, times and token.
std::string Masked(const std::string& text) {
  static const std::regex token("fbt1[.][A-Za-z0-9_.-]+");
  static const std::regex id("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");
  static const std::regex time("(seconds|nanos): [0-9]+ ?|[0-9-]{10}T[0-9:.]+Z");
  return std::regex_replace(std::regex_replace(std::regex_replace(text, token, "TOKEN"), id, "ID"), time, "");
}

struct Credentials {
  std::string all;                             // an API key with every scope
  std::map<std::string, std::string> lacking;  // one with all but the scope
  std::map<std::string, std::string> nobodys;  // what stands for nobody, by its kind
  std::string admin;
};

std::string NewKey(const Stack& stack, const Tenant& tenant, const std::string& scopes,
                   const char* field = "key") {
  return stack.CtlField(
      {"key", "create", "--project", tenant.project_id, "--user", tenant.user_id, "--scopes", scopes}, field);
}

Credentials MakeCredentials(Stack& stack, const Tenant& tenant, const Values& values) {
  Credentials credentials;
  credentials.all = NewKey(stack, tenant, "token,write,read,erase");
  for (const char* scope : kScopes) {
    std::string others;
    for (const char* other : kScopes) {
      if (std::string(other) != scope) absl::StrAppend(&others, others.empty() ? "" : ",", other);
    }
    credentials.lacking[scope] = NewKey(stack, tenant, others);
  }
  credentials.admin = stack.Environment().at("VERDICT_ADMIN_KEY");
  const Tenant revoked = stack.NewTenant("third");
  REQUIRE(stack.Ctl({"key", "revoke", revoked.key_id}).exit_code == 0);
  credentials.nobodys = {{"none", ""},
                         {"garbage", "garbage"},
                         {"a feedback token", values.at("token")},
                         {"a revoked key", revoked.key},
                         {"a longer key", credentials.all + "x"},
                         {"a shorter key", credentials.all.substr(0, credentials.all.size() - 1)}};
  return credentials;
}

bool IsRefusal(Reason reason) {
  return reason == errors::v1::REASON_UNAUTHENTICATED || reason == errors::v1::REASON_SCOPE_REQUIRED ||
         reason == errors::v1::REASON_PERMISSION_DENIED;
}

std::string ScopeOf(const options::v1::AuthRule& auth) {
  return absl::AsciiStrToLower(options::v1::Scope_Name(auth.scope()).substr(6));
}

TEST_CASE("every RPC takes the credentials that its contract says, and no others") {
  Stack stack({{"token", {"--rate-limit-per-key=0"}},
               {"feedback", {"--rate-limit-per-key=0"}},
               {"aggregator", {"--rate-limit-per-key=0"}}});
  const Values own = Populate(stack, stack.tenant(), "mine");
  const Credentials credentials = MakeCredentials(stack, stack.tenant(), own);
  const std::string project = stack.tenant().project_id;
  Contract contract;
  Caller caller(stack);

  int checked = 0;
  for (const Contract::Method& method : contract.methods()) {
    if (method.auth.public_()) continue;  // what they look at themselves is their own tests'
    // Nothing but the project: a call that came through after all would change nothing.
    const auto call = [&](const std::string& credential, const std::string& named_project = "",
                          const std::string& project_id = "") {
      ++checked;
      const Values values = {{"project_id", project_id.empty() ? project : project_id}};
      return ReasonOf(caller
                          .Call(method, *contract.Request(method, values), contract.Response(method),
                                credential, named_project)
                          .status);
    };
    INFO(method.rpc());
    CHECK(method.auth.caller_case() != options::v1::AuthRule::CALLER_NOT_SET);
    for (const auto& [kind, credential] : credentials.nobodys) {
      INFO(kind);
      CHECK(call(credential) == errors::v1::REASON_UNAUTHENTICATED);
    }
    if (method.auth.admin()) {
      CHECK(method.routes.empty());
      CHECK(call(credentials.all) == errors::v1::REASON_PERMISSION_DENIED);
      CHECK_FALSE(IsRefusal(call(credentials.admin)));
      continue;
    }
    CHECK(call(credentials.lacking.at(ScopeOf(method.auth))) == errors::v1::REASON_SCOPE_REQUIRED);
    CHECK(call(credentials.admin) == errors::v1::REASON_PERMISSION_DENIED);
    CHECK(call(credentials.admin, "01900000-0000-7000-8000-000000000000") ==
          errors::v1::REASON_PERMISSION_DENIED);
    CHECK(IsRefusal(call(credentials.admin, project)) != method.auth.admin_for_project());
    CHECK_FALSE(IsRefusal(call(credentials.all)));
  }
  INFO(checked << " calls");
  CHECK(checked > 200);
}

TEST_CASE("another tenant's things are nobody's, by every RPC") {
  Stack stack({{"token", {"--rate-limit-per-key=0"}},
               {"feedback", {"--rate-limit-per-key=0"}},
               {"aggregator", {"--rate-limit-per-key=0"}}});
  const Tenant theirs = stack.NewTenant("second");
  const Values their_values = Populate(stack, theirs, "theirs");
  const std::string key = NewKey(stack, stack.tenant(), "token,write,read,erase");
  const std::string before = Dump(stack, theirs.project_id);
  Contract contract;
  Caller caller(stack);

  const auto masked = [](const Answer& answer) {
    // What the error has beside is in the metadata, as it was sent.
    std::string text =
        absl::StrCat(answer.status.ToString(absl::StatusToStringMode::kWithNoExtraData), "\n", answer.text);
    for (const auto& [name, value] : answer.metadata) absl::StrAppend(&text, "\n", name, ": ", value);
    return Masked(text);
  };
  int compared = 0;
  for (const Contract::Method& method : contract.methods()) {
    // Who holds a token may use it: it is its own credential, with which nobody can be compared.
    if (method.auth.admin() || method.auth.public_()) continue;
    INFO(method.rpc());
    const auto call = [&](Values values, const std::string& project_id, const std::string& credential) {
      values["project_id"] = project_id;
      return caller.Call(method, *contract.Request(method, values), contract.Response(method), credential);
    };
    // Their project, one that does not exist, and what is no id.
    Values nobodys = Nobodys(their_values);
    const bool names_project = method.descriptor->input_type()->FindFieldByName("project_id") != nullptr;
    if (names_project) {
      const Answer foreign = call(their_values, theirs.project_id, key);
      CHECK(ReasonOf(foreign.status) == errors::v1::REASON_PERMISSION_DENIED);
      for (const std::string& other : {nobodys.at("project_id"), std::string("nobody"), std::string()}) {
        CHECK(masked(call(nobodys, other, key)) == masked(foreign));
      }
    }
    // Their things in a project of mine.
    nobodys["token"] = Forged(their_values.at("token"));
    const Answer foreign = call(their_values, stack.tenant().project_id, key);
    const Answer missing = call(nobodys, stack.tenant().project_id, key);
    CHECK(masked(foreign) == masked(missing));
    CHECK_FALSE(absl::StrContains(foreign.text, "theirs"));
    CHECK(foreign.status.code() != absl::StatusCode::kInternal);
    ++compared;
  }
  CHECK(compared >= 20);
  CHECK(Dump(stack, theirs.project_id) == before);

  // The control: their own key reads what it wrote.
  const HttpResponse control =
      stack.Send({.target = absl::StrCat("/projects/", theirs.project_id, "/feedback/span/s-1"),
                  .headers = {{"x-api-key", theirs.key}}});
  CHECK(absl::StrContains(control.body, "theirs"));
}

// The route's path with its variables replaced, and the query parameters that have a value.
std::string Target(const Contract::Route& route, const json::value& operation, const Values& values) {
  std::string target = route.path;
  for (const auto& [name, value] : values) target = absl::StrReplaceAll(target, {{"{" + name + "}", value}});
  const char* separator = "?";
  for (const json::value& parameter : operation.at("parameters").as_array()) {
    const auto* in = parameter.as_object().if_contains("in");
    if (in == nullptr || *in != "query") continue;
    const auto value = values.find(Text(parameter, "name"));
    if (value == values.end()) continue;
    absl::StrAppend(&target, separator, value->first, "=", value->second);
    separator = "&";
  }
  return target;
}

// The example with the values of members of these names.
json::value WithValues(const json::value& example, const Values& values) {
  if (example.is_array()) {
    json::array array;
    for (const json::value& element : example.as_array()) array.push_back(WithValues(element, values));
    return array;
  }
  if (!example.is_object()) return example;
  json::object object;
  for (const auto& [name, member] : example.as_object()) {
    const auto value = values.find(std::string(name));
    object[name] = value != values.end() && member.is_string() ? json::string(value->second)
                                                               : WithValues(member, values);
  }
  return object;
}

// What the document itself gives as an example, with the values; of an object that may name a judge or a
// prompt, so that the write looks for it. Nothing where there is no body.
std::string Body(const json::value& operation, const Values& values) {
  const auto example = ExampleBody(operation);
  if (!example) return "";
  json::value body = WithValues(*example, values);
  const auto& schema =
      operation.at("requestBody").at("content").at("application/json").at("schema").as_object();
  const auto* properties = schema.if_contains("properties");
  for (const char* name : {"judge_id", "target_prompt_id"}) {
    if (properties != nullptr && properties->as_object().contains(name))
      body.as_object()[name] = values.at(name);
  }
  return json::serialize(body);
}

TEST_CASE(
    "every route takes the credentials that its contract says, and shows and changes nothing of others") {
  Stack stack({{"token", {"--rate-limit-per-key=0"}},
               {"feedback", {"--rate-limit-per-key=0"}},
               {"aggregator", {"--rate-limit-per-key=0"}}});
  const Tenant theirs = stack.NewTenant("second");
  const Values their_values = Populate(stack, theirs, "theirs");
  const Values own = Populate(stack, stack.tenant(), "mine");
  const Credentials credentials = MakeCredentials(stack, stack.tenant(), own);
  const std::string before = Dump(stack, theirs.project_id);
  const json::value document = json::parse(stack.Send({.target = "/openapi.json"}).body);
  Values nobodys = Nobodys(their_values);
  nobodys["token"] = Forged(their_values.at("token"));
  Contract contract;

  int routes = 0;
  for (const Contract::Method& method : contract.methods()) {
    for (const Contract::Route& route : method.routes) {
      ++routes;
      INFO(route.verb << " " << route.path);
      const std::string verb = absl::AsciiStrToLower(route.verb);
      const json::value& operation = document.at("paths").at(route.path).at(verb);
      const auto send = [&](const std::string& credential, const Values& values, const char* header) {
        HttpRequest request = {.method = route.verb,
                               .target = Target(route, operation, values),
                               .headers = {{"X-Request-Id", "same"}},
                               .body = Body(operation, values)};
        if (!credential.empty()) {
          request.headers.emplace_back(
              header, absl::StrCat(std::string(header) == "x-api-key" ? "" : "Bearer ", credential));
        }
        if (!request.body.empty()) request.headers.emplace_back("Content-Type", "application/json");
        return stack.Send(request);
      };
      const auto code = [](const HttpResponse& response) {
        if (!absl::StrContains(response.body, "\"code\"")) return std::string("OK");
        const json::value error = json::parse(response.body);
        // A problem document, or a google.rpc.Status.
        return error.at("code").is_string() ? Text(error, "code") : Text(error.at("details").at(0), "reason");
      };
      CHECK_FALSE(absl::StrContains(Target(route, operation, own), "{"));
      for (const char* header : {"Authorization", "x-api-key"}) {
        if (method.auth.public_()) continue;
        for (const auto& [kind, credential] : credentials.nobodys) {
          INFO(kind << " as " << header);
          const HttpResponse answer = send(credential, own, header);
          CHECK(answer.status == 401);
          CHECK(code(answer) == "UNAUTHENTICATED");
          CHECK(answer.headers.at("www-authenticate") == "Bearer");
        }
        const HttpResponse lacking = send(credentials.lacking.at(ScopeOf(method.auth)), own, header);
        INFO(lacking.body);
        CHECK(lacking.status == 403);
        CHECK(code(lacking) == "SCOPE_REQUIRED");
        const HttpResponse admin = send(credentials.admin, own, header);
        INFO(admin.body);
        CHECK(admin.status == 403);
        CHECK(code(admin) == "PERMISSION_DENIED");
      }

      // Their project, one that does not exist, and what is no id: the same answer, header for header.
      const auto answer_to = [&](Values values, const std::string& project_id) {
        values["project_id"] = project_id;
        HttpResponse answer = send(credentials.all, values, "Authorization");
        answer.headers.erase("date");
        CHECK(answer.status < 500);
        CHECK_FALSE(absl::StrContains(answer.body, "theirs"));
        std::string text = absl::StrCat(answer.status, "\n");
        for (const auto& [name, value] : answer.headers) absl::StrAppend(&text, name, ": ", value, "\n");
        return text + answer.body;
      };
      if (absl::StrContains(route.path, "{project_id}")) {
        const std::string foreign = answer_to(their_values, theirs.project_id);
        for (const char* other : {"01900000-0000-7000-8000-000000000000", "nobody"}) {
          CHECK(answer_to(their_values, other) == foreign);
        }
      }
      // Their things in my own project. A token is its own credential, with which nobody can be compared.
      const std::string foreign = Masked(answer_to(their_values, stack.tenant().project_id));
      if (!method.auth.public_()) {
        CHECK(Masked(answer_to(nobodys, stack.tenant().project_id)) == foreign);
      }
    }
  }
  CHECK(routes >= 20);
  CHECK(Dump(stack, theirs.project_id) == before);
}

}  // namespace
}  // namespace verdict::test
