#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/json_util.h>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "gateway/testing/codec_test_support.h"
#include "gateway/testing/random_message.h"
#include "tests/support/seed.h"

// Protobuf's own JSON as a second opinion on ours: random messages of every type go through the one's writer
// and the other's reader, in both directions. What differs on purpose is translated, and stands in one table.
namespace verdict::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::string PrefixOf(const FieldDescriptor& field) {
  std::string prefix;
  for (const char letter : field.enum_type()->name()) {
    if (absl::ascii_isupper(static_cast<unsigned char>(letter)) && !prefix.empty()) prefix += '_';
    prefix += absl::ascii_toupper(static_cast<unsigned char>(letter));
  }
  return prefix + '_';
}

std::string Unquoted(std::string_view json) {
  return std::string(boost::json::parse(boost::json::string_view(json.data(), json.size())).as_string());
}

std::string Quoted(std::string_view text) {
  return boost::json::serialize(boost::json::value(boost::json::string_view(text.data(), text.size())));
}

// A deliberate difference: which fields' values have it, and what a value's JSON is on the other side.
struct Difference {
  const char* name;
  const char* example;  // JSON of ours: an Everything with such a value
  std::function<bool(const FieldDescriptor&)> applies;
  std::function<std::string(const FieldDescriptor&, std::string_view)> to_protobuf;
  std::function<std::string(const FieldDescriptor&, std::string_view)> to_ours;
};

const std::vector<Difference>& Differences() {
  static const auto& differences = *new std::vector<Difference>{
      {"enum values: without their type's prefix, in lower case", R"({"colour":"light_blue"})",
       [](const FieldDescriptor& field) { return field.type() == FieldDescriptor::TYPE_ENUM; },
       [](const FieldDescriptor& field, std::string_view json) {
         return Quoted(PrefixOf(field) + absl::AsciiStrToUpper(Unquoted(json)));
       },
       [](const FieldDescriptor& field, std::string_view json) {
         return Quoted(absl::AsciiStrToLower(Unquoted(json).substr(PrefixOf(field).size())));
       }},
      {"64-bit integers: numbers, not strings, but for OTLP", R"({"int64":1})",
       [](const FieldDescriptor& field) {
         const bool is_integer64 = field.cpp_type() == FieldDescriptor::CPPTYPE_INT64 ||
                                   field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64;
         return is_integer64 && StyleOf(*field.containing_type()) == JsonStyle::kOurs;
       },
       [](const FieldDescriptor&, std::string_view json) { return Quoted(json); },
       [](const FieldDescriptor&, std::string_view json) { return Unquoted(json); }},
      {"fields with `json`: the JSON itself, not a string of it", R"({"object":{"a":1}})",
       [](const FieldDescriptor& field) { return field.options().GetExtension(options::v1::field).json(); },
       [](const FieldDescriptor&, std::string_view json) { return Quoted(json); },
       [](const FieldDescriptor&, std::string_view json) { return Unquoted(json); }},
      {"bytes: in hex, not in base64", R"({"digits":"00ff"})",
       [](const FieldDescriptor& field) { return field.type() == FieldDescriptor::TYPE_BYTES; },
       [](const FieldDescriptor&, std::string_view json) {
         return Quoted(absl::Base64Escape(absl::HexStringToBytes(Unquoted(json))));
       },
       [](const FieldDescriptor&, std::string_view json) {
         std::string bytes;
         REQUIRE(absl::Base64Unescape(Unquoted(json), &bytes));
         return Quoted(absl::BytesToHexString(bytes));
       }},
      {"doubles: in their shortest form, also when that looks like an integer, of which protobuf drops -0's "
       "sign",
       R"({"number":-0})",
       [](const FieldDescriptor& field) { return field.type() == FieldDescriptor::TYPE_DOUBLE; },
       [](const FieldDescriptor&, std::string_view json) {
         return std::string(json) + (json.find_first_of(".e\"") == std::string_view::npos ? ".0" : "");
       },
       [](const FieldDescriptor&, std::string_view json) { return std::string(json); }},
  };
  return differences;
}

// What needs no translation: the fields' names are the contract's on both sides (preserve_proto_field_names),
// or lowerCamelCase in OTLP, both read times of any precision, what is absent is absent, and fields without
// presence may be left out.

enum class Direction : uint8_t { kToProtobuf, kToOurs };

// Takes compact, well-formed JSON apart without looking into it more than it must: numbers stay as they are
// spelled.
class Translator {
 public:
  Translator(std::string_view json, Direction direction) : rest_(json), direction_(direction) {}

  std::string Message(const Descriptor& type) {
    return Members([&](std::string_view name) { return Field(*FieldNamed(type, Unquoted(name))); });
  }

 private:
  static const FieldDescriptor* FieldNamed(const Descriptor& type, const std::string& name) {
    return StyleOf(type) == JsonStyle::kOtlp ? type.FindFieldByCamelcaseName(name)
                                             : type.FindFieldByName(name);
  }

