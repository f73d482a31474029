#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace verdict::gateway {

// Whether the bytes are well-formed UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF).
bool IsUtf8(std::string_view text);

enum class PlusSign { kIsPlus, kIsSpace };

// Appends `text` with its percent-escapes decoded to `out`. BAD_REQUEST on a malformed escape or when the
// decoded text is not UTF-8; INVALID_TEXT when it contains U+0000. `name` is how the errors call the text.
absl::Status AppendPercentDecoded(std::string_view text, PlusSign plus, std::string_view name,
                                  std::string& out);

}  // namespace verdict::gateway
