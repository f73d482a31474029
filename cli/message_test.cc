#include "cli/message.h"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "cli/commands.h"
#include "common/status/macros.h"
#include "verdict/aggregator/v1/aggregator_service.pb.h"
#include "verdict/feedback/v1/judge_service.pb.h"
#include "verdict/token/v1/identity_service.pb.h"
#include "verdict/token/v1/token_service.pb.h"

namespace verdict::cli {
namespace {

namespace json = boost::json;

constexpr char kId[] = "0190a5c2-7d3e-7a11-8f00-3b1c5d7e9f10";
const Time kNow(std::chrono::milliseconds(1'767'225'600'000));  // 2026-01-01

// `commands` owns what the invocation points to.
Invocation Parsed(const std::vector<Command>& commands, const std::vector<const char*>& line) {
  return Parse(commands, line, [](const char*) -> const char* { return "localhost:1"; }).value();
}

TEST_CASE("options fill the request's fields") {
  const auto commands = Commands();
  const auto mint =
      Parsed(commands, {"token", "mint", "--project", kId, "--type", "eval_run", "--id", "run-42",
                        "--expires-in", "2h", "--subject-id", "u1", "--subject-name", "Zoë"});
  token::v1::MintTokenRequest token;
  Fill(token, mint, kNow);
  CHECK(token.resource_type() == types::v1::ENTITY_TYPE_EVAL_RUN);
  CHECK(token.resource_id() == "run-42");
  CHECK(token.expires_in_seconds() == 7200);
  CHECK(token.subject().id() == "u1");
  CHECK(token.subject().name() == "Zoë");
  CHECK_FALSE(token.subject().has_email());

  token::v1::CreateKeyRequest key;
  Fill(key,
       Parsed(commands, {"key", "create", "--project", kId, "--user", kId, "--scopes", "token,read",
                         "--expires-in", "30d"}),
       kNow);
  CHECK(key.project_id() == kId);
  REQUIRE(key.scopes_size() == 2);
  CHECK(key.scopes(1) == options::v1::SCOPE_READ);
  CHECK(FromProto(key.expires_at()) == kNow + std::chrono::days(30));

  token::v1::RevokeKeyRequest revoke;
  Fill(revoke, Parsed(commands, {"key", "revoke", kId, "--with-tokens"}), kNow);
  CHECK(revoke.with_tokens());
}

TEST_CASE("what is not given is not sent") {
  const auto commands = Commands();
  token::v1::MintTokenRequest token;
  Fill(token, Parsed(commands, {"token", "mint", "--project", kId, "--type", "span", "--id", "s"}), kNow);
  CHECK_FALSE(token.has_expires_in_seconds());
  CHECK_FALSE(token.has_subject());
}

TEST_CASE("a call acts for a project unless the project is what it manages") {
  const auto commands = Commands();
  const auto invocation = Parsed(commands, {"key", "list", "--project", kId});
  CHECK(ProjectOf(token::v1::MintTokenRequest(), invocation) == kId);
  CHECK(ProjectOf(aggregator::v1::GetEntityFeedbackRequest(), invocation) == kId);
  CHECK(ProjectOf(token::v1::ListKeysRequest(), invocation).empty());
  CHECK(ProjectOf(token::v1::ListOrganizationsRequest(), Parsed(commands, {"org", "list"})).empty());
}

TEST_CASE("a response that holds one thing prints as that thing") {
  token::v1::CreateOrganizationResponse response;
  response.mutable_organization()->set_id(kId);
  response.mutable_organization()->set_name("Acme \"&\" \x1b");
  *response.mutable_organization()->mutable_created_at() = verdict::ToProto(kNow);

  const json::object answer = ToJson(response);

  CHECK(
      json::serialize(answer) ==
      R"({"id":"0190a5c2-7d3e-7a11-8f00-3b1c5d7e9f10","name":"Acme \"&\" \u001b","created_at":"2026-01-01T00:00:00.000Z"})");
  CHECK(ToText(answer) ==
        "id          0190a5c2-7d3e-7a11-8f00-3b1c5d7e9f10\n"
        "name        Acme \"&\" \\x1b\n"
        "created_at  2026-01-01T00:00:00.000Z\n");
}

TEST_CASE("absent values are left out, and enum values are in lower case") {
  token::v1::Key key;
  key.set_id("k");
  key.set_project_id("p");
  key.set_user_id("u");
  key.add_scopes(options::v1::SCOPE_TOKEN);
  CHECK(json::serialize(ToJson(key)) == R"({"id":"k","project_id":"p","user_id":"u","scopes":["token"]})");
}

TEST_CASE("values by criterion print as an object, numbers as numbers") {
  aggregator::v1::FeedbackItem item;
  item.set_id("e");
  item.set_kind(aggregator::v1::FEEDBACK_KIND_JUDGE_EVALUATION);
  item.set_score(8.5);
  item.set_evaluation_type(types::v1::EVALUATION_TYPE_SCORED);
  (*item.mutable_criteria_scores())["clarity"].set_score(9);
  CHECK(json::serialize(ToJson(item)) ==
        R"({"kind":"judge_evaluation","id":"e","score":8.5E0,"evaluation_type":"scored",)"
        R"("criteria_scores":{"clarity":{"score":9}}})");
  CHECK(ToText({{"score", 8.5}, {"items", {{{"rate", 0.1}}}}}) == "score  8.5\n\nrate\n0.1\n");
  feedback::v1::Judge judge;
  judge.set_evaluation_count(3'000'000'000);
  CHECK(json::serialize(ToJson(judge).at("evaluation_count")) == "3000000000");
}

TEST_CASE("a judge's range comes from numbers") {
  const auto commands = Commands();
  feedback::v1::CreateJudgeRequest judge;
  Fill(judge,
       Parsed(commands, {"judge", "create", "--project", kId, "--name", "Tone", "--type", "scored", "--min",
                         "-1", "--max", "2.5", "--criteria", "a,b"}),
       kNow);
  CHECK(judge.project_id() == kId);
  CHECK(judge.evaluation_type() == types::v1::EVALUATION_TYPE_SCORED);
  CHECK(judge.score_min() == -1);
  CHECK(judge.score_max() == 2.5);
  CHECK_FALSE(judge.has_pass_threshold());
  aggregator::v1::ListFeedbackRequest list;
  Fill(list, Parsed(commands, {"feedback", "list", "--project", kId, "--limit", "7", "--user", "u"}), kNow);
  CHECK(list.limit() == 7);
  CHECK(list.user_id() == "u");
}

TEST_CASE("metadata prints as the JSON that it is") {
  aggregator::v1::FeedbackItem item;
  item.set_metadata(R"({"n": 9007199254740993})");
  CHECK(json::serialize(ToJson(item).at("metadata")) == R"({"n":9007199254740993})");
}

TEST_CASE("lists print as tables") {
  token::v1::ListKeysResponse response;
  CHECK(ToText(ToJson(response).at("keys").is_array() ? json::object{{"keys", json::array()}}
                                                      : json::object()) == "(none)\n");
  const json::object keys = {{"keys",
                              {{{"id", "1"}, {"name", "Zoë"}, {"scopes", {"token", "read"}}},
                               {{"id", "22"}, {"name", "Al"}, {"scopes", {"read"}}, {"revoked_at", "now"}}}}};
  CHECK(ToText(keys) ==
        "id  name  scopes      revoked_at\n"
        "1   Zoë   token,read  -\n"
        "22  Al    read        now\n");
}

TEST_CASE("counts stand above the table they count") {
  const json::object answer = {{"total", 1}, {"summary", {{"a", 1}}}, {"items", {{{"id", "1"}}}}};
  CHECK(ToText(answer) == "total    1\nsummary  {\"a\":1}\n\nid\n1\n");
}

}  // namespace
}  // namespace verdict::cli
