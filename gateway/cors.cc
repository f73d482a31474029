#include "gateway/cors.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace verdict::gateway {
namespace {

// scheme://host[:port] and nothing more, as browsers send it: in lower case.
bool IsOrigin(absl::string_view text) {
  const bool has_scheme = absl::ConsumePrefix(&text, "https://") || absl::ConsumePrefix(&text, "http://");
  return has_scheme && !text.empty() && std::ranges::all_of(text, [](char c) {
           return absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
                  absl::ascii_islower(static_cast<unsigned char>(c)) || absl::StrContains("-._:[]", c);
         });
}

}  // namespace

absl::StatusOr<CorsPolicy> CorsPolicy::Parse(std::string_view origins) {
  CorsPolicy policy;
  if (origins == "*") return policy;
  for (const absl::string_view piece :
       absl::StrSplit(absl::string_view(origins.data(), origins.size()), ',')) {
    const absl::string_view origin = absl::StripAsciiWhitespace(piece);
    if (!IsOrigin(origin)) {
      return absl::InvalidArgumentError(
          absl::StrCat("not an origin such as https://app.example.com: ", origin));
    }
    policy.origins_.emplace_back(origin);
  }
  return policy;
}

Fields CorsPolicy::AnswerFields(std::optional<std::string_view> origin) const {
  Fields fields = {{"Vary", "Origin"}};
  if (!origins_.empty() && (!origin || std::ranges::find(origins_, *origin) == origins_.end())) return fields;
  fields.emplace_back("Access-Control-Allow-Origin", origins_.empty() ? "*" : std::string(*origin));
  fields.emplace_back("Access-Control-Expose-Headers", "X-Request-Id, Retry-After, Idempotent-Replayed");
  return fields;
}

Fields CorsPolicy::PreflightFields(std::string_view methods) {
  return {{"Access-Control-Allow-Methods", std::string(methods)},
          {"Access-Control-Allow-Headers", "authorization, content-type, idempotency-key"},
          {"Access-Control-Max-Age", "600"}};
}

}  // namespace verdict::gateway
