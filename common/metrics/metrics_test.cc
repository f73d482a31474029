#include "common/metrics/metrics.h"

#include <catch2/catch.hpp>

namespace verdict::metrics {
namespace {

using Catch::Contains;

TEST_CASE("the same name and labels give the same metric") {
  Registry registry;
  registry.Counter("verdict_calls_total", "Calls.", {{"method", "Mint"}}).Increment();
  registry.Counter("verdict_calls_total", "Calls.", {{"method", "Mint"}}).Increment();
  registry.Counter("verdict_calls_total", "Calls.", {{"method", "Verify"}}).Increment();
  CHECK_THAT(registry.Text(), Contains("# HELP verdict_calls_total Calls."));
  CHECK_THAT(registry.Text(), Contains("# TYPE verdict_calls_total counter"));
  CHECK_THAT(registry.Text(), Contains("verdict_calls_total{method=\"Mint\"} 2"));
  CHECK_THAT(registry.Text(), Contains("verdict_calls_total{method=\"Verify\"} 1"));
}

TEST_CASE("gauges and histograms are written in Prometheus's format") {
  Registry registry;
  registry.Gauge("verdict_open", "Open.").Set(3);
  registry.Histogram("verdict_seconds", "Seconds.", LatencyBuckets()).Observe(0.003);
  CHECK_THAT(registry.Text(), Contains("verdict_open 3"));
  CHECK_THAT(registry.Text(), Contains("verdict_seconds_bucket{le=\"0.0025\"} 0"));
  CHECK_THAT(registry.Text(), Contains("verdict_seconds_bucket{le=\"0.005\"} 1"));
  CHECK_THAT(registry.Text(), Contains("verdict_seconds_count 1"));
}

TEST_CASE("any text can be a label's value") {
  Registry registry;
  registry.Counter("verdict_calls_total", "Calls.", {{"method", "a\"b\\c\nd"}}).Increment();
  CHECK_THAT(registry.Text(), Contains(R"(verdict_calls_total{method="a\"b\\c\nd"} 1)"));
}

}  // namespace
}  // namespace verdict::metrics
