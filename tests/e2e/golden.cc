#include "tests/e2e/golden.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/ids/uuid.h"

namespace verdict::test {
namespace {

namespace json = boost::json;
using Variables = std::map<std::string, std::string>;

// Replaces $NAME; longer names first, as one may begin another.
std::string Expand(std::string text, const Variables& variables) {
  for (auto variable = variables.rbegin(); variable != variables.rend(); ++variable) {
    text = absl::StrReplaceAll(text, {{"$" + variable->first, variable->second}});
  }
  return text;
}

bool IsTime(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00.000Z";
  return text.size() == kShape.size() && std::ranges::equal(text, kShape, [](unsigned char c, char shape) {
           return shape == '0' ? std::isdigit(c) != 0 : c == static_cast<unsigned char>(shape);
         });
}

// What is the same in every run: variables by name, other ids, times, tokens and keys by their kind.
std::string Mask(std::string text, const Variables& variables) {
  for (const auto& [name, value] : variables) text = absl::StrReplaceAll(text, {{value, "$" + name}});
  if (Uuid::Parse(text)) return "<uuid>";
  if (IsTime(text)) return "<time>";
  if (absl::StartsWith(text, "fbt1.")) return "<token>";
  // The slug of a judge's own prompt has the judge's id.
  if (absl::StartsWith(text, "judge-") && text.size() == 38) return "judge-<id>";
  return text;
}

// One member a line, so that a change shows as what it is.
std::string Print(const json::value& value, const Variables& variables, const std::string& indent = "") {
  const std::string deeper = indent + "  ";
  std::vector<std::string> members;
  if (const auto* object = value.if_object()) {
    if (object->empty()) return "{}";
    for (const auto& member : *object) {
      const bool is_cursor = member.key() == "next_cursor";
      members.push_back(deeper + json::serialize(json::value(member.key())) + ": " +
                        (is_cursor ? "\"<cursor>\"" : Print(member.value(), variables, deeper)));
    }
    return "{\n" + absl::StrJoin(members, ",\n") + "\n" + indent + "}";
  }
  if (const auto* array = value.if_array()) {
    if (array->empty()) return "[]";
    for (const json::value& element : *array) members.push_back(deeper + Print(element, variables, deeper));
    return "[\n" + absl::StrJoin(members, ",\n") + "\n" + indent + "]";
  }
  if (const auto* text = value.if_string()) {
    return json::serialize(json::value(Mask(std::string(*text), variables)));
  }
  return json::serialize(value);
}

// The member at a path such as .items.0.id, as text.
std::string Member(const json::value& value, const std::string& path) {
  const json::value* at = &value;
  for (const absl::string_view name : absl::StrSplit(path, '.', absl::SkipEmpty())) {
    at = at->is_array() ? &at->as_array().at(static_cast<std::size_t>(std::stoul(std::string(name))))
                        : &at->as_object().at({name.data(), name.size()});
  }
  return at->is_string() ? std::string(at->as_string()) : json::serialize(*at);
}

}  // namespace

GoldenFile::GoldenFile(const std::filesystem::path& path) : name_(path.stem()) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  text_ = text.str();
  if (text_.empty()) throw std::runtime_error("cannot read " + path.string());
}

std::string GoldenFile::Play(Stack& stack) {
  const Tenant tenant = stack.NewTenant(name_);
  Variables variables = {{"org_id", tenant.org_id},
                         {"project_id", tenant.project_id},
                         {"user_id", tenant.user_id},
                         {"key_id", tenant.key_id},
                         {"key", tenant.key}};
  std::vector<std::string> played;
  for (const absl::string_view part : absl::StrSplit(text_, "\n===")) {
    const std::string step(part);
    if (played.empty()) {
      for (const absl::string_view line : absl::StrSplit(step, '\n')) {
        if (!absl::StartsWith(line, "@ctl ")) continue;
        std::vector<std::string> words = absl::StrSplit(Expand(std::string(line), variables), ' ');
        const std::vector<std::string> command(words.begin() + 3, words.end());
        variables[words[1]] = stack.CtlField(command, words[2].substr(1));
      }
      played.push_back(step);
    } else {
      played.push_back(PlayStep(stack, step, variables));
    }
  }
  return absl::StrJoin(played, "\n===");
}

std::string GoldenFile::PlayStep(Stack& stack, const std::string& step, Variables& variables) const {
  const std::vector<std::string> lines = absl::StrSplit(step, '\n');
  HttpRequest request{.headers = {{"X-Request-Id", name_}}};
  std::vector<std::string> kept;  // the step as it should read
  std::size_t at = 0;
  const auto next = [&]() -> const std::string& {
    kept.push_back(lines.at(at));
    return lines.at(at++);
  };

  next();  // the title
  const std::vector<std::string> request_line = absl::StrSplit(Expand(next(), variables), ' ');
  request.method = request_line.at(0);
  request.target = request_line.at(1);
  while (!absl::StartsWith(lines.at(at), "=>")) {
    const std::string line = Expand(next(), variables);
    if (line.empty()) break;
    const auto colon = line.find(": ");
    request.headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  std::vector<std::string> body;
  while (!absl::StartsWith(lines.at(at), "=>")) body.push_back(Expand(next(), variables));
  request.body = absl::StrJoin(body, "\n");
  ++at;

  const HttpResponse response = stack.Send(request);
  kept.push_back("=> " + std::to_string(response.status));
  for (; at < lines.size() && lines[at].find(": ") != std::string::npos && lines[at].front() != ' '; ++at) {
    const std::string name = lines[at].substr(0, lines[at].find(": "));
    const auto header = response.headers.find(absl::AsciiStrToLower(name));
    kept.push_back(name + ": " +
                   (header == response.headers.end() ? "(absent)" : Mask(header->second, variables)));
  }
  std::vector<std::string> saves;
  std::size_t end = lines.size();
  for (; at < end; ++at) {
    if (absl::StartsWith(lines[at], "@")) saves.push_back(lines[at]);
  }
  json::value answer;
  if (!response.body.empty()) {
    answer = json::parse(response.body);
    kept.push_back(Print(answer, variables));
  }
  for (const std::string& save : saves) {
    const std::vector<std::string> words = absl::StrSplit(save.substr(1), ' ');
    variables[words.at(0)] = Member(answer, words.at(1));
    kept.push_back(save);
  }
  kept.emplace_back();  // an empty line parts it from the next
  return absl::StrJoin(kept, "\n");
}

}  // namespace verdict::test
