#include "common/rpc/call.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/ids/uuid.h"
#include "common/log/log.h"
#include "common/rpc/call_metadata.h"
#include "common/rpc/message_parts.h"
#include "common/rpc/server.h"
#include "common/status/error.h"
#include "common/status/macros.h"

namespace verdict::rpc {
namespace {

using std::chrono::steady_clock;

// The way back takes time too: an answer leaves this much before the caller stops waiting
// (letsencrypt/boulder shaves the same).
constexpr std::chrono::milliseconds kReturnOverhead{20};
// With less time than this left, work is not begun.
constexpr std::chrono::milliseconds kMeaningfulWork{20};
constexpr std::size_t kTokenBytesMax = 2048;
// What a message of the largest size has in earnest: 8,192 spans, a collector's batch, of 40 attributes each.
// Parsed, so many take some 50 MiB.
constexpr std::size_t kMessagePartsMax = 400'000;

std::string ScopeName(options::v1::Scope scope) {
  std::string name = options::v1::Scope_Name(scope).substr(std::string_view("SCOPE_").size());
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

}  // namespace

void Call::Begin(std::chrono::nanoseconds patience) {
  arrived_ = steady_clock::now();
  method_.metrics.in_flight->Increment();
  if (absl::Status status = Receive(patience); !status.ok()) {
    Finish(status);
  } else if (method_.auth.public_()) {
    Authorize(std::make_shared<const auth::Principal>());
  } else {
    Authenticate();
  }
}

absl::Status Call::Receive(std::chrono::nanoseconds patience) {
  const auto request_id = Metadata("x-request-id");
  context_.request_id_ = request_id && IsRequestId(*request_id) ? std::string(*request_id)
                                                                : NewUuidV7(SystemClock().Now()).ToString();
  const auto limit = method_.streamed ? server_.options_.stream_deadline : server_.options_.unary_deadline;
  context_.deadline_ = arrived_ + std::min<std::chrono::nanoseconds>(patience - kReturnOverhead, limit);
  if (context_.deadline_ - arrived_ < kMeaningfulWork) {
    return MakeError(errors::v1::REASON_DEADLINE_EXCEEDED, "Too little time was left to begin.");
  }
  const auto credential = CredentialOf(Metadata("authorization"), Metadata("x-api-key"));
  if (!credential) return auth::Unauthenticated();
  if (credential->size() <= kTokenBytesMax && IsVisibleAscii(*credential)) {
    context_.bearer_ = std::string(*credential);
  }
  if (const auto key = Metadata("idempotency-key"); key && method_.rest.idempotency_key()) {
    RETURN_IF_ERROR(CheckIdempotencyKey(*key));
    context_.idempotency_key_ = std::string(*key);
  }
  if (const auto tags = Metadata("if-none-match")) context_.if_none_match_ = std::string(*tags);
  return absl::OkStatus();
}

void Call::Authenticate() {
  if (context_.bearer_.empty() || context_.bearer_.size() > auth::kCredentialBytesMax)
    return Finish(auth::Unauthenticated());
  const auto project = Metadata("verdict-project");
  server_.authenticator_.Authenticate(
      {.secret = context_.bearer_, .project = project ? std::string(*project) : std::string()},
      context_.deadline_, [this](const auto& principal) { Authorize(principal); });
}

absl::Status Call::CheckCaller() const {
  const auth::Principal& principal = context_.principal();
  const options::v1::AuthRule& rule = method_.auth;
  if (rule.admin() && !principal.admin) {
    return MakeError(errors::v1::REASON_PERMISSION_DENIED, "This method needs the admin key.");
  }
  if (rule.has_scope()) {
    const bool admin_for_project =
        principal.admin && rule.admin_for_project() && !principal.project_id.IsNil();
    if (principal.admin && !admin_for_project) {
      return MakeError(errors::v1::REASON_PERMISSION_DENIED, "This route takes a project's API key.");
    }
    if (!principal.admin && !principal.HasScope(rule.scope())) {
      return MakeError(errors::v1::REASON_SCOPE_REQUIRED,
                       absl::StrCat("This route needs the scope `", ScopeName(rule.scope()), "`."),
                       {.metadata = {{"scope", ScopeName(rule.scope())}}});
    }
  }
  return absl::OkStatus();
}

absl::Status Call::Admit() {
  RETURN_IF_ERROR(CheckCaller());
  if (const Uuid& key = context_.principal().key_id; !key.IsNil()) {
    const Admission admission = server_.limiter_.Admit(key, steady_clock::now());
    if (!admission.admitted) return RateLimited(admission.retry_after);
  }
  if (const std::size_t limit = MessageBytesMax(method_.rest); message_bytes() > limit) {
    return MakeError(errors::v1::REASON_BODY_TOO_LARGE,
                     absl::StrCat("The message is larger than ", limit, " bytes."));
  }
  return absl::OkStatus();
}

absl::Status Call::ParseFrom(google::protobuf::io::ZeroCopyInputStream& counted,
                             google::protobuf::io::ZeroCopyInputStream& parsed, std::size_t bytes) {
  request_.reset(method_.request->New());
  // A part takes a byte at least.
  if (bytes > kMessagePartsMax &&
      HasMoreParts(*method_.request->GetDescriptor(), counted, kMessagePartsMax)) {
    return MakeError(errors::v1::REASON_BODY_TOO_LARGE,
                     absl::StrCat("The message has more than ", kMessagePartsMax,
                                  " elements of lists and fields that are not known."));
  }
  if (request_->ParseFromZeroCopyStream(&parsed)) return absl::OkStatus();
  return MakeError(errors::v1::REASON_VALIDATION_ERROR,
                   absl::StrCat("The message is not a ", method_.request->GetDescriptor()->full_name(),
                                " whose texts are UTF-8."));
}

absl::Status Call::CheckTenant() const {
  if (method_.tenant == nullptr) return absl::OkStatus();
  const auto& reflection = *request_->GetReflection();
  const bool required = method_.tenant->options().GetExtension(options::v1::field).required();
  if (!required && !reflection.HasField(*request_, method_.tenant)) return absl::OkStatus();
  const auto project = Uuid::Parse(reflection.GetString(*request_, method_.tenant));
  if (project && *project == context_.principal().project_id) return absl::OkStatus();
  return MakeError(errors::v1::REASON_PERMISSION_DENIED, "The API key does not belong to this project.");
}

absl::Status Call::RateLimited(std::chrono::nanoseconds retry_after) {
  // The fields of draft-ietf-httpapi-ratelimit-headers: the burst is a quota for the time that it takes to
  // come back.
  const RateLimit limit = server_.limiter_.limit();
  const std::uint32_t window = std::max(1U, limit.burst / limit.per_second);
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(retry_after).count();
  AddTrailingMetadata("ratelimit-policy", absl::StrCat("\"key\";q=", limit.burst, ";w=", window));
  AddTrailingMetadata("ratelimit", absl::StrCat("\"key\";r=0;t=", seconds));
  return MakeError(errors::v1::REASON_RATE_LIMITED, "This key's rate limit is used up.",
                   {.retry_after = std::chrono::ceil<std::chrono::milliseconds>(retry_after)});
}

void Call::Authorize(const absl::StatusOr<std::shared_ptr<const auth::Principal>>& principal) {
  if (!principal.ok()) return Finish(principal.status());
  context_.principal_ = *principal;
  absl::Status status = Admit();
  if (status.ok()) status = Parse();
  if (status.ok()) status = CheckTenant();
  if (status.ok()) status = method_.rules.Check(*request_);
  if (!status.ok()) return Finish(status);
  method_.run(*this);
}

absl::Status Call::Expired() const {
  if (context_.cancelled()) {
    return MakeError(errors::v1::REASON_CANCELLED, "The caller cancelled the request.");
  }
  if (steady_clock::now() >= context_.deadline_) {
    return MakeError(errors::v1::REASON_DEADLINE_EXCEEDED, "The answer did not come in time.");
  }
  return absl::OkStatus();
}

void Call::Finish(const absl::Status& status, std::unique_ptr<google::protobuf::Message> response) {
  method_.metrics.in_flight->Decrement();
  if (HandBack(status)) {
    server_.limiter_.Return(key_id());  // it counts when it is made by itself
  } else {
    Report(status);
  }
  if (replayed()) AddTrailingMetadata("idempotent-replayed", "true");
  Send(status, std::move(response));
}

void Call::Report(const absl::Status& status) {
  const auto elapsed = std::chrono::duration<double>(steady_clock::now() - arrived_);
  const Reason reason = ReasonOf(status);
  const std::string name = status.ok() ? "OK" : std::string(ReasonName(reason));
  method_.metrics.seconds->Observe(elapsed.count());
  server_.CountAnswer(method_, reason, name);
  const auth::Principal& principal = context_.principal();
  const std::string caller = !principal.key_id.IsNil() ? principal.key_id.ToString()
                             : principal.admin         ? "admin"
                                                       : "";
  if (reason == errors::v1::REASON_INTERNAL) {
    log::Error("internal error", {{"method", method_.descriptor->full_name()},
                                  {"request_id", context_.request_id_},
                                  {"cause", std::string(status.message())}});
  }
  log::Info("rpc", {{"method", method_.descriptor->full_name()},
                    {"reason", name},
                    {"latency_ms", elapsed.count() * 1000},
                    {"request_id", context_.request_id_},
                    {"caller", caller}});
}

}  // namespace verdict::rpc
