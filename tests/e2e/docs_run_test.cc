#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>

#include "tests/support/stack.h"

namespace verdict::test {
namespace {

// The shell blocks of a page that stand under <!-- run -->.
std::vector<std::string> RunnableBlocks(const std::filesystem::path& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  const std::string page = text.str();
  constexpr std::string_view kStart = "<!-- run -->\n```sh\n";
  std::vector<std::string> blocks;
  for (std::size_t at = page.find(kStart); at != std::string::npos; at = page.find(kStart, at)) {
    at += kStart.size();
    blocks.push_back(page.substr(at, page.find("```", at) - at));
  }
  return blocks;
}

TEST_CASE("the lines that README and docs show work when pasted") {
  const std::filesystem::path source = std::getenv("VERDICT_SOURCE");
  // An answer that is an error fails the line, and ./dev ctl is the verdictctl under test.
  const std::string preamble =
      "set -euo pipefail\n"
      "curl() { command curl --fail-with-body \"$@\"; echo; }\n"
      "dev_ctl() { shift; \"$VERDICT_BIN/verdictctl\" \"$@\"; }\n";
  Stack stack;
  for (const char* page : {"README.md", "docs/api.md"}) {
    const auto blocks = RunnableBlocks(source / page);
    REQUIRE_FALSE(blocks.empty());
    for (std::string block : blocks) {
      for (auto at = block.find("./dev ctl"); at != std::string::npos; at = block.find("./dev ctl")) {
        block.replace(at, std::string_view("./dev").size(), "dev_ctl");
      }
      INFO(page << ":\n" << block);
      const Finished finished = Run({"bash", "-c", preamble + block}, stack.Environment());
      INFO(finished.out << finished.err);
      CHECK(finished.exit_code == 0);
    }
  }
}

}  // namespace
}  // namespace verdict::test
