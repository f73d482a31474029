#pragma once

#include <map>
#include <string>

#include <boost/json/object.hpp>

#include "gateway/contract_comments.h"
#include "gateway/json_plan.h"
#include "gateway/route_table.h"

namespace verdict::gateway {

// Makes the JSON schemas of messages, and collects those that others refer to.
class SchemaSet {
 public:
  explicit SchemaSet(const ContractComments& comments) : comments_(comments) {}

  // To be called for every route before schemas are made: what requests hold is required where the contract
  // says so, what only responses hold also where it is always shown; and strict routes take no other members.
  void AddRequest(const Route& route);

  // A reference to the schema of the message.
  boost::json::object Ref(const MessagePlan& message);

  // The schema of a field's values, with all that the contract says of them.
  boost::json::object OfField(const FieldPlan& field);

  // The schema of the route's body: the field that it is, or the request without what its path sets.
  boost::json::object OfBody(const Route& route);

  // All schemas that were referred to, by their names.
  const boost::json::object& components() const { return components_; }

 private:
  void AddRequestMessage(const MessagePlan& message, bool is_strict);
  boost::json::object OfValue(const FieldPlan& field);
  boost::json::object OfMessage(const MessagePlan& message, const Route* body_of);
  boost::json::object EnumRef(const FieldPlan& field);

  const ContractComments& comments_;
  std::map<const MessagePlan*, bool> requests_;  // messages in bodies -> whether other members are refused
  boost::json::object components_;
};

}  // namespace verdict::gateway
