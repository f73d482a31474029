#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <pqxx/pqxx>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "common/ids/uuid.h"
#include "common/pg/execute.h"
#include "common/pg/pool.h"
#include "common/status/macros.h"
#include "services/aggregator/statements.h"

namespace verdict::aggregator {

// Up to so many bytes of elements are read on `reads` before the first is taken, which may then take its
// time; more through a cursor on `streams`, while the caller takes them.
inline constexpr std::size_t kReadBytes = 2 << 20;

// Passes on what `open` puts into the cursor, of one snapshot, until `take` returns false. Where that is more
// than kReadBytes, `open` is called again, in the transaction whose elements are taken. Fails as
// pg::WithTransaction does: also in the midst of it, when elements were taken already.
template <typename Element>
absl::Status PassOn(pg::Pool& reads, pg::Pool& streams, const Uuid& project_id,
                    absl::FunctionRef<absl::Status(pqxx::transaction_base&)> open,
                    Element (*element_from)(const pg::Row&), absl::FunctionRef<bool(Element)> take) {
  std::vector<Element> elements;
  std::size_t bytes = 0;
  RETURN_IF_ERROR(pg::WithSnapshot(reads, [&](pqxx::transaction_base& transaction) -> absl::Status {
    pg::Execute(transaction, kBeginRead, project_id);
    RETURN_IF_ERROR(open(transaction));
    pg::ForEachRow(transaction, kFetch, [&](const pg::Row& row) {
      bytes += elements.emplace_back(element_from(row)).ByteSizeLong();
      return bytes <= kReadBytes;
    });
    return absl::OkStatus();
  }));
  if (bytes <= kReadBytes) {
    for (Element& element : elements) {
      if (!take(std::move(element))) break;
    }
    return absl::OkStatus();
  }
  elements = {};
  return pg::WithSnapshot(streams, [&](pqxx::transaction_base& transaction) -> absl::Status {
    pg::Execute(transaction, kBeginStream, project_id);
    RETURN_IF_ERROR(open(transaction));
    pg::ForEachRow(transaction, kFetch, [&](const pg::Row& row) { return take(element_from(row)); });
    return absl::OkStatus();
  });
}

}  // namespace verdict::aggregator
