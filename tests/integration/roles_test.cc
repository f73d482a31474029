#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <pqxx/pqxx>

#include "tests/support/database.h"

namespace verdict::test {
namespace {

constexpr char kSeed[] = R"(
  insert into organization values ('00000000-0000-7000-8000-000000000001', 'acme', now());
  insert into project values ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000000001', 'a',
                              '-infinity', now());
  insert into app_user values ('00000000-0000-7000-8000-000000000003', '00000000-0000-7000-8000-000000000001',
                               'u@example.com', 'U', now());
  insert into feedback (project_id, id, target_type, target_id, target_text, rater_kind, rater_id, thumbs_up, via,
                        submitted_by, created_at, updated_at)
  select ('00000000-0000-7000-8000-00000000000' || project)::uuid, gen_random_uuid(), 1,
         '00000000-0000-7000-8000-00000000000a', 'completion-1', 1, 'user-' || rater, true, 1, gen_random_uuid(),
         now(), now()
    from generate_series(1, 3) as project, generate_series(1, project) as rater)";

// The result's first field, or what PostgreSQL said.
std::string RunAs(const TestDatabase& database, const std::string& role, const std::string& sql) {
  pqxx::connection connection(database.Dsn(role));
  try {
    pqxx::nontransaction transaction(connection);
    const pqxx::result rows = transaction.exec(sql);
    return rows.empty() ? "" : rows[0][0].c_str();
  } catch (const pqxx::insufficient_privilege&) {
    return "refused";
  }
}

struct Statement {
  std::string role = {};
  std::string sql = {};
};

