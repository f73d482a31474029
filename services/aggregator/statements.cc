#include "services/aggregator/statements.h"

#include "services/aggregator/aggregator_store.h"
#include "services/aggregator/evaluation_store.h"
#include "services/aggregator/topology_store.h"

namespace verdict::aggregator {

std::vector<pg::Statement> Statements() {
  std::vector<pg::Statement> statements = {kBeginRead, kBeginStream, kFetch, kFetchShort, kClose};
  for (const auto& part : {AggregatorStore::ItemStatements(), EvaluationStore::EvaluationStatements(),
                           TopologyStore::TopologyStatements()}) {
    statements.insert(statements.end(), part.begin(), part.end());
  }
  return statements;
}

}  // namespace verdict::aggregator
