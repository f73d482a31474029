#pragma once

#include <string>
#include <string_view>

#include <google/protobuf/repeated_ptr_field.h>

#include "verdict/types/v1/judge.pb.h"

// A judge's criteria as the database keeps them: [{"key":"clarity","label":"Clarity"}], in their author's
// order.
namespace verdict::feedback {

using CriterionList = google::protobuf::RepeatedPtrField<types::v1::Criterion>;

std::string ToJson(const CriterionList& criteria);

// The criteria of such a text, however it is spaced. Throws std::exception when it is something else.
CriterionList CriteriaFrom(std::string_view json);

}  // namespace verdict::feedback
