#include "services/feedback/prompt_store.h"

#include <exception>

#include "absl/strings/escaping.h"
#include "common/pg/execute.h"
#include "common/pg/param.h"
#include "common/pg/status.h"
#include "common/pg/value.h"
#include "common/status/macros.h"
#include "services/feedback/errors.h"

namespace verdict::feedback {
namespace {

using pg::Access;
using pg::Statement;

constexpr int kVersionsMax = 10'000;
constexpr int kTagsMax = 100;

constexpr Statement kInsertPrompt = {"insert_prompt", R"sql(
insert into prompt (project_id, id, slug, created_at) values ($1, $2, $3, $4))sql"};

constexpr Statement kListPrompts = {"list_prompts", R"sql(
select id, project_id, slug, (extract(epoch from created_at) * 1000)::int8 as created_at
  from prompt where project_id = $1 and id > $2 order by id limit $3)sql"};

// A prompt without such a version is one row, whose version is null.
// NOLINTBEGIN(cppcoreguidelines-macro-usage): only a macro joins literals.
#define READ_VERSIONS(content, condition, limit) \
  R"sql(
select p.id as prompt_id, p.project_id, p.slug, v.id, v.version, v.version = latest.version as is_latest, v.content,
       v.content_hash, v.model_id,
       (coalesce(v.metadata, '{}') || jsonb_build_object('prompt_slug', p.slug))::text as metadata,
       (extract(epoch from v.created_at) * 1000)::int8 as created_at
  from prompt p
  cross join lateral (
       select max(version) as version from prompt_version where project_id = p.project_id and prompt_id = p.id) latest
  left join lateral (
       select id, version, )sql" content R"sql( as content, content_hash, model_id, metadata, created_at
         from prompt_version
        where project_id = p.project_id and prompt_id = p.id and )sql" condition R"sql(
        order by version desc limit )sql" limit R"sql() v on true
 where p.project_id = $1 and p.slug = $2
 order by v.version desc)sql"
// NOLINTEND(cppcoreguidelines-macro-usage)

constexpr Statement kFindLatestVersion = {"find_latest_prompt_version",
                                          READ_VERSIONS("content", "version = latest.version", "1")};
constexpr Statement kFindVersion = {"find_prompt_version", READ_VERSIONS("content", "version = $3", "1")};
constexpr Statement kFindTaggedVersion = {"find_tagged_prompt_version", READ_VERSIONS("content",
                                                                                      R"sql(id = (
              select version_id from prompt_tag
               where project_id = p.project_id and prompt_id = p.id and tag = $3))sql",
                                                                                      "1")};
// The text of one version may be the JSON that another's hash is of.
constexpr Statement kFindVersionByHash = {
    "find_prompt_version_by_hash",
    READ_VERSIONS("content", R"sql((content_hash = $3 or (text_hash = $3 and not exists (
              select from prompt_version
               where project_id = p.project_id and prompt_id = p.id and content_hash = $3))))sql",
                  "1")};
constexpr Statement kFindEnsuredVersion = {"find_ensured_prompt_version",
                                           READ_VERSIONS("content", "content_hash = $3", "1")};
constexpr Statement kListVersions = {"list_prompt_versions", READ_VERSIONS("null", "true", "1000")};

// Makes the prompt, or else locks it: an update that changes nothing does that without a second statement.
constexpr Statement kLockPrompt = {"lock_prompt", R"sql(
insert into prompt as p (project_id, id, slug, created_at) values ($1, $2, $3, $4)
on conflict (project_id, slug) do update set created_at = p.created_at
returning id)sql"};

constexpr Statement kInsertVersion = {"insert_prompt_version", R"sql(
insert into prompt_version
  (project_id, prompt_id, id, version, content, content_hash, text_hash, model_id, metadata, created_at)
select $1, $2, $3, latest.version + 1, $4, $5, $6, $7, $8::jsonb, $9
  from (select coalesce(max(version), 0) as version from prompt_version where project_id = $1 and prompt_id = $2) latest
 where latest.version < $10
on conflict (project_id, prompt_id, content_hash) do nothing)sql"};

