#pragma once

#include <span>

#include "common/pg/statement.h"

namespace verdict::feedback {

// The statements of every store that shares the process's pool.
std::span<const pg::Statement> PoolStatements();

}  // namespace verdict::feedback
