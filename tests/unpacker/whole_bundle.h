// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/testing/test_bundle.h"
#include "unpacker/core/bundle_check.h"
#include "unpacker/core/file_reader.h"

// Everything a reader does with a bundle, in one call each.
namespace sealpack::testing {

// Status of every unit, the first failure first.
inline Status check_units(const unpacker::VerifiedBundle& verified) {
  const unpacker::BundleCheck check(verified);
  unpacker::FileReader reader(verified);
  for (std::uint64_t unit = check.unit_count(); unit-- > 0;) TRY(check.check(unit, reader));
  return done();
}

// verify, then the proof of every byte.
inline Status check_whole(std::shared_ptr<const BlockSource> source, const unpacker::Trust& trust) {
  auto unverified = TRY(unpacker::UnverifiedBundle::open(std::move(source)));
  return check_units(TRY(std::move(unverified).verify(trust, {})));
}

// The content key through the one slot, by the recipient's key.
inline Result<unpacker::OpenBundle> open_with_slot(std::shared_ptr<const BlockSource> source,
                                                   const TestKeys& keys) {
  auto unverified = TRY(unpacker::UnverifiedBundle::open(std::move(source)));
  auto verified = TRY(std::move(unverified).verify(trust_in(keys), {}));
  const auto decryptor = keys.recipient.decryptor().value();
  for (const bundle::Slot& slot : verified.slots()) {
    if (!slots::hints_at(slot, decryptor->public_key().digest())) continue;
    auto key = TRY(verified.admit(slot, *decryptor));
    return std::move(verified).open(std::move(key));
  }
  return Error(ErrorCode::kKeyUnavailable, "no slot");
}

// The plaintext of every file, joined.
inline Result<ByteVector> read_everything(const unpacker::OpenBundle& open) {
  unpacker::FileReader reader(open);
  const bundle::Content& content = open.verified().content();
  ByteVector all;
  for (std::uint32_t i = 0; i < content.public_files.size() + content.sealed_files.size(); ++i) {
    ByteVector bytes(static_cast<std::size_t>(content.file_size(i)));
    TRY(reader.read(i, 0, bytes));
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

}  // namespace sealpack::testing
