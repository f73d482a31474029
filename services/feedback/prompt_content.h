#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/crypto/crypto.h"

// What makes a version of a prompt: its content and its model. ZeroEval's SDKs say the same, so a prompt that
// an application holds and the one that is kept here can be compared by hash. All take UTF-8, which is not
// checked.
namespace verdict::feedback {

// The content as the SDKs send and hash it: line ends are LF, no white space at the ends of lines, at the
// beginning and at the end. White space is what Python's str.isspace has. Empty when there is nothing else.
std::string NormalizedContent(std::string_view content);

// SHA-256 of the JSON that Python makes of a normalized content and its model, and of the evaluation settings
// that such a prompt has not: as ZeroEval's Python SDK 0.10 has it.
crypto::Digest ContentHash(std::string_view content, std::optional<std::string_view> model_id);

}  // namespace verdict::feedback
