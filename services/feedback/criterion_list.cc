#include "services/feedback/criterion_list.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace verdict::feedback {

namespace json = boost::json;

std::string ToJson(const CriterionList& criteria) {
  json::array list;
  for (const types::v1::Criterion& criterion : criteria) {
    json::object members = {{"key", criterion.key()}};
    if (criterion.has_label()) members["label"] = criterion.label();
    if (criterion.has_description()) members["description"] = criterion.description();
    list.push_back(std::move(members));
  }
  return json::serialize(list);
}

CriterionList CriteriaFrom(std::string_view json) {
  CriterionList criteria;
  const json::value list = json::parse(json::string_view(json.data(), json.size()));
  for (const json::value& element : list.as_array()) {
    types::v1::Criterion& criterion = *criteria.Add();
    for (const auto& [name, value] : element.as_object()) {
      std::string text(value.as_string());
      if (name == "key") {
        criterion.set_key(std::move(text));
      } else if (name == "label") {
        criterion.set_label(std::move(text));
      } else {
        criterion.set_description(std::move(text));
      }
    }
  }
  return criteria;
}

}  // namespace verdict::feedback
