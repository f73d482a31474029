#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <google/protobuf/message.h>

#include "absl/status/status.h"
#include "gateway/route_table.h"

namespace verdict::gateway {

// Objects and arrays nest at most this deep in a body; in OTLP, which has room for what applications say in
// attributes, which are not read.
inline constexpr int kJsonDepthMax = 32;
inline constexpr int kOtlpDepthMax = 128;

// Elements of lists and members of maps in a body; and members that no field has in one object of it, without
// those within elements of its lists of messages. An empty element takes three bytes of JSON, and a message
// in memory some hundred; a member's name must be known until its object ends. In OTLP attributes are
// elements: 10,000 spans may have 19 each.
inline constexpr size_t kJsonElementsMax = 100'000;
inline constexpr size_t kOtlpElementsMax = 200'000;

// Fills `request`, an empty message of the route's request type, from what the path, the query and the body
// of a request say. `query` stands after the '?', undecoded; `body` is nullopt or empty when there is none.
//
// Strict: whatever is not exactly one JSON object (or array of objects, where the route takes that) of known
// members, each once and of its field's type, is refused, and so are unknown or repeated query parameters (as
// far as the route's rules do not ignore them). A null member equals an absent one. What values may be is for
// the services to check, by the fields' rules, and what texts may be in OTLP. The time taken is linear in the
// length of the input, whatever it says.
//
// INVALID_JSON (with the byte offset), BODY_TOO_LARGE (too many elements), DUPLICATE_KEY, UNKNOWN_FIELD,
// INVALID_TEXT (U+0000, but for OTLP), VALIDATION_ERROR (a value of another type; a violation names the
// field), BAD_REQUEST (escapes of the query; a body where there is none).
absl::Status ReadRequest(const Match& match, std::string_view query, std::optional<std::string_view> body,
                         google::protobuf::Message& request);

// Replaces the escapes of surrogates that have no partner by `\ufffd`, which is as long, so that the rest of
// a batch can be read: JSON.stringify writes one for a text that was cut within a character. What has none of
// them stays as it is. OTLP's alone: elsewhere such a text is refused.
void ReplaceLoneSurrogates(std::string& json);

// Fills an empty message from one JSON object, as ReadRequest does from a body.
absl::Status ReadJson(const MessagePlan& plan, std::string_view json, google::protobuf::Message& message);

}  // namespace verdict::gateway
