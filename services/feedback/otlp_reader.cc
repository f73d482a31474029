#include "services/feedback/otlp_reader.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/ids/entity_id.h"
#include "common/status/error.h"
#include "common/status/macros.h"
#include "services/feedback/errors.h"

namespace verdict::feedback {
namespace {

using opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
using opentelemetry::proto::collector::trace::v1::ExportTraceServiceResponse;
using opentelemetry::proto::common::v1::AnyValue;
using opentelemetry::proto::common::v1::KeyValue;
using opentelemetry::proto::trace::v1::ResourceSpans;
using opentelemetry::proto::trace::v1::ScopeSpans;
using opentelemetry::proto::trace::v1::Span;
using Attributes = google::protobuf::RepeatedPtrField<KeyValue>;
using Names = std::initializer_list<std::string_view>;

constexpr size_t kElementsMax = 10'000;
constexpr size_t kReasonsMax = 5;
constexpr size_t kReasonBytesMax = 190;
constexpr size_t kTraceIdBytes = 16;
constexpr size_t kSpanIdBytes = 8;
constexpr size_t kNameBytesMax = 1'000;
constexpr size_t kSessionIdBytesMax = 200;
constexpr size_t kJudgeNameBytesMax = 200;
constexpr size_t kReasoningBytesMax = 65'536;

// What senders call the same thing: the first that a span has counts.
constexpr Names kSessionId = {"zeroeval.session.id",
                              "session.id",
                              "gen_ai.conversation.id",
                              "langfuse.session.id",
                              "traceloop.association.properties.session_id",
                              "conversation.id",
                              "session_id",
                              "trace.session_id",
                              "langsmith.trace.session_id",
                              "mlflow.trace.session"};
constexpr Names kSessionName = {"zeroeval.session.name", "session.name", "session_name"};
constexpr Names kModel = {"gen_ai.request.model", "llm.model", "gen_ai.response.model"};
constexpr Names kKind = {"openinference.span.kind", "traceloop.span.kind", "langfuse.observation.type"};
constexpr Names kPromptVersionId = {"zeroeval.prompt_version_id"};

constexpr std::string_view kEvaluationEvent = "gen_ai.evaluation.result";
constexpr Names kJudgeName = {"gen_ai.evaluation.name"};
constexpr Names kLabel = {"gen_ai.evaluation.score.label"};
constexpr std::string_view kScore = "gen_ai.evaluation.score.value";
constexpr Names kExplanation = {"gen_ai.evaluation.explanation"};

// A text that is not empty, or a whole number as text.
std::optional<std::string> TextOf(const AnyValue& value) {
  if (value.has_int_value()) return absl::StrCat(value.int_value());
  if (value.string_value().empty()) return std::nullopt;
  return value.string_value();
}

// The text under the first of the names that has one.
std::optional<std::string> Find(const Attributes& attributes, const Names& names) {
  for (const std::string_view name : names) {
    for (const KeyValue& attribute : attributes) {
      if (attribute.key() != name) continue;
      if (auto text = TextOf(attribute.value())) return text;
    }
  }
  return std::nullopt;
}

// The same of what is left out where it cannot be kept.
std::optional<std::string> FindKept(const Attributes& attributes, const Names& names, size_t bytes_max) {
  auto text = Find(attributes, names);
  return text && CanBeKept(*text, bytes_max) ? text : std::nullopt;
}

std::optional<double> FindScore(const Attributes& attributes) {
  for (const KeyValue& attribute : attributes) {
    if (attribute.key() != kScore) continue;
    if (attribute.value().has_double_value()) return attribute.value().double_value();
    if (attribute.value().has_int_value()) return static_cast<double>(attribute.value().int_value());
  }
  return std::nullopt;
}

// The session that a span or resource names: cut short where it is too long to be kept, so that it costs no
// more than the limit to carry it from a resource to all its spans.
std::optional<SpanSessionRow> SessionOf(const Attributes& attributes) {
  std::optional<std::string> id = Find(attributes, kSessionId);
  if (!id) return std::nullopt;
  if (id->size() > kSessionIdBytesMax) id->resize(kSessionIdBytesMax + 1);
  return SpanSessionRow{.id = EntityKey(*id),
                        .text = *std::move(id),
                        .name = FindKept(attributes, kSessionName, kNameBytesMax)};
}

// What EntityKey makes of the bytes in hex: them, and zeros.
Uuid KeyOf(const std::string& bytes) {
  Uuid key;
  std::ranges::copy(bytes, key.bytes.begin());
  return key;
}

bool IsId(const std::string& bytes, size_t size) {
  return bytes.size() == size && std::ranges::any_of(bytes, [](char c) { return c != 0; });
}

std::string Hex(const std::string& bytes) {
  return absl::BytesToHexString(absl::string_view(bytes).substr(0, kTraceIdBytes));
}

Time TimeOf(uint64_t unix_nano) { return Time(std::chrono::milliseconds(unix_nano / 1'000'000)); }

// Why the span cannot be stored; empty when it can.
std::string Fault(const Span& span, const std::optional<SpanSessionRow>& session) {
  if (!IsId(span.trace_id(), kTraceIdBytes)) return "trace_id must be 16 bytes, not all of them zero.";
  if (!IsId(span.span_id(), kSpanIdBytes)) return "span_id must be 8 bytes, not all of them zero.";
  if (!span.parent_span_id().empty() && span.parent_span_id().size() != kSpanIdBytes) {
    return "parent_span_id must be 8 bytes, or be left out.";
  }
  if (span.start_time_unix_nano() == 0) return "start_time_unix_nano is required.";
  if (span.name().size() > kNameBytesMax) {
    return absl::StrCat("name is ", span.name().size(), " bytes long; at most 1000 are allowed.");
  }
  if (span.name().find('\0') != std::string::npos) return "name contains U+0000.";
  if (session && session->text.size() > kSessionIdBytesMax) {
    return "The session's id is longer than 200 bytes.";
  }
  if (session && session->text.find('\0') != std::string::npos) return "The session's id contains U+0000.";
  return "";
}

// Of a span without fault.
SpanRow RowOf(const Span& span, std::optional<SpanSessionRow> session) {
  SpanRow row = {.span_id = KeyOf(span.span_id()),
                 .trace_id = KeyOf(span.trace_id()),
                 .session = std::move(session),
                 // What an empty name means in OpenTelemetry.
                 .name = span.name().empty() ? "unknown" : span.name(),
                 .kind = FindKept(span.attributes(), kKind, kSpanKindBytesMax),
                 .started_at = TimeOf(span.start_time_unix_nano()),
                 .model = FindKept(span.attributes(), kModel, kSpanModelBytesMax)};
  // Some senders fill in zeros for a root.
  if (IsId(span.parent_span_id(), kSpanIdBytes)) row.parent_id = KeyOf(span.parent_span_id());
  if (row.kind) {
    absl::AsciiStrToLower(&*row.kind);
  } else if (row.model) {
    row.kind = "llm";
  }
  if (span.end_time_unix_nano() != 0) row.ended_at = TimeOf(span.end_time_unix_nano());
  if (const auto id = Find(span.attributes(), kPromptVersionId)) row.prompt_version_id = Uuid::Parse(*id);
  return row;
}

bool IsEvaluation(const Span::Event& event) { return event.name() == kEvaluationEvent; }

// What the event says of the span; refused is what no judge can have said.
absl::StatusOr<SpanEvaluation> EvaluationOf(const Span& span, const Span::Event& event) {
  SpanEvaluation evaluation = {.span_id = KeyOf(span.span_id()),
                               .label = Find(event.attributes(), kLabel),
                               .score = FindScore(event.attributes())};
  auto name = Find(event.attributes(), kJudgeName);
  if (!name) return error::JudgeNameMissing();
  if (!CanBeKept(*name, kJudgeNameBytesMax)) return error::JudgeNameNotFound(*name);
  evaluation.judge_name = *std::move(name);
  evaluation.input.set_span_id(Hex(span.span_id()));
  if (auto reason = Find(event.attributes(), kExplanation)) {
    if (reason->find('\0') != std::string::npos) return error::NulInMetadata(*kExplanation.begin());
    // Judges are verbose; half a sentence less is no reason to lose what they found.
    if (reason->size() > kReasoningBytesMax) *reason = Shortened(*reason, kReasoningBytesMax - 3);
    evaluation.input.set_evaluation_reason(*std::move(reason));
  }
  return evaluation;
}

void ReadSpan(const Span& span, const std::optional<SpanSessionRow>& session_of_resource, OtlpExport& read) {
  std::optional<SpanSessionRow> session = SessionOf(span.attributes());
  if (!session) session = session_of_resource;
  const std::string span_id = Hex(span.span_id());
  if (const std::string fault = Fault(span, session); !fault.empty()) {
    return read.refusals.RejectSpan(span_id, fault);
  }
  read.write.spans.push_back(RowOf(span, std::move(session)));
  for (const Span::Event& event : span.events()) {
    if (!IsEvaluation(event)) continue;
    absl::StatusOr<SpanEvaluation> evaluation = EvaluationOf(span, event);
    if (evaluation.ok()) {
      read.write.evaluations.push_back(*std::move(evaluation));
    } else {
      read.refusals.RefuseEvaluation(span_id, std::string(evaluation.status().message()));
    }
  }
}

// Before anything is made of it.
absl::Status CheckSize(const ExportTraceServiceRequest& request) {
  size_t spans = 0;
  size_t evaluations = 0;
  for (const ResourceSpans& resource : request.resource_spans()) {
    for (const ScopeSpans& scope : resource.scope_spans()) {
      spans += static_cast<size_t>(scope.spans_size());
      for (const Span& span : scope.spans())
        evaluations += std::ranges::count_if(span.events(), IsEvaluation);
    }
  }
  if (spans > kElementsMax) return error::TooManyInExport("spans", spans, kElementsMax);
  if (evaluations > kElementsMax) {
    return error::TooManyInExport("evaluations", evaluations, kElementsMax);
  }
  return absl::OkStatus();
}

}  // namespace

void OtlpRefusals::RejectSpan(std::string_view span_id, std::string_view why) {
  ++spans_;
  Explain("Span ", span_id, why);
}

void OtlpRefusals::RefuseEvaluation(std::string_view span_id, std::string_view why) {
  ++evaluations_;
  Explain("An evaluation of span ", span_id, why);
}

void OtlpRefusals::Explain(std::string_view what, std::string_view span_id, std::string_view why) {
  if (spans_ + evaluations_ > kReasonsMax) return;
  std::string reason(what);
  reason.append(span_id).append(": ").append(why);
  if (!message_.empty()) message_ += ' ';
  message_ += Shortened(reason, kReasonBytesMax);
}

ExportTraceServiceResponse OtlpRefusals::Response() const {
  ExportTraceServiceResponse response;
  if (message_.empty()) return response;
  auto& partial_success = *response.mutable_partial_success();
  partial_success.set_rejected_spans(static_cast<int64_t>(spans_));
  partial_success.set_error_message(message_);
  if (const size_t all = spans_ + evaluations_; all > kReasonsMax) {
    absl::StrAppend(partial_success.mutable_error_message(), " And ", all - kReasonsMax, " more.");
  }
  return response;
}

absl::StatusOr<OtlpExport> ReadExport(const ExportTraceServiceRequest& request) {
  OtlpExport read;
  RETURN_IF_ERROR(CheckSize(request));
  for (const ResourceSpans& resource : request.resource_spans()) {
    const std::optional<SpanSessionRow> session = SessionOf(resource.resource().attributes());
    for (const ScopeSpans& scope : resource.scope_spans()) {
      for (const Span& span : scope.spans()) ReadSpan(span, session, read);
    }
  }
  return read;
}

}  // namespace verdict::feedback
