#include "common/rpc/call.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <utility>

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/gzip/gzip.h"
#include "common/ids/uuid.h"
#include "common/log/log.h"
#include "common/rpc/call_metadata.h"
#include "common/rpc/message_parts.h"
#include "common/rpc/server.h"
#include "common/rpc/service.h"
#include "common/status/error.h"
#include "common/status/grpc_status.h"
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
// A caller that takes longer for a message does not read as fast as we write.
constexpr std::chrono::milliseconds kReaderPatience{100};

std::string ScopeName(options::v1::Scope scope) {
  std::string name = options::v1::Scope_Name(scope).substr(std::string_view("SCOPE_").size());
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

// Whether a message is compressed, as its first byte tells.
bool IsGzip(grpc::ByteBuffer& message) {
  grpc::ProtoBufferReader reader(&message);
  const void* data = nullptr;
  int size = 0;
  return reader.Next(&data, &size) && size > 0 && *static_cast<const char*>(data) == kGzipBegin;
}

}  // namespace

void Call::Await(Server& server, Method& method, std::size_t queue) {
  auto* call = new Call(server, method, queue);  // ends itself, in Release
  grpc::ServerCompletionQueue* completions = server.queues_[queue].get();
  if (method.streamed) {
    method.service->AwaitStreamed(method.index, call->server_context_, call->bytes_, call->stream_,
                                  completions, &call->on_request_);
  } else {
    method.service->AwaitUnary(method.index, call->server_context_, call->bytes_, call->unary_, completions,
                               &call->on_request_);
  }
}

Call::Call(Server& server, Method& method, std::size_t queue)
    : server_(server), method_(method), queue_(queue), unary_(&server_context_), stream_(&server_context_) {
  // Tells when the caller is gone. The event comes only for calls that arrive.
  server_context_.AsyncNotifyWhenDone(&on_done_);
}

void Call::Release() {
  if (events_.fetch_sub(1) != 1) return;
  std::atomic<int>& calls = server_.calls_;
  delete this;
  if (--calls == 0) calls.notify_all();
}

void Call::OnRequest(bool ok) {
  if (!ok) return delete this;  // the server is shutting down; no other event comes
  ++server_.calls_;
  if (!server_.ending_) Await(server_, method_, queue_);
  arrived_ = steady_clock::now();
  method_.metrics.in_flight->Increment();
  if (absl::Status status = Receive(); !status.ok()) {
    Finish(status);
  } else if (method_.auth.public_()) {
    Authorize(std::make_shared<const auth::Principal>());
  } else {
    Authenticate();
  }
  Release();
}

std::optional<std::string_view> Call::Metadata(const char* key) const {
  const auto& metadata = server_context_.client_metadata();
  const auto entry = metadata.find(key);
  if (entry == metadata.end()) return std::nullopt;
  return std::string_view(entry->second.data(), entry->second.size());
}

absl::Status Call::Receive() {
  const auto request_id = Metadata("x-request-id");
  context_.request_id_ = request_id && IsRequestId(*request_id) ? std::string(*request_id)
                                                                : NewUuidV7(SystemClock().Now()).ToString();
  // gRPC gives the deadline by the system's clock; "none" is infinitely far.
  const auto given = server_context_.deadline() - std::chrono::system_clock::now() - kReturnOverhead;
  const auto limit = method_.streamed ? server_.options_.stream_deadline : server_.options_.unary_deadline;
  context_.deadline_ = arrived_ + std::min<std::chrono::nanoseconds>(given, limit);
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
  if (const std::size_t limit = MessageBytesMax(method_.rest); bytes_.Length() > limit) {
    return MakeError(errors::v1::REASON_BODY_TOO_LARGE,
                     absl::StrCat("The message is larger than ", limit, " bytes."));
  }
  return absl::OkStatus();
}

