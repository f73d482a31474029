#pragma once

#include <cstddef>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/zero_copy_stream.h>

namespace verdict::rpc {

// Whether the bytes of a message, and of those in it, have more than `max` elements of lists and maps, and
// fields that the type does not know: each of two bytes, and of a hundred once they are parsed. To be asked
// before, therefore. Looks at as much as it takes to tell, and no further than where the bytes are malformed.
bool HasMoreParts(const google::protobuf::Descriptor& type, google::protobuf::io::ZeroCopyInputStream& bytes,
                  std::size_t max);

}  // namespace verdict::rpc
