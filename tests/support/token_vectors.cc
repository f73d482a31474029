#include "tests/support/token_vectors.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace verdict::test {
namespace {

namespace json = boost::json;

std::string ReadVectorFile(const std::string& name) {
  const char* source = std::getenv("VERDICT_SOURCE");
  if (source == nullptr) throw std::runtime_error("VERDICT_SOURCE is not set: run the tests with ctest");
  const std::string path = std::string(source) + "/tests/vectors/token/" + name + ".json";
  std::stringstream text;
  if (!(text << std::ifstream(path, std::ios::binary).rdbuf())) throw std::runtime_error("no file " + path);
  return text.str();
}

// A text of a recipe: itself, repeated, or written in hexadecimal digits.
std::string TextOf(const json::value& value) {
  if (value.is_string()) return json::value_to<std::string>(value);
  if (const json::value* digits = value.as_object().if_contains("hex")) {
    return absl::HexStringToBytes(json::value_to<std::string>(*digits));
  }
  const json::array& repeat = value.at("repeat").as_array();
  std::string text;
  for (int64_t i = 0; i < repeat.at(1).as_int64(); ++i) text += TextOf(repeat.at(0));
  return text;
}

// A position or size, from the end when it is negative.
size_t IndexOf(const json::value& value, size_t size) {
  const int64_t index = value.as_int64();
  return static_cast<size_t>(index < 0 ? static_cast<int64_t>(size) + index : index);
}

std::string BigEndian(int64_t number) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(static_cast<uint64_t>(number) >> shift));
  }
  return bytes;
}

std::string Base64Url(const std::string& bytes) {
  std::string text = absl::WebSafeBase64Escape(bytes);
  text.erase(std::min(text.find('='), text.size()));
  return text;
}

std::string Hmac(const std::string& digest, std::string_view key, std::string_view message) {
  const EVP_MD* const algorithm = EVP_get_digestbyname(digest.c_str());
  if (algorithm == nullptr) throw std::runtime_error("no digest " + digest);
  std::string mac(static_cast<size_t>(EVP_MD_get_size(algorithm)), '\0');
  HMAC(algorithm, key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(),
       reinterpret_cast<unsigned char*>(mac.data()), nullptr);
  return mac;
}

// The first 32 bytes of HKDF-SHA-256 (RFC 5869) without salt.
std::string Derive(std::string_view root, const std::string& info) {
  return Hmac("sha256", Hmac("sha256", std::string(32, '\0'), root), info + '\x01');
}

// The number of the parts and each one's length before it, little endian in 8 bytes.
std::string Encoded(const std::vector<std::string>& parts) {
  const auto length = [](size_t size) {
    std::string bytes = BigEndian(static_cast<int64_t>(size));
    std::ranges::reverse(bytes);
    return bytes;
  };
  std::string text = length(parts.size());
  for (const std::string& part : parts) text += length(part.size()) + part;
  return text;
}

std::string Payload(const json::object& claims, const TokenVectorTenants& tenants) {
  const auto id = [&](const char* name, const Uuid& own, const Uuid& other) {
    const std::string text = TextOf(claims.at(name));
    const Uuid uuid = text == "own" ? own : text == "other" ? other : Uuid::Parse(text).value();
    return std::string(uuid.bytes.begin(), uuid.bytes.end());
  };
  const int64_t now = tenants.now.time_since_epoch().count();
  std::string bytes;
  for (const char* name : {"type", "flags"}) bytes += static_cast<char>(claims.at(name).as_int64());
  for (const char* name : {"iat_ms", "exp_ms"}) bytes += BigEndian(now + claims.at(name).as_int64());
  bytes += id("org", tenants.org, tenants.other_org);
  bytes += id("project", tenants.project, tenants.other_project);
  bytes += id("jti", {}, {});
  for (const char* name : {"resource", "subject_id", "subject_email", "subject_name"}) {
    const std::string text = TextOf(claims.at(name));
    bytes += static_cast<char>(text.size()) + text;
  }
  return bytes;
}

// One edit of bytes; nothing of it left is an edit of text. Each is an object of one member.
bool EditBytes(const std::string& kind, const json::value& value, std::string& bytes) {
  if (kind == "append") {
    bytes += TextOf(value);
  } else if (kind == "keep") {
    bytes.resize(IndexOf(value, bytes.size()));
  } else if (kind == "set") {
    bytes.at(IndexOf(value.at(0), bytes.size())) = static_cast<char>(value.at(1).as_int64());
  } else if (kind == "flip") {
    const size_t bit = IndexOf(value, bytes.size() * 8);
    char& byte = bytes.at(bit / 8);
    byte = static_cast<char>(byte ^ (0x80 >> bit % 8));
  } else {
    return false;
  }
  return true;
}

// An edit of one of the parts between dots.
bool EditParts(const std::string& kind, const json::value& value, std::string& text) {
  std::vector<std::string> parts = absl::StrSplit(text, '.');
  const auto part = [&]() -> std::string& {
    return parts.at(static_cast<size_t>((value.is_array() ? value.at(0) : value).as_int64()));
  };
  if (kind == "part") {
    part() = TextOf(value.at(1));
  } else if (kind == "append_to_part") {
    part() += TextOf(value.at(1));
  } else if (kind == "keep_of_part") {
    part().resize(IndexOf(value.at(1), part().size()));
  } else if (kind == "drop_part") {
    parts.erase(parts.begin() + value.as_int64());
  } else if (kind == "swap_parts") {
    std::swap(part(), parts.at(static_cast<size_t>(value.at(1).as_int64())));
  } else if (kind == "spare_bit") {
    // The last character of those that encode one or two bytes of three ends in zeros, and the next in the
    // alphabet, where A to Y, a to y and 0 to 8 have their next in ASCII too, differs in the last bit.
    if (part().size() % 4 == 0) throw std::runtime_error("a part without spare bits");
    ++part().back();
  } else {
    return false;
  }
  text = absl::StrJoin(parts, ".");
  return true;
}

