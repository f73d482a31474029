#include "common/rpc/message_parts.h"

#include <cstdint>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

namespace verdict::rpc {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

// How deep protobuf's parser goes.
constexpr int kDepthMax = 100;

enum class End { kOfMessage, kMalformed, kOfPatience };

// Takes the parts of one message off `left`.
End Count(CodedInputStream& in, const Descriptor& type, int depth,
          std::size_t& left) {  // NOLINT(misc-no-recursion)
  if (depth > kDepthMax) return End::kMalformed;
  while (const std::uint32_t tag = in.ReadTag()) {
    const FieldDescriptor* field = type.FindFieldByNumber(WireFormatLite::GetTagFieldNumber(tag));
    if ((field == nullptr || field->is_repeated()) && left-- == 0) return End::kOfPatience;
    const bool is_message = field != nullptr && field->type() == FieldDescriptor::TYPE_MESSAGE &&
                            WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
    if (!is_message) {
      if (!WireFormatLite::SkipField(&in, tag)) return End::kMalformed;
      continue;
    }
    int size = 0;
    if (!in.ReadVarintSizeAsInt(&size)) return End::kMalformed;
    const CodedInputStream::Limit outer = in.PushLimit(size);
    if (const End end = Count(in, *field->message_type(), depth + 1, left); end != End::kOfMessage)
      return end;
    in.PopLimit(outer);
  }
  return in.ConsumedEntireMessage() ? End::kOfMessage : End::kMalformed;
}

}  // namespace

bool HasMoreParts(const Descriptor& type, google::protobuf::io::ZeroCopyInputStream& bytes, std::size_t max) {
  CodedInputStream in(&bytes);
  return Count(in, type, 0, max) == End::kOfPatience;
}

}  // namespace verdict::rpc
