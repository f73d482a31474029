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
  // More than the second after which PostgreSQL looks for a deadlock, so that one is told from a long wait.
  std::chrono::milliseconds lock_timeout{2000};
  // Plans every statement once and not again for the arrays that it gets: for look-ups by index, which are as
  // right for ten elements as for thousands, and take less time than their planning.
  bool generic_plans = false;
};

}  // namespace verdict::pg
