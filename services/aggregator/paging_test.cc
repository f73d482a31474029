#include <algorithm>
#include <atomic>
#include <functional>
#include <random>
#include <set>
#include <thread>

#include <catch2/catch.hpp>
#include <pqxx/pqxx>

#include "common/status/error.h"
#include "services/aggregator/test_feedback.h"

namespace verdict::aggregator {
namespace {

using types::v1::ENTITY_TYPE_SPAN;
using types::v1::ENTITY_TYPE_TRACE;

std::string FieldOf(const absl::Status& status) {
  CHECK(ReasonOf(status) == errors::v1::REASON_VALIDATION_ERROR);
  const auto violations = DetailsOf(status).violations;
  return violations.size() == 1 ? violations[0].field : "";
}

using Position = std::pair<Time, std::string>;
Position PositionOf(const v1::FeedbackItem& item) { return {FromProto(item.created_at()), item.id()}; }

// Reads the entity a page at a time, with limits from `next_limit`; checks what every page promises.
std::vector<v1::FeedbackItem> ReadPages(const TestAggregator& aggregator,
                                        v1::GetEntityFeedbackRequest request,
                                        const std::function<int()>& next_limit) {
  std::vector<v1::FeedbackItem> items;
  do {
    request.set_limit(next_limit());
    const Read read = ReadEntity(aggregator, request);
    REQUIRE(read.status.ok());
    REQUIRE(read.messages.size() == 1);
    REQUIRE(read.messages[0].items_size() <= request.limit());
    if (read.messages[0].has_next_cursor()) REQUIRE(read.messages[0].items_size() > 0);
    items.insert(items.end(), read.messages[0].items().begin(), read.messages[0].items().end());
    request.set_cursor(read.messages[0].next_cursor());
  } while (!request.cursor().empty());
  return items;
}

// Feedback and evaluations of a few people and judges on one trace, at few times, so that many share one.
struct RandomFeedback {
  RandomFeedback(const TestAggregator& aggregator, int count, std::mt19937& random) {
    std::string sql;
    for (JudgeRow& judge : judges) sql += SqlOf(judge) + ";";
    for (int i = 0; i < count; ++i) {
      const std::string span = "span-" + std::to_string(i);
      const Uuid& judge = judges[random() % 3].id;
      const Time created_at = kNow + std::chrono::milliseconds(random() % 50);
      if (random() % 2 == 0) {
        sql += SqlOf(EvaluationRow{.judge = judge,
                                   .span = span,
                                   .result = random() % 2 == 0,
                                   .trace = "trace-1",
                                   .created_at = created_at});
      } else {
        sql += SqlOf(Row{.target = span,
                         .rater_kind = static_cast<int>(random() % 3),
                         .rater_id = "user-" + std::to_string(random() % 4),
                         .judge = random() % 3 == 0 ? std::optional(judge) : std::nullopt,
                         .thumbs_up = random() % 2 == 0,
                         .trace = "trace-1",
                         .created_at = created_at});
      }
      sql += ";";
    }
    aggregator.database.Query(sql + "select 1");
  }