bool EditText(const std::string& kind, const json::value& value, std::string& text) {
  if (kind == "prepend") {
    text = TextOf(value) + text;
  } else if (kind == "whole") {
    text = TextOf(value);
  } else if (kind == "replace") {
    const int replaced = absl::StrReplaceAll({{TextOf(value.at(0)), TextOf(value.at(1))}}, &text);
    if (replaced == 0) throw std::runtime_error("nothing to replace");
  } else {
    return EditBytes(kind, value, text) || EditParts(kind, value, text);
  }
  return true;
}

// Does the edits of a step, if the recipe has it.
template <typename Edit>
void Apply(const json::object& recipe, const char* step, Edit edit, std::string& text) {
  const json::value* edits = recipe.if_contains(step);
  if (edits == nullptr) return;
  for (const json::value& element : edits->as_array()) {
    const auto& [kind, value] = *element.as_object().begin();
    if (!edit(std::string(kind), value, text)) throw std::runtime_error("no edit " + std::string(kind));
  }
}

// Replaces members of an object by those of a step, if the recipe has it.
void Replace(const json::object& recipe, const char* step, json::object& members) {
  const json::value* changes = recipe.if_contains(step);
  if (changes == nullptr) return;
  for (const auto& change : changes->as_object()) members.at(change.key()) = change.value();
}

std::string MakeToken(const json::object& recipe, const TokenVectorTenants& tenants) {
  json::object claims = {
      {"type", 2},        {"flags", 0},          {"iat_ms", 0},       {"exp_ms", 3'600'000},
      {"org", "own"},     {"project", "own"},    {"jti", ""},         {"resource", "run-\?\?\?\?\?\?~~~~~~"},
      {"subject_id", ""}, {"subject_email", ""}, {"subject_name", ""}};
  claims["jti"] = NewUuidV7(tenants.now).ToString();
  Replace(recipe, "claims", claims);
  std::string payload = Payload(claims, tenants);
  Apply(recipe, "payload", EditBytes, payload);

  json::object sign = {{"kid", "k1"},        {"root", nullptr},    {"version", "fbt1"},
                       {"info", "fbt1 mac"}, {"digest", "sha256"}, {"over", "parts"}};
  Replace(recipe, "sign", sign);
  const std::string version = TextOf(sign.at("version"));
  const std::string kid = TextOf(sign.at("kid"));
  const json::value roots = json::parse(ReadVectorFile("roots"));
  const std::string root = TextOf(roots.at(sign.at("root").is_null() ? kid : TextOf(sign.at("root"))));
  const std::string key = sign.at("info").is_null() ? root : Derive(root, TextOf(sign.at("info")));
  const std::string message = sign.at("over") == "text" ? version + "." + kid + "." + Base64Url(payload)
                                                        : Encoded({version, kid, payload});
  std::string tag = Hmac(TextOf(sign.at("digest")), key, message);

  if (recipe.contains("forged_claims")) {
    Replace(recipe, "forged_claims", claims);
    payload = Payload(claims, tenants);
  }
  Apply(recipe, "forged_payload", EditBytes, payload);
  Apply(recipe, "tag", EditBytes, tag);
  std::string token = absl::StrJoin({version, kid, Base64Url(payload), Base64Url(tag)}, ".");
  Apply(recipe, "token", EditText, token);
  return token;
}

}  // namespace

std::vector<TokenVector> ReadTokenVectors(const std::string& name, const TokenVectorTenants& tenants) {
  std::vector<TokenVector> vectors;
  const json::value recipes = json::parse(ReadVectorFile(name));
  for (const json::value& recipe : recipes.as_array()) {
    TokenVector vector = {.name = TextOf(recipe.at("name")),
                          .why = TextOf(recipe.at("why")),
                          .verdict = TextOf(recipe.at("verdict"))};
    try {
      vector.token = MakeToken(recipe.as_object(), tenants);
    } catch (const std::exception& error) {
      throw std::runtime_error("the recipe of `" + vector.name + "`: " + error.what());
    }
    vector.codec_only = recipe.as_object().contains("codec_only");
    if (const json::value* http = recipe.as_object().if_contains("http")) {
      vector.http = json::value_to<std::map<std::string, int>>(*http);
    }
    vectors.push_back(std::move(vector));
  }
  return vectors;
}

std::map<std::string, std::string> TokenVectorKeySet() {
  const std::string keyset = ReadVectorFile("keyset");
  const json::value roots = json::parse(ReadVectorFile("roots"));
  std::map<std::string, std::string> files = {{"keyset.json", keyset}};
  const json::value document = json::parse(keyset);
  for (const auto& key : document.at("keys").as_object()) {
    files[std::string(key.key())] = TextOf(roots.at(key.key()));
  }
  return files;
}

}  // namespace verdict::test
