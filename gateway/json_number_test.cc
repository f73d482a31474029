#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include "gateway/json_values.h"
#include "gateway/testing/codec_test_support.h"
#include "gateway/testing/random_message.h"
#include "tests/support/seed.h"

// Doubles are exact in both directions: the numbers of a service are those that a client sent.
namespace verdict::gateway {
namespace {

using testing::Everything;

constexpr int kBatch = 10'000;

uint64_t BitsOf(double number) {
  uint64_t bits = 0;
  std::memcpy(&bits, &number, sizeof bits);
  return bits;
}

double OfBits(uint64_t bits) {
  double number = 0;
  std::memcpy(&number, &bits, sizeof number);
  return number;
}

double AnyFinite(Random& random) {
  for (;;) {
    const double number = OfBits(random.Bits());
    if (std::isfinite(number)) return number;
  }
}

template <typename... Arguments>
std::string Printed(const char* format, Arguments... arguments) {
  std::string text(1200, '\0');  // the double with the most digits has 767
  const int size = std::snprintf(text.data(), text.size(), format, arguments...);
  text.resize(static_cast<size_t>(size));
  return text;
}

// The texts of a list of numbers, as we write it.
std::vector<std::string_view> TextsOf(std::string_view json) {
  constexpr std::string_view kStart = R"("numbers":[)";
  json.remove_prefix(json.find(kStart) + kStart.size());
  json = json.substr(0, json.find(']'));
  std::vector<std::string_view> texts;
  while (!json.empty()) {
    texts.push_back(json.substr(0, json.find(',')));
    json.remove_prefix(std::min(json.size(), texts.back().size() + 1));
  }
  return texts;
}

// The length of the shortest text with an exponent that means the number.
size_t ShortestScientific(double number) {
  size_t shortest = 0;
  for (int digits = 17; digits > 0; --digits) {
    const std::string text = Printed("%.*e", digits - 1, number);
    if (std::strtod(text.c_str(), nullptr) != number) break;
    shortest = text.size();
  }
  return shortest;
}

class Numbers {
 public:
  Numbers() : plan_(**plans_.Make(*Everything::descriptor())) {}

  std::string Write(const Everything& message) const { return ToJson(plan_, message); }

  // What we read in the texts.
  Everything Read(const std::vector<std::string>& texts) const {
    std::string json = R"({"numbers":[)";
    for (const auto& text : texts) json.append(text).append(",");
    json.back() = ']';
    Everything message;
    const absl::Status status = ReadJson(plan_, json + '}', message);
    INFO(status);
    REQUIRE(status.ok());
    REQUIRE(message.numbers_size() == static_cast<int>(texts.size()));
    return message;
  }

 private:
  JsonPlans plans_;
  const MessagePlan& plan_;
};

// Texts that we read otherwise than strtod does.
int CountMisread(const Numbers& numbers, const std::vector<std::string>& texts) {
  const Everything message = numbers.Read(texts);
  int misread = 0;
  for (int i = 0; i < message.numbers_size(); ++i) {
    const double expected = std::strtod(texts[static_cast<size_t>(i)].c_str(), nullptr);
    misread += BitsOf(message.numbers(i)) == BitsOf(expected) ? 0 : 1;
  }
  return misread;
}

TEST_CASE("every double is written as a text that means it, and none shorter does") {
  Random random(NewSeed("doubles written"));
  const Numbers numbers;
  int wrong = 0;
  int too_long = 0;
  for (int batch = 0; batch < 100; ++batch) {
    Everything message;
    for (int i = 0; i < kBatch; ++i) message.add_numbers(AnyFinite(random));
    const std::string json = numbers.Write(message);
    const auto texts = TextsOf(json);
    REQUIRE(texts.size() == kBatch);
    for (int i = 0; i < kBatch; ++i) {
      const std::string_view text = texts[static_cast<size_t>(i)];
      double read = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), read);
      wrong += error == std::errc() && end == text.data() + text.size() &&
                       BitsOf(read) == BitsOf(message.numbers(i))
                   ? 0
                   : 1;
      if (i % 10 == 0) too_long += text.size() > ShortestScientific(message.numbers(i)) ? 1 : 0;  // dear
    }
  }
  CHECK(wrong == 0);
  CHECK(too_long == 0);
}

TEST_CASE("every number is read as the double that is nearest") {
  Random random(NewSeed("doubles read"));
  const Numbers numbers;
  for (int batch = 0; batch < 100; ++batch) {
    std::vector<std::string> texts;
    for (int i = 0; i < kBatch; ++i) texts.push_back(Printed("%.17g", AnyFinite(random)));
    REQUIRE(CountMisread(numbers, texts) == 0);
  }
}

TEST_CASE("a number half-way between two doubles, or next to that, is read as the nearest") {
  static_assert(std::numeric_limits<long double>::digits > std::numeric_limits<double>::digits);
  Random random(NewSeed("doubles half-way"));
  const Numbers numbers;
  std::vector<std::string> texts;
  for (int i = 0; i < 2'000; ++i) {
    // Subnormal numbers too.
    const double low = std::fabs(i % 4 == 0 ? OfBits(random.Bits() >> 12) : AnyFinite(random));
    const double high = std::nextafter(low, std::numeric_limits<double>::infinity());
    if (low == 0 || std::isinf(high)) continue;
    const std::string middle =
        Printed("%.1100Le", (static_cast<long double>(low) + static_cast<long double>(high)) / 2);
    const size_t exponent = middle.find('e');
    texts.push_back(middle);
    texts.push_back(middle.substr(0, exponent) + '1' + middle.substr(exponent));
    std::string below = middle;  // the last digit that counts, one less
    const size_t last = middle.find_last_not_of("0.", exponent - 1);
    --below[last];
    texts.push_back(below);
  }
  CHECK(CountMisread(numbers, texts) == 0);
}

TEST_CASE("at the edges of what a double holds") {
  const Numbers numbers;
  CHECK(CountMisread(numbers, {"0",
                               "-0",
                               "-0.0",
                               "0e999999999",
                               "-0e-999999999",
                               "0.000e-400",
                               "5e-324",
                               "4.9e-324",
                               "3e-324",
                               "2.4703282292062328e-324",
                               "2.2250738585072011e-308",
                               "2.2250738585072014e-308",
                               "1.7976931348623157e308",
                               "1.7976931348623158e+308",
                               "179769313486231580793e288",
                               "9007199254740993",
                               "-9007199254740993.0",
                               "0.1e1",
                               "100e-2",
                               "1E5",
                               "1e+5",
                               "0." + std::string(400, '0') + "1e401",
                               "1" + std::string(400, '0') + "e-400"}) == 0);
  // What is not zero is never taken for zero, nor for infinity: it is refused.
  for (const char* text : {"1e-400", "-1e-400", "2.4703282292062327e-324", "1e-999999999", "1e400", "-1e400",
                           "1.7976931348623159e308", "1e999999999", "1e99999999999999999999"}) {
    INFO(text);
    CHECK_FALSE(ParseDouble(text));
  }
}

TEST_CASE("Boost.JSON's own numbers, which we do not use, would fail these tests") {
  Random random(NewSeed("doubles of Boost.JSON"));
  int misread = 0;
  for (int i = 0; i < kBatch; ++i) {
    const std::string text = Printed("%.17g", AnyFinite(random));
    const double expected = std::strtod(text.c_str(), nullptr);
    misread += BitsOf(boost::json::parse(text).to_number<double>()) == BitsOf(expected) ? 0 : 1;
  }
  CHECK(misread > 100);
}

}  // namespace
}  // namespace verdict::gateway
