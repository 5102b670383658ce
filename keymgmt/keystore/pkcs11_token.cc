// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/keystore/pkcs11_token.h"

#include <algorithm>
#include <array>

namespace sealpack::keystore::internal {

namespace {

CK_BYTE* writable(Bytes bytes) {
  return const_cast<CK_BYTE*>(bytes.data());
}

std::string label_of(const CK_TOKEN_INFO& info) {
  std::string label(reinterpret_cast<const char*>(info.label), sizeof info.label);
  label.erase(label.find_last_not_of(' ') + 1);
  return printable(label);
}

CK_ATTRIBUTE attribute_of(CK_ATTRIBUTE_TYPE type, void* value, std::size_t size) {
  CK_ATTRIBUTE out{};
  out.type = type;
  out.pValue = value;
  out.ulValueLen = static_cast<CK_ULONG>(size);
  return out;
}

}  // namespace

Result<std::unique_ptr<Pkcs11Modules>> Pkcs11Modules::load(const char* path) {
  std::unique_ptr<Pkcs11Modules> out(new Pkcs11Modules());
  if (path == nullptr) {
    out->all_ = p11_kit_modules_load_and_initialize(0);
    for (CK_FUNCTION_LIST** at = out->all_; at != nullptr && *at != nullptr; ++at) {
      out->list_.push_back(*at);
    }
    return out;
  }
  CK_FUNCTION_LIST* module = p11_kit_module_load(path, 0);
  if (module == nullptr) {
    return Error(ErrorCode::kKeyUnavailable,
                 "cannot load the PKCS#11 module " + printable(std::string(path)));
  }
  const CK_RV reason = p11_kit_module_initialize(module);
  if (reason != CKR_OK) {
    p11_kit_module_release(module);
    return Error(ErrorCode::kKeyUnavailable, "cannot start the PKCS#11 module " +
                                                 printable(std::string(path)) + ": " +
                                                 p11_kit_strerror(reason));
  }
  out->single_ = module;
  out->list_.push_back(module);
  return out;
}

Pkcs11Modules::~Pkcs11Modules() {
  if (all_ != nullptr) p11_kit_modules_finalize_and_release(all_);
  if (single_ == nullptr) return;
  p11_kit_module_finalize(single_);
  p11_kit_module_release(single_);
}

Result<UriPtr> parse_pkcs11_uri(const std::string& text) {
  UriPtr uri(p11_kit_uri_new());
  const int answer = p11_kit_uri_parse(text.c_str(), P11_KIT_URI_FOR_ANY, uri.get());
  // The text itself is not repeated in messages: it may hold a PIN.
  if (text.find("pin-value") != std::string::npos ||
      p11_kit_uri_get_pin_value(uri.get()) != nullptr) {
    return Error(ErrorCode::kUsage,
                 "a PKCS#11 URI on a command line may not hold a PIN (pin-value)")
        .with_hint("put the PIN into a file of mode 0600 and write pin-source=file:PATH");
  }
  if (answer != P11_KIT_URI_OK) {
    return Error(ErrorCode::kUsage,
                 std::string("not a PKCS#11 URI: ") + p11_kit_uri_message(answer));
  }
  if (p11_kit_uri_any_unrecognized(uri.get()) != 0) {
    return Error(ErrorCode::kUsage, "the PKCS#11 URI has an attribute that nobody knows");
  }
  return uri;
}

Result<std::unique_ptr<Pkcs11Token>> Pkcs11Token::open(const std::string& uri,
                                                       PassphraseSource& pins) {
  std::unique_ptr<Pkcs11Token> token(new Pkcs11Token());
  token->uri_ = TRY(parse_pkcs11_uri(uri));
  token->modules_ = TRY(Pkcs11Modules::load(p11_kit_uri_get_module_path(token->uri_.get())));
  TRY(token->find_slot());
  TRY(token->open_session(pins));
  return token;
}

Pkcs11Token::~Pkcs11Token() {
  if (session_open_) functions_->C_CloseSession(session_);
}

// By slot-id, slot-description and slot-manufacturer, where the URI has them.
bool Pkcs11Token::is_named(CK_FUNCTION_LIST* module, CK_SLOT_ID slot) const {
  constexpr auto kAny = static_cast<CK_SLOT_ID>(-1);
  const CK_SLOT_ID wanted = p11_kit_uri_get_slot_id(uri_.get());
  CK_SLOT_INFO info{};
  return (wanted == kAny || wanted == slot) && module->C_GetSlotInfo(slot, &info) == CKR_OK &&
         p11_kit_uri_match_slot_info(uri_.get(), &info) != 0;
}

Status Pkcs11Token::find_slot() {
  std::size_t count = 0;
  for (CK_FUNCTION_LIST* module : modules_->list()) {
    CK_INFO module_info{};
    if (module->C_GetInfo(&module_info) != CKR_OK ||
        p11_kit_uri_match_module_info(uri_.get(), &module_info) == 0) {
      continue;
    }
    CK_ULONG slot_count = 0;
    if (module->C_GetSlotList(CK_TRUE, nullptr, &slot_count) != CKR_OK) continue;
    std::vector<CK_SLOT_ID> slots(slot_count);
    if (module->C_GetSlotList(CK_TRUE, slots.data(), &slot_count) != CKR_OK) continue;
    slots.resize(slot_count);
    for (const CK_SLOT_ID slot : slots) {
      CK_TOKEN_INFO info{};
      if (!is_named(module, slot) || module->C_GetTokenInfo(slot, &info) != CKR_OK ||
          (info.flags & CKF_TOKEN_INITIALIZED) == 0 ||
          p11_kit_uri_match_token_info(uri_.get(), &info) == 0) {
        continue;
      }
      ++count;
      functions_ = module;
      slot_ = slot;
      info_ = info;
    }
  }
  if (count == 0) {
    return Error(ErrorCode::kKeyUnavailable, "no PKCS#11 token matches the URI")
        .with_hint("p11-kit list-modules shows tokens; module-path=FILE names a module");
  }
  if (count > 1) {
    return Error(ErrorCode::kUsage, std::to_string(count) + " PKCS#11 tokens match the URI")
        .with_hint("name one with token=, serial= or module-path=");
  }
  name_ = "token " + label_of(info_);
  return done();
}

Status Pkcs11Token::open_session(PassphraseSource& pins) {
  const CK_RV reason =
      functions_->C_OpenSession(slot_, CKF_SERIAL_SESSION, nullptr, nullptr, &session_);
  if (reason != CKR_OK) return failed("open a session", reason);
  session_open_ = true;
  if ((info_.flags & CKF_LOGIN_REQUIRED) == 0) return done();
  TRY(obtain_pin(pins));
  return login(CKU_USER);
}

Status Pkcs11Token::obtain_pin(PassphraseSource& pins) {
  if ((info_.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0) return done();
  const char* source = p11_kit_uri_get_pin_source(uri_.get());
  if (source == nullptr) {
    pin_ = TRY(pins.passphrase(name_ + " (its PIN)"));
    return done();
  }
  constexpr std::string_view kFile = "file:";
  std::string_view path(source);
  if (!path.starts_with(kFile)) {
    return Error(ErrorCode::kUsage, "pin-source is file:PATH, not " + printable(path));
  }
  path.remove_prefix(kFile.size());
  pin_ = TRY(load_passphrase(path));
  return done();
}

Status Pkcs11Token::login(CK_USER_TYPE user) const {
  const CK_RV reason = pin_ ? functions_->C_Login(session_, user, writable(pin_->reveal()),
                                                  static_cast<CK_ULONG>(pin_->size()))
                            : functions_->C_Login(session_, user, nullptr, 0);
  if (reason == CKR_OK || reason == CKR_USER_ALREADY_LOGGED_IN) return done();
  return wrong_pin(reason);
}

Error Pkcs11Token::wrong_pin(CK_RV reason) const {
  CK_TOKEN_INFO now{};
  const bool known = functions_->C_GetTokenInfo(slot_, &now) == CKR_OK;
  if (reason == CKR_PIN_LOCKED || (known && (now.flags & CKF_USER_PIN_LOCKED) != 0)) {
    return Error(ErrorCode::kKeyUnavailable, name_ + ": the PIN is locked")
        .with_hint("the token's security officer can set a new PIN");
  }
  if (reason != CKR_PIN_INCORRECT && reason != CKR_PIN_LEN_RANGE && reason != CKR_PIN_INVALID) {
    return failed("log in", reason);
  }
  std::string tries;
  if (known && (now.flags & CKF_USER_PIN_COUNT_LOW) != 0) tries = "; few tries are left";
  if (known && (now.flags & CKF_USER_PIN_FINAL_TRY) != 0) tries = "; one try is left";
  return Error(ErrorCode::kKeyUnavailable, name_ + ": the PIN is wrong" + tries);
}

Status Pkcs11Token::login_for_use(CK_OBJECT_HANDLE key) const {
  const Result<ByteVector> always = attribute(key, CKA_ALWAYS_AUTHENTICATE);
  if (!always.ok() || always->size() != 1 || always->front() != CK_TRUE) return done();
  return login(CKU_CONTEXT_SPECIFIC);
}

bool Pkcs11Token::has_mechanism(CK_MECHANISM_TYPE mechanism) const {
  CK_MECHANISM_INFO info{};
  return functions_->C_GetMechanismInfo(slot_, mechanism, &info) == CKR_OK;
}

Result<std::vector<CK_OBJECT_HANDLE>> Pkcs11Token::find(std::vector<CK_ATTRIBUTE> wanted) const {
  CK_RV reason =
      functions_->C_FindObjectsInit(session_, wanted.data(), static_cast<CK_ULONG>(wanted.size()));
  if (reason != CKR_OK) return failed("search", reason);
  std::array<CK_OBJECT_HANDLE, 16> found{};
  CK_ULONG count = 0;
  reason = functions_->C_FindObjects(session_, found.data(), found.size(), &count);
  functions_->C_FindObjectsFinal(session_);
  if (reason != CKR_OK) return failed("search", reason);
  count = std::min<CK_ULONG>(count, found.size());
  return std::vector<CK_OBJECT_HANDLE>(found.begin(),
                                       found.begin() + static_cast<std::ptrdiff_t>(count));
}

Result<CK_OBJECT_HANDLE> Pkcs11Token::private_key() const {
  CK_OBJECT_CLASS object_class = CKO_PRIVATE_KEY;
  CK_ULONG count = 0;
  const CK_ATTRIBUTE* from_uri = p11_kit_uri_get_attributes(uri_.get(), &count);
  std::vector<CK_ATTRIBUTE> wanted{attribute_of(CKA_CLASS, &object_class, sizeof object_class)};
  for (CK_ULONG i = 0; i < count; ++i) {
    if (from_uri[i].type != CKA_CLASS) wanted.push_back(from_uri[i]);
  }
  const std::vector<CK_OBJECT_HANDLE> found = TRY(find(std::move(wanted)));
  if (found.empty()) {
    return Error(ErrorCode::kKeyUnavailable, name_ + ": no private key matches the URI");
  }
  if (found.size() > 1) {
    return Error(ErrorCode::kUsage, name_ + ": several private keys match the URI")
        .with_hint("name one with object= or id=");
  }
  if (stays_inside(found.front())) return found.front();
  return Error(ErrorCode::kRefused,
               name_ + ": the token gives this private key in the clear to whoever has its PIN")
      .with_hint("make a new key in the token, with CKA_SENSITIVE set");
}

// PKCS#11 2.40, section 4.9: a token reveals a private key that is extractable and not sensitive.
bool Pkcs11Token::stays_inside(CK_OBJECT_HANDLE private_key) const {
  const auto says = [&](CK_ATTRIBUTE_TYPE type, CK_BBOOL wanted) {
    const Result<ByteVector> value = attribute(private_key, type);
    return value.ok() && value->size() == 1 && value->front() == wanted;
  };
  return says(CKA_SENSITIVE, CK_TRUE) || says(CKA_EXTRACTABLE, CK_FALSE);
}

Result<CK_OBJECT_HANDLE> Pkcs11Token::public_key_of(CK_OBJECT_HANDLE private_key) const {
  ByteVector id = TRY(attribute(private_key, CKA_ID));
  CK_OBJECT_CLASS object_class = CKO_PUBLIC_KEY;
  const std::vector<CK_OBJECT_HANDLE> found =
      TRY(find({attribute_of(CKA_CLASS, &object_class, sizeof object_class),
                attribute_of(CKA_ID, id.data(), id.size())}));
  if (found.size() != 1) {
    return Error(ErrorCode::kKeyUnavailable, name_ + ": " + std::to_string(found.size()) +
                                                 " public keys have the id of the private key")
        .with_hint("a private key and its public key object share an id of their own");
  }
  return found.front();
}

Result<ByteVector> Pkcs11Token::attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) const {
  constexpr CK_ULONG kMaxSize = 65536;
  CK_ATTRIBUTE wanted = attribute_of(type, nullptr, 0);
  CK_RV reason = functions_->C_GetAttributeValue(session_, object, &wanted, 1);
  if (reason != CKR_OK || wanted.ulValueLen > kMaxSize) return failed("read a key", reason);
  ByteVector value(wanted.ulValueLen);
  wanted.pValue = value.data();
  reason = functions_->C_GetAttributeValue(session_, object, &wanted, 1);
  if (reason != CKR_OK || wanted.ulValueLen > value.size()) return failed("read a key", reason);
  value.resize(wanted.ulValueLen);
  return value;
}

Result<CK_ULONG> Pkcs11Token::number_attribute(CK_OBJECT_HANDLE object,
                                               CK_ATTRIBUTE_TYPE type) const {
  CK_ULONG value = 0;
  CK_ATTRIBUTE wanted = attribute_of(type, &value, sizeof value);
  const CK_RV reason = functions_->C_GetAttributeValue(session_, object, &wanted, 1);
  if (reason != CKR_OK || wanted.ulValueLen != sizeof value) return failed("read a key", reason);
  return value;
}

Error Pkcs11Token::failed(const std::string& what, CK_RV reason) const {
  return Error(ErrorCode::kIo, name_ + ": cannot " + what + ": " + p11_kit_strerror(reason));
}

}  // namespace sealpack::keystore::internal
