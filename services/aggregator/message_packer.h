#pragma once

#include <cstddef>
#include <utility>

#include <google/protobuf/repeated_field.h>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "services/aggregator/errors.h"

namespace verdict::aggregator {

// What a message has room for: so many elements, about 1 MiB, and one element in any case. An element is
// about 550 kB at most, so a full message stays far below the 4 MiB that gRPC clients take by default.
class Room {
 public:
  explicit Room(int elements) : elements_max_(elements) {}

  // Whether the next element, of so many bytes, goes in too.
  bool Take(std::size_t bytes) {
    if (elements_ == elements_max_ || (elements_ > 0 && bytes_ + bytes > kBytesMax)) return false;
    ++elements_;
    bytes_ += bytes;
    return true;
  }

 private:
  static constexpr std::size_t kBytesMax = 1 << 20;

  int elements_max_;
  int elements_ = 0;
  std::size_t bytes_ = 0;
};

// Sends a response in as few messages as their room allows: what fits as one; else the first is everything
// but the elements of `field`, and the others are elements.
//
//   MessagePacker packer(std::move(head), &Response::mutable_items, write);
//   while (... && packer.Add(std::move(item))) {}
//   return packer.Finish();
template <typename Response, typename Element>
class MessagePacker {
 public:
  using Field = google::protobuf::RepeatedPtrField<Element>* (Response::*)();
  using Write = absl::FunctionRef<bool(const Response&)>;

  // `head` is everything but elements. `write` sends a message and returns false when the caller is gone.
  MessagePacker(Response head, Field field, Write write)
      : head_(std::move(head)), field_(field), write_(write) {}

  // What is sent first, to be changed before the first Add. May also take the elements, if none is ever
  // added.
  Response& head() { return head_; }

  // False when the caller is gone. Leaves in `element` what may be filled anew, with its memory.
  bool Add(Element&& element) {
    const std::size_t bytes = element.ByteSizeLong();
    if (!room_.Take(bytes)) {
      if (!SendElements()) return false;
      room_.Take(bytes);
    }
    (elements_.*field_)()->Add()->Swap(&element);
    return true;
  }

  // Sends what is left; if nothing was sent yet, all as one message. CANCELLED when the caller is gone.
  absl::Status Finish() {
    if (head_sent_) {
      SendElements();
    } else {
      if (!(elements_.*field_)()->empty()) (head_.*field_)()->Swap((elements_.*field_)());
      Send(head_);
    }
    return gone_ ? error::StreamAbandoned() : absl::OkStatus();
  }

 private:
  static constexpr int kElementsMax = 500;

  bool Send(const Response& response) {
    gone_ = gone_ || !write_(response);
    return !gone_;
  }

  bool SendElements() {
    if (!std::exchange(head_sent_, true)) Send(head_);
    Send(elements_);
    elements_.Clear();
    room_ = Room(kElementsMax);
    return !gone_;
  }

  Response head_;
  const Field field_;
  const Write write_;
  Response elements_;
  Room room_{kElementsMax};
  bool head_sent_ = false;
  bool gone_ = false;
};

}  // namespace verdict::aggregator
