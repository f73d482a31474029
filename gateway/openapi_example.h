#pragma once

#include <map>
#include <set>
#include <string_view>
#include <utility>

#include <boost/json/value.hpp>

#include "gateway/json_plan.h"
#include "gateway/openapi_schema.h"
#include "gateway/route_table.h"

namespace verdict::gateway {

// Makes examples of messages out of the examples of their fields.
class ExampleSet {
 public:
  explicit ExampleSet(const RouteTable& routes);

  // A value of the field: the contract's own example of it, its default, that of another field of the same
  // name, or one that follows from its type. Null when the contract has to name one: a text, say.
  boost::json::value OfField(const FieldPlan& field, SchemaUse use) const;

  // A message with its required fields, the optional ones that the contract has an example of, and in answers
  // what is always shown.
  boost::json::value OfMessage(const MessagePlan& message, SchemaUse use,
                               const Route* body_of = nullptr) const;

  boost::json::value OfBody(const Route& route) const;

 private:
  void Collect(const MessagePlan& message);
  boost::json::value OfValue(const FieldPlan& field, SchemaUse use) const;

  std::set<const MessagePlan*> collected_;
  std::map<std::pair<std::string_view, FieldPlan::Kind>, boost::json::value> by_name_;
};

}  // namespace verdict::gateway