constexpr Statement kFindModel = {"find_prompt_version_model", R"sql(
select model_id from prompt_version where project_id = $1 and id = $2)sql"};

// A prompt without tags is one row, whose tag is null.
constexpr Statement kListTags = {"list_prompt_tags", R"sql(
select t.tag, v.version, t.version_id, (extract(epoch from t.updated_at) * 1000)::int8 as updated_at
  from prompt p
  left join (prompt_tag t join prompt_version v on v.project_id = t.project_id and v.id = t.version_id)
    on t.project_id = p.project_id and t.prompt_id = p.id
 where p.project_id = $1 and p.slug = $2
 order by t.tag)sql"};

constexpr Statement kLockPromptById = {"lock_prompt_by_id", R"sql(
select from prompt where project_id = $1 and id = $2 for no key update)sql"};

constexpr Statement kPinTag = {"pin_prompt_tag", R"sql(
insert into prompt_tag as t (project_id, prompt_id, tag, version_id, updated_at)
select $1, $2, $3, $4, $5
 where (select count(*) from prompt_tag where project_id = $1 and prompt_id = $2 and tag <> $3) < $6
on conflict (project_id, prompt_id, tag) do update
   set version_id = excluded.version_id,
       updated_at = case t.version_id when excluded.version_id then t.updated_at else excluded.updated_at end
returning (extract(epoch from updated_at) * 1000)::int8 as updated_at)sql"};

constexpr Statement kStatements[] = {
    kInsertPrompt,      kListPrompts,        kFindLatestVersion, kFindVersion, kFindTaggedVersion,
    kFindVersionByHash, kFindEnsuredVersion, kListVersions,      kLockPrompt,  kInsertVersion,
    kFindModel,         kListTags,           kLockPromptById,    kPinTag};

v1::Prompt PromptFrom(const pqxx::row& row) {
  v1::Prompt prompt;
  prompt.set_id(pg::StringFrom(row["id"]));
  prompt.set_project_id(pg::StringFrom(row["project_id"]));
  prompt.set_slug(pg::StringFrom(row["slug"]));
  *prompt.mutable_created_at() = ToProto(pg::TimeFrom(row["created_at"]));
  return prompt;
}

v1::PromptVersion VersionFrom(const pqxx::row& row) {
  v1::PromptVersion version;
  version.set_id(pg::StringFrom(row["id"]));
  version.set_version_id(version.id());
  version.set_prompt_id(pg::StringFrom(row["prompt_id"]));
  version.set_task_id(version.prompt_id());
  version.set_project_id(pg::StringFrom(row["project_id"]));
  version.set_prompt(pg::StringFrom(row["slug"]));
  version.set_version(row["version"].as<int>());
  version.set_is_latest(row["is_latest"].as<bool>());
  if (version.is_latest()) version.set_tag(std::string(kLatestTag));
  if (!row["content"].is_null()) version.set_content(pg::StringFrom(row["content"]));
  version.set_content_hash(absl::BytesToHexString(pg::BytesFrom(row["content_hash"])));
  if (!row["model_id"].is_null()) {
    version.set_model_id(pg::StringFrom(row["model_id"]));
    version.set_model(version.model_id());
  }
  version.set_metadata(pg::StringFrom(row["metadata"]));
  *version.mutable_created_at() = ToProto(pg::TimeFrom(row["created_at"]));
  *version.mutable_updated_at() = version.created_at();
  return version;
}

// What one of the statements that read a version has found; `missing` says that the prompt has no such
// version.
template <typename... Selector>
absl::StatusOr<v1::PromptVersion> Find(pg::Pool& pool, const Statement& statement,
                                       const absl::Status& missing, const Uuid& project_id,
                                       std::string_view slug, const Selector&... selector) try {
  ASSIGN_OR_RETURN(const pqxx::result found,
                   pg::Execute(pool, Access::kRead, statement, project_id, slug, selector...));
  if (found.empty()) return error::PromptNotFound(slug);
  if (found.front()["id"].is_null()) return missing;
  return VersionFrom(found.front());
} catch (const std::exception& error) {
  return pg::StatusOf(error);
}

