#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>

#include "tests/support/fuzz.h"

// What libFuzzer calls, under its names.

// Puts the seeds into the corpus, which is the program's last argument if that is a folder.
// NOLINTNEXTLINE(readability-non-const-parameter): libFuzzer's signature
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  const std::filesystem::path folder = (*argv)[*argc - 1];
  if (!std::filesystem::is_directory(folder)) return 0;
  const std::vector<std::string> seeds = verdict::fuzz::Seeds();
  for (size_t i = 0; i < seeds.size(); ++i) {
    std::ofstream(folder / ("seed-" + std::to_string(i)), std::ios::binary) << seeds[i];
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  verdict::fuzz::Test({reinterpret_cast<const char*>(data), size});
  return 0;
}
