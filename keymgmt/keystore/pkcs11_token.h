// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to keymgmt/keystore: one session, logged in, with the token that a URI names.

#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>

#include <memory>
#include <mutex>

#include "keymgmt/keystore/passphrase.h"

namespace sealpack::keystore::internal {

// Modules that were loaded and initialised, until destruction.
class Pkcs11Modules {
 public:
  // The module at `path`, or all that p11-kit knows where `path` is null.
  static Result<std::unique_ptr<Pkcs11Modules>> load(const char* path);
  ~Pkcs11Modules();
  Pkcs11Modules(const Pkcs11Modules&) = delete;
  Pkcs11Modules& operator=(const Pkcs11Modules&) = delete;
  const std::vector<CK_FUNCTION_LIST*>& list() const { return list_; }

 private:
  Pkcs11Modules() = default;
  CK_FUNCTION_LIST* single_ = nullptr;
  CK_FUNCTION_LIST** all_ = nullptr;
  std::vector<CK_FUNCTION_LIST*> list_;
};

struct FreeUri {
  void operator()(P11KitUri* uri) const { p11_kit_uri_free(uri); }
};
using UriPtr = std::unique_ptr<P11KitUri, FreeUri>;

// Refuses PINs and attributes that p11-kit does not know (kUsage).
Result<UriPtr> parse_pkcs11_uri(const std::string& text);

class Pkcs11Token {
 public:
  static Result<std::unique_ptr<Pkcs11Token>> open(const std::string& uri, PassphraseSource& pins);
  ~Pkcs11Token();
  Pkcs11Token(const Pkcs11Token&) = delete;
  Pkcs11Token& operator=(const Pkcs11Token&) = delete;

  // "token 'label'".
  const std::string& name() const { return name_; }
  CK_FUNCTION_LIST& functions() const { return *functions_; }
  CK_SESSION_HANDLE session() const { return session_; }
  // A session does one thing at a time.
  std::mutex& mutex() const { return mutex_; }

  bool has_mechanism(CK_MECHANISM_TYPE mechanism) const;
  // The one private key that the URI names, and the public key object with the same id. kRefused
  // for a private key that the token would show.
  Result<CK_OBJECT_HANDLE> private_key() const;
  Result<CK_OBJECT_HANDLE> public_key_of(CK_OBJECT_HANDLE private_key) const;
  Result<ByteVector> attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) const;
  Result<CK_ULONG> number_attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) const;
  // After C_SignInit and the like, for keys that want the PIN for every use.
  Status login_for_use(CK_OBJECT_HANDLE key) const;

  // "token 'label': cannot WHAT: reason", kIo.
  Error failed(const std::string& what, CK_RV reason) const;

 private:
  Pkcs11Token() = default;
  Status find_slot();
  bool is_named(CK_FUNCTION_LIST* module, CK_SLOT_ID slot) const;
  bool stays_inside(CK_OBJECT_HANDLE private_key) const;
  Status open_session(PassphraseSource& pins);
  Status obtain_pin(PassphraseSource& pins);
  Status login(CK_USER_TYPE user) const;
  Error wrong_pin(CK_RV reason) const;
  Result<std::vector<CK_OBJECT_HANDLE>> find(std::vector<CK_ATTRIBUTE> wanted) const;

  std::unique_ptr<Pkcs11Modules> modules_;
  UriPtr uri_;
  CK_FUNCTION_LIST* functions_ = nullptr;
  CK_SLOT_ID slot_ = 0;
  CK_TOKEN_INFO info_{};
  CK_SESSION_HANDLE session_ = 0;
  bool session_open_ = false;
  std::string name_;
  std::optional<crypto::SecretBytes> pin_;  // none where the token has a keypad of its own
  mutable std::mutex mutex_;
};

}  // namespace sealpack::keystore::internal
