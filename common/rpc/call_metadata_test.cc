#include "common/rpc/call_metadata.h"

#include <string>

#include <catch2/catch.hpp>

#include "common/status/error.h"

namespace verdict::rpc {
namespace {

TEST_CASE("a request id is 1 to 64 letters, digits, dots, underscores and hyphens") {
  CHECK(IsRequestId("Req-1_2.3"));
  CHECK(IsRequestId(std::string(64, 'a')));
  CHECK_FALSE(IsRequestId(""));
  CHECK_FALSE(IsRequestId(std::string(65, 'a')));
  for (const char* bad : {"a b", "a\n", "a/b", "\xc3\xa9", "a\"b"}) CHECK_FALSE(IsRequestId(bad));
}

TEST_CASE("an Idempotency-Key is 1 to 255 visible characters") {
  CHECK(CheckIdempotencyKey("!~").ok());
  CHECK(CheckIdempotencyKey(std::string(255, 'k')).ok());
  for (const std::string& bad : {std::string(), std::string(256, 'k'), std::string("a b"),
                                 std::string("\x7f"), std::string("\xc3\xa9"), std::string(1, '\0')}) {
    CHECK(ReasonOf(CheckIdempotencyKey(bad)) == errors::v1::REASON_VALIDATION_ERROR);
  }
}

TEST_CASE("a bearer credential follows its scheme in any case, after any number of blanks") {
  CHECK(BearerOf("Bearer k") == "k");
  CHECK(BearerOf("bEARER   k k") == "k k");
  CHECK(BearerOf("Bearer") == "");
  CHECK(BearerOf("Bearer ") == "");
  for (const char* other : {"", "Basic k", "Bearerk", " Bearer k"}) CHECK(BearerOf(other) == std::nullopt);
}

TEST_CASE("a credential comes as a bearer's or as a key, and two of them must agree") {
  CHECK(CredentialOf({}, {}) == "");
  CHECK(CredentialOf("bearer k", {}) == "k");
  CHECK(CredentialOf({}, "k") == "k");
  CHECK(CredentialOf("Bearer k", "k") == "k");
  CHECK(CredentialOf("Basic k", "l") == "l");
  CHECK(CredentialOf("Bearer k", "l") == std::nullopt);
  CHECK(CredentialOf("Bearer k", "") == std::nullopt);
  CHECK(CredentialOf("Bearer", "k") == std::nullopt);
}

TEST_CASE("If-None-Match names states in a list, weakly or strongly") {
  for (const char* tags :
       {"\"a\"", "W/\"a\"", "\"b\", \"a\"", " W/\"b\" ,\t W/\"a\" ", "*", "\"b\",\"a\",\"c\""}) {
    CAPTURE(tags);
    CHECK(HasETag(tags, "\"a\""));
  }
  for (const char* tags :
       {"", "a", "\"b\"", "\"A\"", "w/\"a\"", "W/W/\"a\"", "\"a", "\"a\"\"b\"", "\"x,a,x\"", "**"}) {
    CAPTURE(tags);
    CHECK_FALSE(HasETag(tags, "\"a\""));
  }
}

}  // namespace
}  // namespace verdict::rpc
