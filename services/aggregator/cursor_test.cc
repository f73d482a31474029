#include "services/aggregator/cursor.h"

#include <random>

#include <catch2/catch.hpp>

#include "common/crypto/base64url.h"

namespace verdict::aggregator {
namespace {

constexpr char kList[] = "span s of project p";

Place RandomPlace(std::mt19937_64& random) {
  Place place;
  place.created_at =
      Time(std::chrono::milliseconds(static_cast<int64_t>(random() >> 20) - (int64_t{1} << 40)));
  for (uint8_t& byte : place.id.bytes) byte = static_cast<uint8_t>(random());
  return place;
}

TEST_CASE("a cursor gives back its place, and only of its own list") {
  const auto seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 1'000; ++i) {
    const Place place = RandomPlace(random);
    const std::string cursor = EncodeCursor(place, kList);
    REQUIRE(cursor.size() == 43);
    REQUIRE(DecodeCursor(cursor, kList) == place);
    REQUIRE_FALSE(DecodeCursor(cursor, "span t of project p").has_value());
    REQUIRE_FALSE(DecodeCursor(cursor, "").has_value());
  }
}

TEST_CASE("a cursor with any mistake in it is refused") {
  const auto seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 100; ++i) {
    const std::string cursor = EncodeCursor(RandomPlace(random), kList);
    const std::string bytes = *crypto::DecodeBase64Url(cursor);
    for (size_t at = 0; at < bytes.size(); ++at) {
      std::string flipped = bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << random() % 8));
      REQUIRE_FALSE(DecodeCursor(crypto::EncodeBase64Url(flipped), kList).has_value());
    }
    for (size_t length = 0; length < cursor.size(); ++length) {
      REQUIRE_FALSE(DecodeCursor(cursor.substr(0, length), kList).has_value());
    }
    REQUIRE_FALSE(DecodeCursor(cursor + "A", kList).has_value());
    REQUIRE_FALSE(DecodeCursor(cursor + "=", kList).has_value());
  }
}

}  // namespace
}  // namespace verdict::aggregator
