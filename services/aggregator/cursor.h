#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/ids/uuid.h"
#include "verdict/aggregator/v1/aggregator_service.pb.h"

namespace verdict::aggregator {

// Where an item stands in a list, which is ordered by time, then id.
struct Place {
  Time created_at = {};
  Uuid id = {};

  friend bool operator==(const Place&, const Place&) = default;
};

// The place of an item, which has both.
Place PlaceOf(const v1::FeedbackItem& item);

// A text that says that a page of the list ended at `place`. `list` tells one list from all others: what it
// is of, and what it leaves out. The text is 43 characters of base64url, and not signed: it gives away
// nothing but the place, and opens nothing, since whose list it is comes from the credential.
std::string EncodeCursor(const Place& place, std::string_view list);

// The place of such a text; nullopt when it is of another list or no cursor at all.
std::optional<Place> DecodeCursor(std::string_view cursor, std::string_view list);

}  // namespace verdict::aggregator
