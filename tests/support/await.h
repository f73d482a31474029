#pragma once

#include <chrono>
#include <stdexcept>
#include <string>

#include <poll.h>

namespace verdict::test {

// Waits for what announces itself in no other way: asks `condition` a hundred times a second until it holds.
// Throws after `limit`, naming `what`.
template <typename Condition>
void Await(const std::string& what, Condition condition,
           std::chrono::seconds limit = std::chrono::seconds(60)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) throw std::runtime_error("waited in vain for " + what);
    poll(nullptr, 0, 10);
  }
}

}  // namespace verdict::test
