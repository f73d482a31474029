#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace verdict::crypto {

// base64url (RFC 4648, section 5) without padding.
std::string EncodeBase64Url(std::string_view bytes);

// Its inverse. Each text has one decoding and each decoding one text: padding, whitespace, the
// alphabet of plain base64, impossible lengths and spare bits that are not zero are refused.
std::optional<std::string> DecodeBase64Url(std::string_view text);

}  // namespace verdict::crypto
