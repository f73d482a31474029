#include "gateway/testing/http_client.h"

#include <array>
#include <cerrno>

#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/ascii.h"

namespace verdict::gateway {

std::string TestResponse::Header(const std::string& name) const {
  const auto found = head.find(name);
  return found == head.end() ? "" : found->second;
}

namespace {

sockaddr_in SocketAddress(const std::string& host, int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  REQUIRE(::inet_pton(AF_INET, host.c_str(), &address.sin_addr) == 1);
  return address;
}

}  // namespace

TestClient::TestClient(const std::string& address, const std::string& source)
    : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  REQUIRE(socket_ >= 0);
  const timeval timeout = {.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  if (!source.empty()) {
    const sockaddr_in local = SocketAddress(source, 0);
    REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&local), sizeof(local)) == 0);
  }
  const auto colon = address.rfind(':');
  const sockaddr_in peer = SocketAddress(address.substr(0, colon), std::stoi(address.substr(colon + 1)));
  REQUIRE(::connect(socket_, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)) == 0);
}

TestClient::~TestClient() { Close(); }

void TestClient::Close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

void TestClient::Reset() {
  const linger at_once = {.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  Close();
}

bool TestClient::HasInput() const {
  pollfd input = {.fd = socket_, .events = POLLIN, .revents = 0};
  return !received_.empty() || ::poll(&input, 1, 0) > 0;
}

std::size_t TestClient::Unread() const {
  int in_kernel = 0;
  REQUIRE(::ioctl(socket_, FIONREAD, &in_kernel) == 0);
  return received_.size() + static_cast<std::size_t>(in_kernel);
}

void TestClient::FinishSending() { ::shutdown(socket_, SHUT_WR); }

bool TestClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool TestClient::Fill() {
  std::array<char, 16384> bytes;
  const auto count = ::recv(socket_, bytes.data(), bytes.size(), 0);
  const bool timed_out = count < 0 && errno == EAGAIN;
  REQUIRE_FALSE(timed_out);
  reset_ = count < 0;
  if (count > 0) received_.append(bytes.data(), static_cast<std::size_t>(count));
  return count > 0;
}

std::string TestClient::Read(std::size_t bytes) {
  while (received_.size() < bytes && Fill()) {
  }
  const std::string result = received_.substr(0, bytes);
  received_.erase(0, bytes);
  return result;
}

bool TestClient::ReadLine(std::string& line) {
  auto end = received_.find("\r\n");
  while (end == std::string::npos) {
    if (!Fill()) return false;
    end = received_.find("\r\n");
  }
  line = received_.substr(0, end);
  received_.erase(0, end + 2);
  return true;
}

TestResponse TestClient::Receive(bool to_head) {
  TestResponse response;
  std::string line;
  if (!ReadLine(line)) return response;
  REQUIRE(line.starts_with("HTTP/1.1 "));
  response.status = std::stoi(line.substr(9, 3));
  while (ReadLine(line) && !line.empty()) {
    const auto colon = line.find(": ");
    REQUIRE(colon != std::string::npos);
    response.head.emplace(absl::AsciiStrToLower(line.substr(0, colon)), line.substr(colon + 2));
  }
  if (to_head || response.status < 200 || response.status == 204 || response.status == 304) {
    response.complete = true;
  } else if (response.Header("transfer-encoding") == "chunked") {
    while (ReadLine(line)) {
      const std::size_t size = std::stoul(line, nullptr, 16);
      const std::string chunk = Read(size + 2);
      if (chunk.size() < size + 2) break;
      response.body.append(chunk, 0, size);
      response.complete = size == 0;
      if (response.complete) break;
    }
  } else if (response.Has("content-length")) {
    const std::size_t size = std::stoul(response.Header("content-length"));
    response.body = Read(size);
    response.complete = response.body.size() == size;
  } else {
    while (Fill()) {
    }
    response.body = std::exchange(received_, {});
    response.complete = !reset_;
  }
  return response;
}

}  // namespace verdict::gateway
