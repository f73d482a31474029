#include <set>

#include <catch2/catch.hpp>

#include "common/ids/entity_id.h"
#include "services/aggregator/test_feedback.h"

namespace verdict::aggregator {
namespace {

using types::v1::ENTITY_TYPE_SPAN;
using types::v1::ENTITY_TYPE_TRACE;

TEST_CASE("the tag changes with everything that is shown, and with nothing else") {
  const TestAggregator aggregator;
  const JudgeRow judge;
  aggregator.Insert(judge);
  const int many = GENERATE(0, 1'200);  // read by one statement, and by a cursor
  if (many > 0) aggregator.InsertMany(kProject, ENTITY_TYPE_TRACE, "trace-1", many);
  const Row first = {.trace = "trace-1"};
  aggregator.Insert(first);
  aggregator.Insert(Row{.target = "span-2", .trace = "trace-1"});
  // Two of one judge, whose parts in the tag must not cancel each other.
  aggregator.Insert(EvaluationRow{.judge = judge.id, .trace = "trace-1"});
  aggregator.Insert(EvaluationRow{.judge = judge.id, .span = "span-2", .trace = "trace-1"});

  std::set<std::string> seen;
  const auto tag = [&] { return ReadEntity(aggregator, ENTITY_TYPE_TRACE, "trace-1").etag; };
  const auto changed = [&](const std::string& sql) {
    CAPTURE(sql);
    aggregator.database.Query(sql);
    return seen.insert(tag()).second;
  };
  seen.insert(tag());
  CHECK(tag().starts_with('"' + std::to_string(many + 4) + "-"));
  CHECK(changed(
      "update feedback set revision = revision + 1, thumbs_up = not thumbs_up where target_text = 'span-1'"));
  CHECK(changed("update evaluation set revision = revision + 1, score = 1 where span_text = 'span-1'"));
  CHECK(changed("update feedback set session_id = gen_random_uuid() where target_text = 'span-2'"));
  CHECK(changed("update evaluation set session_id = gen_random_uuid() where span_text = 'span-2'"));
  // A span may get a session of its own after its trace's.
  CHECK(changed("update feedback set session_id = gen_random_uuid() where target_text = 'span-2'"));
  CHECK(changed("update evaluation set session_id = gen_random_uuid() where span_text = 'span-2'"));
  CHECK(changed("update judge set name = 'other', revision = revision + 1"));
  // One less and one more: the count stays.
  aggregator.database.Query("delete from feedback where target_text = 'span-2'");
  CHECK(changed(SqlOf(Row{.target = "span-2", .trace = "trace-1"})));
  CHECK(changed(SqlOf(Row{.target = "span-3", .trace = "trace-1"})));
  CHECK(changed(SqlOf(EvaluationRow{.judge = judge.id, .span = "span-3", .trace = "trace-1"})));

  const std::string last = tag();
  aggregator.Insert(Row{.target = "span-4", .trace = "trace-2"});
  aggregator.Insert(Row{.project = kOtherProject, .trace = "trace-1"});
  aggregator.Insert(JudgeRow{});
  aggregator.database.Query("update feedback set metadata = metadata where target_text = 'span-3'");
  CHECK(tag() == last);
  aggregator.database.Query("update feedback set trace_id = null where target_text = 'span-3'");
  CHECK(tag() != last);
}

TEST_CASE("on a span the tag changes when its trace becomes known") {
  const TestAggregator aggregator;
  aggregator.Insert(Row{});
  const std::string before = ReadEntity(aggregator, ENTITY_TYPE_SPAN, "span-1").etag;
  aggregator.database.Query("update feedback set trace_id = gen_random_uuid()");
  CHECK(ReadEntity(aggregator, ENTITY_TYPE_SPAN, "span-1").etag != before);
}

TEST_CASE("an entity's tag is the same for every page and filter, and for none yet") {
  const TestAggregator aggregator;
  const int count = GENERATE(0, 5, 1'200);
  if (count > 0) aggregator.InsertMany(kProject, ENTITY_TYPE_SPAN, "span-1", count);
  const std::string tag = ReadEntity(aggregator, ENTITY_TYPE_SPAN, "span-1").etag;
  CHECK((tag.size() > 2 && tag.front() == '"' && tag.back() == '"'));
  auto request = EntityRequest(ENTITY_TYPE_SPAN, "span-1");
  request.set_thumbs_up(false);
  CHECK(ReadEntity(aggregator, request).etag == tag);
  request.set_limit(1);
  CHECK(ReadEntity(aggregator, request).etag == tag);
  *request.mutable_created_before() = ToProto(kNow);
  CHECK(ReadEntity(aggregator, request).etag == tag);
}

TEST_CASE("a caller that has the state gets nothing but its tag") {
  const TestAggregator aggregator;
  const int count = GENERATE(0, 5, 1'200);
  if (count > 0) aggregator.InsertMany(kProject, ENTITY_TYPE_SPAN, "span-1", count);
  auto request = EntityRequest(ENTITY_TYPE_SPAN, "span-1");
  if (GENERATE(false, true)) request.set_limit(10);
  const std::string tag = ReadEntity(aggregator, request).etag;
  const Read again = ReadEntity(aggregator, request, kProject, tag);
  CHECK(again.status.ok());
  CHECK(again.etag == tag);
  CHECK(again.messages.empty());
  aggregator.Insert(Row{.rater_id = "somebody"});
  CHECK(ReadEntity(aggregator, request, kProject, tag).messages.size() > 0);
  CHECK(aggregator.registry.Text().find("verdict_aggregator_not_modified_total 1") != std::string::npos);
}

}  // namespace
}  // namespace verdict::aggregator
