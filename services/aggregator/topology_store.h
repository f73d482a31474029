#pragma once

#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "common/clock.h"
#include "common/ids/uuid.h"
#include "common/pg/pool.h"
#include "verdict/aggregator/v1/topology_service.pb.h"

namespace verdict::aggregator {

// Which spans, traces or sessions are wanted: those that pass all that is given. Ids are EntityKeys.
struct TopologySelection {
  std::optional<Uuid> id = {};
  std::optional<Uuid> within = {};      // of spans their trace, of traces their session
  std::optional<Time> start_date = {};  // of created_at, inclusive
  std::optional<Time> end_date = {};    // exclusive
  int limit = 0;
  int offset = 0;
};

// The reads of topology. Thread-safe; blocks. Each method passes on those between offset and limit,
// descending by created_at, then id, as PassOn does (store_read.h); stubs are not among them.
class TopologyStore {
 public:
  // Returns false when no more are wanted.
  template <typename Element>
  using Take = absl::FunctionRef<bool(Element)>;

  // Part of Statements() (statements.h), which the pools must have prepared.
  static std::vector<pg::Statement> TopologyStatements();

  // Both outlive the store.
  TopologyStore(pg::Pool& reads, pg::Pool& streams) : reads_(reads), streams_(streams) {}

  absl::Status ListSpans(const Uuid& project_id, const TopologySelection& selection,
                         Take<v1::Span> take) const;
  absl::Status ListTraces(const Uuid& project_id, const TopologySelection& selection,
                          Take<v1::Trace> take) const;
  absl::Status ListSessions(const Uuid& project_id, const TopologySelection& selection,
                            Take<v1::Session> take) const;

 private:
  // Passes on the rows of `list`, one of the three statements.
  template <typename Element>
  absl::Status List(const pg::Statement& list, const Uuid& project_id, const TopologySelection& selection,
                    Take<Element> take) const;

  pg::Pool& reads_;
  pg::Pool& streams_;
};

}  // namespace verdict::aggregator
