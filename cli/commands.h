#pragma once

#include <vector>

#include "cli/command_line.h"

namespace verdict::cli {

// Every command of verdictctl, in the order in which help lists them.
std::vector<Command> Commands();

}  // namespace verdict::cli
