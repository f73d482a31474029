#include "services/feedback/idempotent_calls.h"

#include <chrono>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "common/crypto/crypto.h"
#include "common/status/error.h"
#include "common/status/macros.h"
#include "services/feedback/errors.h"

namespace verdict::feedback {
namespace {

// Equal messages have equal texts, also where they have maps.
std::string SerializeDeterministically(const google::protobuf::Message& message) {
  std::string text;
  google::protobuf::io::StringOutputStream stream(&text);
  google::protobuf::io::CodedOutputStream output(&stream);
  output.SetSerializationDeterministic(true);
  message.SerializePartialToCodedStream(&output);
  output.Trim();
  return text;
}

}  // namespace

crypto::Digest RequestHash(const google::protobuf::Message& request) {
  // Each RPC has a request type of its own, so its name says which RPC it is.
  return crypto::Sha256(
      crypto::EncodeParts({request.GetDescriptor()->full_name(), SerializeDeterministically(request)}));
}

MadeIds::MadeIds(const WriteCall& call, const google::protobuf::Message& request, Time now) : now_(now) {
  if (!call.idempotency_key) return;
  const auth::Principal& principal = call.principal;
  seed_ =
      crypto::EncodeParts({crypto::AsText(principal.project_id.bytes), crypto::AsText(principal.key_id.bytes),
                           *call.idempotency_key, crypto::AsText(RequestHash(request))});
}

Uuid MadeIds::Next() {
  if (!seed_) return NewUuidV7(now_);
  return UuidV8(crypto::Sha256(crypto::EncodeParts({*seed_, std::to_string(made_++)})));
}

IdempotentCalls::Claim IdempotentCalls::ClaimOf(const WriteCall& call,
                                                const google::protobuf::Message& request) {
  return {
      .project_id = call.principal.project_id,
      .key = {
          .owner = call.principal.key_id, .key = *call.idempotency_key, .body_hash = RequestHash(request)}};
}

absl::Status IdempotentCalls::CheckDeadline(const WriteCall& call) {
  return std::chrono::steady_clock::now() < call.deadline ? absl::OkStatus() : error::DeadlineExceeded();
}

absl::Status IdempotentCalls::TooMuchWork() { return error::QueueFull(); }

absl::StatusOr<bool> IdempotentCalls::Begin(const Claim& claim, google::protobuf::Message& kept) const {
  ASSIGN_OR_RETURN(const std::optional<std::string> response, store_.Claim(claim.project_id, claim.key));
  if (!response) return false;
  if (!kept.ParseFromString(*response)) return InternalError("A kept answer cannot be read.");
  return true;
}

void IdempotentCalls::End(const Claim& claim, const google::protobuf::Message* response) const {
  // Where this fails the key stays claimed for a minute; that must not change the answer.
  if (response == nullptr) return store_.Release(claim.project_id, claim.key).IgnoreError();
  const bool kept = response->ByteSizeLong() <= kKeptBytesMax;
  store_.Keep(claim.project_id, claim.key, kept ? response->SerializeAsString() : std::string())
      .IgnoreError();
}

}  // namespace verdict::feedback
