#include <chrono>
#include <cstdint>
#include <string>

#include <fuzzer/FuzzedDataProvider.h>

#include "services/aggregator/cursor.h"
#include "tests/support/fuzz.h"

// Cursors of strangers: what decodes is what would be encoded, of this list and no other.
namespace verdict {
namespace {

using aggregator::DecodeCursor;
using aggregator::EncodeCursor;
using aggregator::Place;

void CheckText(std::string_view text) {
  const auto place = DecodeCursor(text, "");
  fuzz::Require(!place || EncodeCursor(*place, "") == text, "a cursor has one spelling");
}

void CheckPlace(FuzzedDataProvider& data) {
  Place place = {.created_at = Time(std::chrono::milliseconds(data.ConsumeIntegral<int64_t>()))};
  data.ConsumeData(place.id.bytes.data(), place.id.bytes.size());
  const auto at = data.ConsumeIntegralInRange<size_t>(0, 42);
  const auto change = data.ConsumeIntegralInRange<int>(1, 255);
  const std::string list = data.ConsumeRemainingBytesAsString();
  std::string cursor = EncodeCursor(place, list);
  const auto decoded = DecodeCursor(cursor, list);
  const bool has_time = place.created_at >= kTimeMin && place.created_at <= kTimeMax;
  fuzz::Require(decoded.has_value() == has_time, "a cursor is of a time that an item can have");
  fuzz::Require(!decoded || *decoded == place, "decode(encode(x)) == x");
  fuzz::Require(!DecodeCursor(cursor, list + "x"), "a cursor is of one list");
  cursor.at(at) = static_cast<char>(cursor.at(at) ^ change);
  fuzz::Require(!DecodeCursor(cursor, list), "a cursor with a byte changed is none");
}

}  // namespace

std::vector<std::string> fuzz::Seeds() {
  const Place place = {.created_at = Time(std::chrono::milliseconds(1'795'000'000'000))};
  return {"p", "t" + EncodeCursor(place, "")};
}

// The first byte: the text of a cursor, or a place.
void fuzz::Test(std::string_view input) {
  if (input.starts_with('t')) return CheckText(input.substr(1));
  FuzzedDataProvider data(reinterpret_cast<const uint8_t*>(input.data()), input.size());
  CheckPlace(data);
}

}  // namespace verdict
