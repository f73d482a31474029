#include <algorithm>
#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "common/status/error.h"
#include "services/feedback/test_service.h"

namespace verdict::feedback {
namespace {

using v1::PromptVersion;

constexpr char kContent[] = "You are a support agent. Answer {{name}}.";
constexpr char kContentHash[] = "2acaa5c9759359a7a04e5873ab7644568ce43b31cd381d964e73e2f0b7205180";
constexpr char kContentHashWithModel[] = "1a6dfece9cd1f7d6759f84918f0e2c6dc3ac41950422d25bc78f91588784e913";
constexpr char kTextHash[] = "0ad26f34860b7e4ec06c52a086df6def2158e87b16a6c1fa36a54c71b89720c3";
constexpr char kModel[] = "gpt-4o-mini";

v1::EnsurePromptVersionRequest Of(const std::string& content, const std::string& slug = "faq") {
  v1::EnsurePromptVersionRequest request;
  request.set_slug(slug);
  request.set_content(content);
  return request;
}

// The field that a refusal names.
std::string FieldOf(const absl::Status& status) {
  CHECK(ReasonOf(status) == errors::v1::REASON_VALIDATION_ERROR);
  const std::vector<FieldViolation> violations = DetailsOf(status).violations;
  REQUIRE(violations.size() == 1);
  CHECK(violations[0].message.starts_with(violations[0].field + " "));
  return violations[0].field;
}

// A project and what is done with its prompts.
struct Prompts {
  absl::StatusOr<PromptVersion> Ensure(const v1::EnsurePromptVersionRequest& request) {
    return Ensure(test.replica, request);
  }
  absl::StatusOr<PromptVersion> Ensure(Replica& replica, const v1::EnsurePromptVersionRequest& request) {
    const auto response = replica.prompts.EnsureVersion(principal, request);
    if (!response.ok()) return response.status();
    return response->prompt_version();
  }
  absl::StatusOr<PromptVersion> Get(const v1::GetPromptRequest& request) {
    const auto response = test.other_replica.prompts.Get(principal, request);
    if (!response.ok()) return response.status();
    return response->prompt_version();
  }
  absl::StatusOr<PromptVersion> GetVersion(int version) {
    v1::GetPromptRequest request;
    request.set_slug("faq");
    request.set_version(version);
    return Get(request);
  }
  absl::StatusOr<PromptVersion> GetTagged(const std::string& tag) {
    v1::GetPromptRequest request;
    request.set_slug("faq");
    request.set_tag(tag);
    return Get(request);
  }
  absl::StatusOr<PromptVersion> GetLatest(const std::string& slug) {
    v1::GetLatestPromptVersionRequest request;
    request.set_slug(slug);
    const auto response = test.other_replica.prompts.GetLatestVersion(principal, request);
    if (!response.ok()) return response.status();
    return response->prompt_version();
  }
  absl::StatusOr<PromptVersion> GetByHash(const std::string& hash, const std::string& slug = "faq") {
    v1::GetPromptVersionByHashRequest request;
    request.set_slug(slug);
    request.set_content_hash(hash);
    const auto response = test.other_replica.prompts.GetVersionByHash(principal, request);
    if (!response.ok()) return response.status();
    return response->prompt_version();
  }
  absl::StatusOr<v1::GetPromptVersionModelResponse> GetModel(const std::string& version_id) {
    v1::GetPromptVersionModelRequest request;
    request.set_version_id(version_id);
    return test.other_replica.prompts.GetVersionModel(principal, request);
  }
  absl::StatusOr<v1::PromptTag> Pin(const std::string& tag, int version, const std::string& slug = "faq") {
    v1::PinPromptTagRequest request;
    request.set_slug(slug);
    request.set_tag(tag);
    request.set_version(version);
    const auto response = test.replica.prompts.PinTag(principal, request);
    if (!response.ok()) return response.status();
    return response->tag();
  }
  absl::StatusOr<v1::ListPromptVersionsResponse> ListVersions(const std::string& slug) {
    v1::ListPromptVersionsRequest request;
    request.set_slug(slug);
    return test.other_replica.prompts.ListVersions(principal, request);
  }
  absl::StatusOr<v1::ListPromptTagsResponse> ListTags(const std::string& slug) {
    v1::ListPromptTagsRequest request;
    request.set_slug(slug);
    return test.other_replica.prompts.ListTags(principal, request);
  }
  // All tags, and the numbers of their versions.
  std::string Tags() {
    std::string tags;
    const auto listed = ListTags("faq");
    for (const v1::PromptTag& tag : listed->tags()) {
      tags += tag.tag() + "=" + std::to_string(tag.version()) + " ";
    }
    return tags;
  }

