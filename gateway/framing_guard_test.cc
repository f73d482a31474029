#include "gateway/framing_guard.h"

#include <string>

#include <catch2/catch.hpp>

#include "common/status/error.h"

namespace verdict::gateway {
namespace {

using namespace std::string_literals;

// A refusal's reason, or OK.
std::string Verdict(const std::string& section) {
  const HeadLimits limits;
  const auto end = FindHeadEnd(section, limits);
  if (!end.ok()) return std::string(ReasonName(ReasonOf(end.status())));
  if (*end == 0) return "INCOMPLETE";
  const auto head = ParseHead(section, limits);
  return head.ok() ? "OK" : std::string(ReasonName(ReasonOf(head.status())));
}

std::string Get(const std::string& fields) { return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n"; }
std::string Post(const std::string& fields) { return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n"; }

TEST_CASE("malformed and ambiguous header sections are refused") {
  struct Case {
    const char* name;
    std::string section;
  };
  const Case cases[] = {
      {"bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n"},
      {"bare LF after a field", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"},
      {"bare LF throughout", "GET / HTTP/1.1\nHost: a\n\n"},
      {"LF first", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"bare CR in a value", Get("X: a\rb\r\n")},
      {"CR before CRLF", Get("X: a\r\r\n")},
      {"bare CR in the request line", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"obs-fold with a space", Get("X: a\r\n b\r\n")},
      {"obs-fold with a tab", Get("X: a\r\n\tb\r\n")},
      {"a space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
      {"a space before the colon", Get("X : a\r\n")},
      {"a tab before the colon", Get("X\t: a\r\n")},
      {"a space before the colon of Content-Length", Post("Content-Length : 5\r\n")},
      {"no colon", Get("X\r\n")},
      {"no field name", Get(": a\r\n")},
      {"a control character in a name", Get("X\x01: a\r\n")},
      {"a name beyond ASCII", Get("X\xc3\xa9: a\r\n")},
      {"NUL in a value", Get("X: a\0b\r\n"s)},
      {"NUL in a name", Get("X\0: a\r\n"s)},
      {"NUL in the target", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"s},
      {"ESC in a value", Get("X: a\x1b\r\n")},
      {"DEL in a value", Get("X: a\x7f\r\n")},
      {"vertical tab in a value", Get("Transfer-Encoding: \x0b"
                                      "chunked\r\n")},
      {"an empty request line", "\r\n\r\n"},
      {"no method", " / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"an empty target", "GET  HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"two spaces before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"a tab between the parts", "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n"},
      {"a space after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
      {"a separator in the method", "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"a long method", std::string(33, 'M') + " / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"a fragment", "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"a target beyond ASCII", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"HTTP/0.9", "GET /\r\n\r\n"},
      {"HTTP/2.0", "PRI * HTTP/2.0\r\n\r\n"},
      {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n"},
      {"HTTP/1.01", "GET / HTTP/1.01\r\nHost: a\r\n\r\n"},
      {"a version in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n"},
      {"no Host", "GET / HTTP/1.1\r\nX: a\r\n\r\n"},
      {"two Hosts", Get("Host: b\r\n")},
      {"two equal Hosts", Get("hOST: a\r\n")},
      {"an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
      {"a list as Host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
      {"a path as Host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
      {"a user in Host", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"},
      {"absolute form with another Host", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"absolute form with a user", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"absolute form of another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"absolute form without a host", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"a relative target", "GET a/b HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"asterisk form with GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"CONNECT to another Host", "CONNECT b:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"},
      {"Transfer-Encoding and Content-Length", Post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")},
      {"Content-Length and Transfer-Encoding", Post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")},
      {"Transfer-Encoding on HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"Transfer-Encoding identity", Post("Transfer-Encoding: identity\r\n")},
      {"Transfer-Encoding gzip, chunked", Post("Transfer-Encoding: gzip, chunked\r\n")},
      {"Transfer-Encoding chunked, chunked", Post("Transfer-Encoding: chunked, chunked\r\n")},
      {"Transfer-Encoding twice", Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
      {"Transfer-Encoding with a parameter", Post("Transfer-Encoding: chunked;a=b\r\n")},
      {"Transfer-Encoding xchunked", Post("Transfer-Encoding: xchunked\r\n")},
      {"an empty Transfer-Encoding", Post("Transfer-Encoding:\r\n")},
      {"Content-Length twice", Post("Content-Length: 5\r\nContent-Length: 6\r\n")},
      {"equal Content-Lengths", Post("Content-Length: 5\r\nContent-Length: 5\r\n")},
      {"a list of Content-Lengths", Post("Content-Length: 5, 5\r\n")},
      {"Content-Length +5", Post("Content-Length: +5\r\n")},
      {"Content-Length -5", Post("Content-Length: -5\r\n")},
      {"Content-Length 0x5", Post("Content-Length: 0x5\r\n")},
      {"Content-Length 5_0", Post("Content-Length: 5_0\r\n")},
      {"Content-Length 5 5", Post("Content-Length: 5 5\r\n")},
      {"Content-Length 5.0", Post("Content-Length: 5.0\r\n")},
      {"a tab before Content-Length", Post("Content-Length:\t5\r\n")},
      {"a tab behind Content-Length", Post("Content-Length: 5\t\r\n")},
      {"a tab before Transfer-Encoding", Post("Transfer-Encoding:\tchunked\r\n")},
      {"an empty Content-Length", Post("Content-Length:\r\n")},
      {"Content-Length beyond 64 bits", Post("Content-Length: 18446744073709551616\r\n")},
      {"another expectation", Post("Expect: 200-ok\r\nContent-Length: 5\r\n")},
      {"two credentials of one kind", Get("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n")},
      {"two media types", Post("Content-Type: application/json\r\nContent-Type: text/plain\r\n")},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    CHECK(Verdict(c.section) == "BAD_REQUEST");
  }
}

TEST_CASE("well-formed header sections pass") {
  struct Case {
    const char* name;
    std::string section;
  };
  const Case cases[] = {
      {"the least", Get("")},
      {"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n"},
      {"no space after the colon", Get("X:a\r\n")},
      {"space around a value", Get("X: \t a \t\r\n")},
      {"an empty value", Get("X:\r\n")},
      {"a tab and obs-text within a value", Get("X: a\tb \xc3\xa9\r\n")},
      {"a port", "GET / HTTP/1.1\r\nHost: a:80\r\n\r\n"},
      {"an IPv6 address", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"},
      {"absolute form", "GET http://A:80/x?y HTTP/1.1\r\nHost: a:80\r\n\r\n"},
      {"asterisk form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"authority form", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"},
      {"an unknown method", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"the longest method", std::string(32, 'M') + " / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"chunked in any case", Post("transfer-encoding: CHUNKED\r\n")},
      {"64 fields",
       [] {
         std::string fields;
         for (int i = 1; i < 64; ++i) fields += "X: a\r\n";
         return Get(fields);
       }()},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    CHECK(Verdict(c.section) == "OK");
  }
}

TEST_CASE("a head's parts are read") {
  const auto head = ParseHead(
      "POST http://h/a%2Fb?c=d?e HTTP/1.1\r\nhost: h\r\nContent-Length: 12\r\nEXPECT: 100-Continue\r\n"
      "Connection: x, Close\r\nX-Y:  z \r\n\r\n",
      {});
  REQUIRE(head.ok());
  CHECK(head->method == "POST");
  CHECK(head->path == "/a%2Fb");
  CHECK(head->query == "c=d?e");
  CHECK(head->content_length == 12);
  CHECK_FALSE(head->chunked);
  CHECK(head->has_body());
  CHECK(head->expects_continue);
  CHECK_FALSE(head->keep_alive);
  CHECK(head->Field("x-y") == "z");
  CHECK(head->Field("x-z") == std::nullopt);
}

TEST_CASE("HTTP/1.0 closes after the answer and expects no 100") {
  const auto head = ParseHead(
      "POST / HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", {});
  REQUIRE(head.ok());
  CHECK(head->http_1_0);
  CHECK_FALSE(head->keep_alive);
  CHECK_FALSE(head->expects_continue);
}

TEST_CASE("the end of the head is found, and bytes after it are not looked at") {
  CHECK(*FindHeadEnd("", {}) == 0);
  CHECK(*FindHeadEnd("GET / HTTP/1.1\r\nHost: a\r\n\r", {}) == 0);
  CHECK(*FindHeadEnd("GET / HTTP/1.1\r\nHost: a\r\n\r\nbody\nwith LF", {}) == 27);
}

TEST_CASE("each limit of the head has its own answer") {
  const std::string long_target(4097, 'a');
  CHECK(Verdict("GET /" + long_target + " HTTP/1.1\r\nHost: a\r\n\r\n") == "URI_TOO_LONG");
  CHECK(Verdict("GET /" + std::string(4096, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n") == "URI_TOO_LONG");
  CHECK(Verdict("GET /" + std::string(20000, 'a')) == "URI_TOO_LONG");
  CHECK(Verdict("GET /" + std::string(4095, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n") == "OK");
  const std::size_t rest = Get("X: \r\n").size();
  CHECK(Verdict(Get("X: " + std::string(16384 - rest, 'a') + "\r\n")) == "OK");
  CHECK(Verdict(Get("X: " + std::string(16385 - rest, 'a') + "\r\n")) == "HEADERS_TOO_LARGE");
  CHECK(Verdict("GET / HTTP/1.1\r\nX: " + std::string(17000, 'a')) == "HEADERS_TOO_LARGE");
  std::string fields;
  for (int i = 0; i < 64; ++i) fields += "X: a\r\n";
  CHECK(Verdict(Get(fields)) == "HEADERS_TOO_LARGE");
}

}  // namespace
}  // namespace verdict::gateway
