#include "common/token/key_ring.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include <catch2/catch.hpp>
#include <sys/stat.h>

#include "common/crypto/crypto.h"
#include "common/token/test_keyset.h"

namespace verdict::token {
namespace {

namespace fs = std::filesystem;

constexpr auto kTwoKeys = R"({"primary":"k2","keys":{"k1":{"state":"verify"},"k2":{"state":"active"}}})";
const Time kNow = Time(std::chrono::hours(24 * 365 * 56));

double Failures(metrics::Registry& registry) {
  return registry
      .Counter("verdict_keyset_reload_failures_total",
               "Readings of the key set directory that failed; the old set stays in use.")
      .Value();
}

// Waits for something that the watcher's thread does.
bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

std::string LoadError(const TestKeySet& files) {
  const absl::StatusOr<KeySet> loaded = KeySet::Load(files.directory());
  return loaded.ok() ? "" : std::string(loaded.status().message());
}

TEST_CASE("a key set has the keys of its directory, one of them primary") {
  const TestKeySet files;
  files.WriteKey("k2", 'b');
  files.WriteKey("k3", 'c');
  files.WriteKey("stray", 'd', 5, 0444);  // not listed, so not looked at
  files.WriteKeySet(
      R"({"primary":"k2","keys":{"k1":{"state":"verify","not_after":"2026-01-01T00:00:00+01:00"},
                        "k2":{"state":"active"},"k3":{"state":"next"}}})");
  const absl::StatusOr<KeySet> set = KeySet::Load(files.directory());
  REQUIRE(set.ok());
  CHECK(set->primary == "k2");
  CHECK(set->keys.size() == 3);
  for (const char* kid : {"k2", "k3"}) CHECK(set->Find(kid, kNow) != nullptr);
  CHECK(set->Find("stray", kNow) == nullptr);

  const Time end = std::chrono::sys_days(std::chrono::year(2025) / 12 / 31) + std::chrono::hours(23);
  CHECK(set->Find("k1", end - std::chrono::milliseconds(1)) != nullptr);
  CHECK(set->Find("k1", end) == nullptr);
}

TEST_CASE("each root gives other keys, and each purpose its own") {
  const TestKeySet files;
  files.WriteKey("k2", 'b');
  files.WriteKeySet(kTwoKeys);
  const absl::StatusOr<KeySet> set = KeySet::Load(files.directory());
  REQUIRE(set.ok());
  const auto text = [](const crypto::SecretBytes& key) { return std::string(crypto::AsText(key.bytes())); };
  const Key& k1 = set->keys.at("k1");
  const Key& k2 = set->keys.at("k2");
  CHECK(text(k1.mac) != text(k2.mac));
  CHECK(text(k1.idempotency) != text(k2.idempotency));
  CHECK(text(k1.mac) != text(k1.idempotency));
  CHECK(text(k1.mac) != std::string(32, 'a'));
}