pg::Bytes BytesOf(const crypto::Digest& digest) { return {crypto::AsText(digest)}; }

}  // namespace

std::span<const Statement> PromptStore::Statements() { return kStatements; }

absl::StatusOr<v1::Prompt> PromptStore::InsertPrompt(const Uuid& project_id, const Uuid& id,
                                                     std::string_view slug, Time now) const {
  const auto inserted = pg::Execute(pool_, Access::kWrite, kInsertPrompt, project_id, id, slug, now);
  if (absl::IsAlreadyExists(inserted.status())) return error::PromptExists(slug);
  RETURN_IF_ERROR(inserted.status());
  v1::Prompt prompt;
  prompt.set_id(id.ToString());
  prompt.set_project_id(project_id.ToString());
  prompt.set_slug(std::string(slug));
  *prompt.mutable_created_at() = ToProto(now);
  return prompt;
}

absl::StatusOr<std::vector<v1::Prompt>> PromptStore::ListPrompts(const Uuid& project_id, const Uuid& after,
                                                                 int limit) const try {
  ASSIGN_OR_RETURN(const pqxx::result found,
                   pg::Execute(pool_, Access::kRead, kListPrompts, project_id, after, limit));
  std::vector<v1::Prompt> prompts;
  for (const pqxx::row& row : found) prompts.push_back(PromptFrom(row));
  return prompts;
} catch (const std::exception& error) {
  return pg::StatusOf(error);
}

absl::StatusOr<v1::PromptVersion> PromptStore::EnsureVersion(const Uuid& project_id, std::string_view slug,
                                                             const NewPromptVersion& version) const {
  // Mostly it is there: applications ask whenever they start.
  absl::StatusOr<v1::PromptVersion> ensured = Find(pool_, kFindEnsuredVersion, error::NoPromptVersion(slug),
                                                   project_id, slug, BytesOf(version.content_hash));
  if (!absl::IsNotFound(ensured.status())) return ensured;
  RETURN_IF_ERROR(
      pg::WithTransaction(pool_, pg::Isolation::kReadCommitted, [&](pqxx::transaction_base& transaction) {
        const pqxx::result locked =
            pg::Execute(transaction, kLockPrompt, project_id, version.prompt_id, slug, version.created_at);
        pg::Execute(transaction, kInsertVersion, project_id, pg::UuidFrom(locked[0][0]), version.id,
                    version.content, BytesOf(version.content_hash), BytesOf(version.text_hash),
                    version.model_id, version.metadata, version.created_at, kVersionsMax);
        const pqxx::result found =
            pg::Execute(transaction, kFindEnsuredVersion, project_id, slug, BytesOf(version.content_hash));
        if (found.front()["id"].is_null()) return error::TooManyPromptVersions(kVersionsMax);
        ensured = VersionFrom(found.front());
        return absl::OkStatus();
      }));
  return ensured;
}

absl::StatusOr<v1::PromptVersion> PromptStore::FindLatestVersion(const Uuid& project_id,
                                                                 std::string_view slug) const {
  return Find(pool_, kFindLatestVersion, error::NoPromptVersion(slug), project_id, slug);
}

absl::StatusOr<v1::PromptVersion> PromptStore::FindVersion(const Uuid& project_id, std::string_view slug,
                                                           int version) const {
  return Find(pool_, kFindVersion, error::PromptVersionNotFound(slug, version), project_id, slug, version);
}