absl::Status Call::Parse() {
  request_.reset(method_.request->New());
  if (IsGzip(bytes_)) {
    grpc::Slice compressed;
    bytes_.DumpToSingleSlice(&compressed);
    ASSIGN_OR_RETURN(const std::string inflated,
                     Gunzip({reinterpret_cast<const char*>(compressed.begin()), compressed.size()},
                            MessageBytesMax(method_.rest)));
    const int size = static_cast<int>(inflated.size());
    google::protobuf::io::ArrayInputStream counted(inflated.data(), size);
    google::protobuf::io::ArrayInputStream parsed(inflated.data(), size);
    RETURN_IF_ERROR(ParseFrom(counted, parsed));
  } else {
    grpc::ProtoBufferReader counted(&bytes_);
    grpc::ProtoBufferReader parsed(&bytes_);
    RETURN_IF_ERROR(ParseFrom(counted, parsed));
  }
  bytes_.Clear();
  return absl::OkStatus();
}

// `counted` and `parsed` have the same bytes.
absl::Status Call::ParseFrom(google::protobuf::io::ZeroCopyInputStream& counted,
                             google::protobuf::io::ZeroCopyInputStream& parsed) {
  if (HasMoreParts(*method_.request->GetDescriptor(), counted, kMessagePartsMax)) {
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
  server_context_.AddTrailingMetadata("ratelimit-policy",
                                      absl::StrCat("\"key\";q=", limit.burst, ";w=", window));
  server_context_.AddTrailingMetadata("ratelimit", absl::StrCat("\"key\";r=0;t=", seconds));
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

void Call::AddETag() {
  if (context_.etag_.empty()) return;
  server_context_.AddInitialMetadata("etag", std::exchange(context_.etag_, {}));
}

bool Call::Write(const google::protobuf::Message& message) {
  AddETag();
  const auto written = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_) { return written_.has_value(); };
  absl::MutexLock lock(&write_mutex_);
  written_.reset();
  stream_.Write(message, &on_written_);
  const auto wait_for = [&](std::chrono::nanoseconds time) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_) {
    return write_mutex_.AwaitWithTimeout(absl::Condition(&written), absl::FromChrono(time));
  };
  const auto left = [this] { return context_.deadline_ - steady_clock::now(); };
  bool taken = wait_for(std::min<std::chrono::nanoseconds>(kReaderPatience, left()));
  if (!taken) {
    slow_ = slow_ || server_.slow_readers_.Enter(context_.principal().key_id);
    taken = slow_ && wait_for(left());
  }
  if (!taken) {
    // Cancelling completes the write, which must not outlive `message`.
    server_context_.TryCancel();
    write_mutex_.Await(absl::Condition(&written));
  }
  return *written_ && !context_.cancelled();
}

void Call::OnWritten(bool ok) {
  absl::MutexLock lock(&write_mutex_);
  written_ = ok;
}

void Call::Finish(const absl::Status& status, std::unique_ptr<google::protobuf::Message> response) {
  Report(status);
  if (slow_) server_.slow_readers_.Leave(context_.principal().key_id);
  response_ = std::move(response);
  if (context_.replayed_) server_context_.AddTrailingMetadata("idempotent-replayed", "true");
  if (status.ok()) AddETag();
  const grpc::Status answer = ToGrpc(StripInternal(status));
  if (method_.streamed) {
    stream_.Finish(answer, &on_finished_);
  } else if (status.ok()) {
    unary_.Finish(*response_, answer, &on_finished_);
  } else {
    unary_.FinishWithError(answer, &on_finished_);
  }
}

void Call::Report(const absl::Status& status) {
  const auto elapsed = std::chrono::duration<double>(steady_clock::now() - arrived_);
  const Reason reason = ReasonOf(status);
  const std::string name = status.ok() ? "OK" : std::string(ReasonName(reason));
  method_.metrics.in_flight->Decrement();
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

void Call::OnDone(bool /*ok*/) {
  if (server_context_.IsCancelled()) context_.cancelled_ = true;
  Release();
}

void Call::OnFinished(bool /*ok*/) { Release(); }

}  // namespace verdict::rpc
