#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <random>
#include <string>

#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>

#include "gateway/json_writer.h"
#include "verdict/options/v1/options.pb.h"

namespace verdict::gateway {

// Random values and messages, the same ones for the same seed.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  uint64_t Bits() { return engine_(); }
  int Below(int end) { return static_cast<int>(Bits() % static_cast<uint64_t>(end)); }
  bool Flip() { return (Bits() & 1) != 0; }

  // Texts of all lengths of UTF-8, without U+0000.
  std::string Text() {
    static constexpr const char* kPieces[] = {"a",    "Z9",       " ",        "\"",           "\\",
                                              "/",    "\n",       "\x01",     "\x1F",         "\x7F",
                                              "{}[]", "\xC3\xA9", "\u20AC",   "\U0001F44D",   "\xEF\xBF\xBF",
                                              "\t",   ":,",       "\xC2\x80", "\xE2\x80\xA8", "null"};
    std::string text;
    for (int i = Below(Flip() ? 4 : 60); i > 0; --i) text += kPieces[Below(std::size(kPieces))];
    return text;
  }

  double Double() {
    for (;;) {
      double number = 0;
      const uint64_t bits = Bits();
      std::memcpy(&number, &bits, sizeof number);
      if (std::isfinite(number)) return Flip() ? number : std::round(number);
    }
  }

  // A compact JSON value.
  void Json(int depth, std::string& out) {
    switch (Below(depth > 0 ? 6 : 4)) {
      case 0:
        return AppendJsonString(Text(), out);
      case 1:
        out += std::to_string(static_cast<int64_t>(Bits()));
        return;
      case 2:
        out += Flip() ? "true" : "null";
        return;
      case 3: {
        char text[32];
        out.append(text, std::to_chars(text, text + sizeof text, Double()).ptr);
        return;
      }
      case 4: {
        out += '[';
        const int size = Below(4);
        for (int i = 0; i < size; ++i) {
          if (i > 0) out += ',';
          Json(depth - 1, out);
        }
        out += ']';
        return;
      }
      default:
        return JsonObject(depth - 1, out);
    }
  }

  void JsonObject(int depth, std::string& out) {
    out += '{';
    const int size = Below(4);
    for (int i = 0; i < size; ++i) {
      if (i > 0) out += ',';
      AppendJsonString(Text() + std::to_string(i), out);
      out += ':';
      Json(depth, out);
    }
    out += '}';
  }

  // Which of the fields are filled: those that requests may set, or those that answers may have.
  enum class Fields : uint8_t { kSettable, kAll };

  // Fills a message, and those in it down to a depth, with what its JSON can say.
  void Fill(google::protobuf::Message& message, int depth, Fields fields = Fields::kSettable) {
    const google::protobuf::Descriptor& descriptor = *message.GetDescriptor();
    for (int i = 0; i < descriptor.field_count(); ++i) {
      const google::protobuf::FieldDescriptor* field = descriptor.field(i);
      const bool is_left_out =
          fields == Fields::kSettable && field->options().GetExtension(options::v1::field).output_only();
      if (is_left_out || Below(3) == 0) continue;
      if (field->is_map()) {
        for (int entries = Below(3), n = 0; n < entries; ++n) {
          google::protobuf::Message* entry = message.GetReflection()->AddMessage(&message, field);
          entry->GetReflection()->SetString(entry, entry->GetDescriptor()->map_key(),
                                            Text() + std::to_string(n));
          Set(*entry, entry->GetDescriptor()->map_value(), depth, fields);
        }
      } else {
        for (int n = field->is_repeated() ? Below(4) : 1; n > 0; --n) Set(message, field, depth, fields);
      }
    }
  }

 private:
  void Set(google::protobuf::Message& message, const google::protobuf::FieldDescriptor* field, int depth,
           Fields fields) {
    const google::protobuf::Reflection& reflection = *message.GetReflection();
    const bool add = field->is_repeated();
    const auto put = [&](auto set, auto add_to, const auto& value) {
      add ? (reflection.*add_to)(&message, field, value) : (reflection.*set)(&message, field, value);
    };
    using google::protobuf::FieldDescriptor;
    using google::protobuf::Reflection;
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_BOOL:
        return put(&Reflection::SetBool, &Reflection::AddBool, Flip());
      case FieldDescriptor::CPPTYPE_INT32:
        return put(&Reflection::SetInt32, &Reflection::AddInt32, static_cast<int32_t>(Bits()));
      case FieldDescriptor::CPPTYPE_INT64:
        return put(&Reflection::SetInt64, &Reflection::AddInt64, static_cast<int64_t>(Bits()));
      case FieldDescriptor::CPPTYPE_UINT32:
        return put(&Reflection::SetUInt32, &Reflection::AddUInt32, static_cast<uint32_t>(Bits()));
      case FieldDescriptor::CPPTYPE_UINT64:
        return put(&Reflection::SetUInt64, &Reflection::AddUInt64, Bits());
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return put(&Reflection::SetDouble, &Reflection::AddDouble, Double());
      case FieldDescriptor::CPPTYPE_ENUM:
        return put(&Reflection::SetEnumValue, &Reflection::AddEnumValue,
                   field->enum_type()->value(1 + Below(field->enum_type()->value_count() - 1))->number());
      case FieldDescriptor::CPPTYPE_STRING: {
        std::string text;
        if (field->options().GetExtension(options::v1::field).json()) {
          JsonObject(4, text);
        } else if (field->type() == FieldDescriptor::TYPE_BYTES) {
          for (int i = Below(20); i > 0; --i) text += static_cast<char>(Bits());
        } else {
          text = Text();
        }
        return put(&Reflection::SetString, &Reflection::AddString, text);
      }
      case FieldDescriptor::CPPTYPE_MESSAGE: {
        if (depth == 0 && !add && !message.GetDescriptor()->options().map_entry()) return;
        google::protobuf::Message* inner =
            add ? reflection.AddMessage(&message, field) : reflection.MutableMessage(&message, field);
        if (auto* time = dynamic_cast<google::protobuf::Timestamp*>(inner)) {
          time->set_seconds(static_cast<int64_t>(Bits() % 315'537'897'600) - 62'135'596'800);
          time->set_nanos(Below(1000) * 1'000'000);
        } else if (depth > 0) {
          Fill(*inner, depth - 1, fields);
        }
        return;
      }
      default:
        std::abort();  // a type without a JSON form
    }
  }

  std::mt19937_64 engine_;
};

}  // namespace verdict::gateway
