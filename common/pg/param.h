#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "common/clock.h"
#include "common/ids/uuid.h"

namespace verdict::pg {

template <typename T>
concept Integer = std::integral<T> && !std::same_as<T, bool>;

// Bytes for a bytea, where a plain text would be taken for text.
struct Bytes {
  std::string_view value = {};
};

// A value in PostgreSQL's text format. A number that is not finite, which float8 would accept and which would
// poison every sum it enters, comes out as U+0000: Execute refuses that.
std::string Text(const Uuid& value);
std::string Text(Time value);
std::string Text(Bytes value);
std::string Text(double value);
std::string Text(int64_t value);

// Builds an array literal, '{...}', for a parameter such as $1::text[]:
//
//   pg::Array reasons;
//   for (const Row& row : rows) reasons.Add(row.reason);
//   pg::Execute(pool, Access::kWrite, kInsert, std::move(reasons));
//
// A text may hold any bytes but U+0000, which makes Execute refuse the statement.
class Array {
 public:
  void Add(std::string_view text);
  void Add(const char* text) { Add(std::string_view(text)); }
  void Add(const std::string& text) { Add(std::string_view(text)); }
  void Add(const Uuid& value) { AddPlain(Text(value)); }
  void Add(Time value) { AddPlain(Text(value)); }
  void Add(bool value) { AddPlain(value ? "t" : "f"); }
  void Add(Integer auto value) { AddPlain(Text(static_cast<int64_t>(value))); }
  void Add(double value) { AddPlain(Text(value)); }
  template <typename T>
  void Add(const std::optional<T>& value) {
    value ? Add(*value) : AddNull();
  }
  void Add(Bytes bytes);
  void AddNull() { AddPlain("NULL"); }

  // The literal. The array must not be used afterwards.
  std::string&& Take();

 private:
  // Appends an element that needs no quotes.
  void AddPlain(std::string_view text);

  std::string literal_ = "{";
};

// One parameter of a statement. Made where Execute is called; borrows text.
class Param {
 public:
  // Implicit, so that arguments are passed as they are. NOLINTBEGIN(google-explicit-constructor)
  Param(std::nullopt_t) {}
  Param(std::string_view text) : value_(text) {}
  Param(const char* text) : value_(std::string_view(text)) {}
  Param(const std::string& text) : value_(std::string_view(text)) {}
  Param(const Uuid& value) : value_(Text(value)) {}
  Param(Time value) : value_(Text(value)) {}
  Param(Bytes value) : value_(Text(value)) {}
  Param(Array&& array) : value_(array.Take()) {}
  Param(bool value) : value_(std::string_view(value ? "t" : "f")) {}
  Param(Integer auto value) : value_(Text(static_cast<int64_t>(value))) {}
  Param(double value) : value_(Text(value)) {}
  template <typename T>
  Param(const std::optional<T>& value) : Param(value ? Param(*value) : Param(std::nullopt)) {}
  // NOLINTEND(google-explicit-constructor)

  bool is_null() const { return value_.index() == 0; }
  std::string_view text() const;

 private:
  std::variant<std::monostate, std::string_view, std::string> value_;
};

}  // namespace verdict::pg
