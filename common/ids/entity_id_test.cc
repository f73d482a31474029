#include "common/ids/entity_id.h"

#include <string>

#include <catch2/catch.hpp>

namespace verdict {
namespace {

TEST_CASE("every spelling of an entity's id finds the same entity") {
  const std::string uuid = "0af76519-16cd-43dd-8448-eb211c80319c";
  CHECK(EntityKey(uuid).ToString() == uuid);
  CHECK(EntityKey("0AF76519-16CD-43DD-8448-EB211C80319C").ToString() == uuid);
  CHECK(EntityKey("0af7651916cd43dd8448eb211c80319c").ToString() == uuid);
  CHECK(EntityKey("0AF7651916CD43DD8448EB211C80319C").ToString() == uuid);
}

TEST_CASE("sixteen hex digits are the first half, with zeros after") {
  CHECK(EntityKey("b7ad6b7169203331").ToString() == "b7ad6b71-6920-3331-0000-000000000000");
  CHECK(EntityKey("1234567890123456") == EntityKey("12345678-9012-3456-0000-000000000000"));
}

TEST_CASE("any other text is named by its exact bytes") {
  CHECK(EntityKey("python.org").ToString() == "886313e1-3b8a-5372-9b90-0c9aee199e5d");
  for (const std::string& text : {
           std::string("{0af76519-16cd-43dd-8448-eb211c80319c}"),
           std::string("urn:uuid:0af76519-16cd-43dd-8448-eb211c80319c"),
           std::string("0af7651916cd43dd8448eb211c80319g"),
           std::string("0af7651916cd43dd-448eb211c80319c"),
           std::string("b7ad6b716920333g"),
           std::string("b7ad6b71-9203331"),
           std::string("0af76519-16cd-43dd-8448-eb211c80319-"),
           std::string("run 1"),
           std::string(" run 1"),
           std::string("RUN 1"),
           std::string(200, 'x'),
       }) {
    INFO(text);
    CHECK(EntityKey(text) == UuidV5Dns(text));
  }
  CHECK(EntityKey("run 1") != EntityKey(" run 1"));
}

}  // namespace
}  // namespace verdict
