#include "common/token/token_codec.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "common/crypto/base64url.h"
#include "common/crypto/crypto.h"
#include "common/status/error.h"
#include "common/token/text.h"
#include "common/token/token_mac.h"

namespace verdict::token {
namespace {

constexpr size_t kTokenCharactersMax = 2048;
constexpr std::chrono::milliseconds kLifetimeMax = std::chrono::hours(24);
// How far a minting process's clock may be ahead of ours.
constexpr std::chrono::milliseconds kClockSkewMax = std::chrono::seconds(60);

constexpr size_t kResourceBytesMax = 200;
constexpr size_t kSubjectIdBytesMax = 200;
constexpr size_t kEmailBytesMax = 254;
constexpr size_t kNameBytesMax = 100;

void PutU64(std::string& out, uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

void PutTime(std::string& out, Time time) {
  PutU64(out, static_cast<uint64_t>(time.time_since_epoch().count()));
}

void PutText(std::string& out, std::string_view text) {
  out.push_back(static_cast<char>(text.size()));
  out.append(text);
}

std::string EncodePayload(const TokenClaims& claims) {
  const types::v1::Person& subject = claims.subject ? *claims.subject : types::v1::Person::default_instance();
  std::string out;
  out.push_back(static_cast<char>(claims.type));
  out.push_back(0);
  PutTime(out, claims.iat);
  PutTime(out, claims.exp);
  for (const Uuid& id : {claims.org, claims.project, claims.jti}) out.append(crypto::AsText(id.bytes));
  PutText(out, claims.resource);
  PutText(out, subject.id());
  PutText(out, subject.email());
  PutText(out, subject.name());
  return out;
}

// Reads a payload from its front. After a failure every further value is empty or zero.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  uint64_t Number(size_t size) {
    uint64_t value = 0;
    for (const char byte : Take(size)) value = value << 8 | static_cast<uint8_t>(byte);
    return value;
  }
  Uuid Id() {
    Uuid id = {};
    std::ranges::copy(Take(id.bytes.size()), id.bytes.begin());
    return id;
  }
  std::string Text(size_t size_max) {
    const std::string_view text = Take(Number(1));
    failed_ |= text.size() > size_max || !IsPlainText(text);
    return std::string(text);
  }
  bool AtEnd() const { return !failed_ && rest_.empty(); }

 private:
  std::string_view Take(size_t size) {
    failed_ |= size > rest_.size();
    if (failed_) return {};
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  bool failed_ = false;
};

// The claims of a payload of exactly the layout that EncodePayload writes, with values it can have.
std::optional<TokenClaims> DecodePayload(std::string_view payload, Time now) {
  Reader reader(payload);
  TokenClaims claims;
  const auto type = static_cast<int>(reader.Number(1));
  const uint64_t flags = reader.Number(1);
  const uint64_t iat = reader.Number(8);
  const uint64_t exp = reader.Number(8);
  claims.org = reader.Id();
  claims.project = reader.Id();
  claims.jti = reader.Id();
  claims.resource = reader.Text(kResourceBytesMax);
  types::v1::Person subject;
  subject.set_id(reader.Text(kSubjectIdBytesMax));
  if (std::string email = reader.Text(kEmailBytesMax); !email.empty()) subject.set_email(std::move(email));
  if (std::string name = reader.Text(kNameBytesMax); !name.empty()) subject.set_name(std::move(name));

  if (!reader.AtEnd() || flags != 0 || claims.resource.empty()) return std::nullopt;
  if (type == types::v1::ENTITY_TYPE_UNSPECIFIED || !types::v1::EntityType_IsValid(type)) return std::nullopt;
  const auto latest_iat = static_cast<uint64_t>((now + kClockSkewMax).time_since_epoch().count());
  if (iat > latest_iat || exp <= iat || exp - iat > static_cast<uint64_t>(kLifetimeMax.count())) {
    return std::nullopt;
  }
  claims.type = static_cast<types::v1::EntityType>(type);
  claims.iat = Time(std::chrono::milliseconds(iat));
  claims.exp = Time(std::chrono::milliseconds(exp));
  if (!subject.id().empty()) {
    claims.subject = std::move(subject);
  } else if (subject.has_email() || subject.has_name()) {
    return std::nullopt;
  }
  return claims;
}

}  // namespace

absl::Status TokenInvalid() {
  return MakeError(errors::v1::REASON_TOKEN_INVALID, "The feedback token is not valid.");
}

absl::StatusOr<std::string> MintToken(const KeyRing& ring, const TokenClaims& claims) {
  std::vector<FieldViolation> violations;
  const auto check = [&](const std::string& field, std::string_view text, size_t size_min, size_t size_max) {
    if (text.size() < size_min || text.size() > size_max || !IsPlainText(text)) {
      violations.push_back({field, field + " must be " + std::to_string(size_min) + " to " +
                                       std::to_string(size_max) +
                                       " bytes of UTF-8 without control characters."});
    }
  };
  check("resource_id", claims.resource, 1, kResourceBytesMax);
  if (claims.subject) {
    check("subject.id", claims.subject->id(), 1, kSubjectIdBytesMax);
    check("subject.email", claims.subject->email(), 0, kEmailBytesMax);
    check("subject.name", claims.subject->name(), 0, kNameBytesMax);
  }
  if (!violations.empty()) return ValidationError(std::move(violations));

  const std::shared_ptr<const KeySet> keys = ring.keys();
  const std::string payload = EncodePayload(claims);
  const crypto::Digest mac = TokenMac(keys->Primary().mac, keys->primary, payload);
  std::string token(kTokenVersion);
  for (const std::string& part :
       {keys->primary, crypto::EncodeBase64Url(payload), crypto::EncodeBase64Url(crypto::AsText(mac))}) {
    token.append(".").append(part);
  }
  return token;
}

absl::StatusOr<TokenClaims> VerifyToken(const KeyRing& ring, std::string_view text, Time now) {
  if (text.size() > kTokenCharactersMax) return TokenInvalid();
  std::array<std::string_view, 4> parts;
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t end = i + 1 < parts.size() ? text.find('.') : text.size();
    if (end == std::string_view::npos) return TokenInvalid();
    parts[i] = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  const auto& [version, kid, payload_text, tag_text] = parts;
  if (version != kTokenVersion) return TokenInvalid();
  const std::optional<std::string> payload = crypto::DecodeBase64Url(payload_text);
  const std::optional<std::string> tag = crypto::DecodeBase64Url(tag_text);
  if (!payload || !tag) return TokenInvalid();

  const std::shared_ptr<const KeySet> keys = ring.keys();
  const Key* key = keys->Find(kid, now);
  if (!IsTokenMac(key != nullptr ? &key->mac : nullptr, kid, *payload, *tag)) return TokenInvalid();

  std::optional<TokenClaims> claims = DecodePayload(*payload, now);
  if (!claims) return TokenInvalid();
  return *std::move(claims);
}

}  // namespace verdict::token
