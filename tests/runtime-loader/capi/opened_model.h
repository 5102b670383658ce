// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/runtime-loader/capi/capi_testing.h"

namespace sealpack::testing {

// A bundle of a small model, opened in a session.
inline constexpr std::size_t kConfig = 0;
inline constexpr std::size_t kModel = 1;

class OpenedModel : public ::testing::Test {
 protected:
  OpenedModel() { memory_.bytes = made_.bytes(); }

  void open(sealpack_session_options options = SEALPACK_INIT(sealpack_session_options)) {
    session_ = session_with(options, trust_.get());
    bundle_ = open_in(session_.get(), memory_);
  }
  void open_and_unlock(sealpack_session_options options = SEALPACK_INIT(sealpack_session_options)) {
    open(options);
    ASSERT_CODE(SEALPACK_OK, unlock(bundle_.get(), keys_.recipient, &error));
  }
  // Offset in the bundle file of the ciphertext of a segment.
  std::uint64_t segment(std::size_t index) const {
    return made_.layout.segments[0][index].data_offset;
  }
  ByteVector read_model(std::uint64_t offset, std::size_t size, int expected = SEALPACK_OK) {
    ByteVector out(size, 0xee);
    EXPECT_CODE(expected,
                sealpack_file_pread(bundle_.get(), kModel, offset, out.data(), out.size(), &error));
    return out;
  }

  TestModel model_;
  TestKeys keys_ = make_keys();
  TestBundle made_ = build(keys_, model_.recipe());
  MemoryBundle memory_;
  Owned<sealpack_trust> trust_ = trust_for(keys_);
  Owned<sealpack_session> session_;
  Owned<sealpack_bundle> bundle_;
};

}  // namespace sealpack::testing
