#include "common/rpc/message_parts.h"

#include <string>

#include <catch2/catch.hpp>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"

namespace verdict::rpc {
namespace {

using Request = opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;

bool HasMore(const std::string& bytes, size_t max) {
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  return HasMoreParts(*Request::descriptor(), stream, max);
}

TEST_CASE("elements of lists count, at any depth") {
  CHECK_FALSE(HasMore("", 0));
  Request request;
  auto& resource = *request.add_resource_spans();
  resource.mutable_resource();  // no list
  auto& scope = *resource.add_scope_spans();
  for (int i = 0; i < 3; ++i) {
    auto& span = *scope.add_spans();
    span.set_name("n");
    span.add_attributes()->mutable_value()->set_string_value("v");
  }
  const std::string bytes = request.SerializeAsString();
  CHECK_FALSE(HasMore(bytes, 8));
  CHECK(HasMore(bytes, 7));
}

TEST_CASE("fields that the type does not know count, whatever their wire type") {
  // Field 15 as a varint, of 64 bits, delimited, as a group, of 32 bits.
  const std::string fields[] = {"\x78\x01", std::string("\x79") + std::string(8, '\0'),
                                std::string("\x7a\x00", 2), "\x7b\x7c",
                                std::string("\x7d") + std::string(4, '\0')};
  std::string all;
  for (const std::string& field : fields) {
    CHECK_FALSE(HasMore(field, 1));
    CHECK(HasMore(field, 0));
    all += field;
  }
  CHECK_FALSE(HasMore(all, 5));
  CHECK(HasMore(all, 4));
}

TEST_CASE("what is malformed is the parser's to refuse, up to where it is") {
  const std::string element("\x0a\x00", 2);
  for (const char* broken : {"\x0a", "\x0a\x05", "\x78", "\x7b", "\x0f", "\x0c"}) {
    CHECK_FALSE(HasMore(element + broken + element, 2));
    CHECK(HasMore(element + element + broken, 1));
  }
  std::string nested;  // a resource's spans cannot nest, so an unknown group does
  for (int i = 0; i < 100'000; ++i) nested += '\x7b';
  CHECK_FALSE(HasMore(nested, 1));
}

}  // namespace
}  // namespace verdict::rpc
