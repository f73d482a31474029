#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "common/clock.h"
#include "common/ids/uuid.h"
#include "services/feedback/judge_rules.h"
#include "services/feedback/write_queue.h"
#include "verdict/feedback/v1/evaluation_service.pb.h"

namespace verdict::feedback {

// What there is one evaluation of.
struct EvaluationKey {
  Uuid project_id = {};
  Uuid judge_id = {};
  Uuid span_id = {};
  std::optional<Uuid> client_id = {};  // the id that the client gave it, if it did

  friend bool operator==(const EvaluationKey&, const EvaluationKey&) = default;
  template <typename H>
  friend H AbslHashValue(H hash, const EvaluationKey& key) {
    return H::combine(std::move(hash), key.project_id, key.judge_id, key.span_id, key.client_id.has_value(),
                      key.client_id.value_or(Uuid{}));
  }
};

// One evaluation, as it goes through the group commit. The input is the request's, which lives until the
// write is answered; it keeps the rules that its fields state.
struct EvaluationWrite {
  EvaluationKey key = {};
  Uuid id = {};  // the record's, if this write makes it
  const v1::EvaluationInput* input = nullptr;
  Uuid submitted_by = {};  // the API key
  Time at = {};
};

// What the caller of a write does not know already.
struct StoredEvaluation {
  Uuid id = {};
  std::optional<Uuid> trace_id = {};
  Time created_at = {};
  Time updated_at = {};
  std::shared_ptr<const JudgeRules> judge = {};  // as it was when the evaluation was recorded
};

using EvaluationQueue = WriteQueue<EvaluationWrite, StoredEvaluation>;

}  // namespace verdict::feedback
