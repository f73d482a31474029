#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/crypto/crypto.h"
#include "common/ids/uuid.h"
#include "services/feedback/judge_rules.h"
#include "services/feedback/write_call.h"
#include "services/feedback/write_queue.h"
#include "verdict/types/v1/entity.pb.h"

namespace verdict::feedback {

// Who gives feedback. The kinds keep ids apart that would otherwise meet: an application may name its end
// user by any text, also by the id of one of our users. The numbers stand in the database.
enum class RaterKind {
  kKeyUser = 0,  // the API key's user
  kEndUser = 1,  // named by the caller, or the subject of a token
  kToken = 2,    // whoever redeemed an anonymous token
};

// What there is one record of.
struct FeedbackKey {
  Uuid project_id = {};
  types::v1::EntityType target_type = {};
  Uuid target_id = {};
  RaterKind rater_kind = {};
  std::string rater_id = {};
  std::optional<Uuid> judge_id = {};  // whose evaluation of the target it is about

  friend bool operator==(const FeedbackKey&, const FeedbackKey&) = default;
  template <typename H>
  friend H AbslHashValue(H hash, const FeedbackKey& key) {
    return H::combine(std::move(hash), key.project_id, key.target_type, key.target_id, key.rater_kind,
                      key.rater_id, key.judge_id.has_value(), key.judge_id.value_or(Uuid{}));
  }
};

// The use of a token, on which the write depends.
struct TokenClaim {
  Uuid jti = {};
  Time iat = {};
  Time exp = {};
  crypto::Digest fingerprint = {};  // of the record's key and values: equal requests have equal ones
};

// One write, as it goes through the group commit.
struct FeedbackWrite {
  FeedbackKey key = {};
  Uuid id = {};  // the record's, if this write makes it
  std::string target_text = {};
  std::optional<std::string> rater_email = {};
  std::optional<std::string> rater_name = {};
  std::optional<std::string> prompt_slug = {};
  bool thumbs_up = false;
  // Views into the request, which lives until the write is answered: these may be large.
  std::optional<std::string_view> reason = {};
  std::optional<std::string_view> expected_output = {};
  std::optional<std::string_view> metadata = {};  // has passed CheckMetadata
  ScoreFeedback score = {};                       // with a judge only
  Uuid submitted_by = {};                         // the API key, or the token's jti
  Time at = {};
  std::optional<TokenClaim> token = {};
  std::optional<IdempotencyClaim> idempotency = {};
};

// What the caller of a write does not know already.
struct StoredFeedback {
  Uuid id = {};
  std::optional<Uuid> prompt_id = {};
  Time created_at = {};
  Time updated_at = {};
  std::optional<Uuid> prompt_version_id = {};
  bool replayed = false;  // nothing was stored now: an earlier, equal request was
};

using FeedbackQueue = WriteQueue<FeedbackWrite, StoredFeedback>;

}  // namespace verdict::feedback
