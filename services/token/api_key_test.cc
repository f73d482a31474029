#include "services/token/api_key.h"

#include <set>
#include <string>

#include <catch2/catch.hpp>

namespace verdict::token {
namespace {

TEST_CASE("new keys are of their form, and all different") {
  std::set<std::string> keys;
  for (int i = 0; i < 1000; ++i) {
    const std::string key = NewApiKey();
    CHECK(key.size() == 53);
    CHECK(key.starts_with("vdt_"));
    CHECK(IsApiKey(key));
    keys.insert(key);
  }
  CHECK(keys.size() == 1000);
}

TEST_CASE("any one character changed is seen by the checksum") {
  const std::string key = NewApiKey();
  for (size_t i = 0; i < key.size(); ++i) {
    for (int other = 0; other < 256; ++other) {
      std::string typo = key;
      typo[i] = static_cast<char>(other);
      REQUIRE(IsApiKey(typo) == (typo == key));
    }
  }
}

TEST_CASE("two neighbours exchanged, cut and padded keys are seen") {
  const std::string key = NewApiKey();
  for (size_t i = 0; i + 1 < key.size(); ++i) {
    std::string typo = key;
    std::swap(typo[i], typo[i + 1]);
    CHECK(IsApiKey(typo) == (typo == key));
  }
  for (size_t size = 0; size < key.size(); ++size) CHECK_FALSE(IsApiKey(key.substr(0, size)));
  for (const std::string& text : {key + " ", " " + key, key + "=", key + key, std::string()})
    CHECK_FALSE(IsApiKey(text));
}

}  // namespace
}  // namespace verdict::token
