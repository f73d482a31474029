#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "verdict/errors/v1/reason.pb.h"

namespace verdict::gateway {

// Header fields; the names are constants.
using Fields = std::vector<std::pair<std::string_view, std::string>>;

// An answer, or the head of a streamed one. What every answer carries (Date, X-Request-Id, its framing) is
// added when it is sent.
struct Response {
  int status = 200;
  Fields fields = {};
  std::string body = {};
  std::string_view lasting_body = {};  // in place of `body`: a text that outlives the exchange
  errors::v1::Reason reason = errors::v1::REASON_UNSPECIFIED;  // why the request failed, for the log

  void AddField(std::string_view name, std::string_view value) { fields.emplace_back(name, value); }
};

}  // namespace verdict::gateway
