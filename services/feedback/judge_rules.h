#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/criteria/criteria_json.h"
#include "verdict/feedback/v1/evaluation_service.pb.h"
#include "verdict/feedback/v1/judge_service.pb.h"
#include "verdict/types/v1/judge.pb.h"

namespace verdict::feedback {

// What of a judge writes are checked against.
struct JudgeRules {
  std::string name = {};
  types::v1::EvaluationType type = {};
  double score_min = 0;  // these three of a scored judge only
  double score_max = 0;
  double pass_threshold = 0;
  std::vector<std::string> criteria = {};  // keys
  int revision = 0;                        // the judge's
};

// What feedback says of a judge's score. The values belong to the request.
struct ScoreFeedback {
  std::optional<double> expected_score = {};
  types::v1::ScoreDirection direction = {};
  const criteria::Opinions* criteria = nullptr;  // not empty

  // `criteria` as the database keeps it.
  std::optional<std::string> CriteriaJson() const {
    return criteria == nullptr ? std::nullopt : std::optional(criteria::ToJson(*criteria));
  }
};

// Fills in a judge's type, range and threshold where they are absent, removes what a binary judge has none
// of, and checks them and its criteria as they will be stored: VALIDATION_ERROR.
absl::Status CompleteJudge(v1::Judge& judge);

// Whether the judge's threshold is the one that CompleteJudge sets where there is none.
bool HasDefaultThreshold(const v1::Judge& judge);

// Whether the judge can have said that, with VALIDATION_ERROR naming the field otherwise.
absl::Status CheckEvaluation(const JudgeRules& judge, const v1::EvaluationInput& input);

// What the judge said, of an evaluation that has it as OpenTelemetry does: `label`, a word, and `score`. Sets
// what `input` lacks, and checks it as CheckEvaluation does.
absl::Status SetScore(const JudgeRules& judge, const std::optional<std::string>& label,
                      std::optional<double> score, v1::EvaluationInput& input);

// Whether the output passed; of an evaluation that CheckEvaluation accepts.
bool ResultOf(const JudgeRules& judge, const v1::EvaluationInput& input);

// Whether that can be said of the judge's score, with VALIDATION_ERROR naming the field otherwise.
absl::Status CheckScoreFeedback(const JudgeRules& judge, const ScoreFeedback& feedback);

// Whether values by criterion, as criteria::ToJson has them, are short enough; VALIDATION_ERROR naming
// `field`.
absl::Status CheckLength(std::string_view field, std::string_view criteria_json);

}  // namespace verdict::feedback
