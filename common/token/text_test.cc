#include "common/token/text.h"

#include <string>

#include <catch2/catch.hpp>

namespace verdict::token {
namespace {

TEST_CASE("text of every script is plain") {
  for (const char* text : {"", "run-42", " ~", "J\xc3\xb6rg", "\xc2\xa0", "\xe7\x94\xa8\xe6\x88\xb7",
                           "\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x9f\x91\x8d", "\xf4\x8f\xbf\xbf"}) {
    INFO(text);
    CHECK(IsPlainText(text));
  }
}

TEST_CASE("control characters are not plain") {
  for (int c = 0; c < 0x20; ++c) CHECK_FALSE(IsPlainText(std::string("a") + static_cast<char>(c)));
  CHECK_FALSE(IsPlainText("\x7f"));
  CHECK_FALSE(IsPlainText("\xc2\x80"));
  CHECK_FALSE(IsPlainText("\xc2\x9f"));
}

TEST_CASE("what is no UTF-8 is not plain") {
  for (const char* text : {"\x80", "\xbf", "\xc0\xaf", "\xc1\x81", "\xe0\x80\xaf", "\xf0\x80\x80\xaf",
                           "\xed\xa0\x80", "\xed\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
                           "\xc3", "\xe7\x94", "\xf0\x9f\x91", "\xc3(", "\xe7(\xa8"}) {
    CHECK_FALSE(IsPlainText(text));
    CHECK_FALSE(IsPlainText(std::string(text) + "abc"));
  }
}

}  // namespace
}  // namespace verdict::token
