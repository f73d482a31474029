#include "common/pg/execute.h"

#include <string>
#include <utility>
#include <vector>

#include <pqxx/except>
#include <pqxx/internal/statement_parameters.hxx>

#include "common/pg/connection.h"
#include "common/status/error.h"
#include "common/status/macros.h"

namespace verdict::pg {
namespace {

// A parameter as libpqxx copies it.
struct Value {
  const Param* param = nullptr;
};

}  // namespace
}  // namespace verdict::pg

template <>
struct pqxx::string_traits<verdict::pg::Value> {
  static constexpr bool has_null() { return true; }
  static bool is_null(verdict::pg::Value value) { return value.param->is_null(); }
  static std::string to_string(verdict::pg::Value value) { return std::string(value.param->text()); }
};

namespace verdict::pg {

pqxx::result ExecuteParams(pqxx::transaction_base& transaction, const Statement& statement,
                           std::span<const Param> params) {
  std::vector<Value> values;
  values.reserve(params.size());
  for (const Param& param : params) {
    // libpqxx ends a text at its first NUL without a word. What PostgreSQL would answer, did it see it:
    if (param.text().find('\0') != std::string_view::npos) {
      throw pqxx::data_exception("A parameter contains U+0000 or a number that is not finite.", statement.sql,
                                 "22021");
    }
    values.push_back({&param});
  }
  return transaction.exec_prepared(statement.name, pqxx::prepare::make_dynamic_params(values));
}

absl::StatusOr<pqxx::result> ExecuteParams(Pool& pool, Access access, const Statement& statement,
                                           std::span<const Param> params) {
  ASSIGN_OR_RETURN(Pool::Lease lease, pool.Acquire());
  return lease->Execute(access, statement, params);
}

void ForEachRow(pqxx::transaction_base& transaction, const Statement& fetch,
                absl::FunctionRef<bool(const Row&)> take) {
  for (;;) {
    const pqxx::result rows = Execute(transaction, fetch);
    if (rows.empty()) return;
    for (const pqxx::row& row : rows) {
      if (!take(Row(row))) return;
    }
  }
}

absl::Status WithTransaction(Pool& pool, Isolation isolation,
                             absl::FunctionRef<absl::Status(pqxx::transaction_base&)> body) {
  ASSIGN_OR_RETURN(Pool::Lease lease, pool.Acquire());
  return lease->Transact(isolation, body);
}

absl::Status WithSnapshot(Pool& pool, absl::FunctionRef<absl::Status(pqxx::transaction_base&)> body) {
  bool begun = false;
  return WithTransaction(pool, Isolation::kRepeatableRead,
                         [&](pqxx::transaction_base& transaction) -> absl::Status {
                           if (std::exchange(begun, true))
                             return InternalError("A transaction that only reads was to be repeated.");
                           return body(transaction);
                         });
}

}  // namespace verdict::pg
