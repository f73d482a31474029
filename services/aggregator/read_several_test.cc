#include <array>
#include <atomic>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>
#include <pqxx/pqxx>

#include "common/ids/entity_id.h"
#include "common/pg/session.h"
#include "common/status/error.h"
#include "services/aggregator/test_feedback.h"
#include "tests/support/await.h"
#include "tests/support/seed.h"

namespace verdict::aggregator {
namespace {

using enum types::v1::EntityType;
using types::v1::EntityType;

constexpr std::array kTypes = {ENTITY_TYPE_SPAN, ENTITY_TYPE_TRACE, ENTITY_TYPE_SESSION, ENTITY_TYPE_EVAL_RUN,
                               ENTITY_TYPE_ANNOTATION};

// What the text of a whole answer would be.
std::string TextOf(const EntityFeedback& entity) {
  std::string text = entity.state.etag + "\n" + entity.state.summary.ShortDebugString() + "\n";
  for (const v1::FeedbackItem& item : entity.items) text += item.ShortDebugString() + "\n";
  return text;
}

std::string ReadAlone(const TestAggregator& aggregator, const Entity& entity) {
  EntityFeedback feedback;
  const absl::Status status = aggregator.store.ReadFeedback(
      entity, {},
      [&](EntityState state) {
        feedback.state = std::move(state);
        return true;
      },
      [&](v1::FeedbackItem item) {
        feedback.items.push_back(std::move(item));
        return true;
      });
  CHECK(status.ok());
  return TextOf(feedback);
}

// Feedback of every kind and evaluations, on spans, traces, sessions, eval runs and annotations of few ids,
// in two projects, at few times.
void InsertRandom(const TestAggregator& aggregator, std::mt19937_64& random) {
  const auto maybe = [&](const std::string& text) {
    return random() % 2 == 0 ? std::optional(text + std::to_string(random() % 5)) : std::nullopt;
  };
  std::string sql;
  for (const Uuid& project : {kProject, kOtherProject}) {
    std::array<JudgeRow, 3> judges;
    for (JudgeRow& judge : judges) {
      judge.project = project;
      judge.name = "judge-" + judge.id.ToString();
      sql += SqlOf(judge) + ";";
    }
    for (int i = 0; i < 400; ++i) {
      const Uuid judge = judges.at(random() % 3).id;
      const std::string target = "id-" + std::to_string(random() % 12);
      const Time created_at = kNow + std::chrono::milliseconds(random() % 20);
      if (random() % 3 == 0) {
        const bool binary = random() % 2 == 0;
        const auto criteria =
            binary ? std::nullopt : std::optional<std::string>(R"({"clarity": {"score": 9, "reason": "r"}})");
        sql += SqlOf(EvaluationRow{.project = project,
                                   .judge = judge,
                                   .span = target,
                                   .own_id = true,
                                   .binary = binary,
                                   .result = random() % 2 == 0,
                                   .reason = maybe("reason ☹ "),
                                   .criteria_scores = criteria,
                                   .model = maybe("model-"),
                                   .trace = maybe("id-"),
                                   .session = maybe("id-"),
                                   .created_at = created_at});
      } else {
        const bool of_judge = random() % 3 == 0;
        const EntityType type = of_judge ? ENTITY_TYPE_SPAN : kTypes.at(random() % kTypes.size());
        const bool in_session = type == ENTITY_TYPE_SPAN || type == ENTITY_TYPE_TRACE;
        sql += SqlOf(Row{.project = project,
                         .type = type,
                         .target = target,
                         .rater_kind = static_cast<int>(random() % 3),
                         .rater_id = "user-" + std::to_string(i),
                         .rater_email = maybe("mail-"),
                         .rater_name = maybe("name-"),
                         .judge = of_judge ? std::optional(judge) : std::nullopt,
                         .thumbs_up = random() % 2 == 0,
                         .reason = maybe("why's that "),
                         .expected_output = maybe("line 1\nline "),
                         .metadata = R"({"n": 9007199254740993})",
                         .trace = type == ENTITY_TYPE_SPAN ? maybe("id-") : std::nullopt,
                         .session = in_session ? maybe("id-") : std::nullopt,
                         .created_at = created_at});
      }
      sql += ";";
    }
  }
  aggregator.database.Query(sql + "select 1");
}

struct SeveralReader {
  explicit SeveralReader(const TestAggregator& aggregator)
      : session({.dsn = aggregator.database.Dsn("aggregator"),
                 .statements = AggregatorStore::SeveralStatements(),
                 .generic_plans = true}) {}

  std::vector<std::optional<EntityFeedback>> Read(const Uuid& project, EntityType type,
                                                  const std::vector<Uuid>& keys) {
    auto answers = AggregatorStore::ReadSeveral(session, project, type, keys);
    REQUIRE(answers.ok());
    REQUIRE(answers->size() == keys.size());
    return *std::move(answers);
  }

