// Shows, under valgrind, that checking a token's tag takes the same path whatever the secrets are. Memcheck
// reports each branch and each address that depends on memory marked as undefined: here that memory is
// secret, so a report is a leak, where a stopwatch would only see noise.
//
//   valgrind --error-exitcode=9 constant_time_probe CHECK
//
// CHECK is
//   verify       token_mac's IsTokenMac with a secret key: the MAC itself (OpenSSL's HMAC, as this processor
//                runs it under valgrind) and its comparison
//   unknown      the same without a key
//   compare      crypto's ConstantTimeEquals on a secret MAC alone
//   memcmp, loop what a careless comparison would be: valgrind must report both, or it would see nothing in
//                the others either (memcmp is the library's: clang compares 32 bytes in line by itself)
//
// The outcome itself is not secret: whoever sent the token learns it. Lengths are not either. Built without
// sanitizers in every preset, since valgrind cannot run those.

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <valgrind/memcheck.h>

#include "common/crypto/crypto.h"
#include "common/token/token_mac.h"

namespace verdict::token {
namespace {

// Returns at the first byte that differs.
bool LoopEquals(std::string_view a, std::string_view b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

crypto::SecretBytes ExampleKey() {
  crypto::SecretBytes key(32);
  for (size_t i = 0; i < key.writable().size(); ++i) key.writable()[i] = static_cast<uint8_t>(i);
  return key;
}

// Whether the tag matches, by the way of CHECK.
bool Matches(std::string_view check, std::string_view tag) {
  constexpr std::string_view kKid = "k1";
  constexpr std::string_view kPayload = "payload";
  const crypto::SecretBytes key = ExampleKey();
  if (check == "unknown") return IsTokenMac(nullptr, kKid, kPayload, tag);
  if (check == "verify") {
    VALGRIND_MAKE_MEM_UNDEFINED(key.bytes().data(), key.bytes().size());
    return IsTokenMac(&key, kKid, kPayload, tag);
  }
  const crypto::Digest mac = TokenMac(key, kKid, kPayload);
  VALGRIND_MAKE_MEM_UNDEFINED(mac.data(), mac.size());
  if (check == "compare") return crypto::ConstantTimeEquals(crypto::AsText(mac), tag);
  if (check == "memcmp") return std::memcmp(mac.data(), tag.data(), mac.size()) == 0;
  if (check == "loop") return LoopEquals(crypto::AsText(mac), tag);
  std::fprintf(stderr, "constant_time_probe: no check of this name\n");
  std::exit(EXIT_FAILURE);
}

int Main(std::string_view check) {
  const crypto::Digest right = TokenMac(ExampleKey(), "k1", "payload");
  std::array<crypto::Digest, 3> tags = {right, right, right};
  tags[1].front() ^= 1;
  tags[2].back() ^= 1;
  for (size_t i = 0; i < tags.size(); ++i) {
    bool matches = Matches(check, crypto::AsText(tags[i]));
    VALGRIND_MAKE_MEM_DEFINED(&matches, sizeof(matches));
    // So that a check which compares nothing does not pass.
    if (matches != (i == 0 && check != "unknown")) {
      std::fprintf(stderr, "constant_time_probe: tag %zu was judged wrongly\n", i);
      return EXIT_FAILURE;
    }
  }
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace verdict::token

int main(int argc, char** argv) { return argc == 2 ? verdict::token::Main(argv[1]) : EXIT_FAILURE; }
