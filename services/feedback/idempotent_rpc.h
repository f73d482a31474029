#pragma once

#include <string_view>
#include <utility>

#include "common/rpc/server.h"
#include "services/feedback/idempotent_calls.h"

// Registration of RPCs that honour Idempotency-Keys through IdempotentCalls, which outlives the server. For
// *_rpc.cc files.
namespace verdict::feedback {

inline WriteCall WriteCallOf(const rpc::Context& context) {
  return {context.principal(), context.idempotency_key(), context.deadline()};
}

// As rpc::Server::Blocking.
template <typename Request, typename Response, typename Handler>
void IdempotentBlocking(rpc::Server& server, IdempotentCalls& calls, std::string_view method, Handler handler,
                        IdempotentCalls::WorthKeeping<Response> worth_keeping = nullptr) {
  server.Blocking<Request, Response>(method, [&calls, handler = std::move(handler), worth_keeping](
                                                 rpc::Context& context, const Request& request) {
    auto answer = calls.Run<Response>(
        WriteCallOf(context), request, [&] { return handler(context, request); }, worth_keeping);
    if (answer.replayed) context.SetReplayed();
    return std::move(answer.response);
  });
}

// As rpc::Server::Async.
template <typename Request, typename Response, typename Handler>
void IdempotentAsync(rpc::Server& server, IdempotentCalls& calls, std::string_view method, Handler handler,
                     IdempotentCalls::WorthKeeping<Response> worth_keeping = nullptr) {
  server.Async<Request, Response>(
      method, [&calls, handler = std::move(handler), worth_keeping](
                  rpc::Context& context, const Request& request, rpc::Done<Response> done) {
        calls.RunAsync<Response>(
            WriteCallOf(context), request,
            [&handler, &context, &request](rpc::Done<Response> answer) {
              handler(context, request, std::move(answer));
            },
            [&context, done = std::move(done)](absl::StatusOr<Response> response, bool replayed) mutable {
              if (replayed) context.SetReplayed();
              done(std::move(response));
            },
            worth_keeping);
      });
}

}  // namespace verdict::feedback
