#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/crypto/crypto.h"
#include "common/ids/uuid.h"
#include "common/pg/pool.h"
#include "common/pg/statement.h"
#include "verdict/feedback/v1/prompt_service.pb.h"

namespace verdict::feedback {

// The tag that the latest version of a prompt has, and no other can be given.
inline constexpr std::string_view kLatestTag = "latest";

// A version of a prompt that is to be there. What it borrows outlives it.
struct NewPromptVersion {
  Uuid prompt_id = {};  // of the prompt, if there is none yet
  Uuid id = {};
  std::string_view content = {};  // normalized
  crypto::Digest content_hash = {};
  crypto::Digest text_hash = {};
  std::optional<std::string_view> model_id = {};
  std::optional<std::string_view> metadata = {};  // that CheckMetadata has passed
  Time created_at = {};
};

// The SQL of prompts, their versions and tags. Beyond what a call names it fails as pg::Execute and
// pg::WithTransaction do. A slug that the project has not is PROMPT_NOT_FOUND. Thread-safe.
class PromptStore {
 public:
  // `pool` has Statements() and outlives the store.
  explicit PromptStore(pg::Pool& pool) : pool_(pool) {}

  static std::span<const pg::Statement> Statements();

  // ALREADY_EXISTS when the project has the slug.
  absl::StatusOr<v1::Prompt> InsertPrompt(const Uuid& project_id, const Uuid& id, std::string_view slug,
                                          Time now) const;

  // At most `limit` prompts by id, from the first after `after`.
  absl::StatusOr<std::vector<v1::Prompt>> ListPrompts(const Uuid& project_id, const Uuid& after,
                                                      int limit) const;

  // The version of this content hash, which is made, as is its prompt, when there is none: then it is the
  // latest. VALIDATION_ERROR when the prompt has 10,000 already.
  absl::StatusOr<v1::PromptVersion> EnsureVersion(const Uuid& project_id, std::string_view slug,
                                                  const NewPromptVersion& version) const;

  // A version of a prompt; PROMPT_VERSION_NOT_FOUND. Its tag is `latest`, if it is the latest.
  absl::StatusOr<v1::PromptVersion> FindLatestVersion(const Uuid& project_id, std::string_view slug) const;
  absl::StatusOr<v1::PromptVersion> FindVersion(const Uuid& project_id, std::string_view slug,
                                                int version) const;
  // By a tag that was pinned, which is the one that the version then shows.
  absl::StatusOr<v1::PromptVersion> FindTaggedVersion(const Uuid& project_id, std::string_view slug,
                                                      std::string_view tag) const;
  // By either hash, of which `hash` is the bytes; the latest, if there are several.
  absl::StatusOr<v1::PromptVersion> FindVersionByHash(const Uuid& project_id, std::string_view slug,
                                                      std::string_view hash) const;

  // The model of a version, if it has one; PROMPT_VERSION_NOT_FOUND.
  absl::StatusOr<std::optional<std::string>> FindModel(const Uuid& project_id, const Uuid& version_id) const;

  // The latest 1,000 versions, the latest first, without content.
  absl::StatusOr<std::vector<v1::PromptVersion>> ListVersions(const Uuid& project_id,
                                                              std::string_view slug) const;

  // By name.
  absl::StatusOr<std::vector<v1::PromptTag>> ListTags(const Uuid& project_id, std::string_view slug) const;

  // Puts the tag on the version, where it may be already; PROMPT_VERSION_NOT_FOUND, and VALIDATION_ERROR when
  // the prompt has 100 other tags.
  absl::StatusOr<v1::PromptTag> PinTag(const Uuid& project_id, std::string_view slug, std::string_view tag,
                                       int version, Time now) const;

 private:
  pg::Pool& pool_;
};

}  // namespace verdict::feedback
