#pragma once

#include <set>
#include <string_view>

#include <boost/json/object.hpp>

#include "absl/status/statusor.h"
#include "common/status/error.h"
#include "gateway/contract_comments.h"
#include "gateway/openapi_example.h"
#include "gateway/openapi_schema.h"
#include "gateway/problem.h"
#include "gateway/route_table.h"

namespace verdict::gateway {

// A reference to one of the document's headers.
boost::json::object HeaderRef(std::string_view name);

// Describes what routes answer: each status that can come, with its headers, its schema and examples.
class ResponseSet {
 public:
  ResponseSet(const ContractComments& comments, const ExampleSet& examples, SchemaSet& schemas)
      : comments_(comments), examples_(examples), schemas_(schemas) {}

  // By status. INTERNAL when the contract names a reason that does not exist.
  absl::StatusOr<boost::json::object> Of(const Route& route);

  // Adds, by status, what every path may answer that is read no further than its head: problem documents.
  void AddFailuresOfAnyPath(boost::json::object& responses);

  // What the responses refer to: problem documents by their reasons (TOKEN_USED), google.rpc.Status likewise
  // (STATUS_TOKEN_USED), and headers.
  const boost::json::object& errors() const { return errors_; }
  static boost::json::object Headers();
  static boost::json::object ProblemSchema();
  static boost::json::object StatusSchema();

 private:
  boost::json::object Success(const Route& route) const;
  boost::json::object Content(const Route& route) const;
  boost::json::object AnswerSchema(const Route& route) const;
  boost::json::value AnswerExample(const Route& route) const;
  boost::json::object Failure(int status, const std::set<Reason>& reasons, bool is_otlp);
  boost::json::object Problems(int status, const std::set<Reason>& reasons);
  boost::json::object Statuses(const std::set<Reason>& reasons);
  boost::json::object Examples(const std::set<Reason>& reasons, ErrorFormat format);
  void AddFailures(const std::set<Reason>& reasons, bool is_otlp, boost::json::object& responses);

  const ContractComments& comments_;
  const ExampleSet& examples_;
  SchemaSet& schemas_;
  boost::json::object errors_;
};

}  // namespace verdict::gateway
