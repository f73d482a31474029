#include "common/pg/dsn.h"

#include <map>
#include <memory>

#include <libpq-fe.h>

#include "common/status/error.h"

namespace verdict::pg {
namespace {

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using ParsedDsn = std::unique_ptr<PQconninfoOption, FreeOptions>;

ParsedDsn ParseDsn(const std::string& dsn) {
  char* message = nullptr;
  ParsedDsn parsed(PQconninfoParse(dsn.c_str(), &message));
  PQfreemem(message);  // it quotes the DSN
  return parsed;
}

std::string Quote(const std::string& value) {
  std::string quoted = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '\'';
}

}  // namespace

bool IsDsn(const std::string& dsn) { return ParseDsn(dsn) != nullptr; }

absl::StatusOr<std::string> ConnectionString(const ConnectionOptions& options) {
  const ParsedDsn parsed = ParseDsn(options.dsn);
  if (parsed == nullptr) return InternalError("The DSN is neither a libpq connection string nor a URI.");

  std::map<std::string, std::string> settings = {
      {"application_name", options.application_name},
      {"connect_timeout", "2"},
      // A peer that is gone is noticed in seconds: in sending, and in waiting.
      {"tcp_user_timeout", "5000"},
      {"keepalives_idle", "10"},
      {"keepalives_interval", "5"},
      {"keepalives_count", "3"},
  };
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) settings[option->keyword] = option->val;
  }
  // What this code relies on, whatever the environment or the server's configuration say.
  settings["client_encoding"] = "UTF8";
  // Part of the connection, since a SET would cost a round trip. libpq would write notices to stderr, between
  // the lines of the log. The DSN's own options come last and win.
  settings["options"] =
      "-c bytea_output=hex -c client_min_messages=error"
      " -c idle_in_transaction_session_timeout=5000 -c statement_timeout=" +
      std::to_string(options.statement_timeout.count()) +
      " -c lock_timeout=" + std::to_string(options.lock_timeout.count()) +
      (options.generic_plans ? " -c plan_cache_mode=force_generic_plan " : " ") + settings["options"];

  std::string text;
  for (const auto& [keyword, value] : settings) text += keyword + '=' + Quote(value) + ' ';
  return text;
}

}  // namespace verdict::pg
