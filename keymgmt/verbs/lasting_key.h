// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "keymgmt/crypto/key_wrap.h"
#include "keymgmt/crypto/signature.h"

// Keys in devices, for programs that run for months: a token closes its sessions, an HSM is reached
// over a network, a TPM is reset. When the device fails, the key is opened anew, once, and the
// operation done again; a device that stays away is tried again a moment after the attempt before
// it failed, by one thread for all that wait: they get kTryAgain.
namespace sealpack::broker {

// What happened, for the operator: names the key, never a PIN. From any thread.
using KeyReport = std::function<void(const std::string& message)>;

// `open` gives the key, and the same key each time: another is refused.
using OpenDecryptor = std::function<Result<std::unique_ptr<crypto::Decryptor>>()>;
using OpenSigner = std::function<Result<std::unique_ptr<crypto::Signer>>()>;

Result<std::unique_ptr<crypto::Decryptor>> lasting_decryptor(OpenDecryptor open, KeyReport report);
Result<std::unique_ptr<crypto::Signer>> lasting_signer(OpenSigner open, KeyReport report);

}  // namespace sealpack::broker
