// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/keystore/armored_file.h"

#include "formats/files/file_source.h"
#include "keymgmt/keystore/pem.h"
#include "keymgmt/keystore/private_file.h"

namespace sealpack::keystore {

Result<ArmoredFile> load_armored(const std::filesystem::path& path) {
  const std::string name = printable(path.string());
  const auto file = TRY(FileSource::open(path));
  if (file->size() > kMaxArmoredSize) {
    return Error(ErrorCode::kLimit, name + " has " + format_size(file->size()) + ", at most " +
                                        format_size(kMaxArmoredSize) + " are allowed");
  }
  ByteVector text(static_cast<std::size_t>(file->size()));
  TRY(file->read_at(0, text));
  const PemBlock block = TRY(parse_pem(as_text(text)).within(name));
  ArmoredFile out{std::string(block.label), ByteVector(block.size)};
  TRY(decode_pem(block, out.content).within(name));
  return out;
}

Result<ByteVector> load_armored(const std::filesystem::path& path, std::string_view label) {
  ArmoredFile file = TRY(load_armored(path));
  if (file.label == label) return std::move(file.content);
  return Error(ErrorCode::kUsage, printable(path.string()) + " is a " + printable(file.label) +
                                      ", not a " + std::string(label));
}

Status store_armored(const std::filesystem::path& path, std::string_view label, Bytes content,
                     mode_t mode, Overwrite overwrite) {
  ByteVector text(pem_size(label, content.size()));
  encode_pem(label, content, text);
  return store_file(path, text, mode, overwrite);
}

}  // namespace sealpack::keystore
