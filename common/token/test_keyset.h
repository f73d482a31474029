#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
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

  // Replaces all files at once, as Kubernetes updates a mounted secret: they come into a new folder, to which
  // the link `..data` is swapped. From then on what was written otherwise is not looked at.
  void Publish(const std::map<std::string, std::string>& files) {
    const std::string version = "..version-" + std::to_string(++version_);
    std::filesystem::create_directory(directory_ / version);
    for (const auto& [name, content] : files) WriteFile(version + "/" + name, content, 0440);
    const std::filesystem::path link = directory_ / "..data";
    const std::filesystem::path new_link = directory_ / "..data_tmp";
    std::filesystem::create_directory_symlink(version, new_link);
    std::filesystem::rename(new_link, link);
    std::filesystem::remove_all(directory_ / ("..version-" + std::to_string(version_ - 1)));
  }

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
  int version_ = 0;
};

}  // namespace verdict::token
