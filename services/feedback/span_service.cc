#include "services/feedback/span_service.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/ids/entity_id.h"
#include "services/feedback/errors.h"
#include "services/feedback/idempotent_calls.h"
#include "services/feedback/otlp_reader.h"
#include "services/feedback/span_attributes.h"

namespace verdict::feedback {
namespace {

// The span in one form, without its attributes: SDKs send empty texts for what a span does not have, and name
// its session in two ways.
v1::Span Normalized(const v1::Span& given) {
  v1::Span span;
  span.set_id(given.id());
  span.set_trace_id(given.trace_id());
  if (!given.parent_span_id().empty()) span.set_parent_span_id(given.parent_span_id());
  const v1::SpanSession& session = given.session();
  const std::string& session_id = given.session_id().empty() ? session.id() : given.session_id();
  const std::string& session_name = given.session_name().empty() ? session.name() : given.session_name();
  if (!session_id.empty()) span.set_session_id(session_id);
  if (!session_name.empty()) span.set_session_name(session_name);
  if (given.has_session()) *span.mutable_session() = session;
  span.set_name(given.name());
  if (!given.kind().empty()) span.set_kind(given.kind());
  *span.mutable_started_at() = given.started_at();
  if (given.has_ended_at()) *span.mutable_ended_at() = given.ended_at();
  return span;
}

// `span` is normalized, and has an id.
SpanRow RowOf(const v1::Span& span) {
  SpanRow row = {.span_id = EntityKey(span.id()),
                 .trace_id = EntityKey(span.trace_id()),
                 .name = span.name(),
                 .started_at = FromProto(span.started_at())};
  if (span.has_parent_span_id()) row.parent_id = EntityKey(span.parent_span_id());
  if (span.has_session_id()) {
    row.session = {.id = EntityKey(span.session_id()), .text = span.session_id()};
    if (span.has_session_name()) row.session->name = span.session_name();
  }
  if (span.has_kind()) row.kind = span.kind();
  if (span.has_ended_at()) row.ended_at = FromProto(span.ended_at());
  return row;
}

}  // namespace

void SpanService::Create(const WriteCall& call, const v1::CreateSpansRequest& request, Done done) {
  // What is answered is what is stored.
  auto response = std::make_unique<v1::CreateSpansResponse>();
  if (request.spans().empty()) return done(std::move(*response));
  SpanWrite write = {.key = requests_++, .project_id = call.principal.project_id};
  write.spans.reserve(request.spans_size());
  response->mutable_spans()->Reserve(request.spans_size());
  MadeIds ids(call, request, clock_.Now());
  for (const v1::Span& given : request.spans()) {
    v1::Span& span = *response->add_spans() = Normalized(given);
    if (span.id().empty()) span.set_id(ids.Next().ToString());
    SpanRow& row = write.spans.emplace_back(RowOf(span));
    if (!given.has_attributes()) continue;
    SpanAttributes attributes = ReadAttributes(given.attributes());
    row.prompt_version_id = attributes.prompt_version_id;
    row.model = std::move(attributes.model);
  }
  queue_.Submit(std::move(write), call.deadline,
                [response = std::move(response),
                 done = std::move(done)](const absl::StatusOr<StoredSpans>& stored) mutable {
                  if (!stored.ok()) return done(stored.status());
                  done(std::move(*response));
                });
}

void SpanService::Export(const WriteCall& call, const ExportRequest& request, ExportDone done) {
  absl::StatusOr<OtlpExport> read = ReadExport(request);
  if (!read.ok()) return done(read.status());
  const auto answer = [this](const OtlpRefusals& refusals, ExportDone& answered) {
    otlp_.rejected_spans.Increment(static_cast<double>(refusals.spans()));
    otlp_.refused_evaluations.Increment(static_cast<double>(refusals.evaluations()));
    answered(refusals.Response());
  };
  if (read->write.spans.empty()) return answer(read->refusals, done);

  SpanWrite& write = read->write;
  write.key = requests_++;
  write.project_id = call.principal.project_id;
  write.submitted_by = call.principal.key_id;
  write.at = clock_.Now();
  for (SpanEvaluation& evaluation : write.evaluations) evaluation.id = NewUuidV7(write.at);
  queue_.Submit(std::move(write), call.deadline,
                [answer, refusals = std::move(read->refusals),
                 done = std::move(done)](const absl::StatusOr<StoredSpans>& stored) mutable {
                  if (!stored.ok()) return done(stored.status());
                  for (const RefusedEvaluation& refused : stored->refused) {
                    refusals.RefuseEvaluation(refused.span_id, std::string(refused.why.message()));
                  }
                  answer(refusals, done);
                });
}

}  // namespace verdict::feedback
