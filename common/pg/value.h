#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <pqxx/result>

#include "common/clock.h"
#include "common/ids/uuid.h"

// Reading a result's fields. Each throws pqxx::conversion_error when the field is NULL or not of the kind
// named: a mistake in the statement, which StatusOf makes an internal error.
namespace verdict::pg {

// A text. The view lives as long as the result.
std::string_view TextFrom(const pqxx::field& field);

// The same, as a text of its own.
std::string StringFrom(const pqxx::field& field);

// A uuid.
Uuid UuidFrom(const pqxx::field& field);

// A uuid, or nothing where it is NULL.
std::optional<Uuid> OptionalUuidFrom(const pqxx::field& field);

// A number, in whatever form float8 has it. libpqxx would read it through a stream.
double DoubleFrom(const pqxx::field& field);

// A time selected as milliseconds since 1970: (extract(epoch from t) * 1000)::int8.
Time TimeFrom(const pqxx::field& field);

// A bytea, in PostgreSQL's hex format.
std::string BytesFrom(const pqxx::field& field);

}  // namespace verdict::pg
