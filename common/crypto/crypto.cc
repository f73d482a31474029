#include "common/crypto/crypto.h"

#include <cstdio>
#include <cstdlib>
#include <memory>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

namespace verdict::crypto {
namespace {

const uint8_t* Data(std::string_view text) { return reinterpret_cast<const uint8_t*>(text.data()); }

void Require(bool done, const char* what) {
  if (done) return;
  std::fprintf(stderr, "OpenSSL failed: %s\n", what);
  std::abort();
}

struct FreeKdf {
  void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};

void AppendLength(std::string& out, uint64_t length) {
  for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(length >> shift));
}

}  // namespace

std::string_view AsText(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Digest Sha256(std::string_view message) {
  Digest digest;
  Require(SHA256(Data(message), message.size(), digest.data()) != nullptr, "SHA-256");
  return digest;
}

Digest HmacSha256(const SecretBytes& key, std::string_view message) {
  Digest digest;
  unsigned int size = 0;
  const uint8_t* mac = HMAC(EVP_sha256(), key.bytes().data(), static_cast<int>(key.bytes().size()),
                            Data(message), message.size(), digest.data(), &size);
  Require(mac != nullptr && size == digest.size(), "HMAC");
  return digest;
}

SecretBytes HkdfSha256(const SecretBytes& root, std::string_view info) {
  const std::unique_ptr<EVP_KDF, FreeKdf> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  Require(kdf != nullptr, "HKDF");
  const std::unique_ptr<EVP_KDF_CTX, FreeKdf> context(EVP_KDF_CTX_new(kdf.get()));
  Require(context != nullptr, "HKDF");
  // OSSL_PARAM has no const; OpenSSL only reads these.
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, const_cast<uint8_t*>(root.bytes().data()),
                                        root.bytes().size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, const_cast<char*>(info.data()), info.size()),
      OSSL_PARAM_construct_end()};
  SecretBytes key(32);
  Require(EVP_KDF_derive(context.get(), key.writable().data(), key.writable().size(), parameters) == 1,
          "HKDF");
  return key;
}

bool ConstantTimeEquals(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void RandomBytes(std::span<uint8_t> bytes) {
  Require(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1, "RAND_bytes");
}

std::string EncodeParts(std::initializer_list<std::string_view> parts) {
  std::string out;
  AppendLength(out, parts.size());
  for (const std::string_view part : parts) {
    AppendLength(out, part.size());
    out.append(part);
  }
  return out;
}

}  // namespace verdict::crypto
