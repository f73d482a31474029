#include "common/crypto/crypto.h"

#include <algorithm>
#include <random>
#include <string>
#include <utility>

#include <catch2/catch.hpp>

#include "absl/strings/escaping.h"
#include "common/crypto/base64url.h"
#include "tests/support/seed.h"

namespace verdict::crypto {
namespace {

std::string Hex(std::string_view bytes) { return absl::BytesToHexString({bytes.data(), bytes.size()}); }

SecretBytes Secret(std::string_view bytes) {
  SecretBytes secret(bytes.size());
  std::ranges::copy(bytes, secret.writable().begin());
  return secret;
}

TEST_CASE("SHA-256 and HMAC-SHA-256 give the published answers") {
  CHECK(Hex(AsText(Sha256("abc"))) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(Hex(AsText(HmacSha256(Secret("Jefe"), "what do ya want for nothing?"))) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");  // RFC 4231, case 2
}

TEST_CASE("HKDF gives the answer of RFC 5869, case 3, and another key for another purpose") {
  const SecretBytes root = Secret(std::string(22, '\x0b'));
  CHECK(Hex(AsText(HkdfSha256(root, "").bytes())) ==
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
  CHECK(AsText(HkdfSha256(root, "a").bytes()) != AsText(HkdfSha256(root, "b").bytes()));
}

TEST_CASE("texts compare by length and content") {
  CHECK(ConstantTimeEquals("", ""));
  CHECK(ConstantTimeEquals("abc", "abc"));
  CHECK_FALSE(ConstantTimeEquals("abc", "abd"));
  CHECK_FALSE(ConstantTimeEquals("abc", "abcd"));
}

TEST_CASE("a secret moves and leaves nothing behind") {
  SecretBytes from = Secret("secret");
  SecretBytes to = std::move(from);
  CHECK(AsText(to.bytes()) == "secret");
  to = Secret("other");
  CHECK(AsText(to.bytes()) == "other");
}

TEST_CASE("lists of parts that read alike are encoded apart") {
  CHECK(EncodeParts({"ab", "c"}) != EncodeParts({"a", "bc"}));
  CHECK(EncodeParts({"abc"}) != EncodeParts({"abc", ""}));
  CHECK(EncodeParts({}) == std::string(8, '\0'));
}

TEST_CASE("base64url: the vectors of RFC 4648 without padding") {
  const std::pair<const char*, const char*> vectors[] = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8"}};
  for (const auto& [bytes, text] : vectors) {
    CHECK(EncodeBase64Url(bytes) == text);
    CHECK(DecodeBase64Url(text) == bytes);
  }
}

TEST_CASE("base64url: what is not canonical is refused") {
  for (const char* text :
       {"Zg==", "Zm8=", "Zg=", "Z", "Zm9vY", "Zh", "Zm9", "Zm 9", " Zg", "Zg\n", "+/8", "Zg\xc3\xa9"}) {
    INFO(text);
    CHECK_FALSE(DecodeBase64Url(text));
  }
}

TEST_CASE("base64url: what is encoded is decoded, and one changed character is never the same bytes") {
  std::mt19937_64 random(NewSeed("base64url"));
  for (int i = 0; i < 2000; ++i) {
    std::string bytes(random() % 70, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    std::string text = EncodeBase64Url(bytes);
    REQUIRE(DecodeBase64Url(text) == bytes);
    if (text.empty()) continue;
    char& changed = text[random() % text.size()];
    changed = static_cast<char>(changed + 1 + static_cast<int>(random() % 255));
    REQUIRE(DecodeBase64Url(text) != bytes);
  }
}

}  // namespace
}  // namespace verdict::crypto