const std::vector<Statement> kJobs = {
    {"token", "insert into organization values (gen_random_uuid(), 'n', now())"},
    {"token",
     "insert into project (id, org_id, name, created_at)"
     " values (gen_random_uuid(), '00000000-0000-7000-8000-000000000001', 'n', now())"},
    {"token", "update project set tokens_valid_after = now()"},
    {"token",
     "insert into app_user"
     " values (gen_random_uuid(), '00000000-0000-7000-8000-000000000001', 'n@example.com', 'n', now())"},
    {"token",
     "insert into api_key (id, org_id, project_id, user_id, hash, scopes, created_at)"
     " values (gen_random_uuid(), '00000000-0000-7000-8000-000000000001', "
     "'00000000-0000-7000-8000-000000000002',"
     "         '00000000-0000-7000-8000-000000000003', sha256('k'), '{1}', now())"},
    {"token",
     "select * from api_key join app_user u on u.id = user_id join project p on p.id = project_id"
     "  join organization o on o.id = p.org_id"},
    {"token", "update api_key set revoked_at = now()"},
    {"token",
     "insert into redemption (project_id, jti, state, exp) values (gen_random_uuid(), gen_random_uuid(), 2, "
     "now())"
     " on conflict (project_id, jti) do update set state = excluded.state"},
    {"token", "select state from redemption"},
    {"feedback", "select tokens_valid_after from project"},
    {"feedback",
     "insert into prompt values ('00000000-0000-7000-8000-000000000002', gen_random_uuid(), 'slug', now())"},
    {"feedback", "select * from prompt"},
    {"feedback",
     "insert into prompt values ('00000000-0000-7000-8000-000000000002', gen_random_uuid(), 'slug', now())"
     " on conflict (project_id, slug) do update set created_at = prompt.created_at"},
    {"feedback", "select id from prompt for no key update"},
    {"feedback",
     "insert into prompt_version (project_id, id, prompt_id, version, content, content_hash, text_hash, "
     "created_at)"
     " select project_id, id, id, 1, 'c', sha256('c'), sha256('c'), now() from prompt limit 1"},
    {"feedback",
     "insert into prompt_tag select project_id, prompt_id, 'production', id, now() from prompt_version"
     " on conflict (project_id, prompt_id, tag) do update set version_id = excluded.version_id"},
    {"feedback", "select * from prompt_version join prompt_tag using (project_id, prompt_id)"},
    {"feedback",
     "insert into span (project_id, span_id) values (gen_random_uuid(), gen_random_uuid())"
     " on conflict (project_id, span_id) do update set span_id = excluded.span_id returning trace_id, "
     "session_id"},
    {"feedback",
     "insert into trace (project_id, trace_id) values (gen_random_uuid(), gen_random_uuid())"
     " on conflict (project_id, trace_id) do update set trace_id = excluded.trace_id returning session_id"},
    {"feedback",
     "insert into feedback (project_id, id, target_type, target_id, target_text, rater_kind, rater_id, "
     "thumbs_up, via,"
     "                      submitted_by, created_at, updated_at)"
     " values (gen_random_uuid(), gen_random_uuid(), 4, gen_random_uuid(), 'run', 0, 'u', true, 1, "
     "gen_random_uuid(),"
     "         now(), now())"},
    {"feedback", "update feedback set revision = revision + 1"},
    {"feedback", "select * from feedback join feedback_history using (project_id, id)"},
    {"feedback", "delete from feedback"},
    {"feedback",
     "insert into redemption (project_id, jti, state, fp, exp)"
     " values (gen_random_uuid(), gen_random_uuid(), 1, sha256('b'), now()) on conflict do nothing returning "
     "jti"},
    {"feedback", "delete from redemption where exp < now() - interval '1 hour'"},
    {"feedback",
     "insert into idempotency (project_id, owner, key, body_hash, created_at)"
     " values (gen_random_uuid(), gen_random_uuid(), 'k', sha256('b'), now())"},
    {"feedback", "update idempotency set response = 'r'"},
    {"feedback", "delete from idempotency where created_at < now() - interval '1 day'"},
    {"feedback", "delete from feedback_history"},
    {"feedback", "update redemption set state = 2, fp = null"},
    {"feedback",
     "insert into session (project_id, session_id, session_text) values (gen_random_uuid(), "
     "gen_random_uuid(), 's')"
     " on conflict (project_id, session_id) do update set name = excluded.name"},
    {"feedback", "delete from span where trace_id is null"},
    {"feedback", "delete from trace where started_at is null"},
    {"feedback", "delete from session"},
    {"feedback",
     "insert into judge (project_id, id, name, evaluation_type, task_id, created_at, modified_at)"
     " select project_id, gen_random_uuid(), 'j', 1, id, now(), now() from prompt limit 1"},
    {"feedback", "update judge set name = 'k', revision = revision + 1"},
    {"feedback",
     "insert into evaluation (project_id, id, judge_id, span_id, span_text, evaluation_type, "
     "evaluation_result,"
     "                        submitted_by, created_at, updated_at)"
     " values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 's', 1, true,"
     "         gen_random_uuid(), now(), now())"},
    {"feedback", "update evaluation set revision = revision + 1"},
    {"feedback",
     "select * from evaluation join evaluation_history using (project_id, id) join judge using (project_id)"},
    {"feedback", "delete from evaluation"},
    {"feedback", "delete from evaluation_history"},
    {"aggregator",
     "select * from feedback left join span using (project_id) left join trace using (project_id)"
     "  left join session using (project_id) left join feedback_history using (project_id)"},
    {"aggregator",
     "select * from evaluation left join evaluation_history using (project_id) left join judge using "
     "(project_id)"},
};

TEST_CASE("each role can do its job") {
  const TestDatabase database;
  database.Query(kSeed);
  for (const Statement& job : kJobs) {
    INFO(job.role << ": " << job.sql);
    CHECK(RunAs(database, job.role, job.sql) != "refused");
  }
}

