#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <openssl/crypto.h>

namespace verdict::crypto {

// Key material: one copy, wiped when it goes. It cannot be copied and nothing prints it.
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(size_t size) : bytes_(size) {}
  ~SecretBytes() { Wipe(); }

  SecretBytes(SecretBytes&&) noexcept = default;
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    Wipe();
    bytes_ = std::move(other.bytes_);
    return *this;
  }

  std::span<uint8_t> writable() { return bytes_; }
  std::span<const uint8_t> bytes() const { return bytes_; }

 private:
  void Wipe() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

  std::vector<uint8_t> bytes_;
};

}  // namespace verdict::crypto