  TestService test;
  auth::Principal principal = test.AddProject();
};

TEST_CASE("the first version makes its prompt, and is all that a client reads of it") {
  Prompts prompts;
  CHECK(ReasonOf(prompts.GetLatest("faq").status()) == errors::v1::REASON_PROMPT_NOT_FOUND);

  v1::EnsurePromptVersionRequest request = Of(kContent);
  request.set_content_hash(kContentHashWithModel);
  request.set_model_id(kModel);
  const auto made = prompts.Ensure(request);
  REQUIRE(made.ok());
  CHECK(Uuid::Parse(made->id()).has_value());
  CHECK(made->version_id() == made->id());
  CHECK(made->prompt_id() == prompts.test.database.Query("select id from prompt where slug = 'faq'"));
  CHECK(made->task_id() == made->prompt_id());
  CHECK(made->project_id() == prompts.principal.project_id.ToString());
  CHECK(made->prompt() == "faq");
  CHECK(made->version() == 1);
  CHECK(made->tag() == "latest");
  CHECK(made->is_latest());
  CHECK(made->content() == kContent);
  CHECK(made->content_hash() == kContentHashWithModel);
  CHECK(made->model_id() == kModel);
  CHECK(made->model() == kModel);
  CHECK(made->metadata() == R"({"prompt_slug": "faq"})");
  CHECK(FromProto(made->created_at()) <= prompts.test.clock.Now());
  CHECK(made->updated_at().SerializeAsString() == made->created_at().SerializeAsString());
  CHECK(prompts.GetLatest("faq")->SerializeAsString() == made->SerializeAsString());
}

TEST_CASE("a prompt that a version has made takes feedback at once") {
  Prompts prompts;
  v1::SubmitCompletionFeedbackRequest vote = Vote(true);
  vote.set_prompt_slug("faq");
  CHECK(ReasonOf(prompts.test.other_replica.Submit(prompts.principal, vote).response.status()) ==
        errors::v1::REASON_PROMPT_NOT_FOUND);
  const auto made = prompts.Ensure(Of(kContent));
  REQUIRE(made.ok());
  CHECK(prompts.test.other_replica.Submit(prompts.principal, vote).response->feedback().prompt_id() ==
        made->prompt_id());
}

TEST_CASE("a prompt that was created, or is a judge's, gets its first version like any other") {
  Prompts prompts;
  CHECK(ReasonOf(prompts.GetLatest("support-bot").status()) == errors::v1::REASON_PROMPT_VERSION_NOT_FOUND);
  CHECK(prompts.ListVersions("support-bot")->versions().empty());
  const auto made = prompts.Ensure(Of(kContent, "support-bot"));
  REQUIRE(made.ok());
  CHECK(made->version() == 1);
  CHECK(made->prompt_id() == prompts.test.database.Query("select id from prompt"));
}

TEST_CASE("equal content and model are one version, whatever came after it") {
  Prompts prompts;
  const auto first = prompts.Ensure(Of(kContent));
  REQUIRE(first.ok());
  v1::EnsurePromptVersionRequest of_model = Of(kContent);
  of_model.set_model_id(kModel);
  const auto second = prompts.Ensure(of_model);
  REQUIRE(second.ok());
  CHECK(second->version() == 2);
  CHECK(prompts.Ensure(Of("Another"))->version() == 3);

  for (const char* content : {kContent, "\r\n  You are a support agent. Answer {{name}}. \t\r\n"}) {
    const auto again = prompts.Ensure(prompts.test.other_replica, Of(content));
    REQUIRE(again.ok());
    CHECK(again->id() == first->id());
    CHECK(again->version() == 1);
    CHECK(again->content() == kContent);
    CHECK_FALSE(again->is_latest());
    CHECK_FALSE(again->has_tag());
    CHECK_FALSE(again->has_model());
  }
  CHECK(prompts.Ensure(of_model)->id() == second->id());
  CHECK(prompts.test.database.Query("select count(*) from prompt_version") == "3");
}

TEST_CASE("a content hash may be of either kind and case; another is refused, and nothing is made") {
  Prompts prompts;
  v1::EnsurePromptVersionRequest request = Of(kContent);
  std::string upper = kContentHash;
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
  for (const std::string& hash : {std::string(kContentHashWithModel), std::string(), std::string("x")}) {
    request.set_content_hash(hash);
    const absl::Status refused = prompts.Ensure(request).status();
    CHECK(FieldOf(refused) == "content_hash");
    CHECK_THAT(std::string(refused.message()), Catch::Contains(kContentHash) && Catch::Contains(kTextHash));
  }
  CHECK(prompts.test.database.Query("select count(*) from prompt") == "1");
  for (const std::string& hash : {std::string(kContentHash), upper, std::string(kTextHash)}) {
    request.set_content_hash(hash);
    CHECK(prompts.Ensure(request)->content_hash() == kContentHash);
  }
}

TEST_CASE("a content of white space alone is refused") {
  Prompts prompts;
  for (const char* content : {" ", "\r\n\t", "\u3000\u2028"}) {
    CHECK(FieldOf(prompts.Ensure(Of(content)).status()) == "content");
  }
  CHECK(prompts.test.database.Query("select count(*) from prompt") == "1");
}

TEST_CASE("a version keeps the metadata that it was made with, and the slug is ours") {
  Prompts prompts;
  v1::EnsurePromptVersionRequest request = Of(kContent);
  request.set_metadata(R"({"team": "support", "prompt_slug": "other"})");
  CHECK(prompts.Ensure(request)->metadata() == R"({"team": "support", "prompt_slug": "faq"})");
  request.set_metadata(R"({"team": "sales"})");
  CHECK(prompts.Ensure(request)->metadata() == R"({"team": "support", "prompt_slug": "faq"})");
  request.set_metadata("[]");
  CHECK(FieldOf(prompts.Ensure(request).status()) == "metadata");
}

TEST_CASE("the longest values come back as they are") {
  Prompts prompts;
  const std::string slug(200, 's');
  v1::EnsurePromptVersionRequest request = Of(std::string(131'072, 'x'), slug);
  request.set_model_id(std::string(200, 'm'));
  request.set_metadata(R"({"a": ")" + std::string(16'384 - 9, 'x') + R"("})");
  const auto made = prompts.Ensure(request);
  REQUIRE(made.ok());
  const auto read = prompts.GetLatest(slug);
  REQUIRE(read.ok());
  CHECK(read->content() == request.content());
  CHECK(read->model_id() == request.model_id());
  CHECK(read->SerializeAsString() == made->SerializeAsString());
}

TEST_CASE("a version is got by its number, by a tag, or else the latest is") {
  Prompts prompts;
  for (const char* content : {"one", "two", "three"}) REQUIRE(prompts.Ensure(Of(content)).ok());
  REQUIRE(prompts.Pin("production", 1).ok());
  REQUIRE(prompts.Pin("staging", 3).ok());

  v1::GetPromptRequest request;
  request.set_slug("faq");
  CHECK(prompts.Get(request)->content() == "three");
  CHECK(prompts.Get(request)->tag() == "latest");
  CHECK(prompts.GetTagged("latest")->content() == "three");
  CHECK(prompts.GetTagged("latest")->tag() == "latest");
  const auto production = prompts.GetTagged("production");
  CHECK(production->content() == "one");
  CHECK(production->tag() == "production");
  CHECK_FALSE(production->is_latest());
  CHECK(prompts.GetTagged("staging")->tag() == "staging");
  CHECK(prompts.GetTagged("staging")->is_latest());
  CHECK(prompts.GetVersion(2)->content() == "two");
  CHECK_FALSE(prompts.GetVersion(2)->has_tag());
  CHECK(prompts.GetVersion(3)->tag() == "latest");
  request.set_version(2);
  request.set_tag("production");
  CHECK(prompts.Get(request)->content() == "two");

  for (const absl::Status& missing : {prompts.GetVersion(4).status(), prompts.GetTagged("test").status(),
                                      prompts.GetTagged("LATEST").status()}) {
    CHECK(ReasonOf(missing) == errors::v1::REASON_PROMPT_VERSION_NOT_FOUND);
    CHECK_THAT(std::string(missing.message()), Catch::Contains("`faq`"));
  }
  request.set_slug("unknown");
  CHECK(ReasonOf(prompts.Get(request).status()) == errors::v1::REASON_PROMPT_NOT_FOUND);
}

TEST_CASE("a version is got by either hash, in either case; of several models the latest") {
  Prompts prompts;
  v1::EnsurePromptVersionRequest request = Of(kContent);
  const auto first = prompts.Ensure(request);
  request.set_model_id(kModel);
  const auto second = prompts.Ensure(request);
  REQUIRE(prompts.Ensure(Of("later")).ok());

  CHECK(prompts.GetByHash(kContentHash)->id() == first->id());
  CHECK(prompts.GetByHash(kContentHashWithModel)->id() == second->id());
  CHECK(prompts.GetByHash(kTextHash)->id() == second->id());
  std::string upper = kTextHash;
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
  CHECK(prompts.GetByHash(upper)->id() == second->id());
  for (const std::string& hash :
       {std::string(64, '0'), std::string(64, 'g'), std::string(62, '0'), std::string("x")}) {
    CHECK(ReasonOf(prompts.GetByHash(hash).status()) == errors::v1::REASON_PROMPT_VERSION_NOT_FOUND);
  }
  CHECK(ReasonOf(prompts.GetByHash(kTextHash, "support-bot").status()) ==
        errors::v1::REASON_PROMPT_VERSION_NOT_FOUND);
  CHECK(ReasonOf(prompts.GetByHash(kTextHash, "unknown").status()) == errors::v1::REASON_PROMPT_NOT_FOUND);
}

// The text of one prompt version may be the very JSON whose hash another one is known by.
TEST_CASE("a version is not taken for another whose text has its hash") {
  Prompts prompts;
  const std::string json =
      R"({"content": "a", "evaluation_type": null, "model_id": null, "pass_threshold": null, "score_max": null, )"
      R"("score_min": null, "structured_criteria": null, "temperature": null})";
  const auto plain = prompts.Ensure(Of("a"));
  REQUIRE(plain->version() == 1);
  CHECK(prompts.Ensure(Of(json))->version() == 2);
  CHECK(prompts.Ensure(Of("a"))->content() == "a");
  CHECK(prompts.Ensure(Of(json))->version() == 2);
  CHECK(prompts.GetByHash(plain->content_hash())->content() == "a");
}

TEST_CASE("a version tells its model, if it has one") {
  Prompts prompts;
  const auto plain = prompts.Ensure(Of(kContent));
  v1::EnsurePromptVersionRequest request = Of(kContent);
  request.set_model_id(kModel);
  const auto of_model = prompts.Ensure(request);
  CHECK(prompts.GetModel(of_model->id())->model_id() == kModel);
  CHECK(prompts.GetModel(of_model->id())->model() == kModel);
  REQUIRE(prompts.GetModel(plain->id()).ok());
  CHECK_FALSE(prompts.GetModel(plain->id())->has_model());
  for (const std::string& id : {plain->prompt_id(), std::string("x")}) {
    CHECK(ReasonOf(prompts.GetModel(id).status()) == errors::v1::REASON_PROMPT_VERSION_NOT_FOUND);
  }
}

TEST_CASE("versions are listed from the latest, without contents") {
  Prompts prompts;
  for (const char* content : {"one", "two", "three"}) REQUIRE(prompts.Ensure(Of(content)).ok());
  const auto listed = prompts.ListVersions("faq");
  REQUIRE(listed.ok());
  REQUIRE(listed->versions_size() == 3);
  for (int i = 0; i < 3; ++i) {
    PromptVersion version = *prompts.GetVersion(3 - i);
    version.clear_content();
    CHECK(listed->versions(i).SerializeAsString() == version.SerializeAsString());
  }
  CHECK(ReasonOf(prompts.ListVersions("unknown").status()) == errors::v1::REASON_PROMPT_NOT_FOUND);
}

TEST_CASE("a prompt has at most 10,000 versions, of which the latest 1,000 are listed") {
  Prompts prompts;
  const auto first = prompts.Ensure(Of(kContent));
  REQUIRE(first.ok());
  prompts.test.database.Query(
      "insert into prompt_version (project_id, id, prompt_id, version, content, content_hash, text_hash, "
      "created_at)"
      " select project_id, gen_random_uuid(), prompt_id, n, 'n', sha256(n::text::bytea), sha256('n'), now()"
      "   from prompt_version, generate_series(2, 9999) n");
  CHECK(prompts.Ensure(Of("the last"))->version() == 10'000);
  CHECK(FieldOf(prompts.Ensure(Of("one too many")).status()) == "slug");
  CHECK(prompts.Ensure(Of(kContent))->id() == first->id());
  CHECK(prompts.Ensure(Of("one too many", "another"))->version() == 1);

  const auto listed = prompts.ListVersions("faq");
  REQUIRE(listed.ok());
  REQUIRE(listed->versions_size() == 1'000);
  CHECK(listed->versions(0).version() == 10'000);
  CHECK(listed->versions(999).version() == 9'001);
}

TEST_CASE("a tag stands on one version, and moves") {
  Prompts prompts;
  for (const char* content : {"one", "two"}) REQUIRE(prompts.Ensure(Of(content)).ok());
  CHECK(prompts.Tags() == "");
  const auto pinned = prompts.Pin("production", 1);
  REQUIRE(pinned.ok());
  CHECK(pinned->tag() == "production");
  CHECK(pinned->version() == 1);
  CHECK(pinned->version_id() == prompts.GetVersion(1)->id());
  REQUIRE(prompts.Pin("a-1", 1).ok());
  CHECK(prompts.Tags() == "a-1=1 production=1 ");
  CHECK(prompts.ListTags("faq")->tags(1).SerializeAsString() == pinned->SerializeAsString());
  REQUIRE(prompts.Pin("production", 2).ok());
  CHECK(prompts.Tags() == "a-1=1 production=2 ");
  CHECK(prompts.GetTagged("production")->content() == "two");

  CHECK(ReasonOf(prompts.Pin("production", 3).status()) == errors::v1::REASON_PROMPT_VERSION_NOT_FOUND);
  CHECK(ReasonOf(prompts.Pin("production", 1, "unknown").status()) == errors::v1::REASON_PROMPT_NOT_FOUND);
  CHECK(ReasonOf(prompts.ListTags("unknown").status()) == errors::v1::REASON_PROMPT_NOT_FOUND);
  CHECK(prompts.Tags() == "a-1=1 production=2 ");
}

TEST_CASE("a tag that stands there already keeps its time") {
  Prompts prompts;
  for (const char* content : {"one", "two"}) REQUIRE(prompts.Ensure(Of(content)).ok());
  const PromptStore& store = prompts.test.replica.prompt_store;
  const auto pinned_at = [&](int version, Time now) {
    return FromProto(
        store.PinTag(prompts.principal.project_id, "faq", "production", version, now)->updated_at());
  };
  const Time then(std::chrono::seconds(1'780'000'000));
  CHECK(pinned_at(1, then) == then);
  CHECK(pinned_at(1, then + std::chrono::seconds(1)) == then);
  CHECK(pinned_at(2, then + std::chrono::seconds(2)) == then + std::chrono::seconds(2));
}

TEST_CASE("a tag is of a-z, 0-9 and -, and not latest") {
  Prompts prompts;
  REQUIRE(prompts.Ensure(Of("one")).ok());
  for (const std::string& tag : {std::string("latest"), std::string("Prod"), std::string("a b"),
                                 std::string("a_b"), std::string("\u00e9"), std::string()}) {
    CAPTURE(tag);
    CHECK(FieldOf(prompts.Pin(tag, 1).status()) == "tag");
  }
  CHECK(prompts.Tags() == "");
  CHECK(prompts.Pin(std::string(100, 'z'), 1).ok());
  CHECK(prompts.Pin("-0", 1).ok());
}

TEST_CASE("a prompt has at most 100 tags, also when many come at once") {
  Prompts prompts;
  for (const char* content : {"one", "two"}) REQUIRE(prompts.Ensure(Of(content)).ok());
  for (int i = 0; i < 95; ++i) REQUIRE(prompts.Pin("t" + std::to_string(i), 1).ok());
  std::atomic<int> pinned = 0;
  std::atomic<int> refused = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i) {
      threads.emplace_back([&, i] {
        const auto tag = prompts.Pin("u" + std::to_string(i), 1);
        pinned += tag.ok() ? 1 : 0;
        refused += ReasonOf(tag.status()) == errors::v1::REASON_VALIDATION_ERROR ? 1 : 0;
      });
    }
  }
  CHECK(pinned == 5);
  CHECK(refused == 11);
  CHECK(FieldOf(prompts.Pin("v", 1).status()) == "tag");
  CHECK(prompts.Pin("t0", 2)->version() == 2);
  CHECK(prompts.ListTags("faq")->tags_size() == 100);
}

TEST_CASE("another project's prompts are as if they were not there") {
  Prompts prompts;
  const auto foreign = prompts.Ensure(Of(kContent));
  REQUIRE(foreign.ok());
  REQUIRE(prompts.Pin("production", 1).ok());
  prompts.principal = prompts.test.AddProject();

  CHECK(ReasonOf(prompts.GetLatest("faq").status()) == errors::v1::REASON_PROMPT_NOT_FOUND);
  CHECK(ReasonOf(prompts.GetVersion(1).status()) == errors::v1::REASON_PROMPT_NOT_FOUND);
  CHECK(ReasonOf(prompts.GetTagged("production").status()) == errors::v1::REASON_PROMPT_NOT_FOUND);
  CHECK(ReasonOf(prompts.GetByHash(kContentHash).status()) == errors::v1::REASON_PROMPT_NOT_FOUND);
  CHECK(ReasonOf(prompts.ListVersions("faq").status()) == errors::v1::REASON_PROMPT_NOT_FOUND);
  CHECK(ReasonOf(prompts.ListTags("faq").status()) == errors::v1::REASON_PROMPT_NOT_FOUND);
  CHECK(ReasonOf(prompts.Pin("production", 1).status()) == errors::v1::REASON_PROMPT_NOT_FOUND);
  const absl::Status model = prompts.GetModel(foreign->id()).status();
  CHECK(model == prompts.GetModel(foreign->prompt_id()).status());
  CHECK(ReasonOf(model) == errors::v1::REASON_PROMPT_VERSION_NOT_FOUND);

  const auto own = prompts.Ensure(Of(kContent));
  REQUIRE(own.ok());
  CHECK(own->version() == 1);
  CHECK(own->id() != foreign->id());
  CHECK(ReasonOf(prompts.GetTagged("production").status()) == errors::v1::REASON_PROMPT_VERSION_NOT_FOUND);
}

// Ensures content_of(0), content_of(1), ... of a prompt that there is not yet, all at once and on two
// replicas.
template <typename ContentOf>
std::vector<absl::StatusOr<PromptVersion>> EnsureAtOnce(Prompts& prompts, int count, ContentOf content_of) {
  std::vector<absl::StatusOr<PromptVersion>> versions(static_cast<size_t>(count),
                                                      absl::UnknownError("no answer"));
  std::vector<std::jthread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      Replica& replica = i % 2 == 0 ? prompts.test.replica : prompts.test.other_replica;
      versions[static_cast<size_t>(i)] = prompts.Ensure(replica, Of(content_of(i)));
    });
  }
  threads.clear();
  return versions;
}

TEST_CASE("of 64 that bring one new content at once, all get the one version") {
  Prompts prompts;
  const auto versions = EnsureAtOnce(prompts, 64, [](int) { return kContent; });
  std::set<std::string> ids;
  for (const auto& version : versions) {
    REQUIRE(version.ok());
    CHECK(version->version() == 1);
    ids.insert(version->id());
  }
  CHECK(ids.size() == 1);
  CHECK(prompts.test.database.Query("select count(*), max(version) from prompt_version") == "1|1");
}

TEST_CASE("64 new contents that come at once get 64 consecutive numbers") {
  Prompts prompts;
  const auto versions = EnsureAtOnce(prompts, 64, [](int i) { return std::to_string(i); });
  std::set<int> numbers;
  for (size_t i = 0; i < versions.size(); ++i) {
    REQUIRE(versions[i].ok());
    CHECK(versions[i]->content() == std::to_string(i));
    numbers.insert(versions[i]->version());
  }
  CHECK(numbers.size() == 64);
  CHECK(*numbers.begin() == 1);
  CHECK(*numbers.rbegin() == 64);
}

}  // namespace
}  // namespace verdict::feedback
