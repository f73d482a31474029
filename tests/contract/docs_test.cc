#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "common/status/error.h"

namespace verdict {
namespace {

std::string ErrorsPage() {
  std::string page =
      "# Errors\n\n"
      "Every refusal carries a stable reason: `code` of the problem document (RFC 9457) over REST, "
      "`ErrorInfo.reason`\n"
      "over gRPC. Reasons are API and never renamed. This page is made from "
      "`proto/verdict/errors/v1/reason.proto`;\n"
      "`UPDATE_GOLDEN=1 ./dev test -R docs_test` rewrites it.\n\n"
      "A 503 and a 429 carry `Retry-After` in seconds. A 500 says nothing of its cause: quote the request "
      "id, under\n"
      "which the log has it.\n\n"
      "| reason | HTTP | meaning | what to do | example |\n| --- | --- | --- | --- | --- |\n";
  const auto* reasons = errors::v1::Reason_descriptor();
  for (int i = 0; i < reasons->value_count(); ++i) {
    const auto reason = static_cast<Reason>(reasons->value(i)->number());
    if (reason == errors::v1::REASON_UNSPECIFIED) continue;
    const auto& rule = RuleOf(reason);
    const std::string name(ReasonName(reason));
    absl::StrAppend(&page, "| `", name, "` | ", rule.http_status(), " | ", rule.title(), " | ", rule.remedy(),
                    " | ", rule.example(), " |\n");
  }
  return page;
}

TEST_CASE("docs/errors.md lists every reason as the contract has it") {
  const std::filesystem::path path = std::filesystem::path(VERDICT_SOURCE_DIR) / "docs/errors.md";
  const std::string page = ErrorsPage();
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(path) << page;
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  CHECK(text.str() == page);
}

// Where a reason is tested is for its test to say; that there is none must not go unnoticed.
TEST_CASE("every reason is named by a test") {
  const std::filesystem::path root = VERDICT_SOURCE_DIR;
  std::string tests;
  for (const char* folder : {"tests", "common", "services", "gateway", "cli"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const std::string path = entry.path();
      const bool is_test = path.ends_with("_test.cc") || path.find("/golden/e2e/") != std::string::npos;
      if (!is_test || path.ends_with("docs_test.cc")) continue;
      std::stringstream text;
      text << std::ifstream(path).rdbuf();
      tests += text.str();
    }
  }
  const auto* reasons = errors::v1::Reason_descriptor();
  for (int i = 1; i < reasons->value_count(); ++i) {
    const std::string name(ReasonName(static_cast<Reason>(reasons->value(i)->number())));
    INFO(name);
    CHECK((tests.find('"' + name) != std::string::npos || tests.find("REASON_" + name) != std::string::npos));
  }
}

}  // namespace
}  // namespace verdict
