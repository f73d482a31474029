#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace verdict::test {

// A request as it goes over the wire; Host and Content-Length are added.
struct HttpRequest {
  std::string method = "GET";
  std::string target = "/";
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers = {};  // names in lower case
  std::string body = {};
};

// One connection to 127.0.0.1, kept between requests. Throws std::exception when the peer closes early or
// takes more than 30 s. Not thread-safe.
class HttpClient {
 public:
  explicit HttpClient(int port);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  HttpResponse Send(const HttpRequest& request);

 private:
  struct Connection;
  void Connect();

  int port_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace verdict::test
