#include "services/feedback/span_service.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/ids/entity_id.h"
#include "services/feedback/errors.h"
#include "services/feedback/idempotent_calls.h"

namespace verdict::feedback {
namespace {

// The span in one form: SDKs send empty texts for what a span does not have, and name its session in two
// ways.
void Normalize(v1::Span& span) {
  const v1::SpanSession& session = span.session();
  if (span.session_id().empty() && span.has_session()) span.set_session_id(session.id());
  if (span.session_name().empty() && session.has_name()) span.set_session_name(session.name());
  if (span.parent_span_id().empty()) span.clear_parent_span_id();
  if (span.session_id().empty()) span.clear_session_id();
  if (span.session_name().empty()) span.clear_session_name();
  if (span.kind().empty()) span.clear_kind();
}

// `span` is normalized, has an id, and outlives the row.
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
  // What is answered is what is stored: the rows refer to its texts.
  auto response = std::make_unique<v1::CreateSpansResponse>();
  if (request.spans().empty()) return done(std::move(*response));
  SpanWrite write = {.key = requests_++, .project_id = call.principal.project_id};
  write.spans.reserve(request.spans_size());
  *response->mutable_spans() = request.spans();
  MadeIds ids(call, request, clock_.Now());
  for (v1::Span& span : *response->mutable_spans()) {
    Normalize(span);
    if (span.id().empty()) span.set_id(ids.Next().ToString());
    write.spans.push_back(RowOf(span));
  }
  queue_.Submit(std::move(write), call.deadline,
                [response = std::move(response),
                 done = std::move(done)](const absl::StatusOr<std::monostate>& stored) mutable {
                  if (!stored.ok()) return done(stored.status());
                  done(std::move(*response));
                });
}

}  // namespace verdict::feedback
