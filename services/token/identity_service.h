#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/crypto/crypto.h"
#include "services/token/metrics.h"
#include "services/token/token_store.h"
#include "verdict/token/v1/identity_service.pb.h"

namespace verdict::token {

// The use cases of verdict.token.v1.IdentityService. Requests keep the rules of their fields already, and
// all but Authenticate come from an operator. Beyond what the contract names, each fails as TokenStore does.
// Thread-safe.
class IdentityService {
 public:
  // `admin_key_hash`: SHA-256 of the operators' key; none, and there is no admin.
  IdentityService(TokenStore& store, const Clock& clock, TokenMetrics& metrics,
                  std::optional<crypto::Digest> admin_key_hash)
      : store_(store), clock_(clock), metrics_(metrics), admin_key_hash_(admin_key_hash) {}

  absl::StatusOr<v1::AuthenticateResponse> Authenticate(const v1::AuthenticateRequest& request) const;

  absl::StatusOr<v1::CreateOrganizationResponse> CreateOrganization(
      const v1::CreateOrganizationRequest& request) const;
  absl::StatusOr<v1::ListOrganizationsResponse> ListOrganizations(
      const v1::ListOrganizationsRequest& request) const;

  absl::StatusOr<v1::CreateProjectResponse> CreateProject(const v1::CreateProjectRequest& request) const;
  absl::StatusOr<v1::ListProjectsResponse> ListProjects(const v1::ListProjectsRequest& request) const;

  absl::StatusOr<v1::CreateUserResponse> CreateUser(const v1::CreateUserRequest& request) const;
  absl::StatusOr<v1::ListUsersResponse> ListUsers(const v1::ListUsersRequest& request) const;

  absl::StatusOr<v1::CreateKeyResponse> CreateKey(const v1::CreateKeyRequest& request) const;
  absl::StatusOr<v1::ListKeysResponse> ListKeys(const v1::ListKeysRequest& request) const;
  absl::StatusOr<v1::RevokeKeyResponse> RevokeKey(const v1::RevokeKeyRequest& request) const;

 private:
  absl::StatusOr<v1::Principal> FindAdmin(const v1::AuthenticateRequest& request) const;
  absl::StatusOr<v1::Principal> FindKeyHolder(const std::string& credential) const;

  TokenStore& store_;
  const Clock& clock_;
  TokenMetrics& metrics_;
  const std::optional<crypto::Digest> admin_key_hash_;
};

}  // namespace verdict::token
