#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

namespace verdict {

// A seed for a random test: VERDICT_SEED of the environment, or a new one. Prints it, so that a failure can
// be had again.
inline uint64_t NewSeed(const char* test) {
  const char* given = std::getenv("VERDICT_SEED");
  const uint64_t seed = given != nullptr && *given != '\0' ? std::stoull(given) : std::random_device()();
  std::printf("%s: VERDICT_SEED=%llu\n", test, static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace verdict
