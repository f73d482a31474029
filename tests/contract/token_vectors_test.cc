#include "tests/support/token_vectors.h"

#include <chrono>
#include <memory>
#include <set>
#include <string>

#include <catch2/catch.hpp>

#include "common/token/key_ring.h"
#include "common/token/test_keyset.h"
#include "common/token/token_codec.h"

// tests/vectors/token, judged by the codec; tests/e2e/token_edge_test.cc does it through HTTP.
namespace verdict::test {
namespace {

struct Judge {
  Judge() { keyset.Publish(TokenVectorKeySet()); }

  TokenVectorTenants tenants = {.now = Time(std::chrono::sys_days(std::chrono::year(2026) / 6 / 1)),
                                .org = NewUuidV7({}),
                                .project = NewUuidV7({}),
                                .other_org = NewUuidV7({}),
                                .other_project = NewUuidV7({})};
  token::TestKeySet keyset;
  metrics::Registry registry;

  std::unique_ptr<token::KeyRing> Ring() {
    return token::KeyRing::Open(keyset.directory(), registry).value();
  }
};

TEST_CASE("each token that must fail is refused, and all that are not authentic alike") {
  Judge judge;
  const auto ring = judge.Ring();
  const auto vectors = ReadTokenVectors("must_fail", judge.tenants);
  CHECK(vectors.size() >= 60);
  for (const TokenVector& vector : vectors) {
    INFO(vector.name << ": " << vector.why);
    const absl::StatusOr<token::TokenClaims> claims =
        token::VerifyToken(*ring, vector.token, judge.tenants.now);
    if (vector.verdict == "invalid") {
      CHECK(claims.status() == token::TokenInvalid());
    } else if (vector.verdict == "expired") {
      REQUIRE(claims.ok());
      CHECK(claims->exp <= judge.tenants.now);
    } else {
      REQUIRE(vector.verdict == "foreign");
      REQUIRE(claims.ok());
      CHECK(claims->project == judge.tenants.other_project);
    }
  }
}

TEST_CASE("each token that must pass does, and is what minting makes of its claims") {
  Judge judge;
  const auto ring = judge.Ring();
  const auto vectors = ReadTokenVectors("must_pass", judge.tenants);
  CHECK(vectors.size() >= 10);
  std::set<std::string> kids;
  for (const TokenVector& vector : vectors) {
    INFO(vector.name << ": " << vector.why);
    CHECK(vector.verdict == "authentic");
    const absl::StatusOr<token::TokenClaims> claims =
        token::VerifyToken(*ring, vector.token, judge.tenants.now);
    REQUIRE(claims.ok());
    CHECK(claims->project == judge.tenants.project);
    CHECK(claims->exp > judge.tenants.now);
    const std::string minted = token::MintToken(*ring, *claims).value();
    const std::string kid = vector.token.substr(5, vector.token.find('.', 5) - 5);
    kids.insert(kid);
    // What others have signed differs in the key id and the tag.
    if (kid == "k1") CHECK(minted == vector.token);
  }
  CHECK(kids == std::set<std::string>{"8letters", "k0", "k1", "k2"});
}

TEST_CASE(
    "by another key set the verdicts turn, so the vectors would show a codec that takes the wrong key") {
  Judge judge;
  auto files = TokenVectorKeySet();
  files["k1"] = "a key that is in no set at all..";  // `strange` of roots.json
  judge.keyset.Publish(files);
  const auto ring = judge.Ring();
  const auto accepted = [&](const std::string& name) {
    std::set<std::string> names;
    for (const TokenVector& vector : ReadTokenVectors(name, judge.tenants)) {
      if (token::VerifyToken(*ring, vector.token, judge.tenants.now).ok()) names.insert(vector.name);
    }
    return names;
  };
  CHECK(accepted("must_fail").contains("signed by a stranger"));
  CHECK_FALSE(accepted("must_pass").contains("a trace"));
}

}  // namespace
}  // namespace verdict::test
