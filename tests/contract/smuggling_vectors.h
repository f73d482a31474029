#pragma once

#include <string>
#include <vector>

namespace verdict::test {

// Bytes that two parsers could understand differently, and what the gateway makes of them: the messages that
// it takes, METHOD TARGET [BODY], and `refused` when it answered an error and closed the connection.
struct SmugglingVector {
  std::string name;
  std::string bytes;
  std::string outcome = "refused";
};

std::vector<SmugglingVector> SmugglingVectors();

}  // namespace verdict::test
