#include "services/aggregator/aggregator_service.h"

#include <algorithm>
#include <set>

#include <catch2/catch.hpp>

#include "common/status/error.h"
#include "services/aggregator/test_feedback.h"

namespace verdict::aggregator {
namespace {

using enum types::v1::EntityType;
using types::v1::EntityType;

constexpr std::array kTypes = {ENTITY_TYPE_SPAN, ENTITY_TYPE_TRACE, ENTITY_TYPE_SESSION, ENTITY_TYPE_EVAL_RUN,
                               ENTITY_TYPE_ANNOTATION};

std::vector<std::string> IdsOf(const v1::GetEntityFeedbackResponse& response) {
  std::vector<std::string> ids;
  for (const auto& item : response.items()) ids.push_back(item.id());
  return ids;
}

TEST_CASE("an entity without feedback has zeros and no items, in one message") {
  const TestAggregator aggregator;
  for (const EntityType type : kTypes) {
    const Read read = ReadEntity(aggregator, type, "nothing here");
    CHECK(read.status.ok());
    REQUIRE(read.messages.size() == 1);
    CHECK(read.messages[0].entity_type() == type);
    CHECK(read.messages[0].entity_id() == "nothing here");
    CHECK(read.messages[0].has_summary());
    CheckRecount(read.messages[0]);
  }
}

TEST_CASE("entities of different types never mix, even with equal ids") {
  const TestAggregator aggregator;
  std::vector<Row> rows;
  for (const EntityType type : kTypes) {
    aggregator.Insert(rows.emplace_back(Row{.type = type, .target = "same"}));
  }
  for (size_t i = 0; i < kTypes.size(); ++i) {
    const auto read = ReadEntity(aggregator, kTypes[i], "same").All();
    CHECK(IdsOf(read) == std::vector{rows[i].id.ToString()});
    CHECK(read.items(0).has_span_id() == (kTypes[i] == ENTITY_TYPE_SPAN));
    CHECK(read.items(0).has_trace_id() == (kTypes[i] == ENTITY_TYPE_TRACE));
  }
}

TEST_CASE("a trace and a session have what is on them and on their spans") {
  const TestAggregator aggregator;
  const Row on_span = {.target = "s1", .trace = "t1", .session = "c1", .created_at = kNow};
  const Row on_trace = {.type = ENTITY_TYPE_TRACE,
                        .target = "t1",
                        .session = "c1",
                        .created_at = kNow + std::chrono::seconds(1)};
  const Row on_session = {
      .type = ENTITY_TYPE_SESSION, .target = "c1", .created_at = kNow + std::chrono::seconds(2)};
  const Row elsewhere = {.target = "s2", .trace = "t2", .session = "c2"};
  for (const Row& row : {on_session, on_trace, on_span, elsewhere}) aggregator.Insert(row);
  const auto id = [](const Row& row) { return row.id.ToString(); };

  CHECK(IdsOf(ReadEntity(aggregator, ENTITY_TYPE_SPAN, "s1").All()) == std::vector{id(on_span)});
  const auto trace = ReadEntity(aggregator, ENTITY_TYPE_TRACE, "t1").All();
  CHECK(IdsOf(trace) == std::vector{id(on_span), id(on_trace)});
  CHECK(trace.items(0).span_id() == "s1");
  CHECK(trace.items(1).trace_id() == "t1");
  CHECK(IdsOf(ReadEntity(aggregator, ENTITY_TYPE_SESSION, "c1").All()) ==
        std::vector{id(on_span), id(on_trace), id(on_session)});
}

TEST_CASE("an item says who gave it, which way, and about what") {
  const TestAggregator aggregator;
  aggregator.Insert({.rater_kind = 0,
                     .rater_id = "01900000-0000-7000-8000-00000000000a",
                     .rater_email = "alice@example.com",
                     .rater_name = "Alice",
                     .thumbs_up = false,
                     .reason = "vague; it's \"bad\" ☹",
                     .expected_output = "line 1\nline 2",
                     .metadata = R"({"n": 9007199254740993})",
                     .trace = "0af7651916cd43dd8448eb211c80319c",
                     .created_at = kNow});
  aggregator.Insert({.rater_kind = 1, .rater_id = "u", .created_at = kNow + std::chrono::milliseconds(1)});
  aggregator.Insert({.rater_kind = 2,
                     .rater_id = "01900000-0000-7000-8000-00000000000b",
                     .created_at = kNow + std::chrono::milliseconds(2)});
  aggregator.Insert(
      {.rater_id = "u", .judge = kOtherProject, .created_at = kNow + std::chrono::milliseconds(3)});

  const auto read = ReadEntity(aggregator, ENTITY_TYPE_SPAN, "span-1").All();

  REQUIRE(read.items_size() == 4);
  const auto& full = read.items(0);
  CHECK(full.kind() == v1::FEEDBACK_KIND_HUMAN_FEEDBACK);
  CHECK(full.span_id() == "span-1");
  CHECK(full.trace_id() == "0af76519-16cd-43dd-8448-eb211c80319c");
  CHECK_FALSE(full.thumbs_up());
  CHECK(full.reason() == "vague; it's \"bad\" ☹");
  CHECK(full.expected_output() == "line 1\nline 2");
  CHECK(full.metadata() == R"({"n": 9007199254740993})");
  CHECK(FromProto(full.created_at()) == kNow);
  CHECK(FromProto(full.updated_at()) == kNow);
  CHECK(full.created_by().id() == "01900000-0000-7000-8000-00000000000a");
  CHECK(full.created_by().email() == "alice@example.com");
  CHECK(full.created_by().name() == "Alice");
  CHECK(full.source_type() == v1::SOURCE_TYPE_HUMAN);
  CHECK(full.via() == v1::VIA_API);

  const auto& bare = read.items(1);
  CHECK(bare.created_by().id() == "u");
  CHECK_FALSE(bare.created_by().has_email());
  CHECK_FALSE(bare.created_by().has_name());
  CHECK_FALSE(bare.has_reason());
  CHECK_FALSE(bare.has_expected_output());
  CHECK_FALSE(bare.has_metadata());
  CHECK_FALSE(bare.has_trace_id());

  CHECK(read.items(2).created_by().id() == "01900000-0000-7000-8000-00000000000b");
  CHECK(read.items(2).via() == v1::VIA_TOKEN);

  CHECK(read.items(3).source_type() == v1::SOURCE_TYPE_JUDGE);
  CHECK(read.summary().total() == 4);
  CHECK(read.summary().thumbs_up_count() == 2);
  CHECK(read.summary().thumbs_down_count() == 1);
}

TEST_CASE("every spelling of an id finds the same feedback, shown in its writer's spelling") {
  const TestAggregator aggregator;
  const std::vector<std::vector<std::string>> entities = {
      {"0AF76519-16cd-43dd-8448-eb211c80319c", "0af76519-16cd-43dd-8448-eb211c80319c",
       "0af7651916cd43dd8448eb211c80319c", "0AF7651916CD43DD8448EB211C80319C"},
      {"b7ad6b7169203331", "b7ad6b71-6920-3331-0000-000000000000", "B7AD6B7169203331"},
      {"my completion/7 ✓"},
  };
  for (const auto& spellings : entities) {
    aggregator.Insert({.target = spellings.front()});
    for (const std::string& spelling : spellings) {
      const auto read = ReadEntity(aggregator, ENTITY_TYPE_SPAN, spelling).All();
      CHECK(read.entity_id() == spelling);
      REQUIRE(read.items_size() == 1);
      CHECK(read.items(0).span_id() == spellings.front());
    }
  }
}

TEST_CASE("tenants with equal ids never meet") {
  const TestAggregator aggregator;
  for (const EntityType type : kTypes) {
    // Read by one statement in one project, by a cursor in the other.
    aggregator.InsertMany(kProject, type, "same", 3);
    aggregator.InsertMany(kOtherProject, type, "same", 1'200);
    const auto mine = ReadEntity(aggregator, type, "same", kProject).All();
    const auto theirs = ReadEntity(aggregator, type, "same", kOtherProject).All();
    CHECK(mine.items_size() == 3);
    CHECK(theirs.items_size() == 1'200);
    CheckRecount(mine);
    CheckRecount(theirs);
    const std::vector<std::string> their_ids = IdsOf(theirs);
    const std::set<std::string> ids(their_ids.begin(), their_ids.end());
    for (const auto& item : mine.items()) CHECK_FALSE(ids.contains(item.id()));
    CHECK(ReadEntity(aggregator, type, "same", *Uuid::Parse("01900000-0000-7000-8000-000000000003"))
              .All()
              .items_size() == 0);
  }
}

TEST_CASE("items ascend by created_at, then id, and none is missing, whatever their number") {
  const TestAggregator aggregator;
  // Around the bounds of a message, of one statement, and of a fetch.
  const auto [count, messages] = GENERATE(table<int, size_t>(
      {{1, 1}, {499, 1}, {500, 1}, {501, 3}, {1'000, 3}, {1'001, 4}, {1'500, 4}, {2'500, 6}, {2'501, 7}}));
  const EntityType type = GENERATE(ENTITY_TYPE_SPAN, ENTITY_TYPE_TRACE);
  aggregator.InsertMany(kProject, type, "busy", count);

  const Read read = ReadEntity(aggregator, type, "busy");

  CHECK(read.status.ok());
  CHECK(read.messages.size() == messages);
  if (messages > 1) CHECK(read.messages[0].items_size() == 0);
  for (size_t i = 0; i < read.messages.size(); ++i) {
    CHECK(read.messages[i].has_summary() == (i == 0));
    CHECK(read.messages[i].items_size() <= 500);
  }
  const auto all = read.All();
  CheckRecount(all);
  std::string ids;
  for (const std::string& id : IdsOf(all)) ids += (ids.empty() ? "" : "\n") + id;
  CHECK(ids == aggregator.database.Query("select id from feedback order by created_at, id"));
}

TEST_CASE("long texts make smaller messages, not larger ones") {
  const TestAggregator aggregator;
  const std::string longest(65'536, 'x');
  for (int i = 0; i < 30; ++i) {
    aggregator.Insert({.rater_id = std::to_string(i), .reason = longest, .expected_output = longest});
  }
  const Read read = ReadEntity(aggregator, ENTITY_TYPE_SPAN, "span-1");
  CHECK(read.messages.size() > 3);
  for (const auto& message : read.messages) CHECK(message.ByteSizeLong() <= (1 << 20) + 64);
  CHECK(read.All().items_size() == 30);
}

TEST_CASE("a caller that goes away ends the read, and frees its connection") {
  const TestAggregator aggregator;
  aggregator.InsertMany(kProject, ENTITY_TYPE_SPAN, "busy", 2'500);
  v1::GetEntityFeedbackRequest request;
  request.set_entity_type(ENTITY_TYPE_SPAN);
  request.set_entity_id("busy");
  // There is one connection for streams, so a lease that was not returned would be missed.
  for (int taken = 0; taken < 6; ++taken) {
    int left = taken;
    const absl::Status status = aggregator.service.GetEntityFeedback({.project_id = kProject}, request,
                                                                     [&](const auto&) { return left-- > 0; });
    CHECK(ReasonOf(status) == errors::v1::REASON_CANCELLED);
  }
  CHECK(ReadEntity(aggregator, ENTITY_TYPE_SPAN, "busy").All().items_size() == 2'500);
}

TEST_CASE("slow callers of large reads leave the others alone") {
  const TestAggregator aggregator;
  aggregator.InsertMany(kProject, ENTITY_TYPE_SPAN, "large", 2'500);
  aggregator.InsertMany(kProject, ENTITY_TYPE_SPAN, "small", 3);
  v1::GetEntityFeedbackRequest request;
  request.set_entity_type(ENTITY_TYPE_SPAN);
  request.set_entity_id("large");
  int small = 0;
  // While the only connection for streams is in use.
  const absl::Status status =
      aggregator.service.GetEntityFeedback({.project_id = kProject}, request, [&](const auto&) {
        small += ReadEntity(aggregator, ENTITY_TYPE_SPAN, "small").All().items_size();
        return true;
      });
  CHECK(status.ok());
  CHECK(small == 6 * 3);
}

}  // namespace
}  // namespace verdict::aggregator
