#include <string>

#include "absl/strings/str_cat.h"
#include "gateway/framing_guard.h"
#include "tests/support/fuzz.h"

// Header sections of strangers: what is accepted says the same when it is written anew.
namespace verdict::gateway {
namespace {

constexpr HeadLimits kLimits = {.bytes = 2048, .target_bytes = 256, .fields = 8};

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

std::string Serialized(const RequestHead& head) {
  std::string text = absl::StrCat(View(head.method), " ", View(head.path), head.query.empty() ? "" : "?",
                                  View(head.query), head.http_1_0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  for (const auto& [name, value] : head.fields) absl::StrAppend(&text, View(name), ": ", View(value), "\r\n");
  return text + "\r\n";
}

bool AreEqual(const RequestHead& a, const RequestHead& b) {
  return a.method == b.method && a.path == b.path && a.query == b.query && a.http_1_0 == b.http_1_0 &&
         a.keep_alive == b.keep_alive && a.chunked == b.chunked && a.content_length == b.content_length &&
         a.expects_continue == b.expects_continue && a.fields == b.fields;
}

// Bytes that come later change nothing of what has been said about those before.
void CheckPieces(std::string_view received, const absl::StatusOr<size_t>& end) {
  for (size_t size = 0; size < received.size(); size += 1 + received.size() / 16) {
    const auto earlier = FindHeadEnd(received.substr(0, size), kLimits);
    if (!earlier.ok()) {
      fuzz::Require(!end.ok(), "what is refused early is refused");
    } else if (*earlier != 0) {
      fuzz::Require(end.ok() && *end == *earlier, "a section ends where it ended");
    }
  }
}

void CheckHead(const RequestHead& head) {
  fuzz::Require(head.fields.size() <= kLimits.fields, "no more fields than the limit");
  fuzz::Require(head.path.size() + head.query.size() <= kLimits.target_bytes,
                "no longer target than the limit");
  fuzz::Require(!head.chunked || !head.content_length, "a body has one framing");
  const std::string text = Serialized(head);
  for (const char c : text) {
    fuzz::Require(
        c == '\t' || c == '\r' || c == '\n' || (static_cast<unsigned char>(c) >= ' ' && c != '\x7f'),
        "no control characters");
  }
  const auto again = ParseHead(text, kLimits);
  fuzz::Require(again.ok() && AreEqual(head, *again), "parse(print(x)) == x");
}

std::vector<std::string> HeadSeeds() {
  const std::string host = "Host: a\r\n";
  return {
      "GET / HTTP/1.1\r\n" + host + "\r\n",
      "POST /b?a=b HTTP/1.1\r\n" + host + "Content-Length: 12\r\nExpect: 100-continue\r\n\r\nbody",
      "GET http://a/b?c HTTP/1.1\r\n" + host + "Connection: keep-alive, close\r\n\r\n",
      "PUT /a HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\nX: \xC3\xA9\t~\r\n\r\n",
      "OPTIONS * HTTP/1.1\r\n" + host + "\r\n",
      "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
      "GET / HTTP/1.0\r\n\r\n",
      "GET https://a?b HTTP/1.1\r\nHost: A\r\nConnection: close\r\n\r\n",
      // None of these is to be taken.
      "POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      "POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "GET / HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\n",
      "GET / HTTP/1.1\nHost: a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
  };
}

void TestHead(std::string_view received) {
  const auto end = FindHeadEnd(received, kLimits);
  CheckPieces(received, end);
  if (!end.ok() || *end == 0) return;
  const auto head = ParseHead(received.substr(0, *end), kLimits);
  if (head.ok()) CheckHead(*head);
}

}  // namespace
}  // namespace verdict::gateway

std::vector<std::string> verdict::fuzz::Seeds() { return gateway::HeadSeeds(); }
void verdict::fuzz::Test(std::string_view input) { gateway::TestHead(input); }
