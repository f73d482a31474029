#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tests/support/await.h"
#include "tests/support/seed.h"
#include "tests/support/stack.h"
#include "tests/support/token_vectors.h"

// What a stranger may send in place of a token, through HTTP.
namespace verdict::test {
namespace {

namespace json = boost::json;

// Equal in all requests, so that equal answers are equal byte for byte.
const std::pair<std::string, std::string> kRequestId = {"X-Request-Id", "the-same"};

std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text)
    absl::StrAppend(&escaped, "%", absl::Hex(static_cast<uint8_t>(c), absl::kZeroPad2));
  return escaped;
}

// Mints a token, with `more` members in the body.
HttpRequest Mint(const Tenant& tenant, const std::string& more) {
  return {.method = "POST",
          .target = "/api/v1/feedback/token",
          .headers = {{"X-Api-Key", tenant.key}, {"Content-Type", "application/json"}},
          .body = absl::StrCat(R"({"resource_type":"trace","resource_id":"t")", more, "}")};
}

// The ways in which a token is sent, by name.
struct Ways {
  const Tenant& tenant;

  HttpRequest Verify(const std::string& token) const {
    // Escaped only where it must be, or half as many characters would be too many.
    const bool plain = token.find_first_of("%+ \t\r\n&#") == std::string::npos &&
                       std::ranges::all_of(token, [](char c) { return c > ' ' && c < '\x7f'; });
    return {.target = "/api/v1/feedback/token?token=" + (plain ? token : Escaped(token)),
            .headers = {{"Authorization", "Bearer " + tenant.key}, kRequestId}};
  }
  static HttpRequest Peek(const std::string& token) {
    return {.target = "/api/v1/feedback", .headers = {{"Authorization", "Bearer " + token}, kRequestId}};
  }
  static HttpRequest Redeem(const std::string& token) {
    return {
        .method = "POST",
        .target = "/api/v1/feedback",
        .headers = {{"Authorization", "Bearer " + token}, {"Content-Type", "application/json"}, kRequestId},
        .body = R"({"thumbs_up":true})"};
  }
  static HttpRequest Body(const std::string& token) {
    return {.method = "POST",
            .target = "/api/v1/feedback",
            .headers = {{"Content-Type", "application/json"}, kRequestId},
            .body = absl::StrCat(R"({"thumbs_up":true,"token":)", json::serialize(json::string(token)), "}")};
  }

  // All that can carry these bytes, with their names in the vectors.
  std::vector<std::pair<std::string, HttpRequest>> Requests(const std::string& token) const {
    std::vector<std::pair<std::string, HttpRequest>> requests = {{"verify", Verify(token)},
                                                                 {"body", Body(token)}};
    if (!token.empty() && token.size() < 65'000 &&
        std::ranges::all_of(token, [](char c) { return c > ' ' && c < '\x7f'; })) {
      requests.emplace_back("peek", Peek(token));
      requests.emplace_back("redeem", Redeem(token));
    }
    return requests;
  }
};

// The stack with the key set of the vectors, known to both processes that have one.
struct VectorStack : Stack {
  VectorStack() {
    keyset().Publish(TokenVectorKeySet());
    for (const char* name : {"token", "feedback"}) {
      Await("the keys", [&] {
        return AdminPage(name, "/metrics").find(R"(verdict_keyset_has_kid{kid="8letters"} 1)") !=
               std::string::npos;
      });
    }
  }

  Tenant other = NewTenant("other");

  TokenVectorTenants Tenants() const {
    return {.now = SystemClock().Now(),
            .org = *Uuid::Parse(tenant().org_id),
            .project = *Uuid::Parse(tenant().project_id),
            .other_org = *Uuid::Parse(other.org_id),
            .other_project = *Uuid::Parse(other.project_id)};
  }

  // How many rows each table has.
  std::string Rows() const {
    return database().Query(
        "select table_name, (xpath('//n/text()', query_to_xml('select count(*) n from ' || table_name, "
        "false, "
        "true, '')))[1] from information_schema.tables where table_schema = 'public' and "
        "table_type = 'BASE TABLE' order by 1");
  }

  std::string Feedback() const { return database().Query("select count(*) from feedback"); }
};

std::string Code(const HttpResponse& response) {
  return std::string(json::parse(response.body).at("code").as_string());
}

TEST_CASE("no token that must fail gets in, all refusals are one, and nothing is stored") {
  VectorStack stack;
  const Ways ways{stack.tenant()};
  HttpClient client(stack.port());
  const std::string rows = stack.Rows();
  const std::string refusal = stack.Send(ways.Verify("fbt1.k1.AAAA.AAAA")).body;
  REQUIRE(std::string(json::parse(refusal).at("code").as_string()) == "TOKEN_INVALID");

  int sent = 0;
  for (const TokenVector& vector : ReadTokenVectors("must_fail", stack.Tenants())) {
    if (vector.codec_only) continue;
    for (const auto& [way, request] : ways.Requests(vector.token)) {
      if (vector.verdict == "foreign" && way != "verify") continue;  // nobody's key is asked for
      INFO(vector.name << " by " << way);
      const HttpResponse response = client.Send(request);
      ++sent;
      if (const auto own = vector.http.find(way); own != vector.http.end()) {
        CHECK(response.status == own->second);
      } else if (vector.verdict == "expired") {
        CHECK(response.status == 410);
        CHECK(Code(response) == "TOKEN_EXPIRED");
      } else if (vector.token.empty()) {
        CHECK(response.status == 401);  // and says that it is missing
      } else {
        CHECK(response.status == 401);
        CHECK(response.body == refusal);
        CHECK(response.headers.at("www-authenticate") == "Bearer");
      }
    }
  }
  CHECK(sent >= 240);
  CHECK(stack.Rows() == rows);
}

