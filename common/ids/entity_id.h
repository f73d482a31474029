#pragma once

#include <string_view>

#include "common/ids/uuid.h"

namespace verdict {

// The 16 bytes under which a caller's entity id is stored, so that every spelling finds the same entity:
// a UUID is itself, 32 hex digits (an OpenTelemetry trace id) are that UUID, 16 hex digits (a span id) are
// its first half with zeros after, and any other text is named by UuidV5Dns. Takes any bytes; the caller
// bounds their length.
Uuid EntityKey(std::string_view text);

}  // namespace verdict
