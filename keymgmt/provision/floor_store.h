// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "keymgmt/provision/device.h"

namespace sealpack::provision {

// The file: either signed, or written by the device.
struct FloorFile {
  std::optional<SignedStatement> statement;
  ByteVector payload;  // serialize_floors
  Digest mac;          // HMAC-SHA-256
  bool operator==(const FloorFile&) const = default;
};
ByteVector serialize_floor_file(const FloorFile& file);
Result<FloorFile> parse_floor_file(Bytes bytes);

// Floors of bundles that the host cannot turn back: a file beside the key, and a counter of the TPM
// that says which file is the newest. What is in the file counts only if the grantor signed it for
// this device, or if the device wrote it itself with DeviceKey::floor_key(), and only while the
// counter has the value that it names.
//
// The file is `path`; "PATH.next" is there while the floor rises, or was when the power failed.
class FloorStore final : public loader::CounterStore {
 public:
  // kIo; kRefused when no file fits the counter: one was turned back or removed, or the counter was
  // incremented by somebody else. Then the vendor signs new floors.
  static Result<std::unique_ptr<FloorStore>> open(std::shared_ptr<tpm::Tpm> tpm,
                                                  const tpm::KeyBlob& key,
                                                  const crypto::SecretBytes& floor_key,
                                                  std::filesystem::path path);

  loader::CounterKind kind() const override { return loader::CounterKind::kTpm; }
  Result<loader::Floor> floor(const Digest& authority, const std::string& product) override;
  Status raise(const Digest& authority, const std::string& product,
               const loader::Floor& floor) override;

 private:
  FloorStore(std::shared_ptr<tpm::Tpm> tpm, crypto::SecretBytes key, std::filesystem::path path,
             FloorTable table, std::optional<FloorFile> unsettled);
  Status store(const FloorTable& table);

  std::shared_ptr<tpm::Tpm> tpm_;
  crypto::SecretBytes floor_key_;
  std::filesystem::path path_;
  FloorTable table_;
  // What was found in PATH.next, and in no other file: the power failed before it got its name.
  std::optional<FloorFile> unsettled_;
};

// Takes floors that the grantor signed for this device into use; what was there before counts no
// longer. kRefused for another device, and for floors signed for an earlier or later time than now.
Status install_floors(tpm::Tpm& tpm, const tpm::KeyBlob& key, const SignedStatement& statement,
                      const std::filesystem::path& path);

}  // namespace sealpack::provision