TEST_CASE("each token that must pass is verified, shown and redeemed") {
  VectorStack stack;
  const Ways ways{stack.tenant()};
  HttpClient client(stack.port());
  int stored = 0;
  for (const TokenVector& vector : ReadTokenVectors("must_pass", stack.Tenants())) {
    if (vector.codec_only) continue;
    INFO(vector.name << ": " << vector.why);
    CHECK(client.Send(ways.Verify(vector.token)).status == 200);
    CHECK(client.Send(Ways::Peek(vector.token)).status == 200);
    CHECK(client.Send(++stored % 2 == 0 ? Ways::Redeem(vector.token) : Ways::Body(vector.token)).status ==
          200);
    CHECK(stack.Feedback() == std::to_string(stored));
  }
  CHECK(stored >= 10);
}

void Flip(char& byte, uint64_t bit) { byte = static_cast<char>(byte ^ (1 << bit)); }

TEST_CASE("a token with one bit changed is refused by every way alike") {
  VectorStack stack;
  const Ways ways{stack.tenant()};
  HttpClient client(stack.port());
  std::mt19937_64 random(NewSeed("a token with one bit changed"));
  const HttpResponse minted = client.Send(Mint(stack.tenant(), ""));
  const std::string token(json::parse(minted.body).at("token").as_string());
  const std::vector<std::string> parts = absl::StrSplit(token, '.');
  const std::string refusal = stack.Send(ways.Verify("fbt1.k1.AAAA.AAAA")).body;
  const std::string rows = stack.Rows();
  for (int i = 0; i < 60; ++i) {
    // Of the bytes that are signed, or of the text: there bits decide between letters.
    std::string changed;
    if (i % 2 == 0) {
      std::vector<std::string> bytes = parts;
      std::string& part = bytes[2 + random() % 2];
      std::string decoded;
      REQUIRE(absl::WebSafeBase64Unescape(part, &decoded));
      Flip(decoded[random() % decoded.size()], random() % 8);
      part = absl::WebSafeBase64Escape(decoded);
      part.erase(std::min(part.find('='), part.size()));
      changed = absl::StrJoin(bytes, ".");
    } else {
      changed = token;
      Flip(changed[random() % changed.size()], random() % 5);
    }
    INFO(changed);
    for (const auto& [way, request] : ways.Requests(changed)) {
      INFO(way);
      const HttpResponse response = client.Send(request);
      CHECK(response.status == 401);
      CHECK(response.body == refusal);
    }
  }
  CHECK(stack.Rows() == rows);
  // The control: it was a good token all along.
  CHECK(client.Send(ways.Verify(token)).status == 200);
  CHECK(client.Send(Ways::Redeem(token)).status == 200);
}

TEST_CASE("a lifetime is a whole number of seconds from 1 to 86400") {
  VectorStack stack;
  HttpClient client(stack.port());
  const auto mint = [&](const std::string& lifetime) { return client.Send(Mint(stack.tenant(), lifetime)); };
  for (const std::string& lifetime : {std::string("0"),          std::string("-1"),
                                      std::string("-0"),         std::string("86401"),
                                      std::string("4294970897"), std::string("18446744073709555216"),
                                      std::string("3600.5"),     std::string("\"3600\""),
                                      std::string("1e400"),      std::string("-1e400"),
                                      std::string("1e5"),        std::string("0.9999999999999999999"),
                                      std::string("true"),       std::string("[3600]"),
                                      std::string("{}"),         std::string("NaN"),
                                      std::string("Infinity"),   std::string("0x10"),
                                      std::string("03600"),      std::string("+1"),
                                      std::string(400, '9'),     "3600." + std::string(400, '0') + "1"}) {
    INFO(lifetime);
    const HttpResponse response = mint(absl::StrCat(R"(,"expires_in_seconds":)", lifetime));
    CHECK(response.status == 400);
    CHECK(response.body.find("\"token\"") == std::string::npos);
  }
  CHECK(mint(R"(,"expires_in_seconds":60,"expires_in_seconds":61)").status == 400);
  const std::vector<std::pair<std::string, int>> accepted = {{"", 3600},
                                                             {R"(,"expires_in_seconds":null)", 3600},
                                                             {R"(,"expires_in_seconds":1)", 1},
                                                             {R"(,"expires_in_seconds":86400)", 86'400},
                                                             {R"(,"expires_in_seconds":1e3)", 1000},
                                                             {R"(,"expires_in_seconds":3600.0)", 3600}};
  for (const auto& [lifetime, seconds] : accepted) {
    INFO(lifetime);
    const HttpResponse response = mint(lifetime);
    REQUIRE(response.status == 200);
    // The token says for itself: iat and exp, after type and flags.
    const std::vector<std::string> parts =
        absl::StrSplit(std::string(json::parse(response.body).at("token").as_string()), '.');
    std::string payload;
    REQUIRE(absl::WebSafeBase64Unescape(parts.at(2), &payload));
    const auto time = [&](size_t at) {
      return std::strtoll(absl::BytesToHexString(payload.substr(at, 8)).c_str(), nullptr, 16);
    };
    CHECK(time(10) - time(2) == seconds * 1000LL);
  }
}

}  // namespace
}  // namespace verdict::test
