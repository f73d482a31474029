#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <sys/stat.h>

namespace verdict::token {

// A keyset directory for tests, removed at the end. It begins with one active key, k1.
class TestKeySet {
 public:
  TestKeySet() {
    std::string name = (std::filesystem::temp_directory_path() / "verdict-keyset-XXXXXX").string();
    directory_ = mkdtemp(name.data());
    WriteKey("k1", 'a');
    WriteKeySet(R"({"primary":"k1","keys":{"k1":{"state":"active"}}})");
  }
  ~TestKeySet() { std::filesystem::remove_all(directory_); }
  TestKeySet(const TestKeySet&) = delete;
  TestKeySet& operator=(const TestKeySet&) = delete;

  const std::filesystem::path& directory() const { return directory_; }

  // Writes a key of `size` bytes, all `fill`.
  void WriteKey(const std::string& kid, char fill, size_t size = 32, mode_t mode = 0400) const {
    WriteFile(kid, std::string(size, fill), mode);
  }
  void WriteKeySet(std::string_view json) const { WriteFile("keyset.json", json, 0644); }

  // Replaces the file at once, as an operator's tool does.
  void WriteFile(const std::string& name, std::string_view content, mode_t mode) const {
    const std::filesystem::path file = directory_ / name;
    const std::filesystem::path temporary = file.string() + ".new";
    std::ofstream(temporary, std::ios::binary) << content;
    chmod(temporary.c_str(), mode);
    std::filesystem::rename(temporary, file);
  }

 private:
  std::filesystem::path directory_;
};

}  // namespace verdict::token
