#include "common/pg/param.h"

#include <limits>
#include <random>

#include <catch2/catch.hpp>

#include "common/pg/execute.h"
#include "common/pg/test_support.h"
#include "common/pg/value.h"

namespace verdict::pg {
namespace {

const Uuid kUuid = *Uuid::Parse("0190163d-8694-739b-aea5-966c26f8ad91");
const Time kTime(std::chrono::milliseconds(1780088059746));

constexpr Statement kElements = {"elements", "select t from unnest($1::text[]) as t"};
constexpr Statement kBytea = {"bytea", "select t from unnest($1::bytea[]) as t"};
constexpr Statement kJsonb = {"jsonb", "select t ->> 'a' from unnest($1::jsonb[]) as t"};
constexpr Statement kEach = {
    "each",
    "select $1::text, $2::uuid, $3::bool, $4::int8, $5::float8, $6::bytea, $7::text,"
    " (extract(epoch from $8::timestamptz) * 1000)::int8, $9::smallint[], $10::text"};
constexpr Statement kColumns = {"columns",
                                "select a, b, c, d, (extract(epoch from e) * 1000)::int8 from"
                                " unnest($1::uuid[], $2::bool[], $3::int8[], $4::float8[], $5::timestamptz[])"
                                " as t(a, b, c, d, e)"};
constexpr Statement kStatements[] = {kElements, kBytea, kJsonb, kEach, kColumns};

TEST_CASE("array literals quote what needs it") {
  Array array;
  array.Add("plain");
  array.Add("");
  array.AddNull();
  array.Add("NULL");
  array.Add("a\"b\\c,{d}");
  array.Add(Bytes{std::string_view("\x00\xff", 2)});
  CHECK(array.Take() == R"({"plain","",NULL,"NULL","a\"b\\c,{d}","\\x00ff"})");
  CHECK(Array().Take() == "{}");

  Array plain;
  plain.Add(kUuid);
  plain.Add(true);
  plain.Add(-7);
  plain.Add(0.1);
  plain.Add(kTime);
  plain.Add(std::optional<int>());
  CHECK(plain.Take() == "{0190163d-8694-739b-aea5-966c26f8ad91,t,-7,0.1,2026-05-29T20:54:19.746Z,NULL}");
}

TEST_CASE("any text and any bytes survive an array literal") {
  const NoteDatabase notes;
  Pool pool(notes.Options(kStatements));
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const std::vector<std::string> pieces = {"\"",   "\\",         "{",  "}",  ",",   " ",   "'",
                                           "NULL", "null",       "\n", "\t", "\\x", "é",   "\u2028",
                                           "𝄞",    "\U0010ffff", "$1", "a",  "-",   "\x01"};
  for (int round = 0; round < 50; ++round) {
    std::vector<std::optional<std::string>> texts(random() % 50);
    std::vector<std::string> blobs(random() % 50);
    Array text_array;
    for (auto& text : texts) {
      if (random() % 8 != 0) {
        text = "";
        for (size_t i = random() % 12; i > 0; --i) *text += pieces[random() % pieces.size()];
      }
      text_array.Add(text);
    }
    Array blob_array;
    for (std::string& blob : blobs) {
      blob.resize(random() % 20);
      for (char& byte : blob) byte = static_cast<char>(random());
      blob_array.Add(Bytes{blob});
    }

    const auto text_rows = Execute(pool, Access::kRead, kElements, std::move(text_array));
    REQUIRE(text_rows.ok());
    REQUIRE(static_cast<size_t>(text_rows->size()) == texts.size());
    for (const auto& row : *text_rows) {
      const auto& text = texts[row.rownumber()];
      REQUIRE(row[0].is_null() == !text);
      if (text) REQUIRE(TextFrom(row[0]) == *text);
    }
    const auto blob_rows = Execute(pool, Access::kRead, kBytea, std::move(blob_array));
    REQUIRE(blob_rows.ok());
    REQUIRE(static_cast<size_t>(blob_rows->size()) == blobs.size());
    for (const auto& row : *blob_rows) REQUIRE(BytesFrom(row[0]) == blobs[row.rownumber()]);
  }
}

TEST_CASE("JSON survives an array literal") {
  const NoteDatabase notes;
  Pool pool(notes.Options(kStatements));
  Array array;
  array.Add(R"({"a":"x\"y\\z{},"})");
  const auto rows = Execute(pool, Access::kRead, kJsonb, std::move(array));
  REQUIRE(rows.ok());
  CHECK(TextFrom((*rows)[0][0]) == "x\"y\\z{},");
}

