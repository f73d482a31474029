#include "gateway/framing_guard.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "common/status/macros.h"

namespace verdict::gateway {
namespace {

using errors::v1::REASON_BAD_REQUEST;
using errors::v1::REASON_HEADERS_TOO_LARGE;
using errors::v1::REASON_URI_TOO_LONG;

constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr std::size_t kMethodMax = 32;  // a method is logged: it shall not fill the log

absl::Status BadRequest(std::string_view message) { return MakeError(REASON_BAD_REQUEST, message); }

absl::Status TooLong(const HeadLimits& limits) {
  return MakeError(REASON_URI_TOO_LONG,
                   absl::StrCat("The request target is longer than ", limits.target_bytes, " bytes."));
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase({a.data(), a.size()}, {b.data(), b.size()});
}

bool IsAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool IsTokenChar(char c) {
  return IsAlphanumeric(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// Visible ASCII; in a target '#' would begin a fragment, which is never sent.
bool IsTargetChar(char c) { return c > ' ' && c < '\x7f' && c != '#'; }

bool IsValueChar(char c) { return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != '\x7f'); }

// Of a host, a port and the brackets around an IPv6 address; '@' is left out, so there is no user either.
bool IsHostChar(char c) {
  return IsAlphanumeric(c) || std::string_view("-._~%!$&'()*+,;=:[]").find(c) != std::string_view::npos;
}

bool All(std::string_view text, bool (*is)(char)) { return !text.empty() && std::ranges::all_of(text, is); }

// Without the spaces around it. A tab is white space too, but not to all parsers: it stays, and a field that
// says where a message ends is refused with it.
std::string_view Trim(std::string_view value) {
  const auto first = value.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return value.substr(first, value.find_last_not_of(' ') - first + 1);
}

// Removes and returns the text before the next `separator`, or all of it.
std::string_view Cut(std::string_view& rest, std::string_view separator) {
  const auto at = rest.find(separator);
  const std::string_view piece = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + separator.size());
  return piece;
}

// Sets path and query, and the authority of the absolute and the authority form.
absl::Status ParseTarget(std::string_view target, RequestHead& head, std::string_view& authority) {
  if (!All(target, IsTargetChar)) return BadRequest("The request target is not visible ASCII.");
  if (head.method == "CONNECT") {
    head.path = authority = target;
    return absl::OkStatus();
  }
  if (target == "*" && head.method == "OPTIONS") {
    head.path = target;
    return absl::OkStatus();
  }
  if (target.front() != '/') {
    const auto scheme = target.find("://");
    if (scheme == std::string_view::npos || (!EqualsIgnoringCase(target.substr(0, scheme), "http") &&
                                             !EqualsIgnoringCase(target.substr(0, scheme), "https"))) {
      return BadRequest("The request target is neither a path nor an http URL.");
    }
    const std::string_view rest = target.substr(scheme + 3);
    const auto path = std::min(rest.find_first_of("/?"), rest.size());
    authority = rest.substr(0, path);
    if (authority.empty()) return BadRequest("The request target names no host.");
    target = rest.substr(path);
  }
  const auto question = target.find('?');
  head.path = target.substr(0, question);
  if (head.path.empty()) head.path = "/";
  if (question != std::string_view::npos) head.query = target.substr(question + 1);
  return absl::OkStatus();
}

absl::Status ParseRequestLine(std::string_view line, const HeadLimits& limits, RequestHead& head,
                              std::string_view& authority) {
  head.method = Cut(line, " ");
  if (!All(head.method, IsTokenChar)) return BadRequest("The request line does not begin with a method.");
  if (head.method.size() > kMethodMax) {
    return BadRequest(absl::StrCat("The method is longer than ", kMethodMax, " bytes."));
  }
  const std::string_view target = Cut(line, " ");
  if (target.size() > limits.target_bytes) return TooLong(limits);
  if (line != "HTTP/1.1" && line != "HTTP/1.0") {
    return BadRequest("The request line does not end in HTTP/1.1 or HTTP/1.0.");
  }
  head.http_1_0 = line == "HTTP/1.0";
  return ParseTarget(target, head, authority);
}

absl::Status ParseField(std::string_view line, RequestHead& head) {
  if (line.front() == ' ' || line.front() == '\t') {
    return BadRequest("A header field is continued on a second line.");
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return BadRequest("A header field has no colon.");
  const std::string_view name = line.substr(0, colon);
  if (!All(name, IsTokenChar)) return BadRequest("A header field's name is not a token.");
  const std::string_view value = Trim(line.substr(colon + 1));
  if (!std::ranges::all_of(value, IsValueChar)) {
    return BadRequest("A header field's value contains a control character.");
  }
  head.fields.emplace_back(name, value);
  return absl::OkStatus();
}

// Fields whose repetition could be read as either value.
absl::Status CheckSingletons(const RequestHead& head) {
  for (const std::string_view name :
       {"Host", "Content-Length", "Transfer-Encoding", "Content-Type", "Content-Encoding", "Expect",
        "Authorization", "X-Api-Key", "Idempotency-Key"}) {
    const auto named = [&](const auto& field) { return EqualsIgnoringCase(field.first, name); };
    if (std::ranges::count_if(head.fields, named) > 1) {
      return BadRequest(absl::StrCat(std::string(name), " is present twice."));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckHost(const RequestHead& head, std::string_view authority) {
  const auto host = head.Field("Host");
  if (!host) return head.http_1_0 ? absl::OkStatus() : BadRequest("Host is missing.");
  if (!All(*host, IsHostChar)) return BadRequest("Host is not a host name or address.");
  if (!authority.empty() && !EqualsIgnoringCase(*host, authority)) {
    return BadRequest("Host differs from the host of the request target.");
  }
  return absl::OkStatus();
}

absl::Status ReadFraming(RequestHead& head) {
  const auto transfer_encoding = head.Field("Transfer-Encoding");
  const auto content_length = head.Field("Content-Length");
  if (transfer_encoding) {
    if (content_length) return BadRequest("Both Content-Length and Transfer-Encoding are present.");
    if (head.http_1_0) return BadRequest("HTTP/1.0 has no Transfer-Encoding.");
    if (!EqualsIgnoringCase(*transfer_encoding, "chunked")) {
      return BadRequest("The only Transfer-Encoding is `chunked`.");
    }
    head.chunked = true;
  }
  if (content_length) {
    std::uint64_t length = 0;
    const char* end = content_length->data() + content_length->size();
    const auto [stop, error] = std::from_chars(content_length->data(), end, length);
    if (error != std::errc() || stop != end) return BadRequest("Content-Length is not a number.");
    head.content_length = length;
  }
  return absl::OkStatus();
}

absl::Status ReadConnection(RequestHead& head) {
  head.keep_alive = !head.http_1_0;
  for (const auto& [name, value] : head.fields) {
    if (!EqualsIgnoringCase(name, "Connection")) continue;
    for (std::string_view rest = value; !rest.empty();) {
      if (EqualsIgnoringCase(Trim(Cut(rest, ",")), "close")) head.keep_alive = false;
    }
  }
  if (const auto expect = head.Field("Expect")) {
    if (!EqualsIgnoringCase(*expect, "100-continue")) {
      return BadRequest("The only expectation is `100-continue`.");
    }
    head.expects_continue = !head.http_1_0;
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<std::string_view> RequestHead::Field(std::string_view name) const {
  const auto found =
      std::ranges::find_if(fields, [&](const auto& field) { return EqualsIgnoringCase(field.first, name); });
  if (found == fields.end()) return std::nullopt;
  return found->second;
}

absl::StatusOr<std::size_t> FindHeadEnd(std::string_view received, const HeadLimits& limits) {
  const auto end = received.find(kEndOfHead);
  const std::size_t length = end == std::string_view::npos ? 0 : end + kEndOfHead.size();
  const std::string_view head = received.substr(0, length == 0 ? received.size() : length);
  // A bare LF is refused at once, or a client that ends all its lines so would wait for the time to run out.
  for (auto lf = head.find('\n'); lf != std::string_view::npos; lf = head.find('\n', lf + 1)) {
    if (lf == 0 || head[lf - 1] != '\r') return BadRequest("A line does not end in CRLF.");
  }
  if (head.size() > limits.bytes) {
    // The request line alone fills it: say so.
    if (head.substr(0, limits.target_bytes).find('\n') == std::string_view::npos) return TooLong(limits);
    return MakeError(REASON_HEADERS_TOO_LARGE,
                     absl::StrCat("The header section is larger than ", limits.bytes, " bytes."));
  }
  return length;
}

absl::StatusOr<RequestHead> ParseHead(std::string_view section, const HeadLimits& limits) {
  RequestHead head;
  std::string_view authority;
  section.remove_suffix(kEndOfHead.size());
  RETURN_IF_ERROR(ParseRequestLine(Cut(section, "\r\n"), limits, head, authority));
  while (!section.empty()) {
    if (head.fields.size() == limits.fields) {
      return MakeError(REASON_HEADERS_TOO_LARGE,
                       absl::StrCat("The header section has more than ", limits.fields, " fields."));
    }
    RETURN_IF_ERROR(ParseField(Cut(section, "\r\n"), head));
  }
  RETURN_IF_ERROR(CheckSingletons(head));
  RETURN_IF_ERROR(CheckHost(head, authority));
  RETURN_IF_ERROR(ReadFraming(head));
  RETURN_IF_ERROR(ReadConnection(head));
  return head;
}

}  // namespace verdict::gateway
