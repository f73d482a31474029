#include <map>
#include <set>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <pqxx/pqxx>

#include "tests/support/database.h"

namespace verdict::test {
namespace {

// Columns and their values, as SQL.
using Row = std::map<std::string, std::string>;

constexpr char kOrg[] = "'00000000-0000-7000-8000-000000000001'";
constexpr char kOtherOrg[] = "'00000000-0000-7000-8000-000000000002'";
constexpr char kProject[] = "'00000000-0000-7000-8000-000000000011'";
constexpr char kUser[] = "'00000000-0000-7000-8000-000000000021'";
constexpr char kSpan[] = "'00000000-0000-7000-8000-000000000031'";
constexpr char kPrompt[] = "'00000000-0000-7000-8000-000000000041'";
constexpr char kOtherPrompt[] = "'00000000-0000-7000-8000-000000000043'";
constexpr char kVersion[] = "'00000000-0000-7000-8000-000000000042'";
constexpr char kJudge[] = "'00000000-0000-7000-8000-000000000051'";

// A row that every constraint accepts, equal to no other but in what a case makes equal.
Row ValidRow(const std::string& table) {
  const std::string new_id = "gen_random_uuid()";
  const std::string hash = "sha256(gen_random_uuid()::text::bytea)";
  if (table == "organization") return {{"id", new_id}, {"name", "'acme'"}, {"created_at", "now()"}};
  if (table == "project" || table == "app_user") {
    Row row = {
        {"id", new_id}, {"org_id", kOrg}, {"name", "gen_random_uuid()::text"}, {"created_at", "now()"}};
    if (table == "app_user") row["email"] = "gen_random_uuid()::text";
    return row;
  }
  if (table == "api_key") {
    return {{"id", new_id}, {"org_id", kOrg},        {"project_id", kProject}, {"user_id", kUser},
            {"hash", hash}, {"scopes", "'{1,2,3}'"}, {"created_at", "now()"}};
  }
  if (table == "prompt") {
    return {{"project_id", kProject},
            {"id", new_id},
            {"slug", "gen_random_uuid()::text"},
            {"created_at", "now()"}};
  }
  if (table == "prompt_version") {
    return {{"project_id", kProject}, {"id", new_id},
            {"prompt_id", kPrompt},   {"version", "2 + (random() * 1e9)::int"},
            {"content", "'Hello'"},   {"content_hash", hash},
            {"text_hash", hash},      {"created_at", "now()"}};
  }
  if (table == "prompt_tag") {
    return {{"project_id", kProject},
            {"prompt_id", kPrompt},
            {"tag", "gen_random_uuid()::text"},
            {"version_id", kVersion},
            {"updated_at", "now()"}};
  }
  if (table == "redemption") {
    return {{"project_id", kProject}, {"jti", new_id}, {"state", "1"}, {"fp", hash}, {"exp", "now()"}};
  }
  if (table == "idempotency") {
    return {{"project_id", kProject},
            {"owner", new_id},
            {"key", "'k'"},
            {"body_hash", hash},
            {"created_at", "now()"}};
  }
  if (table == "span" || table == "session") {
    Row row = {{"project_id", kProject}, {table + "_id", new_id}};
    if (table == "session") row["session_text"] = "'chat-42'";
    return row;
  }
  if (table == "judge") {
    return {{"project_id", kProject}, {"id", new_id},       {"name", "gen_random_uuid()::text"},
            {"evaluation_type", "2"}, {"score_min", "0"},   {"score_max", "10"},
            {"pass_threshold", "7"},  {"task_id", kPrompt}, {"created_at", "now()"},
            {"modified_at", "now()"}};
  }
  if (table == "evaluation") {
    return {{"project_id", kProject},
            {"id", new_id},
            {"judge_id", kJudge},
            {"span_id", new_id},
            {"span_text", "'completion-1'"},
            {"evaluation_type", "2"},
            {"evaluation_result", "true"},
            {"score", "8"},
            {"score_min", "0"},
            {"score_max", "10"},
            {"pass_threshold", "7"},
            {"submitted_by", new_id},
            {"created_at", "now()"},
            {"updated_at", "now()"}};
  }
  REQUIRE(table == "feedback");
  return {{"project_id", kProject},
          {"id", new_id},
          {"target_type", "1"},
          {"target_id", new_id},
          {"target_text", "'completion-1'"},
          {"rater_kind", "1"},
          {"rater_id", "'user-1'"},
          {"thumbs_up", "true"},
          {"via", "1"},
          {"submitted_by", new_id},
          {"created_at", "now()"},
          {"updated_at", "now()"}};
}

std::string Insert(const std::string& table, const Row& changes) {
  Row row = ValidRow(table);
  for (const auto& [column, value] : changes) row[column] = value;
  std::string columns;
  std::string values;
  for (const auto& [column, value] : row) {
    columns += (columns.empty() ? "" : ", ") + column;
    values += (values.empty() ? "" : ", ") + value;
  }
  return "insert into " + table + " (" + columns + ") values (" + values + ")";
}

struct Case {
  std::string constraint = {};
  std::string table = {};
  Row changes = {};
};

std::string Bytes(int count) { return "repeat('x', " + std::to_string(count) + ")"; }

// What a row of a binary judge has instead.
const Row kBinary = {
    {"evaluation_type", "1"}, {"score_min", "null"}, {"score_max", "null"}, {"pass_threshold", "null"}};

Row BinaryWith(const Row& changes) {
  Row row = kBinary;
  for (const auto& [column, value] : changes) row[column] = value;
  return row;
}

const std::vector<Case> kRefused = {
    {"organization_name_length", "organization", {{"name", "''"}}},
    {"organization_name_length", "organization", {{"name", Bytes(101)}}},
    {"project_name_length", "project", {{"name", "''"}}},
    {"project_name_length", "project", {{"name", Bytes(101)}}},
    {"project_name_key", "project", {{"name", "'taken'"}}},
    {"project_org_id_fkey", "project", {{"org_id", "gen_random_uuid()"}}},
    {"app_user_email_length", "app_user", {{"email", "''"}}},
    {"app_user_email_length", "app_user", {{"email", Bytes(255)}}},
    {"app_user_name_length", "app_user", {{"name", "''"}}},
    {"app_user_name_length", "app_user", {{"name", Bytes(101)}}},
    {"app_user_email_key", "app_user", {{"email", "'taken'"}}},
    {"app_user_org_id_fkey", "app_user", {{"org_id", "gen_random_uuid()"}}},
    {"api_key_hash_length", "api_key", {{"hash", "'\\x00'"}}},
    {"api_key_hash_key", "api_key", {{"hash", "sha256('taken')"}}},
    {"api_key_scopes_known", "api_key", {{"scopes", "'{}'"}}},
    {"api_key_scopes_known", "api_key", {{"scopes", "'{0}'"}}},
    {"api_key_scopes_known", "api_key", {{"scopes", "'{1,5}'"}}},
    {"api_key_scopes_known", "api_key", {{"scopes", "'{1,null}'"}}},
    {"api_key_expires_later", "api_key", {{"expires_at", "now()"}}},
    {"api_key_project_fkey", "api_key", {{"project_id", "gen_random_uuid()"}}},
    {"api_key_user_fkey", "api_key", {{"user_id", "gen_random_uuid()"}}},
    {"prompt_slug_length", "prompt", {{"slug", "''"}}},
    {"prompt_slug_length", "prompt", {{"slug", Bytes(201)}}},
    {"prompt_slug_key", "prompt", {{"slug", "'taken'"}}},
    {"prompt_project_id_fkey", "prompt", {{"project_id", "gen_random_uuid()"}}},
    {"prompt_version_prompt_fkey", "prompt_version", {{"prompt_id", "gen_random_uuid()"}}},
    {"prompt_version_number_key", "prompt_version", {{"version", "1"}}},
    {"prompt_version_hash_key", "prompt_version", {{"content_hash", "sha256('taken')"}}},
    {"prompt_version_number_positive", "prompt_version", {{"version", "0"}}},
    {"prompt_version_content_length", "prompt_version", {{"content", "''"}}},
    {"prompt_version_content_length", "prompt_version", {{"content", Bytes(131073)}}},
    {"prompt_version_content_hash_length", "prompt_version", {{"content_hash", "'\\x00'"}}},
    {"prompt_version_text_hash_length", "prompt_version", {{"text_hash", "'\\x00'"}}},
    {"prompt_version_model_length", "prompt_version", {{"model_id", "''"}}},
    {"prompt_version_model_length", "prompt_version", {{"model_id", Bytes(201)}}},
    {"prompt_version_metadata_object", "prompt_version", {{"metadata", "'[]'"}}},
    {"prompt_version_metadata_length",
     "prompt_version",
     {{"metadata", "jsonb_build_object('a', repeat('x', 65536))"}}},
    {"prompt_tag_version_fkey", "prompt_tag", {{"version_id", "gen_random_uuid()"}}},
    {"prompt_tag_version_fkey", "prompt_tag", {{"prompt_id", kOtherPrompt}}},
    {"prompt_tag_name", "prompt_tag", {{"tag", "''"}}},
    {"prompt_tag_name", "prompt_tag", {{"tag", "'Prod'"}}},
    {"prompt_tag_name", "prompt_tag", {{"tag", "E'a\\n'"}}},
    {"prompt_tag_name", "prompt_tag", {{"tag", Bytes(101)}}},
    {"prompt_tag_name", "prompt_tag", {{"tag", "'latest'"}}},
    {"feedback_target_type_known", "feedback", {{"target_type", "0"}}},
    {"feedback_target_type_known", "feedback", {{"target_type", "6"}}},
    {"feedback_target_text_length", "feedback", {{"target_text", "''"}}},
    {"feedback_target_text_length", "feedback", {{"target_text", "repeat('é', 101)"}}},
    {"feedback_prompt_of_span", "feedback", {{"target_type", "4"}, {"prompt_id", "gen_random_uuid()"}}},
    {"feedback_prompt_version_of_span",
     "feedback",
     {{"target_type", "4"}, {"prompt_version_id", "gen_random_uuid()"}}},
    {"feedback_rater_kind_known", "feedback", {{"rater_kind", "-1"}, {"via", "2"}}},
    {"feedback_rater_kind_known", "feedback", {{"rater_kind", "3"}, {"via", "2"}}},
    {"feedback_rater_id_length", "feedback", {{"rater_id", "''"}}},
    {"feedback_rater_id_length", "feedback", {{"rater_id", "repeat('é', 101)"}}},
    {"feedback_rater_email_length", "feedback", {{"rater_email", Bytes(255)}}},
    {"feedback_rater_name_length", "feedback", {{"rater_name", Bytes(101)}}},
    {"feedback_reason_length", "feedback", {{"reason", Bytes(65537)}}},
    {"feedback_expected_output_length", "feedback", {{"expected_output", Bytes(65537)}}},
    {"feedback_metadata_object", "feedback", {{"metadata", "'[]'"}}},
    {"feedback_metadata_object", "feedback", {{"metadata", "'null'"}}},
    {"feedback_metadata_length", "feedback", {{"metadata", "jsonb_build_object('a', repeat('x', 65536))"}}},
    {"feedback_via_known", "feedback", {{"via", "3"}}},
    {"feedback_via_of_rater", "feedback", {{"rater_kind", "0"}, {"via", "2"}}},
    {"feedback_via_of_rater", "feedback", {{"rater_kind", "2"}, {"via", "1"}}},
    {"feedback_place", "feedback", {{"target_type", "2"}}},
    {"feedback_place", "feedback", {{"target_type", "3"}}},
    {"feedback_place", "feedback", {{"target_type", "4"}, {"trace_id", "gen_random_uuid()"}}},
    {"feedback_place", "feedback", {{"target_type", "5"}, {"session_id", "gen_random_uuid()"}}},
    {"feedback_revision_positive", "feedback", {{"revision", "0"}}},
    {"feedback_updated_later", "feedback", {{"updated_at", "now() - interval '1 second'"}}},
    {"feedback_key", "feedback", {{"target_id", kSpan}}},
    {"feedback_of_judge", "feedback", {{"expected_score", "1"}}},
    {"feedback_of_judge", "feedback", {{"score_direction", "1"}}},
    {"feedback_of_judge", "feedback", {{"criteria_feedback", "'{}'"}}},
    {"feedback_expected_score_finite", "feedback", {{"judge_id", kJudge}, {"expected_score", "'NaN'"}}},
    {"feedback_expected_score_finite", "feedback", {{"judge_id", kJudge}, {"expected_score", "'-infinity'"}}},
    {"feedback_score_direction_known", "feedback", {{"judge_id", kJudge}, {"score_direction", "0"}}},
    {"feedback_score_direction_known", "feedback", {{"judge_id", kJudge}, {"score_direction", "3"}}},
    {"feedback_criteria_object", "feedback", {{"judge_id", kJudge}, {"criteria_feedback", "'[]'"}}},
    {"feedback_criteria_length",
     "feedback",
     {{"judge_id", kJudge}, {"criteria_feedback", "jsonb_build_object('a', repeat('x', 262144))"}}},
    {"feedback_judge_of_span", "feedback", {{"judge_id", kJudge}, {"target_type", "4"}}},
    {"span_name_length", "span", {{"name", Bytes(1001)}}},
    {"span_kind_length", "span", {{"kind", Bytes(101)}}},
    {"span_model_length", "span", {{"model", "''"}}},
    {"span_model_length", "span", {{"model", Bytes(201)}}},
    {"session_text_length", "session", {{"session_text", "''"}}},
    {"session_text_length", "session", {{"session_text", "repeat('é', 101)"}}},
    {"session_name_length", "session", {{"name", Bytes(1001)}}},
    {"judge_name_key", "judge", {{"name", "'taken'"}}},
    {"judge_project_id_fkey", "judge", {{"project_id", "gen_random_uuid()"}}},
    {"judge_target_prompt_fkey", "judge", {{"target_prompt_id", "gen_random_uuid()"}}},
    {"judge_task_fkey", "judge", {{"task_id", "gen_random_uuid()"}}},
    {"judge_name_length", "judge", {{"name", "''"}}},
    {"judge_name_length", "judge", {{"name", Bytes(201)}}},
    {"judge_evaluation_type_known", "judge", BinaryWith({{"evaluation_type", "3"}})},
    {"judge_range", "judge", {{"evaluation_type", "1"}}},
    {"judge_range", "judge", {{"score_min", "null"}}},
    {"judge_range", "judge", {{"pass_threshold", "null"}}},
    {"judge_range", "judge", {{"score_min", "10"}, {"pass_threshold", "10"}}},
    {"judge_range", "judge", {{"pass_threshold", "10.5"}}},
    {"judge_range", "judge", {{"score_min", "'-infinity'"}}},
    {"judge_range", "judge", {{"score_max", "'NaN'"}}},
    {"judge_criteria_list", "judge", {{"criteria", "'{}'"}}},
    {"judge_criteria_length", "judge", {{"criteria", "jsonb_build_array(repeat('x', 524288))"}}},
    {"judge_template_length", "judge", {{"template", Bytes(65537)}}},
    {"judge_sample_rate_share", "judge", {{"sample_rate", "1.1"}}},
    {"judge_sample_rate_share", "judge", {{"sample_rate", "'NaN'"}}},
    {"judge_filter_object", "judge", {{"filter", "'[]'"}}},
    {"judge_filter_length", "judge", {{"filter", "jsonb_build_object('a', repeat('x', 65536))"}}},
    {"judge_temperature_range", "judge", {{"temperature", "2.1"}}},
    {"judge_revision_positive", "judge", {{"revision", "0"}}},
    {"judge_modified_later", "judge", {{"modified_at", "now() - interval '1 second'"}}},
    {"evaluation_key", "evaluation", {{"span_id", kSpan}}},
    {"evaluation_span_text_length", "evaluation", {{"span_text", "''"}}},
    {"evaluation_client_id_is_id", "evaluation", {{"client_id", "gen_random_uuid()"}}},
    {"evaluation_type_known", "evaluation", BinaryWith({{"evaluation_type", "0"}, {"score", "null"}})},
    {"evaluation_reason_length", "evaluation", {{"evaluation_reason", Bytes(65537)}}},
    {"evaluation_confidence_share", "evaluation", {{"confidence_score", "1.01"}}},
    {"evaluation_confidence_share", "evaluation", {{"confidence_score", "'NaN'"}}},
    {"evaluation_score_of_type", "evaluation", {{"score", "null"}}},
    {"evaluation_score_of_type", "evaluation", {{"score", "10.5"}}},
    {"evaluation_score_of_type", "evaluation", {{"score", "'NaN'"}}},
    {"evaluation_score_of_type", "evaluation", {{"score_max", "'infinity'"}}},
    {"evaluation_score_of_type", "evaluation", {{"pass_threshold", "11"}}},
    {"evaluation_score_of_type", "evaluation", kBinary},
    {"evaluation_score_of_type", "evaluation", BinaryWith({{"score", "null"}, {"criteria_scores", "'{}'"}})},
    {"evaluation_criteria_object", "evaluation", {{"criteria_scores", "'[]'"}}},
    {"evaluation_criteria_length",
     "evaluation",
     {{"criteria_scores", "jsonb_build_object('a', repeat('x', 262144))"}}},
    {"evaluation_model_length", "evaluation", {{"model_used", Bytes(201)}}},
    {"evaluation_duration_positive", "evaluation", {{"evaluation_duration_ms", "-1"}}},
    {"evaluation_revision_positive", "evaluation", {{"revision", "0"}}},
    {"evaluation_updated_later", "evaluation", {{"updated_at", "now() - interval '1 second'"}}},
    {"redemption_state_known", "redemption", {{"state", "0"}}},
    {"redemption_state_known", "redemption", {{"state", "3"}}},
    {"redemption_fp_length", "redemption", {{"fp", "'\\x00'"}}},
    {"redemption_fp_of_redeemed", "redemption", {{"fp", "null"}}},
    {"idempotency_key_length", "idempotency", {{"key", "''"}}},
    {"idempotency_key_length", "idempotency", {{"key", Bytes(256)}}},
    {"idempotency_body_hash_length", "idempotency", {{"body_hash", "'\\x00'"}}},
};

const std::vector<Case> kAccepted = {
    {"longest name", "organization", {{"name", Bytes(100)}}},
    {"a name of another organization", "project", {{"org_id", kOtherOrg}, {"name", "'taken'"}}},
    {"an e-mail of another organization", "app_user", {{"org_id", kOtherOrg}, {"email", "'taken'"}}},
    {"all scopes, ends later",
     "api_key",
     {{"scopes", "'{1,2,3,4}'"}, {"expires_at", "now() + interval '1 day'"}}},
    {"longest slug", "prompt", {{"slug", Bytes(200)}}},
    {"longest prompt",
     "prompt_version",
     {{"content", Bytes(131072)}, {"model_id", Bytes(200)}, {"metadata", "'{\"a\": 1}'"}}},
    {"a version of another prompt", "prompt_version", {{"prompt_id", kOtherPrompt}, {"version", "1"}}},
    {"a tag", "prompt_tag", {}},
    {"longest tag", "prompt_tag", {{"tag", "'-0" + std::string(98, 'a') + "'"}}},
    {"longest texts",
     "feedback",
     {{"target_text", Bytes(200)},
      {"rater_id", Bytes(200)},
      {"rater_email", Bytes(254)},
      {"rater_name", Bytes(100)},
      {"reason", Bytes(65536)},
      {"expected_output", Bytes(65536)},
      {"metadata", "'{}'"}}},
    {"a prompt's completion", "feedback", {{"prompt_id", "gen_random_uuid()"}}},
    {"the key's user", "feedback", {{"rater_kind", "0"}}},
    {"a token's subject", "feedback", {{"via", "2"}}},
    {"an anonymous token", "feedback", {{"rater_kind", "2"}, {"via", "2"}}},
    {"another rater on the same target", "feedback", {{"target_id", kSpan}, {"rater_id", "'user-2'"}}},
    {"a rater of another kind with the same id", "feedback", {{"target_id", kSpan}, {"rater_kind", "0"}}},
    {"the same target of another project",
     "feedback",
     {{"target_id", kSpan}, {"project_id", "gen_random_uuid()"}}},
    {"a trace", "feedback", {{"target_type", "2"}, {"target_id", kSpan}, {"trace_id", kSpan}}},
    {"a session", "feedback", {{"target_type", "3"}, {"target_id", kSpan}, {"session_id", kSpan}}},
    {"an eval run", "feedback", {{"target_type", "4"}}},
    {"an annotation", "feedback", {{"target_type", "5"}}},
    {"feedback on a judge",
     "feedback",
     {{"judge_id", kJudge},
      {"expected_score", "-1.5"},
      {"score_direction", "2"},
      {"criteria_feedback", "'{}'"}}},
    {"the same rater on another judge", "feedback", {{"target_id", kSpan}, {"judge_id", kJudge}}},
    {"a span with longest texts",
     "span",
     {{"name", Bytes(1000)}, {"kind", Bytes(100)}, {"model", Bytes(200)}}},
    {"feedback on a span of a prompt's version", "feedback", {{"prompt_version_id", "gen_random_uuid()"}}},
    {"a session with longest texts", "session", {{"session_text", Bytes(200)}, {"name", Bytes(1000)}}},
    {"a binary judge", "judge", BinaryWith({{"target_prompt_id", kPrompt}})},
    {"a judge whose threshold is its end", "judge", {{"pass_threshold", "10"}, {"template", Bytes(65536)}}},
    {"a binary evaluation", "evaluation", BinaryWith({{"score", "null"}})},
    {"an evaluation with everything",
     "evaluation",
     {{"id", kSpan},
      {"client_id", kSpan},
      {"span_id", kSpan},
      {"evaluation_reason", Bytes(65536)},
      {"confidence_score", "1"},
      {"criteria_scores", "'{\"clarity\": {\"score\": 9}}'"},
      {"model_used", Bytes(200)},
      {"evaluation_duration_ms", "0"}}},
    {"another judge on the same span", "evaluation", {{"span_id", kSpan}, {"judge_id", "gen_random_uuid()"}}},
    {"a revoked token", "redemption", {{"state", "2"}, {"fp", "null"}}},
    {"longest key", "idempotency", {{"key", Bytes(255)}}},
};

// What the cases refer to and collide with.
void Seed(const TestDatabase& database) {
  database.Query(Insert("organization", {{"id", kOrg}}));
  database.Query(Insert("organization", {{"id", kOtherOrg}}));
  database.Query(Insert("project", {{"id", kProject}, {"name", "'taken'"}}));
  database.Query(Insert("app_user", {{"id", kUser}, {"email", "'taken'"}}));
  database.Query(Insert("api_key", {{"hash", "sha256('taken')"}}));
  database.Query(Insert("prompt", {{"slug", "'taken'"}}));
  database.Query(Insert("prompt", {{"id", kPrompt}}));
  database.Query(Insert("prompt", {{"id", kOtherPrompt}}));
  database.Query(
      Insert("prompt_version", {{"id", kVersion}, {"version", "1"}, {"content_hash", "sha256('taken')"}}));
  database.Query(Insert("judge", {{"id", kJudge}, {"name", "'taken'"}}));
  database.Query(Insert("evaluation", {{"span_id", kSpan}}));
  database.Query(Insert("feedback", {{"target_id", kSpan}}));
}

TEST_CASE("each constraint refuses what it forbids, and what it names is stored") {
  const TestDatabase database;
  Seed(database);
  for (const Case& accepted : kAccepted) {
    INFO(accepted.table << ": " << accepted.constraint);
    CHECK_NOTHROW(database.Query(Insert(accepted.table, accepted.changes)));
  }
  for (const Case& refused : kRefused) {
    const std::string sql = Insert(refused.table, refused.changes);
    INFO(sql);
    CHECK_THROWS_WITH(database.Query(sql), Catch::Contains("constraint \"" + refused.constraint + "\""));
  }
}

TEST_CASE("no constraint is without a case that it refuses") {
  std::string tested;
  for (const Case& refused : kRefused) tested += (tested.empty() ? "'" : ",'") + refused.constraint + "'";
  // Primary keys refuse equal ids, which are random; what else has an id is unique because the id is.
  CHECK(
      TestDatabase().Query("select conname from pg_constraint where connamespace = 'public'::regnamespace"
                           "   and contype <> 'p' and conname not in ('project_org_key', 'app_user_org_key',"
                           " 'prompt_version_of_prompt_key', " +
                           tested + ") order by 1") == "");
}

TEST_CASE("a key cannot join the project of one organization with the user of another") {
  const TestDatabase database;
  Seed(database);
  const std::string stranger = "'00000000-0000-7000-8000-000000000022'";
  database.Query(Insert("app_user", {{"id", stranger}, {"org_id", kOtherOrg}}));
  CHECK_THROWS_WITH(database.Query(Insert("api_key", {{"user_id", stranger}})),
                    Catch::Contains("api_key_user_fkey"));
  CHECK_THROWS_WITH(database.Query(Insert("api_key", {{"user_id", stranger}, {"org_id", kOtherOrg}})),
                    Catch::Contains("api_key_project_fkey"));
}

}  // namespace
}  // namespace verdict::test
