#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "common/status/error.h"

// Every error that verdictctl itself makes; all others come from the services.
namespace verdict::cli::error {

// The command line cannot be followed. `message` names the flag or argument.
inline absl::Status Usage(std::string_view message) {
  return MakeError(errors::v1::REASON_VALIDATION_ERROR, message);
}

}  // namespace verdict::cli::error
