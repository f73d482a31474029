#pragma once

#include "common/metrics/metrics.h"

namespace verdict::aggregator {

// The aggregator service's own metrics; those of its RPCs and pools come with them.
struct Metrics {
  explicit Metrics(metrics::Registry& registry)
      : entity_items(registry.Histogram("verdict_aggregator_entity_items",
                                        "Items on an entity that was read.",
                                        {0, 1, 3, 10, 30, 100, 300, 1'000, 10'000, 100'000})),
        read_batch(registry.Histogram("verdict_aggregator_read_batch_entities",
                                      "Entities read by one statement.", {1, 2, 4, 8, 16, 32})),
        waiting_reads(registry.Gauge("verdict_aggregator_waiting_reads",
                                     "Reads of entities that wait for the next statement.")),
        refused_reads(registry.Counter("verdict_aggregator_refused_reads_total",
                                       "Reads of entities refused because too many waited.")),
        not_modified(registry.Counter("verdict_aggregator_not_modified_total",
                                      "Reads of an entity whose caller had its present state already.")),
        exported_items(registry.Counter("verdict_aggregator_exported_items_total", "Items exported.")) {}

  metrics::Histogram& entity_items;
  metrics::Histogram& read_batch;
  metrics::Gauge& waiting_reads;
  metrics::Counter& refused_reads;
  metrics::Counter& not_modified;
  metrics::Counter& exported_items;
};

}  // namespace verdict::aggregator
