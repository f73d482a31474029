#pragma once

#include <map>
#include <string>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace verdict::metrics {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;

using Labels = std::map<std::string, std::string>;

// Upper bounds, in seconds, for the latency of a request or a statement: 1 ms to 10 s.
std::vector<double> LatencyBuckets();

// The metrics of a process. The same name and labels give the same metric again; it lives as long as the
// registry. A name stands for one kind of metric with one help text, and its label names are fixed.
// Thread-safe; a look-up takes locks, so keep the reference.
class Registry {
 public:
  metrics::Counter& Counter(const std::string& name, const std::string& help, const Labels& labels = {});
  metrics::Gauge& Gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  // `bounds`: the buckets' upper bounds, ascending, in the metric's unit.
  metrics::Histogram& Histogram(const std::string& name, const std::string& help,
                                const std::vector<double>& bounds, const Labels& labels = {});

  // All metrics in Prometheus's text format, version 0.0.4.
  std::string Text() const;

 private:
  prometheus::Registry registry_;
};

}  // namespace verdict::metrics
