#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gateway/json_reader.h"
#include "gateway/testing/codec_test_support.h"
#include "gateway/url.h"
#include "tests/support/fuzz.h"

// Request targets of strangers, against a second, slow opinion on what a path matches.
namespace verdict::gateway {
namespace {

using Segments = std::vector<std::string>;

const std::vector<RouteTable>& Tables() {
  static const auto& tables = *[] {
    auto* made = new std::vector<RouteTable>;
    made->push_back(ContractRoutes());
    made->push_back(TestRoutes());
    return made;
  }();
  return tables;
}

Segments SegmentsOf(std::string_view path) {
  return absl::StrSplit(absl::string_view(path.data(), path.size()), '/');
}

bool IsVariable(const std::string& segment) { return segment.starts_with('{'); }

// ":pin" of "{tag}:pin".
std::string VerbOf(const std::string& segment) {
  return IsVariable(segment) ? segment.substr(segment.find('}') + 1) : "";
}

bool Matches(const Segments& pattern, const Segments& path) {
  return std::ranges::equal(pattern, path, [](const std::string& wanted, const std::string& segment) {
    if (!IsVariable(wanted)) return wanted == segment;
    const std::string verb = VerbOf(wanted);
    return segment.size() > verb.size() && segment.ends_with(verb) && segment != "." && segment != "..";
  });
}

// How soon a segment of a template is tried.
int RankOf(const std::string& segment) { return !IsVariable(segment) ? 0 : VerbOf(segment).empty() ? 2 : 1; }

// Of all templates, the one whose literals stand in front; "" when none matches.
std::string TemplateOf(const RouteTable& routes, std::string_view path) {
  const Segments segments = SegmentsOf(path);
  std::string best;
  for (const Route* route : routes.routes()) {
    const Segments pattern = SegmentsOf(route->path_template);
    if (!Matches(pattern, segments)) continue;
    const auto is_better = [&] {
      const Segments known = SegmentsOf(best);
      for (size_t i = 0; i < pattern.size(); ++i) {
        if (RankOf(pattern[i]) != RankOf(known[i])) return RankOf(pattern[i]) < RankOf(known[i]);
      }
      return false;
    };
    if (best.empty() || is_better()) best = route->path_template;
  }
  return best;
}

// Templates of one path differ in the names of their variables only.
bool IsSameShape(const std::string& a, const std::string& b) {
  return std::ranges::equal(SegmentsOf(a), SegmentsOf(b), [](const auto& one, const auto& other) {
    return one == other || (IsVariable(one) && IsVariable(other) && VerbOf(one) == VerbOf(other));
  });
}

std::string PercentEncoded(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    encoded += '%';
    encoded += kHex[byte >> 4];
    encoded += kHex[byte & 15];
  }
  return encoded;
}

// The path with what its variables are spelled out byte by byte.
std::string WithVariablesEncoded(const Match& match, std::string_view path) {
  Segments segments = SegmentsOf(path);
  const Segments pattern = SegmentsOf(match.route->path_template);
  size_t variable = 0;
  for (size_t i = 0; i < segments.size(); ++i) {
    if (!IsVariable(pattern[i])) continue;
    segments[i] = PercentEncoded(match.variables[variable++]) + VerbOf(pattern[i]);
  }
  return absl::StrJoin(segments, "/");
}

void CheckMatch(const RouteTable& routes, std::string_view method, std::string_view path,
                std::string_view query) {
  const Match match = routes.Find(method, path);
  const std::string expected = TemplateOf(routes, path);
  fuzz::Require((match.path == nullptr) == expected.empty(), "a path is found when a template matches it");
  fuzz::Require(match.path != nullptr || match.variables.empty(), "no route, no variables");
  if (match.route == nullptr) {
    fuzz::Require(!match.status.ok(), "no route, no answer");
    return;
  }
  const Route& route = *match.route;
  fuzz::Require(IsSameShape(route.path_template, expected), "literals come before variables");
  fuzz::Require(match.variables.size() == route.variables.size(), "each variable has a value");
  if (!match.status.ok()) return;
  for (const std::string_view variable : match.variables) {
    fuzz::Require(!variable.empty() && variable.size() <= path.size(), "a variable is within the path");
    fuzz::Require(variable.find('\0') == std::string_view::npos, "no variable has U+0000");
  }
  const std::unique_ptr<google::protobuf::Message> request(route.request->New());
  const absl::Status read = ReadRequest(match, query, std::nullopt, *request);
  if (read.ok()) fuzz::Require(IsUtf8(ToJson(*route.request_plan, *request)), "what is read is UTF-8");

  // A literal is a literal only as it is spelled.
  const std::string encoded = WithVariablesEncoded(match, path);
  const Match again = routes.Find(method, encoded);
  fuzz::Require(again.route == match.route, "escapes do not change the route");
  fuzz::Require(again.status.ok() && std::ranges::equal(again.variables, match.variables),
                "nor the variables");
}

// METHOD, path and query, a line each.
std::vector<std::string> RouteSeeds() {
  std::vector<std::string> seeds;
  for (const RouteTable& routes : Tables()) {
    for (const Route* route : routes.routes()) {
      std::string path = route->path_template;
      std::string query;
      for (const FieldPlan& field : route->request_plan->fields) query.append(field.name).append("=1&");
      seeds.push_back(std::string(route->verb) + "\n" + path + "\n" + query);
      if (path.find('{') == std::string::npos) continue;
      for (const char* segment : {"a%2Fb", "a", ".", "..", "%2E", "%00", "%FF", "%", "%4", "a+%C3%A9", "",
                                  "a:pin", ":", "a%3Apin", ".:pin", "a:b:pin"}) {
        std::string target = path;
        for (size_t at = target.find('{'); at != std::string::npos; at = target.find('{')) {
          target.replace(at, target.find('}') - at + 1, segment);
        }
        seeds.push_back(std::string(route->verb) + "\n" + target + "\n");
      }
    }
  }
  return seeds;
}

void TestRoute(std::string_view input) {
  const auto take_line = [&] {
    const std::string_view line = input.substr(0, input.find('\n'));
    input.remove_prefix(std::min(line.size() + 1, input.size()));
    return line;
  };
  const std::string_view method = take_line();
  const std::string_view path = take_line();
  for (const RouteTable& routes : Tables()) CheckMatch(routes, method, path, input);
}

}  // namespace
}  // namespace verdict::gateway

std::vector<std::string> verdict::fuzz::Seeds() { return gateway::RouteSeeds(); }
void verdict::fuzz::Test(std::string_view input) { gateway::TestRoute(input); }
