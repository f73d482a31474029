#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

// What a fuzz target is written with (verdict_fuzz in cmake/Verdict.cmake): it defines Seeds and Test, and
// fuzz_main.cc does the rest.
namespace verdict::fuzz {

// Inputs to begin with.
std::vector<std::string> Seeds();

// Tries one input. Ends the process where a property does not hold; libFuzzer then keeps the input.
void Test(std::string_view input);

// Ends the process, with the property's name, unless it holds.
inline void Require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "\nDoes not hold: %s\n", property);
  std::abort();
}

}  // namespace verdict::fuzz
