#pragma once

#include <chrono>
#include <span>
#include <string>

namespace verdict::pg {

// One SQL statement under its name: the name it bears as a prepared statement on the server, and in the code.
struct Statement {
  const char* name = "";
  const char* sql = "";
};

// Whether a statement stores something. A write whose connection is lost may have been stored: its outcome is
// unknown and it is never repeated. A read can be repeated.
enum class Access { kRead, kWrite };

// How to connect, and what holds on every connection.
struct ConnectionOptions {
  std::string dsn =
      {};  // a libpq connection string or URI; several hosts and target_session_attrs are welcome
  std::string application_name = {};
  std::span<const Statement> statements = {};  // prepared on every connection; must outlive it
  std::chrono::milliseconds statement_timeout{4000};
  std::chrono::milliseconds lock_timeout{1000};
};

}  // namespace verdict::pg
