#pragma once

#include <string_view>

namespace verdict::token {

// Valid UTF-8 without control characters (U+0000 to U+001F, U+007F to U+009F): the only text that a token
// carries, since it ends in logs, headers and user interfaces.
bool IsPlainText(std::string_view text);

}  // namespace verdict::token
