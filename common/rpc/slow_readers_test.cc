#include "common/rpc/slow_readers.h"

#include <catch2/catch.hpp>

namespace verdict::rpc {
namespace {

Uuid Caller(std::uint8_t number) {
  Uuid caller;
  caller.bytes[0] = number;
  return caller;
}

TEST_CASE("slow readers are bounded for each caller, and all together") {
  metrics::Registry registry;
  SlowReaders readers(16, registry);  // 2 a caller, 12 in all
  for (const std::uint8_t caller : {1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8}) CHECK(readers.Enter(Caller(caller)));
  CHECK_FALSE(readers.Enter(Caller(1)));
  CHECK(readers.Enter(Caller(4)));
  CHECK_FALSE(readers.Enter(Caller(5)));
  CHECK(registry.Text().find("verdict_rpc_slow_readers_cut_total 2") != std::string::npos);

  readers.Leave(Caller(1));
  CHECK(readers.Enter(Caller(1)));
  readers.Leave(Caller(4));
  CHECK_FALSE(readers.Enter(Caller(1)));
  CHECK(readers.Enter(Caller(5)));
}

TEST_CASE("one thread has room for one slow reader") {
  metrics::Registry registry;
  SlowReaders readers(1, registry);
  CHECK(readers.Enter(Caller(1)));
  CHECK_FALSE(readers.Enter(Caller(2)));
  readers.Leave(Caller(1));
  CHECK(readers.Enter(Caller(2)));
}

}  // namespace
}  // namespace verdict::rpc
