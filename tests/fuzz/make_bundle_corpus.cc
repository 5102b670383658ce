// SPDX-License-Identifier: Apache-2.0
// Writes the seeds of the fuzz targets of the bundle format into folders below the one it is given.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "formats/bundle/encode.h"
#include "tests/testing/test_bundle.h"

namespace {

using namespace sealpack;
using sealpack::testing::Recipe;
using sealpack::testing::TestBundle;
using sealpack::testing::TestKeys;

void store(const std::filesystem::path& folder, const std::string& name, Bytes bytes) {
  std::filesystem::create_directories(folder);
  std::ofstream file(folder / name, std::ios::binary);
  file << as_text(bytes);
}

Recipe with_policy() {
  Recipe recipe;
  recipe.edit_release = [](bundle::Release& release) {
    release.policy = {{},
                      {{"sev-snp",
                        {{"age", {}, 0, {}, 300},
                         {"debug", {{0}}, 0, {}},
                         {"firmware", {}, 7, {}},
                         {"measurement", {}, 0, "not built yet"}}}}};
    release.answer = {bundle::AnswerForm::kRounded, 3, 100};
    release.escrow = bundle::Escrow{Digest{{1}}, "a way back in"};
    release.not_before = 1;
    release.not_after = 2;
  };
  return recipe;
}

Recipe smallest() {
  Recipe recipe;
  recipe.public_files = {{"a", {1}}};
  recipe.sealed_files.clear();
  return recipe;
}

bundle::Slot slot_of(bundle::SlotKind kind) {
  bundle::Slot slot;
  slot.kind = kind;
  const bool x25519 = kind == bundle::SlotKind::kHpkeX25519;
  const bool hpke = x25519 || kind == bundle::SlotKind::kHpkeP256;
  slot.wrapped.assign(hpke ? 80 : kind == bundle::SlotKind::kRsaOaep ? 384 : 72, 7);
  if (hpke) slot.enc.assign(x25519 ? 32 : 65, 9);
  if (kind == bundle::SlotKind::kPassphrase) slot.argon2_passes = slot.argon2_memory_kib = 8;
  return slot;
}

void store_all(const std::filesystem::path& root, const std::string& name, const TestBundle& made) {
  store(root / "content_fuzz", name, made.content_bytes);
  store(root / "release_fuzz", name, made.head.release.payload);
  store(root / "head_fuzz", name, bundle::serialize_head(made.head));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    (void)std::fprintf(stderr, "usage: make_bundle_corpus FOLDER\n");
    return 2;
  }
  const std::filesystem::path root = argv[1];
  const TestKeys keys = sealpack::testing::make_keys();
  store_all(root, "small", sealpack::testing::build(keys));
  store_all(root, "policy", sealpack::testing::build(keys, with_policy()));
  const TestBundle tiny = sealpack::testing::build(keys, smallest());
  store_all(root, "smallest", tiny);
  store(root / "bundle_fuzz", "smallest", tiny.bytes());
  for (unsigned kind = 1; kind <= 5; ++kind) {
    const auto slot = slot_of(bundle::SlotKind{static_cast<std::uint8_t>(kind)});
    store(root / "grant_fuzz", bundle::to_string(slot.kind),
          bundle::serialize_grant({bundle::Uuid{1}, Digest{{2}}, slot}));
  }
  return 0;
}
