#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include "absl/status/statusor.h"
#include "common/auth/authenticator.h"
#include "gateway/asio.h"
#include "gateway/backends.h"
#include "gateway/connection.h"
#include "gateway/cors.h"
#include "gateway/exchange.h"
#include "gateway/route_table.h"
#include "gateway/work_pool.h"
#include "verdict/calls/v1/call_service.pb.h"

namespace verdict::gateway {

// What a request to the API may use.
struct TranscoderLimits {
  std::size_t body_bytes = 256 * 1024;
  std::size_t ingest_body_bytes = 4 << 20;     // of routes for ingestion, as it comes
  std::size_t inflated_body_bytes = 16 << 20;  // what is made of that
  std::chrono::milliseconds unary_deadline = std::chrono::seconds(5);
  std::chrono::milliseconds stream_deadline = std::chrono::seconds(60);
};

// Answers HTTP requests by calling the RPCs that their routes stand for. It knows no route by name and no
// rule of the domain: what it does with a request follows from the RPC's descriptor. Thread-safe.
class Transcoder final : public RequestHandler {
 public:
  // `routes`, `backends` and `authenticator` must outlive the transcoder. `openapi` is what /openapi.json
  // answers.
  Transcoder(const RouteTable& routes, Backends& backends, auth::Authenticator& authenticator,
             CorsPolicy cors, std::string openapi, const TranscoderLimits& limits = {});

  Awaitable<void> Handle(Exchange& exchange) override;

 private:
  using Metadata = std::vector<std::pair<const char*, std::string>>;

  Awaitable<bool> HandleOperations(Exchange& exchange) const;
  Awaitable<void> HandleRoute(Exchange& exchange, Match match);
  Awaitable<absl::StatusOr<std::string>> ReadMessage(Exchange& exchange, Match& match);
  absl::StatusOr<std::string> MakeMessage(Exchange& exchange, Match& match, std::string body,
                                          bool is_gzip) const;
  // Calls the RPC among others, and answers. False when it has to be called by itself: it was not sent, or
  // its answer did not come or is too large, and it is one that may be called again.
  Awaitable<bool> CallCarried(Exchange& exchange, const Route& route, const Metadata& metadata,
                              const std::string& message, std::chrono::milliseconds time,
                              CallCarrier& carrier);
  static Awaitable<void> AnswerUnary(Exchange& exchange, const Route& route, std::string_view message);
  static Awaitable<void> AnswerStreamed(Exchange& exchange, const Route& route,
                                        const calls::v1::CarriedAnswer& answer);
  Awaitable<void> CallUnary(Exchange& exchange, const Route& route, const grpc::ByteBuffer& request,
                            grpc::GenericStub& stub, grpc::ClientContext& context);
  Awaitable<void> CallStreamed(Exchange& exchange, const Route& route, const grpc::ByteBuffer& request,
                               grpc::GenericStub& stub, grpc::ClientContext& context);

  const RouteTable& routes_;
  Backends& backends_;
  auth::Authenticator& authenticator_;
  const CorsPolicy cors_;
  const std::string openapi_;
  const TranscoderLimits limits_;
  WorkPool large_bodies_;
};

}  // namespace verdict::gateway
