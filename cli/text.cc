#include "cli/text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "common/config/config.h"

namespace verdict::cli {

std::string Cat(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

std::vector<std::string> SplitAtCommas(std::string_view text) {
  return absl::StrSplit(absl::string_view(text.data(), text.size()), ',');
}

std::optional<std::chrono::seconds> ParseDuration(std::string_view text) {
  const auto duration = config::ParseDuration(text);
  if (!duration || *duration < std::chrono::seconds(1) || *duration > std::chrono::days(10'000)) return {};
  if (*duration % std::chrono::seconds(1) != std::chrono::milliseconds(0)) return {};
  return std::chrono::duration_cast<std::chrono::seconds>(*duration);
}

std::optional<double> ParseNumber(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) return {};
  return number;
}

std::optional<int32_t> ParseCount(std::string_view text) {
  int32_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count < 1) return {};
  return count;
}

std::string EnumName(const google::protobuf::EnumValueDescriptor& value) {
  // The zero value is PREFIX_UNSPECIFIED in every enum of ours (buf lint holds it).
  const size_t prefix = value.type()->value(0)->name().size() - std::string_view("UNSPECIFIED").size();
  return absl::AsciiStrToLower(value.name().substr(prefix));
}

const google::protobuf::EnumValueDescriptor* FindEnumValue(const google::protobuf::EnumDescriptor& type,
                                                           std::string_view name) {
  for (int i = 1; i < type.value_count(); ++i) {
    if (EnumName(*type.value(i)) == name) return type.value(i);
  }
  return nullptr;
}

std::string EnumNames(const google::protobuf::EnumDescriptor& type) {
  std::string names;
  for (int i = 1; i < type.value_count(); ++i) {
    if (i > 1) names += ", ";
    names += EnumName(*type.value(i));
  }
  return names;
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);  // distances of a's beginning to every beginning of b
  std::iota(row.begin(), row.end(), 0);
  for (const char c : a) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (c == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string Printable(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string printable;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      printable += c;
    } else {
      printable += Cat({"\\x", kHex.substr(byte >> 4, 1), kHex.substr(byte & 15, 1)});
    }
  }
  return printable;
}

}  // namespace verdict::cli
