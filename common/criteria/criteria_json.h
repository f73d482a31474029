#pragma once

#include <string>
#include <string_view>

#include <google/protobuf/map.h>

#include "verdict/types/v1/judge.pb.h"

// Values by criterion as the database keeps them: {"clarity":{"score":9,"reason":"Well structured"}}.
namespace verdict::criteria {

using Scores = google::protobuf::Map<std::string, types::v1::CriterionScore>;
using Opinions = google::protobuf::Map<std::string, types::v1::CriterionFeedback>;

// The values as a JSON object, without white space, its members in order: equal values have equal texts.
// Texts are UTF-8 without U+0000, numbers finite.
std::string ToJson(const Scores& scores);
std::string ToJson(const Opinions& opinions);

// Adds the values of such a text, however it is spaced and ordered; every number as it was. False when it is
// something else.
bool FromJson(std::string_view json, Scores& scores);
bool FromJson(std::string_view json, Opinions& opinions);

}  // namespace verdict::criteria
