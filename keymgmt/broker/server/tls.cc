// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/server/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>

#include "formats/files/file_source.h"
#include "keymgmt/keystore/private_file.h"

namespace sealpack::broker {
namespace {

constexpr std::size_t kMaxChainSize = std::size_t{256} << 10U;
constexpr std::size_t kMaxTlsKeySize = std::size_t{16} << 10U;

template <typename T, void (*Free)(T*)>
struct Freed {
  void operator()(T* value) const { Free(value); }
};
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX, SSL_CTX_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509, X509_free>>;
using Memory = std::unique_ptr<BIO, Freed<BIO, BIO_free_all>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION, X509_EXTENSION_free>>;

Error wrong(const std::filesystem::path& path, const char* why) {
  ::ERR_clear_error();
  return {ErrorCode::kMalformed, printable(path.string()) + ": " + why};
}

Error no_certificate() {
  ::ERR_clear_error();
  return {ErrorCode::kInternal, "cannot make a certificate"};
}

Memory memory_of(Bytes bytes) {
  return Memory(::BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

// Never asks anybody for a passphrase.
int no_passphrase(char*, int, int, void*) {
  return 0;
}

// 0 for a time that is none, or that was before 1970.
std::uint64_t end_of(const X509* certificate) {
  std::tm end{};
  if (::ASN1_TIME_to_tm(::X509_get0_notAfter(certificate), &end) != 1) return 0;
  return static_cast<std::uint64_t>(std::max<std::time_t>(::timegm(&end), 0));
}

// When the chain ends: with the first of its certificates.
Result<std::uint64_t> use_chain(SSL_CTX* context, const std::filesystem::path& path) {
  const ByteVector text = TRY(load_file(path, kMaxChainSize));
  const Memory memory = memory_of(text);
  const Certificate own(::PEM_read_bio_X509(memory.get(), nullptr, no_passphrase, nullptr));
  if (!own || ::SSL_CTX_use_certificate(context, own.get()) != 1) {
    return wrong(path, "no certificate that TLS can use");
  }
  std::uint64_t end = end_of(own.get());
  for (;;) {
    Certificate issuer(::PEM_read_bio_X509(memory.get(), nullptr, no_passphrase, nullptr));
    if (!issuer) break;
    if (::SSL_CTX_add0_chain_cert(context, issuer.get()) != 1) {
      return wrong(path, "a certificate of the chain that TLS cannot use");
    }
    end = std::min(end, end_of(issuer.get()));
    (void)issuer.release();  // the context's now
  }
  ::ERR_clear_error();
  return end;
}

Status use_key(SSL_CTX* context, const std::filesystem::path& path) {
  const crypto::SecretBytes text = TRY(keystore::load_private_file(path, kMaxTlsKeySize));
  const Memory memory = memory_of(text.reveal());
  const Key key(::PEM_read_bio_PrivateKey(memory.get(), nullptr, no_passphrase, nullptr));
  if (!key || ::SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return wrong(path, "no private key for the certificate, or an encrypted one");
  }
  return done();
}

bool add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(::X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  return extension && ::X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool is_dns_name(const std::string& name) {
  constexpr const char* kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
  return !name.empty() && name.size() <= 253 && name.front() != '.' && name.front() != '-' &&
         name.find_first_not_of(kAllowed) == std::string::npos;
}

Result<std::string> alternative_names(const std::vector<std::string>& names) {
  if (names.empty()) return Error(ErrorCode::kUsage, "a certificate names at least one host");
  std::string out;
  for (const std::string& name : names) {
    ASN1_OCTET_STRING* address = ::a2i_IPADDRESS(name.c_str());
    const bool is_address = address != nullptr;
    ::ASN1_OCTET_STRING_free(address);
    ::ERR_clear_error();
    if (!is_address && !is_dns_name(name)) {
      return Error(ErrorCode::kUsage, printable(name) + " is neither a DNS name nor an address");
    }
    out += std::string(out.empty() ? "" : ",") + (is_address ? "IP:" : "DNS:") + name;
  }
  return out;
}

bool fill(X509* certificate, EVP_PKEY* key, const std::string& names, std::uint64_t now,
          std::uint32_t days) {
  constexpr int kSerialBits = 128;
  constexpr long kSecondsOfDay = 86400;
  auto start = static_cast<time_t>(now);
  const std::unique_ptr<BIGNUM, Freed<BIGNUM, BN_free>> serial(::BN_new());
  X509_NAME* subject = ::X509_get_subject_name(certificate);
  return serial && ::X509_set_version(certificate, X509_VERSION_3) == 1 &&
         ::BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
         ::BN_to_ASN1_INTEGER(serial.get(), ::X509_get_serialNumber(certificate)) != nullptr &&
         ::X509_time_adj_ex(::X509_getm_notBefore(certificate), 0, -kSecondsOfDay / 24, &start) &&
         ::X509_time_adj_ex(::X509_getm_notAfter(certificate), static_cast<int>(days), 0, &start) &&
         ::X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                      reinterpret_cast<const unsigned char*>("sealpack broker"), -1,
                                      -1, 0) == 1 &&
         ::X509_set_issuer_name(certificate, subject) == 1 &&
         ::X509_set_pubkey(certificate, key) == 1 &&
         add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(certificate, certificate, NID_key_usage, "critical,digitalSignature") &&
         add_extension(certificate, certificate, NID_ext_key_usage, "serverAuth") &&
         add_extension(certificate, certificate, NID_subject_alt_name, names) &&
         ::X509_sign(certificate, key, ::EVP_sha256()) != 0;
}

Bytes written_to(BIO* memory) {
  char* data = nullptr;
  const long size = ::BIO_ctrl(memory, BIO_CTRL_INFO, 0, &data);
  return as_bytes({data, size > 0 ? static_cast<std::size_t>(size) : 0});
}

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::load(const std::filesystem::path& certificate,
                                                     const std::filesystem::path& key) {
  Context context(::SSL_CTX_new(::TLS_server_method()));
  if (!context || ::SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1 ||
      ::SSL_CTX_set_num_tickets(context.get(), 0) != 1) {
    return Error(ErrorCode::kInternal, "TLS cannot be set up");
  }
  (void)::SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                                 SSL_OP_NO_COMPRESSION |
                                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
  (void)::SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  // Connections that wait hold no buffers.
  (void)::SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  const std::uint64_t not_after = TRY(use_chain(context.get(), certificate));
  TRY(use_key(context.get(), key));
  return std::shared_ptr<TlsContext>(new TlsContext(context.release(), not_after));
}

TlsContext::~TlsContext() {
  ::SSL_CTX_free(context_);
}

Result<SelfSigned> make_self_signed(const std::vector<std::string>& names, std::uint64_t now,
                                    std::uint32_t days) {
  const std::string alternatives = TRY(alternative_names(names));
  const Key key(::EVP_EC_gen("P-256"));
  const Certificate certificate(::X509_new());
  if (!key || !certificate || !fill(certificate.get(), key.get(), alternatives, now, days)) {
    return no_certificate();
  }
  const Memory certificate_text(::BIO_new(::BIO_s_mem()));
  const Memory key_text(::BIO_new(::BIO_s_secmem()));
  if (!certificate_text || !key_text ||
      ::PEM_write_bio_X509(certificate_text.get(), certificate.get()) != 1 ||
      ::PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                 nullptr) != 1) {
    return no_certificate();
  }
  return SelfSigned{std::string(as_text(written_to(certificate_text.get()))),
                    crypto::SecretBytes::copy_of(written_to(key_text.get()))};
}

}  // namespace sealpack::broker