  std::string Field(const FieldDescriptor& field) {
    if (field.is_map()) {
      const FieldDescriptor& value = *field.message_type()->map_value();
      return Members([&](std::string_view) { return Value(value); });
    }
    return field.is_repeated() ? Elements([&] { return Value(field); }) : Value(field);
  }

  std::string Value(const FieldDescriptor& field) {
    if (field.type() == FieldDescriptor::TYPE_MESSAGE &&
        field.message_type() != google::protobuf::Timestamp::descriptor()) {
      return Message(*field.message_type());
    }
    const std::string_view json = Skip();
    for (const Difference& difference : Differences()) {
      if (!difference.applies(field)) continue;
      return direction_ == Direction::kToProtobuf ? difference.to_protobuf(field, json)
                                                  : difference.to_ours(field, json);
    }
    return std::string(json);
  }

  template <typename Translate>
  std::string Members(Translate translate) {
    std::string out;
    do {
      out += Take(1);  // { or ,
      if (rest_.front() == '}') break;
      const std::string_view name = Skip();
      out += name;
      out += Take(1);  // :
      out += translate(name);
    } while (rest_.front() == ',');
    out += Take(1);
    return out;
  }

  template <typename Translate>
  std::string Elements(Translate translate) {
    std::string out;
    do {
      out += Take(1);  // [ or ,
      if (rest_.front() == ']') break;
      out += translate();
    } while (rest_.front() == ',');
    out += Take(1);
    return out;
  }

  // Takes one value, whatever it is.
  std::string_view Skip() {
    size_t depth = 0;
    size_t size = 0;
    do {
      if (rest_[size] == '"') {
        for (++size; rest_[size] != '"'; ++size) size += rest_[size] == '\\' ? 1 : 0;
      }
      if (rest_[size] == '{' || rest_[size] == '[') ++depth;
      if (rest_[size] == '}' || rest_[size] == ']') --depth;
      ++size;
    } while (depth > 0 ||
             (size < rest_.size() && std::string_view(",:]}").find(rest_[size]) == std::string_view::npos));
    return Take(size);
  }

  std::string_view Take(size_t size) {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  const Direction direction_;
};

// To the bit, which MessageDifferencer is not about: -0 equals 0 there.
std::string BytesOf(const Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

bool AreEqual(const Message& a, const Message& b) { return BytesOf(a) == BytesOf(b); }

bool ProtobufReads(const std::string& json, const Message& expected) {
  const std::unique_ptr<Message> read(expected.New());
  return google::protobuf::util::JsonStringToMessage(json, read.get()).ok() && AreEqual(expected, *read);
}

bool WeRead(const MessagePlan& plan, const std::string& json, const Message& expected) {
  const std::unique_ptr<Message> read(expected.New());
  return ReadJson(plan, json, *read).ok() && AreEqual(expected, *read);
}

std::string ProtobufsJson(const Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = StyleOf(*message.GetDescriptor()) == JsonStyle::kOurs;
  std::string json;
  REQUIRE(google::protobuf::util::MessageToJsonString(message, &json, options).ok());
  return json;
}

TEST_CASE("protobuf reads what we write, and we read what it writes") {
  constexpr size_t kMessages = 12'000;
  Random random(NewSeed("json differential"));
  const std::vector<const Descriptor*> types = JsonTypes();
  JsonPlans plans;
  for (size_t i = 0; i < kMessages; ++i) {
    const Descriptor& type = *types[i % types.size()];
    const MessagePlan& plan = **plans.Make(type, StyleOf(type));
    const std::unique_ptr<Message> message(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(&type)->New());
    random.Fill(*message, 2, Random::Fields::kAll);
    const std::string ours = ToJson(plan, *message);
    INFO("ours: " << ours);
    REQUIRE(ProtobufReads(Translator(ours, Direction::kToProtobuf).Message(type), *message));

    message->Clear();
    random.Fill(*message, 2, Random::Fields::kSettable);
    const std::string protobufs = ProtobufsJson(*message);
    INFO("protobuf's: " << protobufs);
    REQUIRE(WeRead(plan, Translator(protobufs, Direction::kToOurs).Message(type), *message));
  }
}

TEST_CASE("what is translated differs: the one does not read the other's as it is") {
  JsonPlans plans;
  const MessagePlan& plan = **plans.Make(*testing::Everything::descriptor());
  for (const Difference& difference : Differences()) {
    INFO(difference.name);
    testing::Everything message;
    REQUIRE(ReadJson(plan, difference.example, message).ok());
    const std::string ours = ToJson(plan, message);
    CHECK_FALSE((ProtobufReads(ours, message) && WeRead(plan, ProtobufsJson(message), message)));
  }
}

}  // namespace
}  // namespace verdict::gateway