TEST_CASE("arrays of each kind survive the way to the server and back") {
  const NoteDatabase notes;
  Pool pool(notes.Options(kStatements));
  Array uuids, bools, ints, doubles, times;
  const double third = 1.0 / 3;
  for (const bool null : {false, true}) {
    uuids.Add(null ? std::nullopt : std::optional(kUuid));
    bools.Add(null ? std::nullopt : std::optional(false));
    ints.Add(null ? std::nullopt : std::optional(std::numeric_limits<int64_t>::min()));
    doubles.Add(null ? std::nullopt : std::optional(third));
    times.Add(null ? std::nullopt : std::optional(kTime));
  }
  const auto rows = Execute(pool, Access::kRead, kColumns, std::move(uuids), std::move(bools),
                            std::move(ints), std::move(doubles), std::move(times));
  REQUIRE(rows.ok());
  const auto row = (*rows)[0];
  CHECK(UuidFrom(row[0]) == kUuid);
  CHECK(row[1].as<bool>() == false);
  CHECK(row[2].as<int64_t>() == std::numeric_limits<int64_t>::min());
  CHECK(DoubleFrom(row[3]) == third);
  CHECK(TimeFrom(row[4]) == kTime);
  for (const auto& field : (*rows)[1]) CHECK(field.is_null());
}

TEST_CASE("parameters of each kind survive the way to the server and back") {
  const NoteDatabase notes;
  Pool pool(notes.Options(kStatements));
  const std::string bytes("\x00\x01\xfe\\", 4);
  Array array;
  array.Add(3);
  const auto rows =
      Execute(pool, Access::kRead, kEach, "it's \"so\" \\", kUuid, true, size_t{42}, -2.5e-300, Bytes{bytes},
              std::nullopt, kTime, std::move(array), std::optional<std::string>("1e999"));
  REQUIRE(rows.ok());
  const auto row = (*rows)[0];
  CHECK(TextFrom(row[0]) == "it's \"so\" \\");
  CHECK(UuidFrom(row[1]) == kUuid);
  CHECK(row[2].as<bool>());
  CHECK(row[3].as<int64_t>() == 42);
  CHECK(DoubleFrom(row[4]) == -2.5e-300);
  CHECK_THROWS_AS(DoubleFrom(row[6]), pqxx::conversion_error);
  CHECK_THROWS_AS(DoubleFrom(row[8]), pqxx::conversion_error);
  CHECK_THROWS_AS(DoubleFrom(row[9]), pqxx::conversion_error);
  CHECK(BytesFrom(row[5]) == bytes);
  CHECK(row[6].is_null());
  CHECK(TimeFrom(row[7]) == kTime);
  CHECK(TextFrom(row[8]) == "{3}");
  CHECK(TextFrom(row[9]) == "1e999");
}

TEST_CASE("the fields of a row may be looked at in any order, and again") {
  const NoteDatabase notes;
  Pool pool(notes.Options(kStatements));
  const auto rows = Execute(pool, Access::kRead, kEach, "first", kUuid, true, 42, 0.5, Bytes{}, std::nullopt,
                            kTime, Array(), "last");
  REQUIRE(rows.ok());
  const Row row((*rows)[0]);
  for (int again = 0; again < 2; ++again) {
    CHECK(TextFrom(row[9]) == "last");
    CHECK(TextFrom(row[0]) == "first");
    CHECK(row[6].is_null());
    CHECK(row[3].as<int>() == 42);
  }
}

TEST_CASE("numbers that are not finite are refused, alone and in arrays") {
  const NoteDatabase notes;
  Pool pool(notes.Options(kStatements));
  for (const double number :
       {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    const auto alone = Execute(pool, Access::kRead, kEach, "", kUuid, true, 1, number, Bytes{}, std::nullopt,
                               kTime, Array(), std::nullopt);
    CHECK(ReasonNameOf(alone.status()) == "INVALID_TEXT");
    Array array;
    array.Add(number);
    const auto inside =
        Execute(pool, Access::kRead, kColumns, Array(), Array(), Array(), std::move(array), Array());
    CHECK(ReasonNameOf(inside.status()) == "INVALID_TEXT");
  }
}

}  // namespace
}  // namespace verdict::pg
