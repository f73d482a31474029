#include "services/token/token_service.h"

#include <chrono>
#include <memory>
#include <string>

#include <catch2/catch.hpp>

#include "common/pg/pool.h"
#include "common/status/error.h"
#include "common/token/test_keyset.h"
#include "common/token/token_codec.h"
#include "services/token/api_key.h"
#include "services/token/identity_service.h"

// What the service does without its database: here there is none.
namespace verdict::token {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Fixture {
  TestKeySet files;
  metrics::Registry registry;
  std::unique_ptr<KeyRing> ring = KeyRing::Open(files.directory(), registry).value();
  pg::Pool pool{{.dsn = "host=/nonexistent dbname=none", .size = 1, .statements = TokenStore::Statements()}};
  TokenStore store{pool};
  FakeClock clock{Time(std::chrono::hours(24 * 365 * 56))};
  TokenService tokens{*ring, store, clock};
  auth::Principal principal = {.org_id = NewUuidV7(clock.Now()),
                               .project_id = NewUuidV7(clock.Now()),
                               .key_id = NewUuidV7(clock.Now())};
};

v1::MintTokenRequest Request() {
  v1::MintTokenRequest request;
  request.set_resource_type(types::v1::ENTITY_TYPE_EVAL_RUN);
  request.set_resource_id("run-42");
  return request;
}

TEST_CASE("a token says what it was minted for, by whom and until when") {
  Fixture fixture;
  v1::MintTokenRequest request = Request();
  request.set_expires_in_seconds(60);
  request.mutable_subject()->set_id("user-123");
  request.mutable_subject()->set_email("alice@example.com");

  const v1::MintTokenResponse minted = fixture.tokens.Mint(fixture.principal, request, {}).value();

  const TokenClaims claims = VerifyToken(*fixture.ring, minted.token(), fixture.clock.Now()).value();
  CHECK(claims.type == types::v1::ENTITY_TYPE_EVAL_RUN);
  CHECK(claims.resource == "run-42");
  CHECK(claims.org == fixture.principal.org_id);
  CHECK(claims.project == fixture.principal.project_id);
  CHECK(claims.jti.ToString() == minted.id());
  CHECK(claims.iat == fixture.clock.Now());
  CHECK(claims.exp == fixture.clock.Now() + seconds(60));
  CHECK(FromProto(minted.expires_at()) == claims.exp);
  REQUIRE(claims.subject);
  CHECK(claims.subject->id() == "user-123");
  CHECK(claims.subject->email() == "alice@example.com");
  CHECK_FALSE(claims.subject->has_name());
}

TEST_CASE("a token lives an hour unless it is said otherwise, and has an id of its own") {
  Fixture fixture;
  const v1::MintTokenResponse one = fixture.tokens.Mint(fixture.principal, Request(), {}).value();
  const v1::MintTokenResponse other = fixture.tokens.Mint(fixture.principal, Request(), {}).value();
  CHECK(FromProto(one.expires_at()) == fixture.clock.Now() + std::chrono::hours(1));
  CHECK(one.id() != other.id());
  CHECK_FALSE(VerifyToken(*fixture.ring, one.token(), fixture.clock.Now())->subject);
}

TEST_CASE("minting names what a token cannot carry") {
  Fixture fixture;
  v1::MintTokenRequest request = Request();
  request.mutable_subject()->set_id("user-123");
  request.mutable_subject()->set_name("Al\tice");
  const absl::Status status = fixture.tokens.Mint(fixture.principal, request, {}).status();
  CHECK(ReasonOf(status) == errors::v1::REASON_VALIDATION_ERROR);
  REQUIRE(DetailsOf(status).violations.size() == 1);
  CHECK(DetailsOf(status).violations[0].field == "subject.name");
}

TEST_CASE("equal requests under one Idempotency-Key get tokens of one id, others do not") {
  Fixture fixture;
  const auto mint = [&](const auth::Principal& principal, const v1::MintTokenRequest& request,
                        const std::string& key) {
    return fixture.tokens.Mint(principal, request, key)->id();
  };
  const std::string id = mint(fixture.principal, Request(), "retry-1");
  fixture.clock.Advance(seconds(30));
  CHECK(mint(fixture.principal, Request(), "retry-1") == id);
  v1::MintTokenRequest explicit_default = Request();
  explicit_default.set_expires_in_seconds(3600);
  CHECK(mint(fixture.principal, explicit_default, "retry-1") == id);

  CHECK(mint(fixture.principal, Request(), "retry-2") != id);
  auth::Principal other_key = fixture.principal;
  other_key.key_id = NewUuidV7(fixture.clock.Now());
  CHECK(mint(other_key, Request(), "retry-1") != id);
  auth::Principal other_project = fixture.principal;
  other_project.project_id = NewUuidV7(fixture.clock.Now());
  CHECK(mint(other_project, Request(), "retry-1") != id);
  v1::MintTokenRequest request = Request();
  request.set_resource_id("run-43");
  CHECK(mint(fixture.principal, request, "retry-1") != id);
  request = Request();
  request.set_resource_type(types::v1::ENTITY_TYPE_TRACE);
  CHECK(mint(fixture.principal, request, "retry-1") != id);
  request = Request();
  request.set_expires_in_seconds(3599);
  CHECK(mint(fixture.principal, request, "retry-1") != id);
  request = Request();
  request.mutable_subject()->set_id("user-123");
  const std::string with_subject = mint(fixture.principal, request, "retry-1");
  CHECK(with_subject != id);
  request.mutable_subject()->set_name("Alice");
  CHECK(mint(fixture.principal, request, "retry-1") != with_subject);
}

TEST_CASE(
    "a token that is not authentic, another project's or expired is refused without asking the database") {
  Fixture fixture;
  const auto verify = [&](const auth::Principal& principal, const std::string& token) {
    v1::VerifyTokenRequest request;
    request.set_token(token);
    return fixture.tokens.Verify(principal, request).status();
  };
  const std::string token = fixture.tokens.Mint(fixture.principal, Request(), {})->token();
  auth::Principal stranger = fixture.principal;
  stranger.project_id = NewUuidV7(fixture.clock.Now());
  CHECK(verify(fixture.principal, "fbt1.k1.x.y") == TokenInvalid());
  for (const char* kid : {"k2", "../../etc/x", "k1';drop table project;--", ""}) {
    CHECK(verify(fixture.principal, "fbt1." + (kid + token.substr(token.find('.', 5)))) == TokenInvalid());
  }
  CHECK(verify(stranger, token) == TokenInvalid());

  // While it lives, whether it was used cannot be said without the database.
  fixture.clock.Advance(std::chrono::hours(1) - milliseconds(1));
  CHECK(ReasonOf(verify(fixture.principal, token)) == errors::v1::REASON_UNAVAILABLE);
  fixture.clock.Advance(milliseconds(1));
  CHECK(ReasonOf(verify(fixture.principal, token)) == errors::v1::REASON_TOKEN_EXPIRED);
  CHECK(verify(stranger, token) == TokenInvalid());
}

TEST_CASE("an id that is none has nothing to revoke") {
  Fixture fixture;
  v1::RevokeTokenRequest request;
  request.set_id("no id");
  CHECK(fixture.tokens.Revoke(fixture.principal, request).ok());
  v1::RevokeAllTokensRequest all;
  all.set_project_id("no id");
  CHECK(ReasonOf(fixture.tokens.RevokeAll(all).status()) == errors::v1::REASON_PROJECT_NOT_FOUND);
}

TEST_CASE("without the database a key is neither accepted nor refused, and a typo is refused all the same") {
  Fixture fixture;
  TokenMetrics metrics(fixture.registry);
  const IdentityService identity(fixture.store, fixture.clock, metrics, crypto::Sha256("the operators' key"));
  const auto authenticate = [&](const std::string& credential) {
    v1::AuthenticateRequest request;
    request.set_credential(credential);
    return identity.Authenticate(request);
  };
  std::string key = NewApiKey();
  CHECK(ReasonOf(authenticate(key).status()) == errors::v1::REASON_UNAVAILABLE);
  CHECK(metrics.failed.Value() == 1);
  key.back() = key.back() == 'A' ? 'B' : 'A';
  CHECK(ReasonOf(authenticate(key).status()) == errors::v1::REASON_UNAUTHENTICATED);
  CHECK(metrics.malformed.Value() == 1);
  CHECK(authenticate("the operators' key")->principal().admin());
}

}  // namespace
}  // namespace verdict::token
