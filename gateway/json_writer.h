#pragma once

#include <string>
#include <string_view>

#include "gateway/json_plan.h"
#include "gateway/route_table.h"

namespace verdict::gateway {

// Appends `text`, which is UTF-8, as a JSON string with its quotes.
void AppendJsonString(std::string_view text, std::string& out);

// Appends a message of the plan's type, given by its bytes, as a JSON object without whitespace. In our
// style: fields that can be absent when they are set, the others always, but for maps, which are left out
// when empty and otherwise sorted by key; enums as lower-case names, those without a value left out; 64-bit
// integers as numbers, times as RFC 3339 in UTC with milliseconds; bytes as hex digits; the text of `json`
// fields as it is. In OTLP's: fields that are set (those that cannot be absent, when they are not zero or
// empty); 64-bit integers as strings. No member is null. False, and what was appended is worth nothing, when
// the bytes are no such message as protobuf writes them, or have a text that is not UTF-8.
bool AppendJson(const MessagePlan& plan, std::string_view message, std::string& out);

// Appends the answer of a unary route: its response_body, or the whole message. False as AppendJson.
bool AppendResponse(const Route& route, std::string_view response, std::string& out);

// Writes the messages of a streamed route. As one object: everything of the first message, with the items of
// all messages in the one array that `stream_into` names, and then what else later messages set. As that
// array and nothing else, where it is the response_body. Or, for a route that answers lines, each item and a
// line feed: an object has no other, since the text of `json` fields is PostgreSQL's.
class ResponseStream {
 public:
  // `route` has items, and outlives the stream.
  explicit ResponseStream(const Route& route) : route_(route) {}

  // Appends the next message. False as AppendJson.
  bool Append(std::string_view response, std::string& out);

  // Appends the end. At least one message came before, unless the route answers lines.
  void Finish(std::string& out);

 private:
  const Route& route_;
  bool has_begun_ = false;
  bool has_items_ = false;
  std::string trailer_;  // members of later messages
};

}  // namespace verdict::gateway
