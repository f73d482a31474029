#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "tests/support/process.h"

namespace verdict::test {

// Debian's nginx as a reverse proxy, in the foreground and with a folder of its own, killed when this object
// ends. Takes the program from VERDICT_NGINX, where `./dev test` unpacks it. Throws std::exception when it
// does not serve.
class Nginx {
 public:
  // `backends`: HOST:PORT of each backend, by names of the caller's. Connections to them are kept and used
  // again, so that one byte too many or too few shows in the next request's answer.
  explicit Nginx(const std::map<std::string, std::string>& backends);

  // HOST:PORT whose requests go to the backend of this name.
  const std::string& AddressOf(const std::string& backend) const { return addresses_.at(backend); }

 private:
  // A new one, which goes with this object even when Nginx's constructor throws.
  struct Folder {
    Folder();
    ~Folder() { std::filesystem::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    std::filesystem::path path;
  };

  // False when it ends before it serves.
  bool Start(const std::string& program, const std::map<std::string, std::string>& backends);

  Folder folder_;
  std::map<std::string, std::string> addresses_;
  std::unique_ptr<Process> process_;
};

}  // namespace verdict::test
