#include "common/status/error.h"

#include <cstddef>
#include <utility>

#include "absl/strings/cord.h"
#include "google/rpc/error_details.pb.h"

namespace verdict {
namespace {

constexpr std::string_view kDomain = "verdict";
constexpr std::string_view kPrefix = "REASON_";

constexpr std::size_t kMessageBytesMax = 4096;
constexpr std::size_t kViolationBytesMax = 400;

template <typename Detail>
std::string TypeUrl() {
  return "type.googleapis.com/" + Detail::descriptor()->full_name();
}

template <typename Detail>
void SetDetail(absl::Status& status, const Detail& detail) {
  const std::string bytes = detail.SerializeAsString();
  // From a view: Debian's library lacks clang's instance of Cord(std::string&&).
  status.SetPayload(TypeUrl<Detail>(), absl::Cord(absl::string_view(bytes)));
}

template <typename Detail>
std::optional<Detail> GetDetail(const absl::Status& status) {
  const auto payload = status.GetPayload(TypeUrl<Detail>());
  Detail detail;
  if (!payload || !detail.ParseFromString(std::string(*payload))) return std::nullopt;
  return detail;
}

// The reason of an error that names none: what gRPC itself answers.
Reason ReasonOfCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kCancelled:
      return errors::v1::REASON_CANCELLED;
    case absl::StatusCode::kInvalidArgument:
      return errors::v1::REASON_VALIDATION_ERROR;
    case absl::StatusCode::kDeadlineExceeded:
      return errors::v1::REASON_DEADLINE_EXCEEDED;
    case absl::StatusCode::kPermissionDenied:
      return errors::v1::REASON_PERMISSION_DENIED;
    case absl::StatusCode::kUnauthenticated:
      return errors::v1::REASON_UNAUTHENTICATED;
    case absl::StatusCode::kResourceExhausted:
      return errors::v1::REASON_OVERLOADED;
    case absl::StatusCode::kUnimplemented:
      return errors::v1::REASON_UNIMPLEMENTED;
    case absl::StatusCode::kUnavailable:
      return errors::v1::REASON_UNAVAILABLE;
    default:
      return errors::v1::REASON_INTERNAL;
  }
}

}  // namespace

absl::Status MakeError(Reason reason, std::string_view message, const ErrorDetails& details) {
  absl::Status status(static_cast<absl::StatusCode>(RuleOf(reason).grpc_code()),
                      Shortened(message, kMessageBytesMax));
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(ReasonName(reason)));
  info.set_domain(std::string(kDomain));
  info.mutable_metadata()->insert(details.metadata.begin(), details.metadata.end());
  SetDetail(status, info);
  if (!details.violations.empty()) {
    google::rpc::BadRequest bad_request;
    for (const FieldViolation& violation : details.violations) {
      if (static_cast<std::size_t>(bad_request.field_violations_size()) == kViolationsMax) break;
      auto* added = bad_request.add_field_violations();
      added->set_field(Shortened(violation.field, kViolationBytesMax));
      added->set_description(Shortened(violation.message, kViolationBytesMax));
    }
    SetDetail(status, bad_request);
  }
  if (details.retry_after) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(details.retry_after->count() / 1000);
    retry.mutable_retry_delay()->set_nanos(static_cast<int>(details.retry_after->count() % 1000) * 1'000'000);
    SetDetail(status, retry);
  }
  return status;
}

std::string Shortened(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // keeps characters whole
  return std::string(text.substr(0, end)) + "...";
}

absl::Status ValidationError(std::vector<FieldViolation> violations) {
  if (violations.size() > kViolationsMax) violations.resize(kViolationsMax);
  std::string message;
  for (const FieldViolation& violation : violations) {
    if (!message.empty()) message += ' ';
    message += Shortened(violation.message, kViolationBytesMax);
  }
  return MakeError(errors::v1::REASON_VALIDATION_ERROR, message, {.violations = std::move(violations)});
}

absl::Status InternalError(std::string_view cause) { return MakeError(errors::v1::REASON_INTERNAL, cause); }

Reason ReasonOf(const absl::Status& status) {
  if (status.ok()) return errors::v1::REASON_UNSPECIFIED;
  Reason reason;
  if (const auto info = GetDetail<google::rpc::ErrorInfo>(status);
      info && info->domain() == kDomain &&
      errors::v1::Reason_Parse(std::string(kPrefix) + info->reason(), &reason)) {
    return reason;
  }
  return ReasonOfCode(status.code());
}

ErrorDetails DetailsOf(const absl::Status& status) {
  ErrorDetails details;
  if (const auto info = GetDetail<google::rpc::ErrorInfo>(status)) {
    details.metadata.insert(info->metadata().begin(), info->metadata().end());
  }
  if (const auto bad_request = GetDetail<google::rpc::BadRequest>(status)) {
    for (const auto& violation : bad_request->field_violations()) {
      details.violations.push_back({violation.field(), violation.description()});
    }
  }
  if (const auto retry = GetDetail<google::rpc::RetryInfo>(status)) {
    details.retry_after = std::chrono::milliseconds(retry->retry_delay().seconds() * 1000 +
                                                    retry->retry_delay().nanos() / 1'000'000);
  }
  return details;
}

std::string_view ReasonName(Reason reason) {
  return std::string_view(errors::v1::Reason_Name(reason)).substr(kPrefix.size());
}

const errors::v1::ReasonRule& RuleOf(Reason reason) {
  return errors::v1::Reason_descriptor()->FindValueByNumber(reason)->options().GetExtension(errors::v1::rule);
}

absl::Status StripInternal(const absl::Status& status) {
  if (ReasonOf(status) != errors::v1::REASON_INTERNAL) return status;
  return MakeError(errors::v1::REASON_INTERNAL, RuleOf(errors::v1::REASON_INTERNAL).example());
}

}  // namespace verdict
