#pragma once

#include <array>
#include <cstddef>
#include <tuple>
#include <utility>

#include <pqxx/result>
#include <pqxx/transaction_base>

#include "absl/status/statusor.h"
#include "common/pg/execute.h"
#include "common/pg/param.h"
#include "common/pg/session.h"
#include "common/pg/statement.h"

namespace verdict::pg {

// The rows of a batch as a statement takes them: one array for each of its columns, $1 the first.
template <size_t kColumns>
class Columns {
 public:
  template <typename... Values>
  void AddRow(const Values&... values) {
    static_assert(sizeof...(Values) == kColumns);
    size_t column = 0;
    (arrays_[column++].Add(values), ...);
  }

  // Each may be called once.
  absl::StatusOr<pqxx::result> Execute(Session& session, Access access, const Statement& statement) {
    return std::apply(
        [&](auto&... arrays) { return session.Execute(access, statement, std::move(arrays)...); }, arrays_);
  }
  pqxx::result Execute(pqxx::transaction_base& transaction, const Statement& statement) {
    return std::apply(
        [&](auto&... arrays) { return pg::Execute(transaction, statement, std::move(arrays)...); }, arrays_);
  }

 private:
  std::array<Array, kColumns> arrays_;
};

}  // namespace verdict::pg
