#include <string>

#include "common/gzip/gzip.h"
#include "common/gzip/test_gzip.h"
#include "tests/support/fuzz.h"

// Compressed bodies of strangers: never more than the limit, and what comes out is what went in.
namespace verdict {
namespace {

constexpr size_t kBytesMax = 100'000;

std::vector<std::string> GzipSeeds() {
  return {Gzip(""),
          Gzip("[{}]"),
          Gzip("a") + Gzip("b"),
          Gzip(std::string(kBytesMax, 'a')),
          Gzip(std::string(kBytesMax + 1, 'a')),
          Gzip(R"({"span_id":"0123456789abcdef"})")};
}

void TestGzip(std::string_view input) {
  const auto plain = Gunzip(input, kBytesMax);
  if (plain.ok()) {
    fuzz::Require(plain->size() <= kBytesMax, "no more bytes than the limit");
    fuzz::Require(Gunzip(std::string(input) + Gzip("x"), kBytesMax + 1).value_or("") == *plain + 'x',
                  "members follow each other");
    fuzz::Require(plain->empty() || !Gunzip(input, plain->size() - 1).ok(), "the limit is exact");
  }
  const auto again = Gunzip(Gzip(input), input.size());
  fuzz::Require(again.ok() && *again == input, "gunzip(gzip(x)) == x");
}

}  // namespace
}  // namespace verdict

std::vector<std::string> verdict::fuzz::Seeds() { return verdict::GzipSeeds(); }
void verdict::fuzz::Test(std::string_view input) { verdict::TestGzip(input); }
