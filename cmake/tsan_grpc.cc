// Linked into every program that is built with ThreadSanitizer. Debian's gRPC is not, so the sanitizer does
// not see that what a thread did before it began an operation comes before what another does with its
// completion. These definitions stand before the library's: they call it, and say so. One clock serves all
// operations, since a call also orders its two ends; races between threads that use no gRPC are found as
// ever.

#include <dlfcn.h>
#include <grpc/grpc.h>
#include <sanitizer/tsan_interface.h>

namespace {

char operations;

template <typename Function>
Function* Library(const char* symbol) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, symbol));
}

}  // namespace

extern "C" {

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t count, void* tag,
                                      void* reserved) {
  static const auto library = Library<decltype(grpc_call_start_batch)>("grpc_call_start_batch");
  __tsan_release(&operations);
  return library(call, ops, count, tag, reserved);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline, void* reserved) {
  static const auto library = Library<decltype(grpc_completion_queue_next)>("grpc_completion_queue_next");
  const grpc_event event = library(queue, deadline, reserved);
  __tsan_acquire(&operations);
  return event;
}

grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag, gpr_timespec deadline,
                                       void* reserved) {
  static const auto library = Library<decltype(grpc_completion_queue_pluck)>("grpc_completion_queue_pluck");
  const grpc_event event = library(queue, tag, deadline, reserved);
  __tsan_acquire(&operations);
  return event;
}

grpc_call_error grpc_server_request_call(grpc_server* server, grpc_call** call, grpc_call_details* details,
                                         grpc_metadata_array* metadata, grpc_completion_queue* call_queue,
                                         grpc_completion_queue* notification_queue, void* tag) {
  static const auto library = Library<decltype(grpc_server_request_call)>("grpc_server_request_call");
  __tsan_release(&operations);
  return library(server, call, details, metadata, call_queue, notification_queue, tag);
}

grpc_call_error grpc_server_request_registered_call(grpc_server* server, void* method, grpc_call** call,
                                                    gpr_timespec* deadline, grpc_metadata_array* metadata,
                                                    grpc_byte_buffer** payload,
                                                    grpc_completion_queue* call_queue,
                                                    grpc_completion_queue* notification_queue, void* tag) {
  static const auto library =
      Library<decltype(grpc_server_request_registered_call)>("grpc_server_request_registered_call");
  __tsan_release(&operations);
  return library(server, method, call, deadline, metadata, payload, call_queue, notification_queue, tag);
}

}  // extern "C"
