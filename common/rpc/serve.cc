#include "common/rpc/serve.h"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

#include "common/admin/admin_server.h"
#include "common/log/log.h"

namespace verdict::rpc {

void ServiceConfig::AddTo(config::Parser& parser) {
  process.AddTo(parser);
  parser.Add("reflection", &reflection, "Serve gRPC reflection, for grpcurl; off in production.");
  parser.Add("threads", &threads, "Threads for calls that wait for the database.");
  parser.Add("rate-limit-per-key", &rate_limit_per_key,
             "Calls a second that one API key may make to one process; 0 means no limit.");
  parser.Add("rate-limit-burst", &rate_limit_burst, "Calls that one API key may make at once after a pause.");
  parser.Check([this] { return threads >= 1 && threads <= 1'000; }, "threads must lie between 1 and 1000.");
}

ServerOptions ServiceConfig::ServerOptions() const {
  return {.listen = process.listen,
          .executor_threads = threads,
          .rate_limit = {.per_second = rate_limit_per_key, .burst = rate_limit_burst},
          .reflection = reflection};
}

int Serve(const ServiceConfig& config, Server& server, metrics::Registry& registry, process::Signals& signals,
          const std::function<absl::Status()>& startup_check) {
  const auto fail = [](const absl::Status& status) {
    log::Error("cannot start", {{"why", std::string(status.message())}});
    return 1;
  };
  if (absl::Status status = server.Start(); !status.ok()) return fail(status);
  std::atomic<bool> ready = false;
  auto admin = AdminServer::Start(
      config.process.admin_listen, registry, [&ready] { return ready.load(); },
      [&ready] { return std::string(ready ? R"({"ready":true})" : R"({"ready":false})"); });
  if (!admin.ok()) return fail(admin.status());
  if (absl::Status status = process::WriteAddressFile(
          config.process.address_file, {{"listen", server.address()}, {"admin", (*admin)->address()}});
      !status.ok()) {
    return fail(status);
  }
  log::Info("serving", {{"listen", server.address()}, {"admin", (*admin)->address()}});

  std::jthread readiness([&](std::stop_token stop) {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::string reported;
    while (!stop.stop_requested()) {
      const absl::Status status = startup_check();
      if (status.ok()) {
        ready = true;
        server.SetReady(true);
        log::Info("ready");
        return;
      }
      if (const std::string why(status.message()); why != reported) {
        log::Warn("not ready yet", {{"why", why}});
        reported = why;
      }
      std::unique_lock lock(mutex);
      changed.wait_for(lock, stop, std::chrono::milliseconds(250), [] { return false; });
    }
  });
  signals.Wait();
  log::Info("draining");
  readiness.request_stop();
  readiness.join();
  ready = false;
  server.SetReady(false);
  server.Shutdown(config.process.drain_timeout);
  log::Info("ended");
  return 0;
}

}  // namespace verdict::rpc
