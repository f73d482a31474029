#include "tests/contract/smuggling_vectors.h"

#include <algorithm>
#include <iterator>

namespace verdict::test {
namespace {

using namespace std::string_literals;

// What an attacker wants to be taken for a request of its own.
const std::string kHidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

std::string Get(const std::string& fields) { return "GET /g HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n"; }

std::string Post(const std::string& fields, const std::string& rest) {
  return "POST /p HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + rest;
}

std::string Chunked(const std::string& chunks) { return Post("Transfer-Encoding: chunked\r\n", chunks); }

std::string Sized(const std::string& length) {
  return Post("Content-Length:" + length + "\r\n", "hello" + kHidden);
}

std::string Coded(const std::string& coding) {
  return Post("Transfer-Encoding:" + coding + "\r\n", "5\r\nhello\r\n0\r\n\r\n" + kHidden);
}

std::vector<SmugglingVector> Lengths() {
  const std::string chunks = "0\r\n\r\n" + kHidden;
  const std::string te = "Transfer-Encoding: chunked\r\n";
  return {
      {"one length", Sized(" 5"), "POST /p [hello] | GET /hidden []"},
      {"zeros before a length", Sized(" 0000000005"), "POST /p [hello] | GET /hidden []"},
      {"spaces around a length", Sized("   5   "), "POST /p [hello] | GET /hidden []"},
      {"a tab before a length", Sized("\t5")},
      {"a tab behind a length", Sized(" 5\t")},
      {"Content-Length, then Transfer-Encoding", Post("Content-Length: 5\r\n" + te, chunks)},
      {"Transfer-Encoding, then Content-Length", Post(te + "Content-Length: 5\r\n", chunks)},
      {"Transfer-Encoding and a length of nothing", Post(te + "Content-Length: 0\r\n", chunks)},
      {"two lengths", Post("Content-Length: 5\r\nContent-Length: 0\r\n", "hello" + kHidden)},
      {"one length twice", Post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")},
      {"a list of lengths", Sized(" 5, 6")},
      {"a list of one length", Sized(" 5, 5")},
      {"a length with a plus", Sized(" +5")},
      {"a length with a minus", Sized(" -5")},
      {"a negative zero", Sized(" -0")},
      {"a hexadecimal length", Sized(" 0x5")},
      {"a length with a letter behind", Sized(" 5x")},
      {"a length with a point", Sized(" 5.0")},
      {"two numbers", Sized(" 5 0")},
      {"no number", Sized("")},
      {"a quoted length", Sized(" \"5\"")},
      {"a vertical tab before a length", Sized("\x0b"
                                               "5")},
      {"NUL behind a length", Sized(" 5\0"s)},
      {"a length beyond 32 bits", Sized(" 4294967301")},
      {"a length beyond 64 bits", Sized(" 18446744073709551621")},
      {"a space before the length's colon", Post("Content-Length : 5\r\n", "hello" + kHidden)},
      {"a tab before the length's colon", Post("Content-Length\t: 5\r\n", "hello" + kHidden)},
      {"a length folded", Post("Content-Length:\r\n 5\r\n", "hello" + kHidden)},
      {"a length behind a fold", Post("X: a\r\n Content-Length: 5\r\n", "hello" + kHidden)},
      {"a length behind a bare CR", Post("X: a\rContent-Length: 5\r\n", "hello" + kHidden)},
      {"a length behind a bare LF", Post("X: a\nContent-Length: 5\r\n", "hello" + kHidden)},
      {"a length behind NUL", Post("X: a\0Content-Length: 5\r\n"s, "hello" + kHidden)},
      {"another name that looks like it", Post("Content_Length: 34\r\n", kHidden),
       "POST /p [] | GET /hidden []"},
      {"a request in a body", Post("Content-Length: 33\r\n", kHidden),
       "POST /p [GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n]"},
      {"a body of GET", Get("Content-Length: 33\r\n") + kHidden,
       "GET /g [GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n]"},
      {"a body shorter than its length", Post("Content-Length: 34\r\n", kHidden)},
      {"a body without a length", Post("", "hello"), "POST /p [] | refused"},
      {"a second request behind a body", Post("Content-Length: 2\r\n", "ab" + kHidden),
       "POST /p [ab] | GET /hidden []"},
      {"CRLF too many behind a body", Post("Content-Length: 2\r\n", "ab\r\n" + kHidden),
       "POST /p [ab] | GET /hidden []"},
      {"LF too many behind a body", Post("Content-Length: 2\r\n", "ab\n" + kHidden),
       "POST /p [ab] | refused"},
  };
}

std::vector<SmugglingVector> Codings() {
  const std::string hello = "POST /p [hello] | GET /hidden []";
  const std::string chunks = "5\r\nhello\r\n0\r\n\r\n" + kHidden;
  return {
      {"chunked", Coded(" chunked"), hello},
      {"chunked in capitals", Coded(" CHUNKED"), hello},
      {"spaces around chunked", Coded("  chunked  "), hello},
      {"a tab before chunked", Coded("\tchunked")},
      {"a tab behind chunked", Coded(" chunked\t")},
      {"xchunked", Coded(" xchunked")},
      {"chunkedx", Coded(" chunkedx")},
      {"chunked, identity", Coded(" chunked, identity")},
      {"identity", Coded(" identity")},
      {"identity, chunked", Coded(" identity, chunked")},
      {"gzip, chunked", Coded(" gzip, chunked")},
      {"chunked, chunked", Coded(" chunked, chunked")},
      {"a comma before chunked", Coded(" ,chunked")},
      {"a comma behind chunked", Coded(" chunked,")},
      {"a parameter of chunked", Coded(" chunked;a=b")},
      {"chunked in quotes", Coded(" \"chunked\"")},
      {"a vertical tab before chunked", Coded("\x0b"
                                              "chunked")},
      {"a form feed behind chunked", Coded(" chunked\x0c")},
      {"NUL behind chunked", Coded(" chunked\0"s)},
      {"no-break space before chunked", Coded(" \xa0"
                                              "chunked")},
      {"an empty coding", Coded("")},
      {"a coding folded", Coded("\r\n chunked")},
      {"a space before the coding's colon", Post("Transfer-Encoding : chunked\r\n", chunks)},
      {"a coding behind a bare CR", Post("X: a\rTransfer-Encoding: chunked\r\n", chunks)},
      {"a coding behind a bare LF", Post("X: a\nTransfer-Encoding: chunked\r\n", chunks)},
      {"chunked twice", Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunks)},
      {"chunked, then identity",
       Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", chunks)},
      {"another name that looks like it",
       Post("Transfer_Encoding: chunked\r\nContent-Length: 5\r\n", "hello"), "POST /p [hello]"},
      {"a coding in HTTP/1.0", "POST /p HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks},
      {"a coding of GET", Get("Transfer-Encoding: chunked\r\n") + chunks, "GET /g [hello] | GET /hidden []"},
  };
}

std::vector<SmugglingVector> Chunks() {
  const std::string end = "0\r\n\r\n" + kHidden;
  const std::string hello = "POST /p [hello] | GET /hidden []";
  const auto sized = [&](const std::string& size) { return Chunked(size + "\r\nhello\r\n" + end); };
  const auto extended = [&](const std::string& extension) { return sized("5" + extension); };
  const auto trailed = [&](const std::string& trailers) {
    return Chunked("5\r\nhello\r\n0\r\n" + trailers + "\r\n" + kHidden);
  };
  return {
      {"zeros before a size", sized("0000000000000005"), hello},
      {"a size in capitals", Chunked("A\r\n0123456789\r\n" + end), "POST /p [0123456789] | GET /hidden []"},
      {"a size with a minus", sized("-5")},
      {"a size with a plus", sized("+5")},
      {"a size with 0x", sized("0x5")},
      {"a space before a size", sized(" 5")},
      {"no size", sized("")},
      {"a size that is no number", sized("five")},
      {"a size beyond 64 bits", sized("10000000000000005")},
      {"the largest size", sized("ffffffffffffffff")},
      {"a size of 63 bits", sized("7fffffffffffffff")},
      {"a size with an underscore", Chunked("1_0\r\nhellohellohello1\r\n" + end)},
      {"an extension", extended(";a=b"), hello},
      {"an extension without a value", extended(";a"), hello},
      {"an extension in quotes", extended(";a=\"b;c\""), hello},
      {"quotes that do not end", extended(";a=\"b")},
      {"CRLF in quotes", Chunked("5;a=\"\r\nhello\r\n0\r\n\r\n" + kHidden)},
      {"an empty extension", extended(";")},
      {"an extension without a semicolon", extended(" a")},
      {"a bare LF in an extension", Chunked("5;a\nhello\r\n" + end)},
      {"a bare LF in an extension, and a chunk in it",
       Chunked("5;\nhello\r\n0\r\n\r\nGET /x HTTP/1.1\r\n" + end)},
      {"a bare CR in an extension", Chunked("5;a\rb\r\nhello\r\n" + end)},
      {"NUL in an extension", Chunked("5;a\0b\r\nhello\r\n"s + end)},
      {"257 bytes of extension", extended(";" + std::string(256, 'a'))},
      {"extensions of many chunks", Chunked([] {
         std::string chunks;
         for (int i = 0; i < 10; ++i) chunks += "1;" + std::string(99, 'a') + "\r\nx\r\n";
         return chunks;
       }() + end)},
      {"a bare LF behind a size", Chunked("5\nhello\r\n" + end)},
      {"a bare CR behind a size", Chunked("5\rhello\r\n" + end)},
      {"no CRLF behind a chunk", Chunked("5\r\nhello0\r\n\r\n" + kHidden)},
      {"LF behind a chunk", Chunked("5\r\nhello\n" + end)},
      {"CR behind a chunk", Chunked("5\r\nhello\r" + end)},
      {"two other bytes behind a chunk", Chunked("5\r\nhelloxx" + end)},
      {"a chunk longer than its size", Chunked("5\r\nhello!\r\n" + end)},
      {"a chunk shorter than its size", Chunked("6\r\nhello\r\n" + end)},
      {"no last chunk", Chunked("5\r\nhello\r\n")},
      {"a last chunk that ends in LF", Chunked("5\r\nhello\r\n0\n\n" + kHidden)},
      {"a last chunk with an empty line that ends in LF", Chunked("5\r\nhello\r\n0\r\n\n" + kHidden)},
      {"a last chunk of many zeros", Chunked("5\r\nhello\r\n0000\r\n\r\n" + kHidden), hello},
      {"a last chunk without its empty line", Chunked("5\r\nhello\r\n0\r\n" + kHidden)},
      {"a trailer", trailed("X: a\r\n"), hello},
      {"a length as trailer", trailed("Content-Length: 33\r\n")},
      {"a coding as trailer", trailed("Transfer-Encoding: chunked\r\n")},
      {"a host as trailer", trailed("Host: b\r\n"), hello},
      {"an upgrade as trailer", trailed("Connection: upgrade\r\nUpgrade: h2c\r\n"), hello},
      {"a trailer that ends in LF", trailed("X: a\n")},
      {"a trailer with a bare CR", trailed("X: a\rb\r\n")},
      {"a trailer with NUL", trailed("X: \0\r\n"s)},
      {"a trailer without a colon", trailed("X\r\n")},
      {"a trailer that is folded", trailed("X: a\r\n b\r\n"), hello},
      {"a trailer with a space before its colon", trailed("X : a\r\n")},
  };
}

std::vector<SmugglingVector> Heads() {
  return {
      {"bare LF throughout", "GET /g HTTP/1.1\nHost: a\n\n"},
      {"bare LF before the empty line", "GET /g HTTP/1.1\r\nHost: a\n\r\n" + kHidden},
      {"bare LF as empty line", "GET /g HTTP/1.1\r\nHost: a\r\n\n" + kHidden},
      {"bare CR as line end", "GET /g HTTP/1.1\rHost: a\r\r" + kHidden},
      {"CRLF before a request", "\r\n\r\n" + Get(""), "GET /g []"},
      {"LF before a request", "\n" + Get("")},
      {"CR before a request", "\r" + Get("")},
      {"a space before a request", " " + Get("")},
      {"obs-fold", Get("X: a\r\n b\r\n")},
      {"obs-fold with a tab", Get("X: a\r\n\tb\r\n")},
      {"a fold before the first field", "GET /g HTTP/1.1\r\n X: a\r\nHost: a\r\n\r\n"},
      {"a space before a colon", Get("X : a\r\n")},
      {"no colon", Get("X\r\n")},
      {"no name", Get(": a\r\n")},
      {"a control character in a name", Get("X\x01: a\r\n")},
      {"NUL in a name", Get("X\0: a\r\n"s)},
      {"NUL in a value", Get("X: a\0b\r\n"s)},
      {"ESC in a value", Get("X: a\x1b\r\n")},
      {"a byte beyond ASCII in a name", Get("X\xff: a\r\n")},
      {"bytes beyond ASCII in a value", Get("X: \xc3\xa9\xff\r\n"), "GET /g []"},
      {"no Host", "GET /g HTTP/1.1\r\n\r\n"},
      {"two Hosts", Get("Host: b\r\n")},
      {"one Host twice", Get("Host: a\r\n")},
      {"an empty Host", "GET /g HTTP/1.1\r\nHost:\r\n\r\n"},
      {"a path in Host", "GET /g HTTP/1.1\r\nHost: a/b\r\n\r\n"},
      {"a user in Host", "GET /g HTTP/1.1\r\nHost: u@a\r\n\r\n"},
      {"two names in Host", "GET /g HTTP/1.1\r\nHost: a, b\r\n\r\n"},
      {"a space in Host", "GET /g HTTP/1.1\r\nHost: a b\r\n\r\n"},
      {"HTTP/1.0 without Host", "GET /g HTTP/1.0\r\n\r\n" + kHidden, "GET /g []"},
      {"HTTP/1.0 that would be kept", "GET /g HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
       "GET /g []"},
      {"absolute form", "GET http://a/g HTTP/1.1\r\nHost: a\r\n\r\n", "GET /g []"},
      {"absolute form with another Host", "GET http://b/g HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"absolute form with a user", "GET http://u@a/g HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"absolute form without Host", "GET http://a/g HTTP/1.1\r\n\r\n"},
      {"absolute form of another scheme", "GET file://a/g HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"a target that is no path", "GET g HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"an authority with GET", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"an asterisk with GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"a fragment", "GET /g#f HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"two spaces before a target", "GET  /g HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"two spaces behind a target", "GET /g  HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"a space in a target", "GET /g h HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"a version in a target", "GET /g HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"tabs in a request line", "GET\t/g\tHTTP/1.1\r\nHost: a\r\n\r\n"},
      {"a space behind a version", "GET /g HTTP/1.1 \r\nHost: a\r\n\r\n"},
      {"NUL in a target", "GET /g\0h HTTP/1.1\r\nHost: a\r\n\r\n"s},
      {"a byte beyond ASCII in a target", "GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"HTTP/0.9", "GET /g\r\n\r\n"},
      {"HTTP/0.9 with a version", "GET /g HTTP/0.9\r\nHost: a\r\n\r\n"},
      {"HTTP/1.2", "GET /g HTTP/1.2\r\nHost: a\r\n\r\n"},
      {"HTTP/2.0", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {"HTTP/1.10", "GET /g HTTP/1.10\r\nHost: a\r\n\r\n"},
      {"HTTP/01.1", "GET /g HTTP/01.1\r\nHost: a\r\n\r\n"},
      {"a version in lower case", "GET /g http/1.1\r\nHost: a\r\n\r\n"},
      {"another protocol", "GET /g ICE/1.1\r\nHost: a\r\n\r\n"},
      {"NUL in a method", "GE\0T /g HTTP/1.1\r\nHost: a\r\n\r\n"s},
      {"a hello of TLS", "\x16\x03\x01\x02\x00\x01\r\n\r\n"s},
      {"three requests at once", Get("") + Post("Content-Length: 1\r\n", "x") + kHidden,
       "GET /g [] | POST /p [x] | GET /hidden []"},
      {"a refused one between two", Get("") + Get("X : a\r\n") + kHidden, "GET /g [] | refused"},
      {"a request behind the last", Get("Connection: close\r\n") + kHidden, "GET /g []"},
      {"an expectation", Post("Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"), "POST /p [hello]"},
      {"an upgrade", Get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n") + kHidden,
       "GET /g [] | GET /hidden []"},
      {"a length named in Connection",
       Post("Connection: content-length\r\nContent-Length: 5\r\n", "hello" + kHidden),
       "POST /p [hello] | GET /hidden []"},
  };
}

}  // namespace

std::vector<SmugglingVector> SmugglingVectors() {
  std::vector<SmugglingVector> all;
  for (auto* part : {&Lengths, &Codings, &Chunks, &Heads}) std::ranges::move(part(), std::back_inserter(all));
  return all;
}

}  // namespace verdict::test
