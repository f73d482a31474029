#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/message_lite.h>

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

// A message of the type, in its wire format.
template <typename Response>
struct Packed {
  std::string_view bytes;
};

// Sends a message, and returns false when the caller is gone.
template <typename Response>
using Write = absl::FunctionRef<bool(Packed<Response>)>;

// Sends a response in as few messages as their room allows: what fits as one; else the first is everything
// but the elements of a repeated field, and the others are elements. Elements are packed as they come, so
// that there need never be more than one.
//
//   MessagePacker packer(std::move(head), Response::kItemsFieldNumber, write);
//   while (... && packer.Add(item)) {}
//   return packer.Finish();
template <typename Response>
class MessagePacker {
 public:
  // `head` is everything but elements of the field.
  MessagePacker(Response head, int field, Write<Response> write)
      : head_(std::move(head)), tag_(MakeTag(field)), write_(write) {}

  // What is sent first, to be changed before the first Add. May also take the elements, if none is ever
  // added.
  Response& head() { return head_; }

  // False when the caller is gone.
  bool Add(const google::protobuf::MessageLite& element) {
    const std::size_t bytes = element.ByteSizeLong();
    if (!room_.Take(bytes)) {
      if (!SendElements()) return false;
      room_.Take(bytes);
    }
    const std::size_t begin = elements_.size();
    elements_.resize(begin + kPrefixMax + bytes);
    auto* end = reinterpret_cast<std::uint8_t*>(elements_.data()) + begin;
    end = CodedOutputStream::WriteVarint32ToArray(tag_, end);
    end = CodedOutputStream::WriteVarint32ToArray(static_cast<std::uint32_t>(bytes), end);
    end = element.SerializeWithCachedSizesToArray(end);
    elements_.resize(static_cast<std::size_t>(reinterpret_cast<char*>(end) - elements_.data()));
    return true;
  }

  // Sends what is left; if nothing was sent yet, all as one message. CANCELLED when the caller is gone.
  absl::Status Finish() {
    if (head_sent_) {
      SendElements();
    } else {
      Send(head_.SerializeAsString() + elements_);
    }
    return gone_ ? error::StreamAbandoned() : absl::OkStatus();
  }

 private:
  using CodedOutputStream = google::protobuf::io::CodedOutputStream;

  static constexpr int kElementsMax = 500;
  static constexpr std::size_t kPrefixMax = 10;  // of an element: two varints of 32 bits

  // Of what says its length (protobuf.dev/programming-guides/encoding).
  static std::uint32_t MakeTag(int field) { return static_cast<std::uint32_t>(field) << 3U | 2U; }

  bool Send(std::string_view bytes) {
    gone_ = gone_ || !write_({bytes});
    return !gone_;
  }

  bool SendElements() {
    if (!std::exchange(head_sent_, true)) Send(head_.SerializeAsString());
    Send(elements_);
    elements_.clear();
    room_ = Room(kElementsMax);
    return !gone_;
  }

  Response head_;
  const std::uint32_t tag_;
  const Write<Response> write_;
  std::string elements_;  // those to be sent next, as fields of a response
  Room room_{kElementsMax};
  bool head_sent_ = false;
  bool gone_ = false;
};

}  // namespace verdict::aggregator
