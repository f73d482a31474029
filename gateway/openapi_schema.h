#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <boost/json/object.hpp>

#include "gateway/contract_comments.h"
#include "gateway/json_plan.h"
#include "gateway/route_table.h"

namespace verdict::gateway {

// Where a value stands, on which its schema depends: in a body what may be absent may be null too, and other
// members are refused or ignored; answers show members that requests may leave out.
enum class SchemaUse : std::uint8_t { kAnswer, kParameter, kStrictBody, kTolerantBody };

// How the route's body is read.
SchemaUse UseOfBody(const Route& route);

// Whether every message of an answer has the field: fields without presence stand in each, but for enums and
// maps, which are left out when they have no value, and for OTLP's.
bool IsAlwaysShown(const FieldPlan& field);

// Whether the path of the route sets the field, so that its body has it not.
bool IsSetByPath(const Route& route, const FieldPlan& field);

// Makes the JSON schemas of messages, and collects those that others refer to.
class SchemaSet {
 public:
  explicit SchemaSet(const ContractComments& comments) : comments_(comments) {}

  // A reference to the schema of the message. What bodies hold is named PersonInput, what answers show
  // Person; where two packages have a Person, the second is TokenPerson, after its package verdict.token.v1.
  boost::json::object Ref(const MessagePlan& message, SchemaUse use);

  // The schema of a field's values, with all that the contract says of them.
  boost::json::object OfField(const FieldPlan& field, SchemaUse use);

  // The schema of the route's body: the field that it is, or the request without what its path sets.
  boost::json::object OfBody(const Route& route);

  // All schemas that were referred to, by their names.
  const boost::json::object& components() const { return components_; }

 private:
  boost::json::object OfValue(const FieldPlan& field, SchemaUse use);
  boost::json::object OfMessage(const MessagePlan& message, SchemaUse use, const Route* body_of);
  boost::json::object EnumRef(const FieldPlan& field);
  std::string NameOf(const google::protobuf::Descriptor& descriptor);

  const ContractComments& comments_;
  std::map<std::string, const google::protobuf::Descriptor*> names_;
  boost::json::object components_;
};

}  // namespace verdict::gateway
