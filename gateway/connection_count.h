#pragma once

#include <cstddef>

#include <boost/asio/ip/address.hpp>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "gateway/asio.h"

namespace verdict::gateway {

// How many connections are open, in all and from each address. An IPv6 address counts by its first 64 bits:
// the others are its owner's to choose. Thread-safe.
class ConnectionCount {
 public:
  // `per_address_max` 0: no bound but the other one.
  ConnectionCount(std::size_t max, std::size_t per_address_max)
      : max_(max), per_address_max_(per_address_max) {}

  // Counts one more from `address`; false, and nothing is counted, when there are enough.
  bool Enter(const asio::ip::address& address);
  // One that entered has ended.
  void Leave(const asio::ip::address& address);

 private:
  const std::size_t max_;
  const std::size_t per_address_max_;
  absl::Mutex mutex_;
  std::size_t open_ ABSL_GUARDED_BY(mutex_) = 0;
  // Empty without a bound; no address has 0.
  absl::flat_hash_map<asio::ip::address, std::size_t> by_address_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace verdict::gateway
