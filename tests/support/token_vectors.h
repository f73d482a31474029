#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/ids/uuid.h"

// The vectors in tests/vectors/token; its README.md says what they mean. Functions throw std::exception for a
// file or recipe that is not as it says.
namespace verdict::test {

struct TokenVector {
  std::string name;
  std::string why;
  std::string verdict;     // invalid, expired, foreign or authentic
  std::string token = {};  // any bytes
  bool codec_only = false;
  std::map<std::string, int> http = {};  // the status of a way of sending that is not the verdict's own
};

// For whom and when the tokens of the vectors are made.
struct TokenVectorTenants {
  Time now;
  Uuid org, project;
  Uuid other_org, other_project;
};

// The vectors of "must_fail" or "must_pass"; each has a token id of its own.
std::vector<TokenVector> ReadTokenVectors(const std::string& name, const TokenVectorTenants& tenants);

// The key set that judges them: the files of its directory.
std::map<std::string, std::string> TokenVectorKeySet();

}  // namespace verdict::test
