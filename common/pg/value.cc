#include "common/pg/value.h"

#include <charconv>
#include <system_error>

#include <pqxx/except>

namespace verdict::pg {
namespace {

int HexValue(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

[[noreturn]] void Mismatch(const pqxx::field& field, const char* kind) {
  throw pqxx::conversion_error(std::string("The column ") + field.name() + " holds no " + kind + ".");
}

}  // namespace

std::string_view TextFrom(const pqxx::field& field) {
  if (field.is_null()) Mismatch(field, "text");
  return {field.c_str(), field.size()};
}

std::string StringFrom(const pqxx::field& field) { return std::string(TextFrom(field)); }

Uuid UuidFrom(const pqxx::field& field) {
  const auto uuid = Uuid::Parse({field.c_str(), field.size()});
  if (!uuid) Mismatch(field, "uuid");
  return *uuid;
}

std::optional<Uuid> OptionalUuidFrom(const pqxx::field& field) {
  return field.is_null() ? std::nullopt : std::optional(UuidFrom(field));
}

double DoubleFrom(const pqxx::field& field) {
  const std::string_view text = TextFrom(field);
  double number = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), number);
  if (error != std::errc() || end != text.end()) Mismatch(field, "number");
  return number;
}

Time TimeFrom(const pqxx::field& field) { return Time(std::chrono::milliseconds(field.as<int64_t>())); }

std::string BytesFrom(const pqxx::field& field) {
  std::string_view hex(field.c_str(), field.size());
  if (!hex.starts_with("\\x") || hex.size() % 2 != 0) Mismatch(field, "bytea");
  hex.remove_prefix(2);
  std::string bytes(hex.size() / 2, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(HexValue(hex[2 * i]) << 4 | HexValue(hex[2 * i + 1]));
  }
  return bytes;
}

}  // namespace verdict::pg
