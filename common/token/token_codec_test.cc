#include "common/token/token_codec.h"

#include <chrono>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>
#include <dlfcn.h>
#include <google/protobuf/util/message_differencer.h>
#include <openssl/hmac.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "common/crypto/base64url.h"
#include "common/crypto/crypto.h"
#include "common/status/error.h"
#include "common/token/test_keyset.h"
#include "tests/support/seed.h"

namespace {

int computed_macs = 0;

}  // namespace

// OpenSSL's, which this program finds here first: counts the MACs that are computed.
unsigned char* HMAC(const EVP_MD* evp_md, const void* key, int key_len, const unsigned char* data,
                    size_t data_len, unsigned char* md, unsigned int* md_len) {
  ++computed_macs;
  static const auto original = reinterpret_cast<decltype(&HMAC)>(dlsym(RTLD_NEXT, "HMAC"));
  return original(evp_md, key, key_len, data, data_len, md, md_len);
}

namespace verdict::token {
namespace {

using std::chrono::milliseconds;

const Time kNow = Time(std::chrono::hours(24 * 365 * 56));

struct Fixture {
  TestKeySet files;
  metrics::Registry registry;
  std::unique_ptr<KeyRing> ring = KeyRing::Open(files.directory(), registry).value();

  // A token of these payload bytes, signed as MintToken signs.
  std::string Sign(std::string_view payload, std::string_view kid = "k1",
                   std::string_view version = "fbt1") const {
    const auto tag =
        crypto::HmacSha256(ring->keys()->keys.at("k1").mac, crypto::EncodeParts({version, kid, payload}));
    std::string token;
    for (const std::string& part : {std::string(version), std::string(kid), crypto::EncodeBase64Url(payload)})
      token += part + ".";
    return token + crypto::EncodeBase64Url(crypto::AsText(tag));
  }
};

TokenClaims ExampleClaims() {
  TokenClaims claims = {.type = types::v1::ENTITY_TYPE_EVAL_RUN,
                        .iat = kNow,
                        .exp = kNow + std::chrono::hours(1),
                        .org = NewUuidV7(kNow),
                        .project = NewUuidV7(kNow),
                        .jti = NewUuidV7(kNow),
                        .resource = "run-42"};
  claims.subject.emplace().set_id("user-123");
  claims.subject->set_name("J\xc3\xb6rg");
  return claims;
}

std::vector<std::string> Parts(std::string_view text) {
  std::vector<std::string> parts = {""};
  for (const char c : text) {
    if (c == '.') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::string Payload(const std::string& token) { return crypto::DecodeBase64Url(Parts(token)[2]).value(); }

bool SameClaims(const TokenClaims& a, const TokenClaims& b) {
  const bool subjects =
      a.subject.has_value() == b.subject.has_value() &&
      (!a.subject || google::protobuf::util::MessageDifferencer::Equals(*a.subject, *b.subject));
  return subjects && a.type == b.type && a.iat == b.iat && a.exp == b.exp && a.org == b.org &&
         a.project == b.project && a.jti == b.jti && a.resource == b.resource;
}

void CheckInvalid(const KeyRing& ring, std::string_view text) {
  const absl::StatusOr<TokenClaims> claims = VerifyToken(ring, text, kNow);
  INFO("token " << text);
  CHECK(claims.status() == TokenInvalid());
}

TEST_CASE("what is minted is verified, for all claims") {
  const Fixture fixture;
  std::mt19937_64 random(NewSeed("what is minted is verified"));
  const auto text = [&](size_t size_min, size_t size_max) {
    std::string text(size_min + random() % (size_max - size_min + 1), '\0');
    for (char& c : text) c = static_cast<char>(' ' + random() % 95);
    return text;
  };
  for (int i = 0; i < 300; ++i) {
    TokenClaims claims = {.type = static_cast<types::v1::EntityType>(1 + random() % 5),
                          .iat = kNow + milliseconds(60'000) - milliseconds(random() % 0x1'0000'0000),
                          .org = NewUuidV7(kNow),
                          .project = NewUuidV7(kNow),
                          .jti = NewUuidV7(kNow),
                          .resource = text(1, 200)};
    claims.exp = claims.iat + milliseconds(1 + random() % 86'400'000);
    if (random() % 2 == 0) {
      claims.subject.emplace().set_id(text(1, 200));
      if (random() % 2 == 0) claims.subject->set_email(text(1, 254));
      if (random() % 2 == 0) claims.subject->set_name(text(1, 100));
    }
    const absl::StatusOr<std::string> token = MintToken(*fixture.ring, claims);
    REQUIRE(token.ok());
    REQUIRE(token->size() <= 2048);
    const absl::StatusOr<TokenClaims> verified = VerifyToken(*fixture.ring, *token, kNow);
    REQUIRE(verified.ok());
    REQUIRE(SameClaims(*verified, claims));
  }
}

TEST_CASE("the largest token has fewer than 2,048 characters") {
  const Fixture fixture;
  TokenClaims claims = ExampleClaims();
  claims.resource.assign(200, 'r');
  claims.subject->set_id(std::string(200, 'i'));
  claims.subject->set_email(std::string(254, 'e'));
  claims.subject->set_name(std::string(100, 'n'));
  const std::string token = MintToken(*fixture.ring, claims).value();
  CHECK(token.size() < 2048);
  CHECK(VerifyToken(*fixture.ring, token, kNow).ok());
}

TEST_CASE("a token keeps its layout: those minted by one release are read by the next") {
  const Fixture fixture;
  TokenClaims claims = {.type = types::v1::ENTITY_TYPE_SPAN,
                        .iat = Time(milliseconds(0x0102030405)),
                        .exp = Time(milliseconds(0x0102030406)),
                        .org = *Uuid::Parse("00000000-0000-0000-0000-00000000000a"),
                        .project = *Uuid::Parse("00000000-0000-0000-0000-00000000000b"),
                        .jti = *Uuid::Parse("00000000-0000-0000-0000-00000000000c"),
                        .resource = "r"};
  claims.subject.emplace().set_id("s");
  CHECK(MintToken(*fixture.ring, claims).value() ==
        "fbt1.k1."
        "AQAAAAABAgMEBQAAAAECAwQGAAAAAAAAAAAAAAAAAAAACgAAAAAAAAAAAAAAAAAAAAsAAAAAAAAAAAAAAAAAAAAMAXIBcwAA."
        "xybM4CI0MI9Hf5nNvOxrhvyBR_fUp8iOH5tJKq7PzxA");
}

TEST_CASE("a token with any one bit changed is refused, always alike") {
  const Fixture fixture;
  const std::string token = MintToken(*fixture.ring, ExampleClaims()).value();
  const std::vector<std::string> parts = Parts(token);
  REQUIRE(parts.size() == 4);
  for (const size_t part : {2, 3}) {
    const std::string bytes = crypto::DecodeBase64Url(parts[part]).value();
    for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      std::vector<std::string> changed = parts;
      changed[part] = crypto::EncodeBase64Url(flipped);
      CheckInvalid(*fixture.ring, changed[0] + "." + changed[1] + "." + changed[2] + "." + changed[3]);
    }
  }
  // And in the text itself, where some changes keep the alphabet and some do not.
  for (size_t bit = 0; bit < token.size() * 8; ++bit) {
    std::string flipped = token;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    CheckInvalid(*fixture.ring, flipped);
  }
}

TEST_CASE("a token that is cut, padded, joined or dressed up is refused") {
  const Fixture fixture;
  const std::string token = MintToken(*fixture.ring, ExampleClaims()).value();
  const std::vector<std::string> parts = Parts(token);
  for (size_t size = 0; size < token.size(); ++size) CheckInvalid(*fixture.ring, token.substr(0, size));
  for (const std::string& text : std::vector<std::string>{
           token + "=", token + "==", token + ".", token + "." + parts[3], "." + token, " " + token,
           token + " ", token + "\n", token + std::string(1, '\0'), token + token,
           parts[0] + "." + parts[1] + "." + parts[2] + "=." + parts[3],
           parts[0] + "." + parts[1] + "." + parts[2], parts[0] + "." + parts[1] + ".." + parts[3],
           parts[0] + "." + parts[1] + "." + parts[3] + "." + parts[2], "fbt1", "fbt1...", "...",
           std::string(1 << 20, 'A'), "fbt1.k1." + std::string(1 << 20, 'A') + "." + parts[3]}) {
    CheckInvalid(*fixture.ring, text);
  }
}

TEST_CASE("another version or key id is refused, also where the tag was made for it") {
  const Fixture fixture;
  const std::string payload = Payload(MintToken(*fixture.ring, ExampleClaims()).value());
  REQUIRE(VerifyToken(*fixture.ring, fixture.Sign(payload), kNow).ok());
  for (const char* version : {"fbt2", "FBT1", "fbt", "fbt11", ""})
    CheckInvalid(*fixture.ring, fixture.Sign(payload, "k1", version));
  for (const std::string& kid : std::vector<std::string>{"k2", "", "K1", "../../etc/x",
                                                         "k1'; drop table project", std::string(1900, 'k')}) {
    CheckInvalid(*fixture.ring, fixture.Sign(payload, kid));
  }
}

TEST_CASE("an unknown key id costs one MAC as a known one does, and opens no file") {
  const Fixture fixture;
  const std::string token = MintToken(*fixture.ring, ExampleClaims()).value();
  const std::string rest = token.substr(token.find('.', 5));
  // A good key that the key set does not name. The ring looks at its folder by itself, but never at this
  // file.
  fixture.files.WriteKey("k9", 'a');
  const int inotify = inotify_init1(IN_NONBLOCK);
  REQUIRE(inotify_add_watch(inotify, (fixture.files.directory() / "k9").c_str(), IN_OPEN) >= 0);
  char event[4096];

  for (const std::string& kid : std::vector<std::string>{"k1", "k9", "", "K1", "no such", "/etc/passwd",
                                                         "';--", std::string(1700, 'k')}) {
    INFO(kid);
    computed_macs = 0;
    CHECK(VerifyToken(*fixture.ring, "fbt1." + kid + rest, kNow).ok() == (kid == "k1"));
    CHECK(computed_macs == 1);
    CHECK(read(inotify, event, sizeof(event)) < 0);
  }
  // The control: an opened file is seen.
  std::ifstream(fixture.files.directory() / "k9").get();
  CHECK(read(inotify, event, sizeof(event)) > 0);
  close(inotify);
}

TEST_CASE("a tag made with the stand-in for unknown keys is refused") {
  const Fixture fixture;
  const std::string payload = Payload(MintToken(*fixture.ring, ExampleClaims()).value());
  const auto tag = crypto::HmacSha256(crypto::SecretBytes(32), crypto::EncodeParts({"fbt1", "k9", payload}));
  CheckInvalid(*fixture.ring, "fbt1.k9." + crypto::EncodeBase64Url(payload) + "." +
                                  crypto::EncodeBase64Url(crypto::AsText(tag)));
}

TEST_CASE("a signed payload of another layout is refused") {
  const Fixture fixture;
  const std::string payload = Payload(MintToken(*fixture.ring, ExampleClaims()).value());
  const auto with = [&](size_t at, char byte) {
    std::string changed = payload;
    changed[at] = byte;
    return fixture.Sign(changed);
  };
  for (size_t size = 0; size < payload.size(); ++size)
    CheckInvalid(*fixture.ring, fixture.Sign(payload.substr(0, size)));
  CheckInvalid(*fixture.ring, fixture.Sign(payload + '\0'));
  CheckInvalid(*fixture.ring, with(0, 0));        // no type
  CheckInvalid(*fixture.ring, with(0, 6));        // a type that does not exist
  CheckInvalid(*fixture.ring, with(1, 1));        // flags
  CheckInvalid(*fixture.ring, with(66, 0));       // a resource of no bytes, and then some
  CheckInvalid(*fixture.ring, with(66, '\xff'));  // a resource longer than the payload
  CheckInvalid(*fixture.ring, with(67, '\n'));    // a control character
  CheckInvalid(*fixture.ring, with(67, '\xff'));  // no UTF-8
  CheckInvalid(*fixture.ring, with(73, 0));       // no subject id, and then a name
}

TEST_CASE("texts longer than a token carries are refused although they are signed") {
  const Fixture fixture;
  const std::string head = Payload(MintToken(*fixture.ring, ExampleClaims()).value()).substr(0, 66);
  const auto sign = [&](std::initializer_list<size_t> sizes) {
    std::string payload = head;
    for (const size_t size : sizes)
      payload += std::string(1, static_cast<char>(size)) + std::string(size, 'x');
    return fixture.Sign(payload);
  };
  REQUIRE(VerifyToken(*fixture.ring, sign({200, 200, 254, 100}), kNow).ok());
  REQUIRE(VerifyToken(*fixture.ring, sign({1, 0, 0, 0}), kNow).ok());
  CheckInvalid(*fixture.ring, sign({201, 0, 0, 0}));
  CheckInvalid(*fixture.ring, sign({0, 0, 0, 0}));
  CheckInvalid(*fixture.ring, sign({1, 201, 0, 0}));
  CheckInvalid(*fixture.ring, sign({1, 1, 255, 0}));
  CheckInvalid(*fixture.ring, sign({1, 1, 1, 101}));
  CheckInvalid(*fixture.ring, sign({1, 0, 1, 0}));
  CheckInvalid(*fixture.ring, sign({1, 0, 0, 1}));
}

TEST_CASE("times that no honest minting writes are refused, an expired token is authentic") {
  const Fixture fixture;
  const auto verify = [&](milliseconds iat, milliseconds lifetime) {
    TokenClaims claims = ExampleClaims();
    claims.iat = kNow + iat;
    claims.exp = claims.iat + lifetime;
    return VerifyToken(*fixture.ring, MintToken(*fixture.ring, claims).value(), kNow).ok();
  };
  using std::chrono::hours;
  CHECK(verify(milliseconds(60'000), hours(1)));
  CHECK_FALSE(verify(milliseconds(60'001), hours(1)));
  CHECK(verify(milliseconds(0), hours(24)));
  CHECK_FALSE(verify(milliseconds(0), hours(24) + milliseconds(1)));
  CHECK(verify(milliseconds(0), milliseconds(1)));
  CHECK_FALSE(verify(milliseconds(0), milliseconds(0)));
  CHECK_FALSE(verify(milliseconds(0), milliseconds(-1)));
  CHECK(verify(-hours(48), hours(1)));
  CHECK_FALSE(verify(-kNow.time_since_epoch() - milliseconds(1), hours(1)));  // before 1970
}

TEST_CASE("minting names each text that a token cannot carry") {
  const Fixture fixture;
  TokenClaims claims = ExampleClaims();
  claims.resource = "a\nb";
  claims.subject->set_id("");
  claims.subject->set_email(std::string(255, 'e'));
  claims.subject->set_name("\xff");
  const absl::Status status = MintToken(*fixture.ring, claims).status();
  CHECK(ReasonOf(status) == errors::v1::REASON_VALIDATION_ERROR);
  std::vector<std::string> fields;
  for (const FieldViolation& violation : DetailsOf(status).violations) fields.push_back(violation.field);
  CHECK(fields == std::vector<std::string>{"resource_id", "subject.id", "subject.email", "subject.name"});
}

TEST_CASE("through a rotation, tokens are refused only when their key has gone") {
  const Fixture fixture;
  const std::string old_token = MintToken(*fixture.ring, ExampleClaims()).value();
  fixture.files.WriteKey("k2", 'b');
  const auto set = [&](const std::string& json) {
    fixture.files.WriteKeySet(json);
    REQUIRE(fixture.ring->Reload().ok());
  };
  set(R"({"primary":"k1","keys":{"k1":{"state":"active"},"k2":{"state":"next"}}})");
  CHECK(VerifyToken(*fixture.ring, old_token, kNow).ok());
  set(R"({"primary":"k2","keys":{"k1":{"state":"verify"},"k2":{"state":"active"}}})");
  const std::string new_token = MintToken(*fixture.ring, ExampleClaims()).value();
  CHECK(Parts(new_token)[1] == "k2");
  CHECK(VerifyToken(*fixture.ring, old_token, kNow).ok());
  CHECK(VerifyToken(*fixture.ring, new_token, kNow).ok());
  set(R"({"primary":"k2","keys":{"k2":{"state":"active"}}})");
  CheckInvalid(*fixture.ring, old_token);
  CHECK(VerifyToken(*fixture.ring, new_token, kNow).ok());
}

}  // namespace
}  // namespace verdict::token
