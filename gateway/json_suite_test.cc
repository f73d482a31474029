#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>

#include <catch2/catch.hpp>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include "common/status/error.h"
#include "common/status/grpc_status.h"
#include "gateway/json_reader.h"
#include "gateway/testing/gateway.h"
#include "tests/support/sanitized.h"
#include "tests/support/usage.h"

// nst/JSONTestSuite, which ./dev test puts into build/ (tools/packages.bash): files whose names begin with y_
// are JSON, n_ are none, and of i_ the standard leaves it open.
namespace verdict::gateway {
namespace {

using Files = std::map<std::string, std::string>;

const Files& SuiteFiles() {
  static const auto& files = *[] {
    auto* read = new Files;
    const std::filesystem::path folder = VERDICT_JSON_SUITE;
    INFO("./dev test fetches it: install_json_suite in tools/packages.bash");
    REQUIRE(std::filesystem::is_directory(folder));
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
      std::ifstream in(file.path(), std::ios::binary);
      read->emplace(file.path().stem(), std::string(std::istreambuf_iterator<char>(in), {}));
    }
    return read;
  }();
  return files;
}

// What we say of the files whose verdict the standard leaves to us, or the suite itself in later revisions
// than Debian 12's: there those of other encodings and a number of ours are i_ too.
struct Choice {
  const char* reason;  // "": it is taken
  const char* why;
};

const std::map<std::string, Choice>& Choices() {
  static constexpr Choice kSurrogate = {"INVALID_JSON",
                                        "half of a pair is no character, and PostgreSQL takes none"};
  static constexpr Choice kBytes = {"INVALID_JSON", "the bytes are no UTF-8 (RFC 8259, 8.1)"};
  static constexpr Choice kNoncharacter = {"", "Unicode gives it no meaning, and lets it be exchanged"};
  static constexpr Choice kTooLarge = {"VALIDATION_ERROR", "no double can hold it"};
  static const auto& choices = *new std::map<std::string, Choice>{
      {"i_number_neg_int_huge_exp", kTooLarge},
      {"i_number_pos_double_huge_exp", kTooLarge},
      {"y_number_huge_exp", {"INVALID_JSON", "no int can hold its exponent: the parser gives up"}},
      {"i_object_key_lone_2nd_surrogate", kSurrogate},
      {"i_string_1st_surrogate_but_2nd_missing", kSurrogate},
      {"i_string_1st_valid_surrogate_2nd_invalid", kSurrogate},
      {"i_string_UTF-16_invalid_lonely_surrogate", kSurrogate},
      {"i_string_UTF-16_invalid_surrogate", kSurrogate},
      {"i_string_incomplete_surrogate_and_escape_valid", kSurrogate},
      {"i_string_incomplete_surrogate_pair", kSurrogate},
      {"i_string_incomplete_surrogates_escape_valid", kSurrogate},
      {"i_string_inverted_surrogates_U+1D11E", kSurrogate},
      {"i_string_lone_second_surrogate", kSurrogate},
      {"i_string_UTF-8_invalid_sequence", kBytes},
      {"i_string_not_in_unicode_range", kBytes},
      {"i_string_truncated-utf-8", kBytes},
      {"y_string_utf16", kBytes},
      {"y_string_utf16be", kBytes},
      {"y_string_utf32", kBytes},
      {"y_string_utf32be", kBytes},
      {"i_string_unicode_U+10FFFE_nonchar", kNoncharacter},
      {"i_string_unicode_U+1FFFE_nonchar", kNoncharacter},
      {"i_string_unicode_U+FDD0_nonchar", kNoncharacter},
      {"i_string_unicode_U+FFFE_nonchar", kNoncharacter},
      {"i_structure_500_nested_arrays", {"INVALID_JSON", "a body nests at most 32 deep"}},
      {"i_structure_UTF-8_BOM_empty_object", {"INVALID_JSON", "JSON begins without a mark (RFC 8259, 8.1)"}},
  };
  return choices;
}

std::string ReasonOfMetadata(const std::string& json) {
  static JsonPlans plans;
  const MessagePlan& plan = **plans.Make(*RedeemTokenRequest::descriptor());
  RedeemTokenRequest request;
  const absl::Status status = ReadJson(plan, R"({"metadata":{"a":)" + json + "}}", request);
  return status.ok() ? "" : std::string(ReasonName(ReasonOf(status)));
}

TEST_CASE("the suite of JSON is whole") {
  std::map<char, int> count;
  for (const auto& [name, json] : SuiteFiles()) ++count[name.front()];
  CHECK(count == std::map<char, int>{{'i', 21}, {'n', 195}, {'y', 102}});
  for (const auto& [name, choice] : Choices()) {
    INFO(name << ": " << choice.why);
    CHECK(SuiteFiles().contains(name));
  }
}

TEST_CASE("as a value in metadata, JSON is JSON and nothing else is") {
  for (const auto& [name, json] : SuiteFiles()) {
    const std::string reason = ReasonOfMetadata(json);
    INFO(name << ": " << json.substr(0, 100) << " -> " << reason);
    const auto choice = Choices().find(name);
    if (choice != Choices().end()) {
      CHECK(reason == choice->second.reason);
    } else {
      CHECK(name.front() != 'i');
      CHECK((reason == "INVALID_JSON") == (name.front() == 'n'));
    }
  }
  // What later revisions have and Debian 12's has not.
  CHECK(ReasonOfMetadata(R"(["new\u000Aline"])") == "");
  for (const std::string_view none :
       {std::string_view("123\0", 4), std::string_view("\0[\0\"\0\xE9\0\"\0]", 10),
        std::string_view("[\0\"\0\xE9\0\"\0]\0", 10)}) {
    CHECK(ReasonOfMetadata(std::string(none)) == "INVALID_JSON");
  }
}

TEST_CASE("control: protobuf's own reader is wrong about files of the suite") {
  int wrong = 0;
  for (const auto& [name, json] : SuiteFiles()) {
    if (Choices().contains(name)) continue;
    google::protobuf::Value value;
    const bool taken = google::protobuf::util::JsonStringToMessage(json, &value).ok();
    wrong += taken == (name.front() == 'n') ? 1 : 0;
  }
  CHECK(wrong > 0);
}

TEST_CASE("as a body, every file of the suite gets its 4xx in no time") {
  constexpr double kSecondsMax = test::kSanitized ? 0.1 : 0.01;
  TestGateway gateway;
  int redeemed = 0;
  gateway.backend.redeem = [&](auto&, const RedeemTokenRequest&, RedeemTokenResponse&) {
    ++redeemed;
    return ToGrpc(MakeError(errors::v1::REASON_TOKEN_INVALID, "The feedback token is not valid."));
  };
  for (const auto& [name, json] : SuiteFiles()) {
    TestResponse response;
    double seconds = 1;
    for (int i = 0; i < 3; ++i) {
      const double start = test::ProcessCpuSeconds();
      response = gateway.Exchange(Redeem("", json));
      seconds = std::min(seconds, test::ProcessCpuSeconds() - start);
    }
    INFO(name << ": " << json.substr(0, 100) << " -> " << response.body);
    CHECK(response.status == (name == "y_object_empty" ? 401 : 400));
    CHECK(response.complete);
    CHECK(seconds < kSecondsMax);
  }
  CHECK(redeemed == 3);  // {}
}

}  // namespace
}  // namespace verdict::gateway
