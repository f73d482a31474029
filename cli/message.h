#pragma once

#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "cli/command_line.h"
#include "common/clock.h"
#include "google/protobuf/message.h"

namespace verdict::cli {

// Sets the request's fields from the options that name one. Parse has checked the values; a duration
// becomes seconds or, where the field is a time, that long after `now`.
void Fill(google::protobuf::Message& request, const Invocation& invocation, Time now);

// The project that a call with this request acts for, which goes into its metadata: `--project`, unless
// the request is about the project itself. Empty for none.
std::string_view ProjectOf(const google::protobuf::Message& request, const Invocation& invocation);

// The message as our REST routes spell it: absent values left out, enum values in lower case, times in
// RFC 3339. For a response that holds one message, that message.
boost::json::object ToJson(const google::protobuf::Message& message);

// The same for people: a line for each value, and a table for each list.
std::string ToText(const boost::json::object& answer);

}  // namespace verdict::cli
