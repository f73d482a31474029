#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// What stands between a client's bytes and the HTTP parser: a header section that two parsers could
// understand differently is refused here, before anything acts on it (RFC 9112, sections 2, 3, 5, 6).
namespace verdict::gateway {

// The largest header section that is read.
struct HeadLimits {
  std::size_t bytes = 16 * 1024;    // request line and fields
  std::size_t target_bytes = 4096;  // the request target
  std::size_t fields = 64;
};

// A request up to its body. All views point into the header section that was parsed.
struct RequestHead {
  std::string_view method = {};
  std::string_view path = {};   // undecoded; "*" or HOST:PORT in the forms of OPTIONS and CONNECT
  std::string_view query = {};  // what follows '?', undecoded
  bool http_1_0 = false;
  bool keep_alive = true;                            // the client takes another answer on the connection
  bool chunked = false;                              // the body's framing, if it has one:
  std::optional<std::uint64_t> content_length = {};  // never together with `chunked`
  bool expects_continue = false;                     // 100 (Continue) is to precede the body
  std::vector<std::pair<std::string_view, std::string_view>> fields = {};

  bool has_body() const { return chunked || content_length.value_or(0) > 0; }

  // The value of the first field of this name, in any case; nullopt when there is none.
  std::optional<std::string_view> Field(std::string_view name) const;
};

// Looks for the end of the header section in what has arrived so far. Its length, 0 when more is needed.
// URI_TOO_LONG or HEADERS_TOO_LARGE once it cannot fit, BAD_REQUEST on a line that does not end in CRLF.
absl::StatusOr<std::size_t> FindHeadEnd(std::string_view received, const HeadLimits& limits);

// Parses a whole header section, up to and including its empty line. BAD_REQUEST when it is malformed or
// ambiguous, URI_TOO_LONG or HEADERS_TOO_LARGE. After an error the connection's bytes have no known
// meaning: answer and close.
absl::StatusOr<RequestHead> ParseHead(std::string_view section, const HeadLimits& limits);

}  // namespace verdict::gateway
