#include "services/feedback/judge_rules.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>

#include "absl/strings/ascii.h"
#include "common/status/macros.h"
#include "services/feedback/criterion_list.h"
#include "services/feedback/errors.h"

namespace verdict::feedback {
namespace {

constexpr double kScoreMinDefault = 0;
constexpr double kScoreMaxDefault = 10;
constexpr double kPassShareDefault = 0.7;  // of the range
// Criteria of plain text come nowhere near; jsonb writes a control character as six.
constexpr size_t kCriteriaBytesMax = 262'144;
constexpr size_t kValuesBytesMax = 65'536;

// Not min + 0.7 * (max - min), which overflows where the range is nearly that of all numbers.
double DefaultThreshold(const v1::Judge& judge) {
  return std::lerp(judge.score_min(), judge.score_max(), kPassShareDefault);
}

absl::Status CompleteRange(v1::Judge& judge) {
  if (judge.evaluation_type() == types::v1::EVALUATION_TYPE_BINARY) {
    judge.clear_score_min();
    judge.clear_score_max();
    judge.clear_pass_threshold();
    return absl::OkStatus();
  }
  if (!judge.has_score_min()) judge.set_score_min(kScoreMinDefault);
  if (!judge.has_score_max()) judge.set_score_max(kScoreMaxDefault);
  if (judge.score_min() >= judge.score_max()) return error::EmptyRange(judge.score_min());
  if (!judge.has_pass_threshold()) judge.set_pass_threshold(DefaultThreshold(judge));
  if (judge.pass_threshold() < judge.score_min() || judge.pass_threshold() > judge.score_max()) {
    return error::OutsideRange("pass_threshold", judge.score_min(), judge.score_max());
  }
  return absl::OkStatus();
}

absl::Status CheckCriteria(const CriterionList& criteria) {
  std::set<std::string_view> keys;
  for (const types::v1::Criterion& criterion : criteria) {
    if (!keys.insert(criterion.key()).second) return error::CriterionTwice(keys.size());
  }
  if (const size_t bytes = ToJson(criteria).size(); bytes > kCriteriaBytesMax) {
    return error::TooLong("criteria", bytes, kCriteriaBytesMax);
  }
  return absl::OkStatus();
}

absl::Status CheckScore(const JudgeRules& judge, const std::string& field, double score) {
  if (score >= judge.score_min && score <= judge.score_max) return absl::OkStatus();
  return error::OutsideRange(field, judge.score_min, judge.score_max);
}

absl::Status CheckCriterion(const JudgeRules& judge, const std::string& field, const std::string& key) {
  if (std::ranges::count(judge.criteria, key) != 0) return absl::OkStatus();
  return error::UnknownCriterion(field, judge.criteria);
}

std::optional<bool> ResultOfLabel(const std::string& label) {
  const std::string word = absl::AsciiStrToLower(label);
  for (const char* yes : {"pass", "true", "yes"}) {
    if (word == yes) return true;
  }
  for (const char* no : {"fail", "false", "no"}) {
    if (word == no) return false;
  }
  return std::nullopt;
}

}  // namespace

bool HasDefaultThreshold(const v1::Judge& judge) {
  return judge.has_pass_threshold() && judge.pass_threshold() == DefaultThreshold(judge);
}

absl::Status CompleteJudge(v1::Judge& judge) {
  if (judge.evaluation_type() == types::v1::EVALUATION_TYPE_UNSPECIFIED) {
    judge.set_evaluation_type(types::v1::EVALUATION_TYPE_BINARY);
  }
  RETURN_IF_ERROR(CompleteRange(judge));
  return CheckCriteria(judge.criteria());
}

absl::Status CheckEvaluation(const JudgeRules& judge, const v1::EvaluationInput& input) {
  if (judge.type == types::v1::EVALUATION_TYPE_BINARY) {
    if (input.has_score()) return error::NotOfBinaryJudge("score");
    if (!input.criteria_scores().empty()) return error::NotOfBinaryJudge("criteria_scores");
    if (!input.has_evaluation_result()) return error::RequiredOfJudge("evaluation_result", "binary");
    return absl::OkStatus();
  }
  if (!input.has_score()) return error::RequiredOfJudge("score", "scored");
  RETURN_IF_ERROR(CheckScore(judge, "score", input.score()));
  for (const auto& [key, value] : input.criteria_scores()) {
    const std::string field = "criteria_scores." + key;
    RETURN_IF_ERROR(CheckCriterion(judge, field, key));
    RETURN_IF_ERROR(CheckScore(judge, field + ".score", value.score()));
  }
  return absl::OkStatus();
}

absl::Status SetScore(const JudgeRules& judge, const std::optional<std::string>& label,
                      std::optional<double> score, v1::EvaluationInput& input) {
  std::optional<bool> result = label ? ResultOfLabel(*label) : std::nullopt;
  if (judge.type == types::v1::EVALUATION_TYPE_BINARY) {
    if (!result && (score == 0 || score == 1)) result = score == 1;
    if (!result) return error::NoResultOfBinaryJudge();
  } else if (score) {
    input.set_score(*score);
  }
  if (result) input.set_evaluation_result(*result);
  return CheckEvaluation(judge, input);
}

bool ResultOf(const JudgeRules& judge, const v1::EvaluationInput& input) {
  return input.has_evaluation_result() ? input.evaluation_result() : input.score() >= judge.pass_threshold;
}

absl::Status CheckScoreFeedback(const JudgeRules& judge, const ScoreFeedback& feedback) {
  if (judge.type == types::v1::EVALUATION_TYPE_BINARY) {
    if (feedback.expected_score) return error::NotOfBinaryJudge("expected_score");
    if (feedback.direction != types::v1::SCORE_DIRECTION_UNSPECIFIED) {
      return error::NotOfBinaryJudge("score_direction");
    }
    return feedback.criteria != nullptr ? error::NotOfBinaryJudge("criteria_feedback") : absl::OkStatus();
  }
  if (feedback.expected_score) RETURN_IF_ERROR(CheckScore(judge, "expected_score", *feedback.expected_score));
  if (feedback.criteria == nullptr) return absl::OkStatus();
  for (const auto& [key, value] : *feedback.criteria) {
    const std::string field = "criteria_feedback." + key;
    RETURN_IF_ERROR(CheckCriterion(judge, field, key));
    if (value.has_expected_score()) {
      RETURN_IF_ERROR(CheckScore(judge, field + ".expected_score", value.expected_score()));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckLength(std::string_view field, std::string_view criteria_json) {
  if (criteria_json.size() <= kValuesBytesMax) return absl::OkStatus();
  return error::TooLong(field, criteria_json.size(), kValuesBytesMax);
}

}  // namespace verdict::feedback
