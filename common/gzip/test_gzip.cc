#include "common/gzip/test_gzip.h"

#include <cstdlib>

#include <zlib.h>

namespace verdict {
namespace {

// Fuzz targets use this too, and have no Catch2.
void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

std::string Gzip(std::string_view text) {
  z_stream stream = {};
  constexpr int kMemoryLevel = 8;
  Require(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 16 + MAX_WBITS, kMemoryLevel, Z_DEFAULT_STRATEGY) ==
          Z_OK);
  std::string compressed(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(compressed.data());
  stream.avail_out = static_cast<uInt>(compressed.size());
  Require(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  compressed.resize(stream.total_out);
  deflateEnd(&stream);
  return compressed;
}

}  // namespace verdict
