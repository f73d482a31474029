#include "common/auth/principal.h"

#include <string_view>

#include "common/auth/authenticator.h"
#include "common/status/error.h"
#include "common/status/macros.h"

namespace verdict::auth {
namespace {

std::string Text(const Uuid& id) { return id.IsNil() ? std::string() : id.ToString(); }

absl::StatusOr<Uuid> IdOf(std::string_view text) {
  if (text.empty()) return Uuid{};
  const auto id = Uuid::Parse(text);
  if (!id) return InternalError("principal has a malformed id");
  return *id;
}

}  // namespace

absl::Status Unauthenticated() {
  return MakeError(errors::v1::REASON_UNAUTHENTICATED, "The API key is missing or not valid.");
}

token::v1::Principal ToProto(const Principal& principal) {
  token::v1::Principal result;
  result.set_org_id(Text(principal.org_id));
  result.set_project_id(Text(principal.project_id));
  result.set_key_id(Text(principal.key_id));
  if (!principal.admin) *result.mutable_user() = principal.user;
  for (int scope = options::v1::Scope_MIN; scope <= options::v1::Scope_MAX; ++scope) {
    if (principal.HasScope(static_cast<options::v1::Scope>(scope))) {
      result.add_scopes(static_cast<options::v1::Scope>(scope));
    }
  }
  result.set_admin(principal.admin);
  return result;
}

absl::StatusOr<Principal> FromProto(const token::v1::Principal& principal) {
  Principal result;
  ASSIGN_OR_RETURN(result.org_id, IdOf(principal.org_id()));
  ASSIGN_OR_RETURN(result.project_id, IdOf(principal.project_id()));
  ASSIGN_OR_RETURN(result.key_id, IdOf(principal.key_id()));
  result.user = principal.user();
  for (const int scope : principal.scopes()) {
    if (options::v1::Scope_IsValid(scope)) result.AddScope(static_cast<options::v1::Scope>(scope));
  }
  result.admin = principal.admin();
  return result;
}

}  // namespace verdict::auth
