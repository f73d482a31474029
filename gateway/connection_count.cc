#include "gateway/connection_count.h"

#include <algorithm>

namespace verdict::gateway {
namespace {

// Whose connections count together.
asio::ip::address Owner(const asio::ip::address& address) {
  if (address.is_v4()) return address;
  if (address.to_v6().is_v4_mapped()) return make_address_v4(asio::ip::v4_mapped, address.to_v6());
  auto bytes = address.to_v6().to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), 0);
  return asio::ip::address_v6(bytes);
}

}  // namespace

bool ConnectionCount::Enter(const asio::ip::address& address) {
  const absl::MutexLock lock(&mutex_);
  if (open_ == max_) return false;
  if (per_address_max_ > 0) {
    std::size_t& open = by_address_[Owner(address)];
    if (open == per_address_max_) return false;
    ++open;
  }
  ++open_;
  return true;
}

void ConnectionCount::Leave(const asio::ip::address& address) {
  const absl::MutexLock lock(&mutex_);
  --open_;
  if (per_address_max_ == 0) return;
  const auto of_address = by_address_.find(Owner(address));
  if (--of_address->second == 0) by_address_.erase(of_address);
}

}  // namespace verdict::gateway
