#include "services/aggregator/cursor.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "common/crypto/base64url.h"
#include "common/crypto/crypto.h"

namespace verdict::aggregator {
namespace {

constexpr std::size_t kTimeBytes = 8;
constexpr std::size_t kHashBytes = 8;

// The place's milliseconds, big endian, and its id.
std::string BytesOf(const Place& place) {
  const auto milliseconds = static_cast<std::uint64_t>(place.created_at.time_since_epoch().count());
  std::string bytes;
  for (std::size_t i = 0; i < kTimeBytes; ++i) {
    bytes += static_cast<char>(milliseconds >> (8 * (kTimeBytes - 1 - i)));
  }
  bytes += crypto::AsText(place.id.bytes);
  return bytes;
}

// Also of the place, so that a cursor with a mistake in it is refused.
std::string HashOf(std::string_view place, std::string_view list) {
  const crypto::Digest digest = crypto::Sha256(crypto::EncodeParts({place, list}));
  return std::string(crypto::AsText(digest).substr(0, kHashBytes));
}

}  // namespace

Place PlaceOf(const v1::FeedbackItem& item) {
  return {.created_at = FromProto(item.created_at()), .id = *Uuid::Parse(item.id())};
}

std::string EncodeCursor(const Place& place, std::string_view list) {
  const std::string bytes = BytesOf(place);
  return crypto::EncodeBase64Url(bytes + HashOf(bytes, list));
}

std::optional<Place> DecodeCursor(std::string_view cursor, std::string_view list) {
  Place place;
  const std::size_t place_bytes = kTimeBytes + place.id.bytes.size();
  const std::optional<std::string> bytes = crypto::DecodeBase64Url(cursor);
  if (!bytes || bytes->size() != place_bytes + kHashBytes) return std::nullopt;
  const std::string_view place_text = std::string_view(*bytes).substr(0, place_bytes);
  if (bytes->substr(place_bytes) != HashOf(place_text, list)) return std::nullopt;
  std::uint64_t milliseconds = 0;
  for (const char c : place_text.substr(0, kTimeBytes))
    milliseconds = milliseconds << 8 | static_cast<std::uint8_t>(c);
  place.created_at = Time(std::chrono::milliseconds(static_cast<std::int64_t>(milliseconds)));
  if (place.created_at < kTimeMin || place.created_at > kTimeMax) return std::nullopt;
  std::ranges::transform(place_text.substr(kTimeBytes), place.id.bytes.begin(),
                         [](char c) { return static_cast<std::uint8_t>(c); });
  return place;
}

}  // namespace verdict::aggregator
