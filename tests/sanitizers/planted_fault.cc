#include <climits>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <thread>

// Commits the fault that it is asked for. The volatile variables keep the compiler from seeing it.
namespace {

volatile int outside = 8;
volatile int largest = INT_MAX;
volatile int* lost = nullptr;
int shared = 0;

int Overflow() {
  const auto numbers = std::make_unique<int[]>(8);
  return numbers[static_cast<std::size_t>(outside)];
}

int Undefined() { return largest + 1; }

int Leak() {
  lost = new int(1);
  lost = nullptr;
  return 0;
}

int Race() {
  std::jthread other([] { ++shared; });
  return ++shared;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view fault = argc == 2 ? argv[1] : "";
  if (fault == "overflow") return Overflow();
  if (fault == "undefined") return Undefined();
  if (fault == "leak") return Leak();
  if (fault == "race") return Race();
  return EXIT_FAILURE;
}