absl::StatusOr<v1::PromptVersion> PromptStore::FindTaggedVersion(const Uuid& project_id,
                                                                 std::string_view slug,
                                                                 std::string_view tag) const {
  ASSIGN_OR_RETURN(v1::PromptVersion version,
                   Find(pool_, kFindTaggedVersion, error::PromptTagNotFound(slug), project_id, slug, tag));
  version.set_tag(std::string(tag));
  return version;
}

absl::StatusOr<v1::PromptVersion> PromptStore::FindVersionByHash(const Uuid& project_id,
                                                                 std::string_view slug,
                                                                 std::string_view hash) const {
  return Find(pool_, kFindVersionByHash, error::PromptHashNotFound(slug), project_id, slug, pg::Bytes(hash));
}

absl::StatusOr<std::optional<std::string>> PromptStore::FindModel(const Uuid& project_id,
                                                                  const Uuid& version_id) const try {
  ASSIGN_OR_RETURN(const pqxx::result found,
                   pg::Execute(pool_, Access::kRead, kFindModel, project_id, version_id));
  if (found.empty()) return error::PromptVersionIdNotFound();
  if (found[0][0].is_null()) return std::nullopt;
  return pg::StringFrom(found[0][0]);
} catch (const std::exception& error) {
  return pg::StatusOf(error);
}

absl::StatusOr<std::vector<v1::PromptVersion>> PromptStore::ListVersions(const Uuid& project_id,
                                                                         std::string_view slug) const try {
  ASSIGN_OR_RETURN(const pqxx::result found,
                   pg::Execute(pool_, Access::kRead, kListVersions, project_id, slug));
  if (found.empty()) return error::PromptNotFound(slug);
  std::vector<v1::PromptVersion> versions;
  for (const pqxx::row& row : found) {
    if (!row["id"].is_null()) versions.push_back(VersionFrom(row));
  }
  return versions;
} catch (const std::exception& error) {
  return pg::StatusOf(error);
}

absl::StatusOr<std::vector<v1::PromptTag>> PromptStore::ListTags(const Uuid& project_id,
                                                                 std::string_view slug) const try {
  ASSIGN_OR_RETURN(const pqxx::result found, pg::Execute(pool_, Access::kRead, kListTags, project_id, slug));
  if (found.empty()) return error::PromptNotFound(slug);
  std::vector<v1::PromptTag> tags;
  for (const pqxx::row& row : found) {
    if (row["tag"].is_null()) continue;
    v1::PromptTag& tag = tags.emplace_back();
    tag.set_tag(pg::StringFrom(row["tag"]));
    tag.set_version(row["version"].as<int>());
    tag.set_version_id(pg::StringFrom(row["version_id"]));
    *tag.mutable_updated_at() = ToProto(pg::TimeFrom(row["updated_at"]));
  }
  return tags;
} catch (const std::exception& error) {
  return pg::StatusOf(error);
}

absl::StatusOr<v1::PromptTag> PromptStore::PinTag(const Uuid& project_id, std::string_view slug,
                                                  std::string_view tag, int version, Time now) const {
  // Versions stay, so that this one will still be there.
  ASSIGN_OR_RETURN(const v1::PromptVersion tagged, FindVersion(project_id, slug, version));
  v1::PromptTag pinned;
  pinned.set_tag(std::string(tag));
  pinned.set_version(tagged.version());
  pinned.set_version_id(tagged.id());
  RETURN_IF_ERROR(
      pg::WithTransaction(pool_, pg::Isolation::kReadCommitted, [&](pqxx::transaction_base& transaction) {
        // One at a time, so that all see how many tags there are.
        pg::Execute(transaction, kLockPromptById, project_id, tagged.prompt_id());
        const pqxx::result stored = pg::Execute(transaction, kPinTag, project_id, tagged.prompt_id(), tag,
                                                tagged.id(), now, kTagsMax);
        if (stored.empty()) return error::TooManyPromptTags(kTagsMax);
        *pinned.mutable_updated_at() = ToProto(pg::TimeFrom(stored[0][0]));
        return absl::OkStatus();
      }));
  return pinned;
}

}  // namespace verdict::feedback
