#include "services/aggregator/aggregator_service.h"

#include <cstddef>
#include <utility>

#include "common/ids/entity_id.h"
#include "common/status/macros.h"
#include "services/aggregator/errors.h"

namespace verdict::aggregator {
namespace {

// Sends a response in as few messages as its bounds allow.
class MessagePacker {
 public:
  using Write = absl::FunctionRef<bool(const v1::GetEntityFeedbackResponse&)>;

  // `head` is everything but items.
  MessagePacker(v1::GetEntityFeedbackResponse head, Write write) : head_(std::move(head)), write_(write) {}

  v1::GetEntityFeedbackResponse& head() { return head_; }

  // False when the caller is gone.
  bool Add(v1::FeedbackItem item) {
    const std::size_t bytes = item.ByteSizeLong();
    const bool full =
        items_.items_size() == kItemsMax || (items_.items_size() > 0 && bytes_ + bytes > kBytesMax);
    if (full && !SendItems()) return false;
    *items_.add_items() = std::move(item);
    bytes_ += bytes;
    return true;
  }

  // Sends what is left; if nothing was sent yet, all as one message.
  bool Finish() {
    if (head_sent_) return SendItems();
    head_.mutable_items()->Swap(items_.mutable_items());
    return write_(head_);
  }

 private:
  // A message of one item is about 150 kB at most, so a full one stays far below the 4 MiB that gRPC
  // clients take by default.
  static constexpr int kItemsMax = 500;
  static constexpr std::size_t kBytesMax = 1 << 20;

  bool SendItems() {
    if (!std::exchange(head_sent_, true) && !write_(head_)) return false;
    const bool sent = write_(items_);
    items_.clear_items();
    bytes_ = 0;
    return sent;
  }

  v1::GetEntityFeedbackResponse head_;
  const Write write_;
  v1::GetEntityFeedbackResponse items_;
  std::size_t bytes_ = 0;  // of items_
  bool head_sent_ = false;
};

}  // namespace

absl::Status AggregatorService::GetEntityFeedback(
    const auth::Principal& principal, const v1::GetEntityFeedbackRequest& request,
    absl::FunctionRef<bool(const v1::GetEntityFeedbackResponse&)> write) const {
  const Entity entity = {.project_id = principal.project_id,
                         .type = request.entity_type(),
                         .key = EntityKey(request.entity_id())};
  v1::GetEntityFeedbackResponse head;
  head.set_entity_type(request.entity_type());
  head.set_entity_id(request.entity_id());
  MessagePacker packer(std::move(head), write);

  RETURN_IF_ERROR(store_.ReadFeedback(
      entity,
      [&](const v1::FeedbackSummary& summary) {
        *packer.head().mutable_summary() = summary;
        metrics_.entity_items.Observe(summary.total());
      },
      [&](v1::FeedbackItem item) { return packer.Add(std::move(item)); }));
  return packer.Finish() ? absl::OkStatus() : error::StreamAbandoned();
}

}  // namespace verdict::aggregator
