#include "tests/support/nginx.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <unistd.h>

#include "tests/support/await.h"

namespace verdict::test {

using boost::asio::ip::tcp;

Nginx::Folder::Folder() {
  char folder[] = "/tmp/verdict-nginx-XXXXXX";
  if (mkdtemp(folder) == nullptr) throw std::runtime_error("mkdtemp failed");
  path = folder;
}

Nginx::Nginx(const std::map<std::string, std::string>& backends) {
  const char* program = std::getenv("VERDICT_NGINX");
  if (program == nullptr || !std::filesystem::exists(program)) {
    throw std::runtime_error("VERDICT_NGINX names no program: run the tests with ./dev test");
  }
  // A port that was free may be taken before nginx takes it.
  for (int tries = 1; !Start(program, backends); ++tries) {
    if (tries < 3) continue;
    std::ostringstream log;
    log << "nginx ended:\n" << std::ifstream(folder_.path / "output.log").rdbuf();
    throw std::runtime_error(log.str());
  }
}

bool Nginx::Start(const std::string& program, const std::map<std::string, std::string>& backends) {
  std::ostringstream settings;
  // As root, nginx would serve as `nobody`, who may not enter the folder.
  if (geteuid() == 0) settings << "user root;\n";
  settings << "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log error.log;\n"
              "events { worker_connections 256; }\n"
              "http {\n  access_log off;\n";
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
    settings << "  " << kind << "_temp_path " << kind << ";\n";
  }
  // nginx cannot take any free port by itself. These are held until all are known, so that no two are the
  // same.
  boost::asio::io_context io;
  std::vector<tcp::acceptor> held;
  for (const auto& [name, address] : backends) {
    held.emplace_back(io, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    addresses_[name] = "127.0.0.1:" + std::to_string(held.back().local_endpoint().port());
    settings << "  upstream " << name << " { server " << address << "; keepalive 4; }\n"
             << "  server {\n    listen " << addresses_[name]
             << ";\n"
             // A client that has ended its side still wants its answers.
             << "    location / {\n      proxy_ignore_client_abort on;\n"
             << "      proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n"
             << "      proxy_pass http://" << name << ";\n    }\n  }\n";
  }
  settings << "}\n";
  std::ofstream(folder_.path / "nginx.conf") << settings.str();
  held.clear();

  const std::string prefix = folder_.path.string() + "/";
  process_ = std::make_unique<Process>(
      std::vector<std::string>{program, "-p", prefix, "-c", prefix + "nginx.conf", "-e", "error.log"},
      prefix + "output.log");
  // It writes the file once it listens. A connection would tell less: it may be somebody else who listens.
  bool serves = false;
  Await("nginx to serve", [&] {
    serves = std::filesystem::exists(prefix + "nginx.pid");
    return serves || !process_->Running();
  });
  return serves;
}

}  // namespace verdict::test
