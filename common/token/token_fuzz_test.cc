#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fuzzer/FuzzedDataProvider.h>
#include <google/protobuf/stubs/common.h>

#include "common/crypto/base64url.h"
#include "common/crypto/crypto.h"
#include "common/metrics/metrics.h"
#include "common/token/key_ring.h"
#include "common/token/test_keyset.h"
#include "common/token/text.h"
#include "common/token/token_codec.h"
#include "tests/support/fuzz.h"

// Tokens of strangers. Two rings whose keys have one name: of the one everything is known, and the seeds are
// its tokens; the other one's key is in no input, so nothing that stands in one is its token.
namespace verdict::token {
namespace {

constexpr Time kNow{std::chrono::milliseconds(1'795'000'000'000)};

struct Ring {
  explicit Ring(char fill) {
    files.WriteKey("k1", fill);
    keys = *KeyRing::Open(files.directory(), registry);
  }

  TestKeySet files;
  metrics::Registry registry;
  std::unique_ptr<KeyRing> keys;
};

const Ring& Known() {
  static const Ring ring('a');
  return ring;
}

const Ring& Secret() {
  static const Ring ring('b');
  return ring;
}

// A token with the payload, whatever it says, and the known ring's right tag.
std::string Signed(std::string_view payload) {
  const auto keys = Known().keys->keys();
  const auto tag =
      crypto::HmacSha256(keys->Primary().mac, crypto::EncodeParts({"fbt1", keys->primary, payload}));
  return "fbt1." + keys->primary + '.' + crypto::EncodeBase64Url(payload) + '.' +
         crypto::EncodeBase64Url(crypto::AsText(tag));
}

// What verifies is spelled as it would be minted, and in no other way.
void CheckText(std::string_view text) {
  fuzz::Require(!VerifyToken(*Secret().keys, text, kNow).ok(), "only who has the key makes tokens");
  const auto claims = VerifyToken(*Known().keys, text, kNow);
  if (!claims.ok()) return;
  const auto again = MintToken(*Known().keys, *claims);
  fuzz::Require(again.ok() && *again == text, "a token has one spelling");
  fuzz::Require(text.size() <= 2048, "a token has at most 2,048 characters");
}

TokenClaims ClaimsOf(FuzzedDataProvider& data) {
  TokenClaims claims;
  claims.type = static_cast<types::v1::EntityType>(data.ConsumeIntegralInRange(1, 5));
  claims.iat = kNow - std::chrono::milliseconds(data.ConsumeIntegralInRange(0, 1'000'000));
  claims.exp = claims.iat + std::chrono::milliseconds(data.ConsumeIntegralInRange(1, 86'400'000));
  for (Uuid* id : {&claims.org, &claims.project, &claims.jti}) {
    data.ConsumeData(id->bytes.data(), id->bytes.size());
  }
  claims.resource = data.ConsumeRandomLengthString(210);
  if (data.ConsumeBool()) {
    claims.subject.emplace().set_id(data.ConsumeRandomLengthString(210));
    if (std::string email = data.ConsumeRandomLengthString(260); !email.empty())
      claims.subject->set_email(email);
    if (std::string name = data.ConsumeRandomLengthString(110); !name.empty()) claims.subject->set_name(name);
  }
  return claims;
}

bool AreEqual(const TokenClaims& a, const TokenClaims& b) {
  const auto subject = [](const TokenClaims& claims) {
    return claims.subject ? claims.subject->SerializeAsString() : "none";
  };
  return a.type == b.type && a.iat == b.iat && a.exp == b.exp && a.org == b.org && a.project == b.project &&
         a.jti == b.jti && a.resource == b.resource && subject(a) == subject(b);
}

void CheckClaims(FuzzedDataProvider& data) {
  const TokenClaims claims = ClaimsOf(data);
  auto token = MintToken(*Known().keys, claims);
  if (!token.ok()) return;
  const auto verified = VerifyToken(*Known().keys, *token, kNow);
  fuzz::Require(verified.ok() && AreEqual(*verified, claims), "verify(mint(x)) == x");
  fuzz::Require(!VerifyToken(*Secret().keys, *token, kNow).ok(), "only who has the key makes tokens");
  const auto at = data.ConsumeIntegralInRange<size_t>(0, token->size() - 1);
  const auto change = data.ConsumeIntegralInRange<int>(1, 255);
  (*token)[at] = static_cast<char>((*token)[at] ^ change);
  fuzz::Require(!VerifyToken(*Known().keys, *token, kNow).ok(), "a token with a byte changed is none");
}

void CheckPlainText(std::string_view text) {
  bool is_plain =
      google::protobuf::internal::IsStructurallyValidUTF8(text.data(), static_cast<int>(text.size()));
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    const bool is_c1 = byte == 0xC2 && i + 1 < text.size() && static_cast<uint8_t>(text[i + 1]) < 0xA0;
    is_plain = is_plain && byte >= 0x20 && byte != 0x7F && !is_c1;
  }
  fuzz::Require(IsPlainText(text) == is_plain, "plain text is UTF-8 without control characters");
}

std::vector<std::string> TokenSeeds() {
  TokenClaims claims = {.type = types::v1::ENTITY_TYPE_TRACE,
                        .iat = kNow,
                        .exp = kNow + std::chrono::hours(1),
                        .resource = "run-42"};
  const std::string plain = *MintToken(*Known().keys, claims);
  claims.subject.emplace().set_id("J\xC3\xB6rg");
  claims.subject->set_email("j@example.com");
  claims.subject->set_name("J");
  const std::string full = *MintToken(*Known().keys, claims);
  std::vector<std::string> seeds = {"claims",        "tJ\xC3\xB6rg\xF0\x9F\x91\x8D",
                                    "t\xC2\x85",     "t\xE0\x80\xAF",
                                    "t\xED\xA0\x80", "t\xF4\x90\x80\x80",
                                    "t\x7F"};
  for (const std::string& token : {plain, full}) {
    seeds.push_back("t" + token);
    const size_t payload = token.find('.', 5) + 1;
    const size_t end = token.rfind('.');
    seeds.push_back("p" + *crypto::DecodeBase64Url(token.substr(payload, end - payload)));
  }
  return seeds;
}

// The first byte: the text of a token, a payload to be signed, or claims to be minted.
void TestToken(std::string_view input) {
  if (input.empty()) return;
  const std::string_view rest = input.substr(1);
  if (input.front() == 't') {
    CheckText(rest);
    CheckPlainText(rest);
  } else if (input.front() == 'p') {
    CheckText(Signed(rest));
  } else {
    FuzzedDataProvider data(reinterpret_cast<const uint8_t*>(rest.data()), rest.size());
    CheckClaims(data);
  }
}

}  // namespace
}  // namespace verdict::token

std::vector<std::string> verdict::fuzz::Seeds() { return token::TokenSeeds(); }
void verdict::fuzz::Test(std::string_view input) { token::TestToken(input); }
