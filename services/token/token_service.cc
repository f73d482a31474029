#include "services/token/token_service.h"

#include <chrono>
#include <memory>

#include "common/crypto/crypto.h"
#include "common/ids/uuid.h"
#include "common/status/macros.h"
#include "common/token/errors.h"
#include "common/token/token_codec.h"
#include "services/token/errors.h"

namespace verdict::token {
namespace {

constexpr std::chrono::seconds kLifetimeDefault{3600};

std::chrono::seconds Lifetime(const v1::MintTokenRequest& request) {
  return request.has_expires_in_seconds() ? std::chrono::seconds(request.expires_in_seconds())
                                          : kLifetimeDefault;
}

// The token id that equal requests of one API key under one Idempotency-Key share: so a retry whose first
// answer was lost cannot lead to two pieces of feedback, although nothing is stored. Nobody without the key
// can foresee it. The rotation of the primary key changes it.
Uuid IdempotentId(const KeyRing& ring, const auth::Principal& principal, const v1::MintTokenRequest& request,
                  const std::string& idempotency_key) {
  const types::v1::Person& subject = request.subject();
  const crypto::Digest body = crypto::Sha256(crypto::EncodeParts(
      {std::to_string(request.resource_type()), request.resource_id(),
       std::to_string(Lifetime(request).count()), subject.id(), subject.email(), subject.name()}));
  const std::shared_ptr<const KeySet> keys = ring.keys();
  const crypto::Digest mac = crypto::HmacSha256(
      keys->Primary().idempotency,
      crypto::EncodeParts({crypto::AsText(principal.project_id.bytes), crypto::AsText(principal.key_id.bytes),
                           idempotency_key, crypto::AsText(body)}));
  return UuidV8(mac);
}

}  // namespace

absl::StatusOr<v1::MintTokenResponse> TokenService::Mint(
    const auth::Principal& principal, const v1::MintTokenRequest& request,
    const std::optional<std::string>& idempotency_key) const {
  const Time now = clock_.Now();
  TokenClaims claims = {
      .type = request.resource_type(),
      .iat = now,
      .exp = now + Lifetime(request),
      .org = principal.org_id,
      .project = principal.project_id,
      .jti = idempotency_key ? IdempotentId(ring_, principal, request, *idempotency_key) : NewUuidV7(now),
      .resource = request.resource_id()};
  if (request.has_subject()) claims.subject = request.subject();
  ASSIGN_OR_RETURN(std::string token, MintToken(ring_, claims));

  v1::MintTokenResponse response;
  response.set_token(std::move(token));
  response.set_id(claims.jti.ToString());
  *response.mutable_expires_at() = ToProto(claims.exp);
  return response;
}

absl::StatusOr<v1::VerifyTokenResponse> TokenService::Verify(const auth::Principal& principal,
                                                             const v1::VerifyTokenRequest& request) const {
  const Time now = clock_.Now();
  ASSIGN_OR_RETURN(const TokenClaims claims, VerifyToken(ring_, request.token(), now));
  if (claims.project != principal.project_id) return TokenInvalid();
  if (now >= claims.exp) return error::TokenExpired();
  ASSIGN_OR_RETURN(const TokenState state, store_.FindTokenState(claims.project, claims.jti, claims.iat));
  if (state == TokenState::kUsed) return error::TokenUsed();
  if (state == TokenState::kRevoked) return error::TokenRevoked();

  v1::VerifyTokenResponse response;
  response.set_valid(true);
  response.set_resource_type(claims.type);
  response.set_resource_id(claims.resource);
  *response.mutable_expires_at() = ToProto(claims.exp);
  if (claims.subject) *response.mutable_subject() = *claims.subject;
  return response;
}

absl::StatusOr<v1::RevokeTokenResponse> TokenService::Revoke(const auth::Principal& principal,
                                                             const v1::RevokeTokenRequest& request) const {
  // Always of the caller's own project: a stranger's token of the same id is another token.
  if (const std::optional<Uuid> id = Uuid::Parse(request.id())) {
    RETURN_IF_ERROR(store_.RevokeToken(principal.project_id, *id));
  }
  return v1::RevokeTokenResponse();
}

absl::StatusOr<v1::RevokeAllTokensResponse> TokenService::RevokeAll(
    const v1::RevokeAllTokensRequest& request) const {
  const std::optional<Uuid> project = Uuid::Parse(request.project_id());
  if (!project) return error::ProjectNotFound();
  ASSIGN_OR_RETURN(const Time valid_after, store_.RevokeAllTokens(*project, std::chrono::milliseconds(0)));
  v1::RevokeAllTokensResponse response;
  *response.mutable_tokens_valid_after() = ToProto(valid_after);
  return response;
}

}  // namespace verdict::token
