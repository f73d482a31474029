#include "services/feedback/prompt_content.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace verdict::feedback {
namespace {

std::string_view FirstCharacter(std::string_view text) {
  const int ones = std::countl_one(static_cast<uint8_t>(text.front()));
  return text.substr(0, static_cast<size_t>(std::max(ones, 1)));
}

std::string_view LastCharacter(std::string_view text) {
  constexpr size_t kBytesMax = 4;
  size_t start = text.size() - 1;
  while (start > 0 && text.size() - start < kBytesMax && (static_cast<uint8_t>(text[start]) & 0xc0) == 0x80) {
    --start;
  }
  return text.substr(start);
}

char32_t CodePoint(std::string_view character) {
  const auto first = static_cast<uint8_t>(character.front());
  if (character.size() == 1) return first;
  char32_t code_point = first & (0xffU >> (character.size() + 1));
  for (const char c : character.substr(1)) code_point = code_point << 6 | (static_cast<uint8_t>(c) & 0x3fU);
  return code_point;
}

bool IsSpace(std::string_view character) {
  const char32_t c = CodePoint(character);
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

std::string_view StrippedAtEnd(std::string_view text) {
  while (!text.empty() && IsSpace(LastCharacter(text))) text.remove_suffix(LastCharacter(text).size());
  return text;
}

std::string_view Stripped(std::string_view text) {
  while (!text.empty() && IsSpace(FirstCharacter(text))) text.remove_prefix(FirstCharacter(text).size());
  return StrippedAtEnd(text);
}

// A UTF-16 code unit as Python's json.dumps writes what is not printable ASCII.
void AppendEscaped(char32_t unit, std::string& json) {
  constexpr std::string_view kHex = "0123456789abcdef";
  json += "\\u";
  for (const int shift : {12, 8, 4, 0}) json += kHex[unit >> shift & 0xf];
}

std::string Quoted(std::string_view text) {
  std::string json = "\"";
  while (!text.empty()) {
    const std::string_view character = FirstCharacter(text);
    text.remove_prefix(character.size());
    const char32_t c = CodePoint(character);
    constexpr std::string_view kShort = "\"\\\n\r\t\b\f";
    constexpr std::string_view kShortEscapes = "\"\\nrtbf";
    if (const size_t at = kShort.find(character); at != std::string_view::npos) {
      json += '\\';
      json += kShortEscapes[at];
    } else if (c >= 0x20 && c < 0x7f) {
      json += character;
    } else if (c < 0x10000) {
      AppendEscaped(c, json);
    } else {
      AppendEscaped(0xd800 + ((c - 0x10000) >> 10), json);
      AppendEscaped(0xdc00 + ((c - 0x10000) & 0x3ff), json);
    }
  }
  return json + '"';
}

}  // namespace

std::string NormalizedContent(std::string_view content) {
  std::string normalized;
  normalized.reserve(content.size());
  while (!content.empty()) {
    const size_t end = std::min(content.find_first_of("\r\n"), content.size());
    normalized += StrippedAtEnd(content.substr(0, end));
    normalized += '\n';
    content.remove_prefix(end);
    content.remove_prefix(content.starts_with("\r\n") ? 2 : std::min<size_t>(content.size(), 1));
  }
  return std::string(Stripped(normalized));
}

crypto::Digest ContentHash(std::string_view content, std::optional<std::string_view> model_id) {
  return crypto::Sha256(R"({"content": )" + Quoted(content) + R"(, "evaluation_type": null, "model_id": )" +
                        (model_id ? Quoted(*model_id) : "null") +
                        R"(, "pass_threshold": null, "score_max": null, "score_min": null, )"
                        R"("structured_criteria": null, "temperature": null})");
}

}  // namespace verdict::feedback
