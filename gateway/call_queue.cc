#include "gateway/call_queue.h"

namespace verdict::gateway {

CallQueue::CallQueue(std::size_t threads) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] {
      void* tag = nullptr;
      bool ok = false;
      while (queue_.Next(&tag, &ok)) static_cast<rpc::Event*>(tag)->Complete(ok);
    });
  }
}

CallQueue::~CallQueue() { queue_.Shutdown(); }

}  // namespace verdict::gateway