TEST_CASE("each role is refused its neighbours' tables and what its job does not need") {
  const TestDatabase database;
  const std::vector<Statement> refused = {
      {"token", "select 1 from feedback"},
      {"token", "select 1 from prompt"},
      {"token", "select 1 from prompt_version"},
      {"token", "select 1 from prompt_tag"},
      {"token", "select 1 from idempotency"},
      {"token", "delete from redemption"},
      {"token", "update redemption set exp = 'infinity'"},
      {"token", "delete from api_key"},
      {"token", "update api_key set scopes = '{1,2,3,4}'"},
      {"token", "update api_key set expires_at = null"},
      {"token", "update project set org_id = gen_random_uuid()"},
      {"feedback", "select 1 from api_key"},
      {"feedback", "select 1 from app_user"},
      {"feedback", "select 1 from organization"},
      {"feedback", "update project set tokens_valid_after = '-infinity'"},
      {"token", "select 1 from evaluation"},
      {"token", "select 1 from judge"},
      {"feedback", "update redemption set exp = 'infinity'"},
      {"feedback", "update feedback_history set reason = null"},
      {"feedback", "update evaluation_history set evaluation_reason = null"},
      {"feedback", "delete from judge"},
      {"feedback", "update prompt set slug = 's'"},
      {"feedback", "delete from prompt"},
      {"feedback", "update prompt_version set content = ''"},
      {"feedback", "delete from prompt_version"},
      {"feedback", "delete from prompt_tag"},
      {"aggregator", "select 1 from api_key"},
      {"aggregator", "select 1 from redemption"},
      {"aggregator", "select 1 from project"},
      {"aggregator", "delete from feedback"},
      {"aggregator", "delete from evaluation"},
      {"aggregator", "update judge set name = ''"},
      {"aggregator", "select 1 from prompt"},
      {"aggregator", "select 1 from prompt_version"},
      {"aggregator", "select 1 from prompt_tag"},
      {"aggregator", "update span set name = ''"},
      {"aggregator", "insert into trace values (gen_random_uuid(), gen_random_uuid())"},
  };
  for (const Statement& statement : refused) {
    INFO(statement.role << ": " << statement.sql);
    CHECK(RunAs(database, statement.role, statement.sql) == "refused");
  }
  for (const std::string role : {"token", "feedback", "aggregator"}) {
    INFO(role);
    CHECK(RunAs(database, role, "create table mine (x int)") == "refused");
    CHECK(RunAs(database, role, "select 1 from sqitch.changes") == "refused");
    CHECK(RunAs(database, role, "alter table feedback disable row level security") == "refused");
  }
}

TEST_CASE("no role of ours passes the rules by rank") {
  CHECK(TestDatabase().Query(
            "select rolname from pg_roles where rolname like 'verdict%'"
            "   and (rolsuper or rolcreaterole or rolcreatedb or rolbypassrls or rolreplication)") == "");
}

// Project N of the seed has N rows.
TEST_CASE("a read that forgets its tenant sees only the tenant that it has set") {
  const TestDatabase database;
  database.Query(kSeed);
  const auto count_of = [](const std::string& project) {
    return "with tenant as materialized (select set_config('app.project_id', '" + project +
           "', true)) select count(feedback.id) from tenant cross join lateral (select id from feedback) "
           "feedback";
  };
  CHECK(RunAs(database, "aggregator", count_of("00000000-0000-7000-8000-000000000002")) == "2");
  CHECK(RunAs(database, "aggregator", count_of("00000000-0000-7000-8000-000000000003")) == "3");
  CHECK(RunAs(database, "aggregator", count_of("00000000-0000-7000-8000-000000000009")) == "0");
  CHECK(RunAs(database, "aggregator", count_of("")) == "0");
  CHECK(RunAs(database, "aggregator", "select count(*) from feedback") == "0");
}

// What the aggregator may read, it may read of one project alone.
TEST_CASE("every table that the aggregator may read is behind the second wall") {
  const TestDatabase database;
  CHECK(database.Query("select string_agg(relname, ',' order by relname) from pg_class"
                       " where relnamespace = 'public'::regnamespace and relkind = 'r'"
                       "   and has_table_privilege('verdict_aggregator', oid, 'select')") ==
        "evaluation,evaluation_history,feedback,feedback_history,judge,session,span,trace");
  CHECK(database.Query("select relname from pg_class"
                       " where relnamespace = 'public'::regnamespace and relkind = 'r'"
                       "   and has_table_privilege('verdict_aggregator', oid, 'select')"
                       "   and not (relrowsecurity and relforcerowsecurity and exists ("
                       "         select from pg_policy where polrelid = pg_class.oid and polcmd = 'r'"
                       "            and pg_get_expr(polqual, polrelid) like '%app.project_id%'))") == "");
}

TEST_CASE("whoever is not named by a policy sees nothing, whatever was granted") {
  const TestDatabase database;
  database.Query(kSeed);
  database.Query("grant select on feedback to verdict_token");
  CHECK(RunAs(database, "token", "select count(*) from feedback") == "0");
  CHECK(RunAs(database, "feedback", "select count(*) from feedback") == "6");

  database.Query("drop policy feedback_of_all on feedback");
  CHECK(RunAs(database, "owner", "select count(*) from feedback") == "0");
}

}  // namespace
}  // namespace verdict::test