  pg::Session session;
};

TEST_CASE("several entities by one statement are exactly what each is by itself") {
  const TestAggregator aggregator;
  const std::uint64_t seed = NewSeed("read several");
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  InsertRandom(aggregator, random);
  SeveralReader reader(aggregator);

  std::size_t items = 0;
  for (int round = 0; round < 40; ++round) {
    const EntityType type = kTypes.at(static_cast<std::size_t>(round) % kTypes.size());
    const Uuid project = random() % 4 == 0 ? kOtherProject : kProject;
    std::vector<Uuid> keys;
    const std::size_t count = 1 + random() % 32;
    // Those of 12 and above are unknown; some come more than once.
    for (std::size_t i = 0; i < count; ++i) {
      keys.push_back(EntityKey("id-" + std::to_string(random() % 15)));
    }
    const auto answers = reader.Read(project, type, keys);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      REQUIRE(answers[i].has_value());
      items += answers[i]->items.size();
      REQUIRE(TextOf(*answers[i]) ==
              ReadAlone(aggregator, {.project_id = project, .type = type, .key = keys[i]}));
    }
  }
  CHECK(items > 1'000);
  CHECK(reader.Read(kProject, ENTITY_TYPE_SPAN, {}).empty());
}

TEST_CASE("an entity of too much is not read beside others, and those beside it are") {
  const TestAggregator aggregator;
  for (const EntityType type : {ENTITY_TYPE_SPAN, ENTITY_TYPE_TRACE}) {
    aggregator.InsertMany(kProject, type, "most", 200);
    aggregator.InsertMany(kProject, type, "more", 201);
    const std::string half(32'768, 'x');
    aggregator.Insert(Row{.type = type, .target = "long", .reason = half, .expected_output = half});
    aggregator.Insert(Row{.type = type, .target = "longer", .reason = half, .expected_output = half});
    aggregator.Insert(Row{.type = type, .target = "longer", .rater_id = "another", .reason = "x"});

    const std::vector<std::pair<std::string, bool>> entities = {
        {"more", false}, {"most", true}, {"nothing", true}, {"longer", false}, {"long", true}};
    std::vector<Uuid> keys;
    for (const auto& [id, fits] : entities) keys.push_back(EntityKey(id));
    const auto answers = SeveralReader(aggregator).Read(kProject, type, keys);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      CAPTURE(type, entities[i].first);
      CHECK(answers[i].has_value() == entities[i].second);
      if (!answers[i]) continue;
      CHECK(TextOf(*answers[i]) ==
            ReadAlone(aggregator, {.project_id = kProject, .type = type, .key = keys[i]}));
    }
    for (const auto& [id, fits] : entities) {
      const auto request = EntityRequest(type, id);
      const WholeRead whole = ReadEntityAtOnce(aggregator, request);
      CHECK(whole.status.ok());
      CHECK(whole.whole == fits);
      const Read read = ReadEntity(aggregator, request);
      CHECK(read.status.ok());
      if (!fits) {
        CHECK(whole.etag.empty());
        continue;
      }
      CHECK(whole.etag == read.etag);
      REQUIRE(whole.response.has_value());
      CHECK(whole.response->SerializeAsString() == read.All().SerializeAsString());
    }
  }
}

TEST_CASE("what is read beside others is one project's alone, even with equal ids") {
  const TestAggregator aggregator;
  SeveralReader reader(aggregator);
  for (const EntityType type : kTypes) {
    aggregator.InsertMany(kProject, type, "same", 3);
    aggregator.InsertMany(kOtherProject, type, "same", 5);
    const Uuid key = EntityKey("same");
    CHECK(reader.Read(kProject, type, {key, key}).at(1)->items.size() == 3);
    CHECK(reader.Read(kOtherProject, type, {key}).at(0)->items.size() == 5);
    const auto theirs = reader.Read(*Uuid::Parse("01900000-0000-7000-8000-000000000003"), type, {key});
    CHECK(theirs.at(0)->items.empty());
    CHECK(ReadEntityAtOnce(aggregator, EntityRequest(type, "same"), kOtherProject).response->items_size() ==
          5);
  }
}

TEST_CASE("only what is asked for whole is read beside others") {
  const TestAggregator aggregator;
  aggregator.InsertMany(kProject, ENTITY_TYPE_SPAN, "span-1", 3);
  auto request = EntityRequest(ENTITY_TYPE_SPAN, "span-1");
  request.set_project_id(kProject.ToString());
  CHECK(ReadEntityAtOnce(aggregator, request).whole);

  std::array<v1::GetEntityFeedbackRequest, 8> others;
  others.fill(request);
  others[0].set_kind(v1::FEEDBACK_KIND_HUMAN_FEEDBACK);
  others[1].set_judge_id("no UUID");
  others[2].set_user_id("u");
  others[3].set_thumbs_up(false);
  *others[4].mutable_created_after() = ToProto(kNow);
  *others[5].mutable_created_before() = ToProto(kNow);
  others[6].set_limit(1);
  others[7].set_cursor("");
  for (const auto& other : others) {
    CAPTURE(other.ShortDebugString());
    const WholeRead read = ReadEntityAtOnce(aggregator, other);
    CHECK(read.status.ok());
    CHECK_FALSE(read.whole);
  }
  CHECK(aggregator.registry.Text().find("verdict_aggregator_read_batch_entities_count 1") !=
        std::string::npos);
}

TEST_CASE("a caller that has the state of an entity read beside others gets nothing but its tag") {
  const TestAggregator aggregator;
  const auto request = EntityRequest(ENTITY_TYPE_SPAN, "span-1");
  aggregator.Insert(Row{});
  const std::string tag = ReadEntityAtOnce(aggregator, request).etag;
  const WholeRead again = ReadEntityAtOnce(aggregator, request, kProject, tag);
  CHECK(again.whole);
  CHECK(again.etag == tag);
  CHECK_FALSE(again.response.has_value());
  CHECK(aggregator.registry.Text().find("verdict_aggregator_not_modified_total 1") != std::string::npos);
  aggregator.Insert(Row{.rater_id = "somebody"});
  CHECK(ReadEntityAtOnce(aggregator, request, kProject, tag).response.has_value());
}

TEST_CASE("a read sees every write that was acknowledged before it, however busy the readers are") {
  const TestAggregator aggregator;
  const auto request = EntityRequest(ENTITY_TYPE_SPAN, "busy");
  aggregator.Insert(Row{.target = "busy"});
  std::atomic<int> failures = 0;
  std::vector<std::jthread> others;
  for (int i = 0; i < 4; ++i) {
    others.emplace_back([&](std::stop_token stop) {
      while (!stop.stop_requested()) failures += ReadEntityAtOnce(aggregator, request).whole ? 0 : 1;
    });
  }
  pqxx::connection connection(aggregator.database.Dsn("postgres"));
  for (int revision = 2; revision < 300; ++revision) {
    pqxx::work transaction(connection);
    const std::string reason = std::to_string(revision);
    transaction.exec("update feedback set revision = " + reason + ", reason = '" + reason + "'");
    transaction.commit();
    const WholeRead read = ReadEntityAtOnce(aggregator, request);
    REQUIRE(read.response.has_value());
    REQUIRE(read.response->items(0).reason() == reason);
  }
  others.clear();
  CHECK(failures == 0);
}

TEST_CASE("while the database is away reads beside others say so, and work again when it is back") {
  const TestAggregator aggregator;
  const auto request = EntityRequest(ENTITY_TYPE_SPAN, "span-1");
  aggregator.Insert(Row{});
  CHECK(ReadEntityAtOnce(aggregator, request).whole);
  aggregator.database.AllowConnections(false);
  for (int i = 0; i < 3; ++i) {
    CHECK(ReasonOf(ReadEntityAtOnce(aggregator, request).status) == errors::v1::REASON_UNAVAILABLE);
  }
  aggregator.database.AllowConnections(true);
  test::Await("the readers to connect again", [&] { return ReadEntityAtOnce(aggregator, request).whole; });
}

TEST_CASE("a value that cannot be read fails its own entity alone") {
  const TestAggregator aggregator;
  aggregator.Insert(Row{});
  aggregator.Insert(Row{.target = "broken", .judge = kOtherProject, .criteria_feedback = "{}"});
  aggregator.database.Query(
      "update feedback set criteria_feedback = '{\"clarity\": 7}' where target_text = 'broken'");
  SeveralReader reader(aggregator);
  const std::vector<Uuid> keys = {EntityKey("span-1"), EntityKey("broken")};
  CHECK_FALSE(AggregatorStore::ReadSeveral(reader.session, kProject, ENTITY_TYPE_SPAN, keys).ok());
  // So each is read by itself.
  const WholeRead broken = ReadEntityAtOnce(aggregator, EntityRequest(ENTITY_TYPE_SPAN, "broken"));
  CHECK(broken.status.ok());
  CHECK_FALSE(broken.whole);
  CHECK(ReasonOf(ReadEntity(aggregator, ENTITY_TYPE_SPAN, "broken").status) == errors::v1::REASON_INTERNAL);
  CHECK(ReadEntityAtOnce(aggregator, EntityRequest(ENTITY_TYPE_SPAN, "span-1")).whole);
}

}  // namespace
}  // namespace verdict::aggregator
