#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/ids/uuid.h"

namespace verdict::feedback {

// What is kept of a span's attributes.
struct SpanAttributes {
  std::optional<Uuid> prompt_version_id = {};
  std::optional<std::string> model = {};
};

// Reads attributes, the text of a JSON object, as the contract of verdict.feedback.v1.Span says. They are the
// application's own: what is of another kind than ours, or too long to be kept, is as if it were not there,
// and so is all of a text of more than 1 MiB or that is no such object.
SpanAttributes ReadAttributes(std::string_view text);

}  // namespace verdict::feedback
