#pragma once

#include "absl/status/status.h"
#include "common/status/error.h"

// Every error that the aggregator service itself makes.
namespace verdict::aggregator::error {

// The caller went away, or its time is over: the rest of the stream is not read.
inline absl::Status StreamAbandoned() {
  return MakeError(errors::v1::REASON_CANCELLED, "The caller stopped reading.");
}

// The token service, which knows the API keys, has not been reached yet.
inline absl::Status TokenServiceAway() {
  return MakeError(errors::v1::REASON_UNAVAILABLE, "The token service cannot be reached.");
}

}  // namespace verdict::aggregator::error
