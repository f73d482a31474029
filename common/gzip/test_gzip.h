#pragma once

#include <string>
#include <string_view>

namespace verdict {

// One member of gzip.
std::string Gzip(std::string_view text);

}  // namespace verdict