  JudgeRow judges[3];
};

// What the filters of a request mean, said once more.
bool Passes(const v1::FeedbackItem& item, const v1::GetEntityFeedbackRequest& filters) {
  const bool human = item.kind() == v1::FEEDBACK_KIND_HUMAN_FEEDBACK;
  if (filters.kind() != v1::FEEDBACK_KIND_UNSPECIFIED && filters.kind() != item.kind()) return false;
  if (filters.has_judge_id() && filters.judge_id() != (human ? item.judge_id() : item.automation_id()))
    return false;
  if (filters.has_user_id() && (!human || filters.user_id() != item.created_by().id())) return false;
  if (filters.has_thumbs_up() && (!human || filters.thumbs_up() != item.thumbs_up())) return false;
  if (filters.has_created_after() && FromProto(item.created_at()) < FromProto(filters.created_after()))
    return false;
  return !filters.has_created_before() || FromProto(item.created_at()) < FromProto(filters.created_before());
}

// Each filter with odds of a half, of values that are and are not there.
v1::GetEntityFeedbackRequest RandomFilters(const RandomFeedback& feedback, std::mt19937& random) {
  auto filters = EntityRequest(ENTITY_TYPE_TRACE, "trace-1");
  const auto given = [&] { return random() % 3 == 0; };
  if (given()) filters.set_kind(static_cast<v1::FeedbackKind>(1 + random() % 2));
  if (given())
    filters.set_judge_id(random() % 8 == 0 ? kProject.ToString()
                                           : feedback.judges[random() % 3].id.ToString());
  if (given()) filters.set_user_id("user-" + std::to_string(random() % 5));
  if (given()) filters.set_thumbs_up(random() % 2 == 0);
  if (given()) *filters.mutable_created_after() = ToProto(kNow + std::chrono::milliseconds(random() % 40));
  if (given())
    *filters.mutable_created_before() = ToProto(kNow + std::chrono::milliseconds(10 + random() % 45));
  return filters;
}

template <typename Request>
Request WithFilters(const v1::GetEntityFeedbackRequest& filters) {
  Request request;
  request.set_kind(filters.kind());
  if (filters.has_judge_id()) request.set_judge_id(filters.judge_id());
  if (filters.has_user_id()) request.set_user_id(filters.user_id());
  if (filters.has_thumbs_up()) request.set_thumbs_up(filters.thumbs_up());
  if (filters.has_created_after()) *request.mutable_created_after() = filters.created_after();
  if (filters.has_created_before()) *request.mutable_created_before() = filters.created_before();
  return request;
}

TEST_CASE("a read, a page, a list and an export give exactly what their filters let pass") {
  const TestAggregator aggregator;
  const auto seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const int count = GENERATE(300, 1'200);  // read by one statement, and by cursors
  const RandomFeedback feedback(aggregator, count, random);
  const auto whole = ReadEntity(aggregator, ENTITY_TYPE_TRACE, "trace-1").All();
  REQUIRE(whole.items_size() == count);
  CheckRecount(whole);

  for (int i = 0; i < 40; ++i) {
    const auto filters = RandomFilters(feedback, random);
    CAPTURE(filters.ShortDebugString());
    std::vector<std::string> expected;
    for (const auto& item : whole.items()) {
      if (Passes(item, filters)) expected.push_back(item.id());
    }
    const auto read = ReadEntity(aggregator, filters).All();
    REQUIRE(IdsOf(read) == expected);
    REQUIRE(read.summary().SerializeAsString() == whole.summary().SerializeAsString());

    std::vector<std::string> paged;
    const int limit = 1 + static_cast<int>(random() % 400);
    for (const auto& item : ReadPages(aggregator, filters, [&] { return limit; })) paged.push_back(item.id());
    REQUIRE(paged == expected);

    std::ranges::reverse(expected);
    std::vector<std::string> listed;
    auto list = WithFilters<v1::ListFeedbackRequest>(filters);
    do {
      list.set_limit(limit);
      const auto page = aggregator.service.ListFeedback({.project_id = kProject}, list);
      REQUIRE(page.ok());
      for (const std::string& id : IdsOf(*page)) listed.push_back(id);
      list.set_cursor(page->next_cursor());
    } while (!list.cursor().empty());
    REQUIRE(listed == expected);
    REQUIRE(IdsOf(Stream(aggregator, &AggregatorService::ExportFeedback,
                         WithFilters<v1::ExportFeedbackRequest>(filters))
                      .All()) == expected);
  }
}

TEST_CASE(
    "pages have every item that stood throughout exactly once, in order, whatever is written meanwhile") {
  const TestAggregator aggregator;
  const auto seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const int count = GENERATE(500, 1'200);
  const RandomFeedback feedback(aggregator, count, random);
  const auto whole = ReadEntity(aggregator, ENTITY_TYPE_TRACE, "trace-1").All();

  std::atomic<int> written = 0;
  std::jthread writer([&](std::stop_token stop) {
    pqxx::connection connection(aggregator.database.Dsn("postgres"));
    while (!stop.stop_requested()) {
      pqxx::work transaction(connection);
      transaction.exec("update evaluation set revision = revision + 1 where random() < 0.05");
      transaction.exec("delete from feedback where rater_id = 'extra'");
      // At times all over the entity's: before and behind the place of whoever reads.
      transaction.exec(
          "insert into feedback (project_id, id, target_type, target_id, target_text, rater_kind, rater_id, "
          "thumbs_up,"
          " via, submitted_by, trace_id, created_at, updated_at) select project_id, gen_random_uuid(), 1,"
          " gen_random_uuid(), 'extra', 1, 'extra', true, 1, submitted_by, trace_id, created_at, now()"
          " from evaluation order by random() limit 20");
      transaction.commit();
      ++written;
    }
  });
  while (written == 0) std::this_thread::yield();
  const int before = written;
  for (int round = 0; round < 5 || written < before + 10; ++round) {
    const auto items = ReadPages(aggregator, EntityRequest(ENTITY_TYPE_TRACE, "trace-1"),
                                 [&] { return 1 + static_cast<int>(random() % 200); });
    std::set<std::string> ids;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) REQUIRE(PositionOf(items[i - 1]) < PositionOf(items[i]));
      ids.insert(items[i].id());
    }
    for (const auto& item : whole.items()) REQUIRE(ids.contains(item.id()));
  }
}

TEST_CASE("a page is at most about 1 MiB, and not the last one for that") {
  const TestAggregator aggregator;
  const std::string longest(65'536, 'x');
  std::string sql;
  const int count = GENERATE(10, 40);  // read by one statement, and by cursors
  for (int i = 0; i < count; ++i) {
    sql += SqlOf(Row{.rater_id = std::to_string(i), .reason = longest, .expected_output = longest}) + ";";
  }
  aggregator.database.Query(sql + "select 1");
  auto request = EntityRequest(ENTITY_TYPE_SPAN, "span-1");
  request.set_limit(1'000);
  const auto page = ReadEntity(aggregator, request).All();
  CHECK(page.ByteSizeLong() <= (1 << 20) + 1'000);
  CHECK(page.has_next_cursor());
  CHECK(ReadPages(aggregator, request, [] { return 1'000; }).size() == static_cast<size_t>(count));
  v1::ListFeedbackRequest list;
  list.set_limit(1'000);
  const auto listed = aggregator.service.ListFeedback({.project_id = kProject}, list);
  REQUIRE(listed.ok());
  CHECK(listed->ByteSizeLong() <= (1 << 20) + 1'000);
  CHECK(listed->has_next_cursor());
}

TEST_CASE("a page of exactly what there is is the last one") {
  const TestAggregator aggregator;
  aggregator.InsertMany(kProject, ENTITY_TYPE_SPAN, "span-1", 3);
  auto request = EntityRequest(ENTITY_TYPE_SPAN, "span-1");
  for (const auto [limit, more] : {std::pair(2, true), {3, false}, {4, false}}) {
    request.set_limit(limit);
    const auto page = ReadEntity(aggregator, request).All();
    CHECK(page.has_next_cursor() == more);
    CHECK(page.summary().total() == 3);
  }
}

TEST_CASE("a cursor is good for its own list only") {
  const TestAggregator aggregator;
  const std::string uuid = "0af76519-16cd-43dd-8448-eb211c80319c";
  aggregator.InsertMany(kProject, ENTITY_TYPE_SPAN, uuid, 5);
  auto request = EntityRequest(ENTITY_TYPE_SPAN, uuid);
  request.set_limit(2);
  request.set_thumbs_up(true);
  request.set_cursor(ReadEntity(aggregator, request).All().next_cursor());
  REQUIRE_FALSE(request.cursor().empty());

  const auto next = ReadEntity(aggregator, request);
  CHECK(next.status.ok());
  auto same = request;
  same.set_limit(1);
  same.set_entity_id("0AF7651916CD43DD8448EB211C80319C");  // the same entity
  CHECK(ReadEntity(aggregator, same).All().items(0).id() == next.All().items(0).id());

  std::vector<v1::GetEntityFeedbackRequest> others(7, request);
  others[0].set_entity_id("another");
  others[1].set_entity_type(ENTITY_TYPE_TRACE);
  others[2].set_thumbs_up(false);
  others[3].clear_thumbs_up();
  others[4].set_kind(v1::FEEDBACK_KIND_HUMAN_FEEDBACK);
  *others[5].mutable_created_before() = ToProto(kNow);
  others[6].set_cursor("");
  for (const auto& other : others) CHECK(FieldOf(ReadEntity(aggregator, other).status) == "cursor");
  CHECK(FieldOf(ReadEntity(aggregator, request, kOtherProject).status) == "cursor");
  v1::ListFeedbackRequest list;
  list.set_thumbs_up(true);
  list.set_cursor(request.cursor());
  CHECK(FieldOf(aggregator.service.ListFeedback({.project_id = kProject}, list).status()) == "cursor");
  request.clear_limit();
  CHECK(FieldOf(ReadEntity(aggregator, request).status) == "cursor");
}

TEST_CASE("a filter that is no value is refused by its name, on every read that has it") {
  const TestAggregator aggregator;
  const auto field_of = [&](const v1::GetEntityFeedbackRequest& filters) {
    const std::string field = FieldOf(ReadEntity(aggregator, filters).status);
    const auto list = WithFilters<v1::ListFeedbackRequest>(filters);
    CHECK(FieldOf(aggregator.service.ListFeedback({.project_id = kProject}, list).status()) == field);
    const auto all = WithFilters<v1::ExportFeedbackRequest>(filters);
    CHECK(FieldOf(Stream(aggregator, &AggregatorService::ExportFeedback, all).status) == field);
    return field;
  };
  auto filters = EntityRequest(ENTITY_TYPE_SPAN, "s");
  filters.set_judge_id("helpfulness");
  CHECK(field_of(filters) == "judge_id");
  filters.clear_judge_id();
  for (const int64_t seconds : {int64_t{-62'135'596'801}, int64_t{253'402'300'800}, INT64_MAX, INT64_MIN}) {
    filters.mutable_created_before()->set_seconds(seconds);
    CHECK(field_of(filters) == "created_before");
    filters.mutable_created_after()->set_seconds(seconds);
    filters.clear_created_before();
    CHECK(field_of(filters) == "created_after");
    filters.clear_created_after();
  }
  for (const int64_t seconds : {int64_t{-62'135'596'800}, int64_t{253'402'300'799}}) {
    filters.mutable_created_after()->set_seconds(seconds);
    CHECK(ReadEntity(aggregator, filters).status.ok());
  }
}

TEST_CASE("a bound between two milliseconds divides them") {
  const TestAggregator aggregator;
  aggregator.Insert(Row{.created_at = kNow});
  auto request = EntityRequest(ENTITY_TYPE_SPAN, "span-1");
  const auto count = [&] { return ReadEntity(aggregator, request).All().items_size(); };
  *request.mutable_created_after() = ToProto(kNow);
  CHECK(count() == 1);
  request.mutable_created_after()->set_nanos(1);
  CHECK(count() == 0);
  request.clear_created_after();
  *request.mutable_created_before() = ToProto(kNow);
  CHECK(count() == 0);
  request.mutable_created_before()->set_nanos(1);
  CHECK(count() == 1);
}

}  // namespace
}  // namespace verdict::aggregator
