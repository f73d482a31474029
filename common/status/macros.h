#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define VERDICT_CONCAT_INNER(a, b) a##b
#define VERDICT_CONCAT(a, b) VERDICT_CONCAT_INNER(a, b)

// Returns from the function when the expression's Status is an error.
#define RETURN_IF_ERROR(expression)                                                                 \
  do {                                                                                              \
    if (absl::Status return_if_error = (expression); !return_if_error.ok()) return return_if_error; \
  } while (false)

// A declaration cannot stand in parentheses. NOLINTBEGIN(bugprone-macro-parentheses)
#define VERDICT_ASSIGN_OR_RETURN(result, declaration, expression) \
  auto result = (expression);                                     \
  if (!result.ok()) return std::move(result).status();            \
  declaration = *std::move(result)
// NOLINTEND(bugprone-macro-parentheses)

// Declares or assigns the value of a StatusOr, or returns its error from the function.
#define ASSIGN_OR_RETURN(declaration, expression) \
  VERDICT_ASSIGN_OR_RETURN(VERDICT_CONCAT(status_or_, __LINE__), declaration, expression)