TEST_CASE("a bad directory is refused with the file to mend") {
  const TestKeySet files;
  REQUIRE(LoadError(files).empty());

  SECTION("no directory") { CHECK_FALSE(KeySet::Load(files.directory() / "absent").ok()); }
  SECTION("no keyset.json") {
    fs::remove(files.directory() / "keyset.json");
    CHECK_THAT(LoadError(files), Catch::Contains("keyset.json cannot be opened"));
  }
  SECTION("keyset.json is not what it should be") {
    for (const char* json :
         {"", "{", "[]", "{}", R"({"primary":"k1"})", R"({"primary":1,"keys":{}})",
          R"({"primary":"k1","keys":[]})", R"({"primary":"k1","keys":{},"more":1})",
          R"({"primary":"k1","keys":{"k1":"active"}})", R"({"primary":"k1","keys":{"k1":{}}})",
          R"({"primary":"k1","keys":{"k1":{"state":"old"}}})",
          R"({"primary":"k1","keys":{"k1":{"state":1}}})",
          R"({"primary":"k1","keys":{"k1":{"state":"active","until":"x"}}})",
          R"({"primary":"k1","keys":{"k1":{"state":"active","not_after":"2026-01-01T00:00:00Z"}}})",
          R"({"primary":"k1","keys":{"k1":{"state":"verify","not_after":"soon"}}})"}) {
      INFO(json);
      files.WriteKeySet(json);
      CHECK_THAT(LoadError(files), Catch::Contains("keyset.json"));
    }
  }
  SECTION("a member of keyset.json that stands twice, of which one would be lost") {
    for (const char* json :
         {R"({"primary":"k2","primary":"k1","keys":{"k1":{"state":"active"}}})",
          R"({"primary":"k1","keys":{"k1":{"state":"verify"},"k1":{"state":"active"}}})",
          R"({"primary":"k1","keys":{"\u006b1":{"state":"verify"},"k1":{"state":"active"}}})",
          R"({"primary":"k1","keys":{"k1":{"state":"verify","state":"active"}}})"}) {
      INFO(json);
      files.WriteKeySet(json);
      CHECK_THAT(LoadError(files), Catch::Contains("keyset.json names a member twice"));
    }
  }
  SECTION("a file that is too large to be read, or would never end") {
    for (const char* name : {"keyset.json", "k1"}) {
      INFO(name);
      const fs::path file = files.directory() / name;
      fs::resize_file(file, 64 * 1024 + 1);
      CHECK_THAT(LoadError(files), Catch::Contains(std::string(name) + " is larger than 64 KiB"));
      fs::remove(file);
      REQUIRE(mkfifo(file.c_str(), 0400) == 0);
      CHECK_THAT(LoadError(files), Catch::Contains(std::string(name) + " is not a file"));
      fs::remove(file);
      fs::create_symlink(name, file);
      CHECK_THAT(LoadError(files), Catch::Contains(std::string(name) + " cannot be opened: Too many levels"));
      fs::remove(file);
      files.WriteKey("k1", 'a');
      files.WriteKeySet(R"({"primary":"k1","keys":{"k1":{"state":"active"}}})");
      CHECK(LoadError(files).empty());
    }
  }
  SECTION("no active primary") {
    for (const char* json :
         {R"({"primary":"k2","keys":{"k1":{"state":"active"}}})", R"({"primary":"k1","keys":{}})",
          R"({"primary":"k1","keys":{"k1":{"state":"verify"}}})",
          R"({"primary":"k1","keys":{"k1":{"state":"next"}}})"}) {
      INFO(json);
      files.WriteKeySet(json);
      CHECK_THAT(LoadError(files), Catch::Contains("primary"));
    }
  }
  SECTION("a key id that could name another file") {
    for (const char* kid : {"", "../k1", "K1", "k_1", "k12345678", "k1 "}) {
      INFO(kid);
      files.WriteKeySet(R"({"primary":"k1","keys":{"k1":{"state":"active"},")" + std::string(kid) +
                        R"(":{"state":"next"}}})");
      CHECK_THAT(LoadError(files), Catch::Contains("1 to 8 of a-z and 0-9"));
    }
  }
  SECTION("a key that is absent, too short, too long or no file") {
    fs::remove(files.directory() / "k1");
    CHECK_THAT(LoadError(files), Catch::Contains("k1 cannot be opened"));
    for (const size_t size : {0, 31, 33}) {
      files.WriteKey("k1", 'a', size);
      CHECK_THAT(LoadError(files), Catch::Contains("a key has exactly 32"));
    }
    fs::remove(files.directory() / "k1");
    fs::create_directory(files.directory() / "k1");
    CHECK_THAT(LoadError(files), Catch::Contains("is not a file"));
  }
  SECTION("a key that everybody can read or write") {
    for (const mode_t mode : {0444, 0404, 0602}) {
      files.WriteKey("k1", 'a', 32, mode);
      CHECK_THAT(LoadError(files), Catch::Contains("k1 can be read or written by everybody"));
    }
  }
}

TEST_CASE("a ring does not open on a bad directory") {
  const TestKeySet files;
  files.WriteKey("k1", 'a', 31);
  metrics::Registry registry;
  CHECK_FALSE(KeyRing::Open(files.directory(), registry).ok());
}

