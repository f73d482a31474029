#include "tests/e2e/golden.h"

#include <cstdlib>
#include <fstream>
#include <set>

#include <catch2/catch.hpp>

namespace verdict::test {
namespace {

// Expectation and answer are printed whole where they differ.
TEST_CASE("the documented conversations go as the golden files have them") {
  const std::filesystem::path folder =
      std::filesystem::path(std::getenv("VERDICT_SOURCE")) / "tests/golden/e2e";
  std::set<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.insert(entry.path());
  REQUIRE_FALSE(paths.empty());

  Stack stack;
  for (const std::filesystem::path& path : paths) {
    INFO(path);
    GoldenFile file(path);
    const std::string played = file.Play(stack);
    if (std::getenv("UPDATE_GOLDEN") != nullptr) {
      std::ofstream(path) << played;
    } else {
      CHECK(played == file.text());
    }
  }
}

}  // namespace
}  // namespace verdict::test
