#pragma once

#include <pqxx/result>

namespace verdict::pg {

// A row for readers of many columns. Each field of a pqxx::row has references of its own to the result, which
// are counted by atomic operations: several times of what it costs to look at the field. Here one field moves
// along the row. Not thread-safe.
class Row {
 public:
  explicit Row(const pqxx::row& row) : field_(row.begin()) {}

  // Valid until another one is asked for.
  const pqxx::field& operator[](int column) const {
    return field_ += column - static_cast<int>(field_.num());
  }

 private:
  mutable pqxx::const_row_iterator field_;
};

}  // namespace verdict::pg
