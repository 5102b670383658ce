// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/crypto/key_wrap.h"
#include "keymgmt/crypto/signature.h"
#include "keymgmt/keystore/key_file.h"
#include "keymgmt/keystore/passphrase.h"
#include "keymgmt/tpm/key_blob.h"

// Keys that only one TPM can use, in files beside it: KEYREF tpm:PATH, or
// tpm:PATH?tcti=NAME for another TPM than /dev/tpmrm0. Where the TPM's endorsement hierarchy has a
// password, it is asked for as passphrases are.
namespace sealpack::keystore {

inline constexpr std::string_view kTpmKeyLabel = "SEALPACK TPM KEY";

struct TpmKeyRef {
  std::string path;
  std::string tcti;
};
TpmKeyRef parse_tpm_key_ref(std::string_view key_ref);  // begins with "tpm:"

Result<tpm::KeyBlob> load_tpm_key(const std::filesystem::path& path);
Status store_tpm_key(const std::filesystem::path& path, const tpm::KeyBlob& key,
                     Overwrite overwrite);

// A P-256 key of this role that is made in the TPM and never leaves it: NAME.tpmkey, NAME.pub.
struct TpmKeyFiles {
  std::filesystem::path key_path;
  std::filesystem::path public_path;
  Digest digest;  // of the SPKI
};
Result<TpmKeyFiles> generate_tpm_key(Role role, const std::string& tcti,
                                     const std::filesystem::path& base, const std::string& name,
                                     PassphraseSource& passwords, Overwrite overwrite);

// For any threads. kUsage for a role outside `allowed` (empty allows all); kRefused for a file that
// others may read, and for a key that a vendor provisioned: it opens bundles in the loader of a
// measured machine, not for commands; kNotAuthentic for another TPM.
Result<std::unique_ptr<crypto::Signer>> open_tpm_signer(const TpmKeyRef& key_ref,
                                                        const std::vector<Role>& allowed,
                                                        PassphraseSource& passwords);
struct TpmUnwrapper {
  Role role{};
  std::unique_ptr<crypto::Decryptor> key;
};
Result<TpmUnwrapper> open_tpm_decryptor(const TpmKeyRef& key_ref, const std::vector<Role>& allowed,
                                        PassphraseSource& passwords);

}  // namespace sealpack::keystore
