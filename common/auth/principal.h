#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/ids/uuid.h"
#include "verdict/options/v1/options.pb.h"
#include "verdict/token/v1/identity_service.pb.h"
#include "verdict/types/v1/person.pb.h"

namespace verdict::auth {

// Whom a call acts for. Made from a credential alone, never from what a request's fields say.
struct Principal {
  Uuid org_id = {};             // nil for an admin key that names no project
  Uuid project_id = {};         // nil for an admin key that names no project
  Uuid key_id = {};             // nil for the admin key
  types::v1::Person user = {};  // the API key's user; empty for the admin key
  std::uint32_t scopes = 0;     // bit N is verdict.options.v1.Scope N
  bool admin = false;           // the operators' admin key

  bool HasScope(options::v1::Scope scope) const { return (scopes >> scope & 1) != 0; }
  void AddScope(options::v1::Scope scope) { scopes |= 1U << scope; }
};

// The wire form, both ways. FromProto answers INTERNAL for ids that are no UUIDs.
token::v1::Principal ToProto(const Principal& principal);
absl::StatusOr<Principal> FromProto(const token::v1::Principal& principal);

}  // namespace verdict::auth