TEST_CASE("a ring follows its directory") {
  const TestKeySet files;
  metrics::Registry registry;
  auto ring = KeyRing::Open(files.directory(), registry);
  REQUIRE(ring.ok());
  const std::shared_ptr<const KeySet> before = (*ring)->keys();
  CHECK(before->primary == "k1");

  files.WriteKey("k2", 'b');
  files.WriteKeySet(kTwoKeys);
  CHECK(Eventually([&] { return (*ring)->keys()->primary == "k2"; }));
  CHECK(before->primary == "k1");  // who holds the old set keeps it
  CHECK(Eventually([&] {
    return registry.Text().find("verdict_keyset_primary_info{kid=\"k2\"} 1") != std::string::npos;
  }));
  CHECK_THAT(registry.Text(), Catch::Contains("verdict_keyset_primary_info{kid=\"k1\"} 0"));
}

TEST_CASE("a ring follows the swap by which Kubernetes updates a mounted secret") {
  TestKeySet files;
  const std::string k1(32, '1');
  files.Publish({{"keyset.json", R"({"primary":"k1","keys":{"k1":{"state":"active"}}})"}, {"k1", k1}});
  fs::remove(files.directory() / "k1");
  fs::remove(files.directory() / "keyset.json");
  fs::create_symlink("..data/keyset.json", files.directory() / "keyset.json");
  fs::create_symlink("..data/k1", files.directory() / "k1");

  metrics::Registry registry;
  auto ring = KeyRing::Open(files.directory(), registry);
  REQUIRE(ring.ok());
  CHECK((*ring)->keys()->primary == "k1");

  // Before the link to the new key stands in the directory itself.
  files.Publish({{"keyset.json", kTwoKeys}, {"k1", k1}, {"k2", std::string(32, '2')}});
  CHECK(Eventually([&] { return (*ring)->keys()->primary == "k2"; }));
  CHECK(Failures(registry) == 0);
}

TEST_CASE("a broken directory changes nothing but the count of failures, and can be mended") {
  const TestKeySet files;
  metrics::Registry registry;
  auto ring = KeyRing::Open(files.directory(), registry);
  REQUIRE(ring.ok());

  files.WriteKeySet("{");
  CHECK(Eventually([&] { return Failures(registry) > 0; }));
  CHECK_FALSE((*ring)->Reload().ok());
  CHECK((*ring)->keys()->primary == "k1");

  files.WriteKey("k2", 'b');
  files.WriteKeySet(kTwoKeys);
  CHECK(Eventually([&] { return (*ring)->keys()->primary == "k2"; }));
}

TEST_CASE("files that are replaced one by one, or written slowly, lead to the new set in the end") {
  const TestKeySet files;
  metrics::Registry registry;
  auto ring = KeyRing::Open(files.directory(), registry);
  REQUIRE(ring.ok());

  files.WriteKeySet(kTwoKeys);  // before the key that it names
  CHECK(Eventually([&] { return Failures(registry) >= 1; }));
  CHECK((*ring)->keys()->primary == "k1");
  const double failures = Failures(registry);
  const fs::path k2 = files.directory() / "k2";
  std::ofstream(k2) << std::string(16, 'b');
  fs::permissions(k2, fs::perms::owner_read | fs::perms::owner_write);
  CHECK(Eventually([&] { return Failures(registry) > failures; }));
  CHECK((*ring)->keys()->primary == "k1");
  std::ofstream(k2, std::ios::app) << std::string(16, 'b');
  CHECK(Eventually([&] { return (*ring)->keys()->primary == "k2"; }));
}

TEST_CASE("a ring's end does not wait for its next poll") {
  const TestKeySet files;
  metrics::Registry registry;
  auto ring = KeyRing::Open(files.directory(), registry);
  REQUIRE(ring.ok());
  const auto start = std::chrono::steady_clock::now();
  ring->reset();
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}

}  // namespace
}  // namespace verdict::token
