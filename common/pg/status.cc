#include "common/pg/status.h"

#include <chrono>
#include <string>
#include <string_view>

#include <pqxx/except>

#include "common/status/error.h"

namespace verdict::pg {
namespace {

constexpr std::chrono::milliseconds kRetryAfter{1000};

// The SQLSTATE of an exception; "" when the server did not send it.
std::string SqlState(const std::exception& error) {
  // libpqxx has types of their own for class 40, without the code.
  if (dynamic_cast<const pqxx::serialization_failure*>(&error)) return "40001";
  if (dynamic_cast<const pqxx::deadlock_detected*>(&error)) return "40P01";
  if (dynamic_cast<const pqxx::statement_completion_unknown*>(&error)) return "40003";
  const auto* sql_error = dynamic_cast<const pqxx::sql_error*>(&error);
  return sql_error == nullptr ? "" : sql_error->sqlstate();
}

std::string_view FirstLine(std::string_view text) { return text.substr(0, text.find('\n')); }

// What goes to the log: the first line of a message has names, the others and all of class 22 ("data
// exception") also have the values that a caller sent.
std::string CauseOf(const std::exception& error, std::string_view state) {
  if (state.starts_with("22")) return "the database refused a value: " + std::string(state);
  if (dynamic_cast<const pqxx::conversion_error*>(&error)) return "a value of the database cannot be read";
  return std::string(FirstLine(error.what()));
}

// The constraint's name in a message of verbose form.
std::string ConstraintOf(std::string_view message) {
  constexpr std::string_view kLabel = "\nCONSTRAINT NAME:  ";
  const size_t label = message.find(kLabel);
  if (label == std::string_view::npos) return "";
  return std::string(FirstLine(message.substr(label + kLabel.size())));
}

bool IsUnavailable(std::string_view state) {
  return state.starts_with("08") || state.starts_with("53") || state.starts_with("57P") ||
         state.starts_with("40") || state == "25006" || state == "55P03";
}

}  // namespace

absl::Status StatusOf(const std::exception& error) {
  const std::string state = SqlState(error);
  if (state == "23505") {
    return MakeError(errors::v1::REASON_ALREADY_EXISTS, "It exists already.",
                     {.metadata = {{kConstraint, ConstraintOf(error.what())}}});
  }
  if (state == "22021" || state == "22P05") {
    return MakeError(errors::v1::REASON_INVALID_TEXT, "A text contains U+0000 or is not UTF-8.");
  }
  if (state == "57014") {
    return MakeError(errors::v1::REASON_DEADLINE_EXCEEDED,
                     "The database did not answer in time. Nothing was stored.");
  }
  if (IsConnectionLost(error) || IsUnavailable(state)) return Unavailable();
  return InternalError(CauseOf(error, state));
}

absl::Status Unavailable() {
  return MakeError(errors::v1::REASON_UNAVAILABLE, "The database cannot be reached. Nothing was stored.",
                   {.retry_after = kRetryAfter});
}

absl::Status Overloaded() {
  return MakeError(errors::v1::REASON_OVERLOADED, "Too much work is waiting. Nothing was stored.",
                   {.retry_after = kRetryAfter});
}

absl::Status OutcomeUnknown() {
  return MakeError(errors::v1::REASON_OUTCOME_UNKNOWN, "The write may or may not have been stored.",
                   {.retry_after = kRetryAfter});
}

bool IsConflict(const std::exception& error) {
  const std::string state = SqlState(error);
  return state == "40001" || state == "40P01";
}

bool IsConnectionLost(const std::exception& error) {
  if (dynamic_cast<const pqxx::broken_connection*>(&error)) return true;
  if (dynamic_cast<const pqxx::in_doubt_error*>(&error)) return true;
  const std::string state = SqlState(error);
  // 57P: the server ends the connection; a COMMIT may have gone before it.
  return state.starts_with("08") || state.starts_with("57P") || state == "40003";
}

bool IsReadOnly(const std::exception& error) { return SqlState(error) == "25006"; }

}  // namespace verdict::pg
