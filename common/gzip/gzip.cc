#include "common/gzip/gzip.h"

#include <memory>

#include <zlib.h>

#include "common/status/error.h"

namespace verdict {
namespace {

constexpr uInt kPieceBytes = 64 * 1024;
constexpr int kGzipOnly = 16 + MAX_WBITS;

using Inflater = std::unique_ptr<z_stream, decltype([](z_stream* stream) { inflateEnd(stream); })>;

}  // namespace

absl::StatusOr<std::string> Gunzip(std::string_view compressed, std::size_t bytes_max) {
  z_stream stream = {};
  if (inflateInit2(&stream, kGzipOnly) != Z_OK) return InternalError("zlib has no memory.");
  const Inflater end(&stream);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));  // zlib only reads it
  stream.avail_in = static_cast<uInt>(compressed.size());

  std::string inflated;
  const auto piece = std::make_unique_for_overwrite<Bytef[]>(kPieceBytes);
  int result = Z_OK;
  while (result != Z_STREAM_END || stream.avail_in > 0) {
    if (result == Z_STREAM_END) inflateReset(&stream);  // another member follows
    stream.next_out = piece.get();
    stream.avail_out = kPieceBytes;
    result = inflate(&stream, Z_NO_FLUSH);
    // Z_BUF_ERROR: there is nothing left to inflate, and the member has not ended.
    if (result != Z_OK && result != Z_STREAM_END) {
      return MakeError(errors::v1::REASON_BAD_REQUEST, "The body is not well-formed gzip.");
    }
    inflated.append(reinterpret_cast<const char*>(piece.get()), kPieceBytes - stream.avail_out);
    if (inflated.size() > bytes_max) {
      return MakeError(errors::v1::REASON_BODY_TOO_LARGE,
                       "The body is larger than " + std::to_string(bytes_max) + " bytes.");
    }
  }
  return inflated;
}

}  // namespace verdict
