// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/evidence/gpu_items.h"
#include "attest/verify/verify.h"
#include "tests/attest/authority/mint.h"

namespace sealpack::testing {

inline void append(ByteVector& out, Bytes bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}
inline void append_u16(ByteVector& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value));
  out.push_back(static_cast<std::uint8_t>(value >> 8U));
}

// DER of an element below 64 KiB.
inline ByteVector der(std::uint8_t tag, std::initializer_list<ByteVector> parts) {
  ByteVector contents;
  for (const ByteVector& part : parts) append(contents, part);
  ByteVector out{tag};
  if (contents.size() >= 0x100) {
    out.push_back(0x82);
    out.push_back(static_cast<std::uint8_t>(contents.size() >> 8U));
  } else if (contents.size() >= 0x80) {
    out.push_back(0x81);
  }
  out.push_back(static_cast<std::uint8_t>(contents.size()));
  append(out, contents);
  return out;
}
// OID of SHA-384.
inline ByteVector der_sha384() {
  return der(0x06, {{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02}});
}
inline ByteVector der_fwid(const ByteVector& digest) {
  return der(0x30, {der_sha384(), der(0x04, {digest})});
}
// As Hopper has it.
inline ByteVector composite_device_id(const ByteVector& spki, const ByteVector& digest) {
  return der(0x30, {der(0x02, {{1}}), spki, der_fwid(digest)});
}
// As Blackwell has it: vendor, model, SVN, two FWIDs, flags.
inline ByteVector dice_tcb_info(const ByteVector& digest) {
  return der(0x30, {der(0x80, {to_vector(as_bytes("NVIDIA"))}),
                    der(0x81, {to_vector(as_bytes("GB20X A01 GSP"))}), der(0x83, {{2}}),
                    der(0xA6, {der_fwid(digest), der_fwid(ByteVector(48))}),
                    der(0x87, {{0, 0x80, 0, 0, 1}})});
}

// A GPU of its own making: chain and report can be edited before they are made.
struct GpuMaker {
  struct Block {
    std::uint8_t index;
    ByteVector value;
  };
  struct Field {
    std::uint16_t id;
    ByteVector value;
  };

  GpuMaker() {
    root.subject = "NVIDIA Device Identity CA";
    identity.subject = "NVIDIA GH100 Identity";
    provisioner.subject = "NVIDIA GH100 Provisioner ICA 1";
    boot_rom.subject = "GH100 A01 GSP BROM";
    leaf.subject = "GH100 A01 GSP FMC LF";
    for (MintCertificate* one : {&root, &identity, &provisioner, &boot_rom}) one->authority = true;
    leaf.serial = 0x1234;
    leaf.extensions = {{"2.23.133.5.4.1", false, composite_device_id(leaf_key.spki(), fwid)}};
    for (std::uint8_t i = 1; i <= 64; ++i) blocks.push_back({i, ByteVector(48, i)});
    fields = {{6, {0x00, 0x5E, 0x00, 0x96, 0x01, 0, 0, 0}},
              {3, to_vector(as_bytes(std::string_view("580.95.05\0", 10)))},
              {20, fwid},
              {34, {1, 0}},
              {36, {0, 0}}};
  }

  ByteVector chain() const {
    ByteVector out = pem_of(mint(leaf, leaf_key, &boot_rom, boot_rom_key));
    append(out, pem_of(mint(boot_rom, boot_rom_key, &provisioner, provisioner_key)));
    append(out, authorities());
    return out;
  }
  // With another between the boot ROM and NVIDIA's own.
  ByteVector chain_below(const MintCertificate& other, const MintKey& other_key) const {
    ByteVector out = pem_of(mint(leaf, leaf_key, &boot_rom, boot_rom_key));
    append(out, pem_of(mint(boot_rom, boot_rom_key, &other, other_key)));
    append(out, pem_of(mint(other, other_key, &provisioner, provisioner_key)));
    append(out, authorities());
    return out;
  }
  ByteVector authorities() const {
    ByteVector out = pem_of(mint(provisioner, provisioner_key, &identity, identity_key));
    append(out, pem_of(mint(identity, identity_key, &root, root_key)));
    append(out, pem_of(mint(root, root_key, nullptr, root_key)));
    return out;
  }
  ByteVector request() const {
    ByteVector out = request_head;
    append(out, nonce);
    out.push_back(0);
    return out;
  }
  ByteVector opaque() const {
    ByteVector out = opaque_head;
    for (const Field& field : fields) {
      append_u16(out, field.id);
      if (!opaque_head.empty()) append_u16(out, 0x80);
      append_u16(out, field.value.size());
      append(out, field.value);
    }
    return out;
  }
  ByteVector record() const {
    ByteVector out;
    for (const Block& block : blocks) {
      out.push_back(block.index);
      out.push_back(1);
      append_u16(out, block.value.size() + 3);
      out.push_back(1);
      append_u16(out, block.value.size());
      append(out, block.value);
    }
    return out;
  }
  ByteVector unsigned_report() const {
    const ByteVector blocks_bytes = record();
    ByteVector out{0x11, 0x60, 0x00, 0x00, static_cast<std::uint8_t>(blocks.size())};
    append_u16(out, blocks_bytes.size());
    out.push_back(0);
    append(out, blocks_bytes);
    append(out, ByteVector(32, 0x55));
    append_u16(out, opaque().size());
    append(out, opaque());
    return out;
  }
  // Signed over the request and all of the report before the signature.
  ByteVector report() const { return sign(unsigned_report()); }
  ByteVector sign(ByteVector out) const {
    ByteVector transcript = request();
    append(transcript, out);
    append(out, signer.sign(crypto::HashAlgorithm::kSha384, transcript));
    return out;
  }
  void add_to(attest::Evidence& evidence, std::size_t number = 1) const {
    evidence.items.push_back({attest::gpu_kind(number, "request"), request()});
    evidence.items.push_back({attest::gpu_kind(number, "report"), report()});
    evidence.items.push_back({attest::gpu_kind(number, "certificates"), chain()});
  }
  // Another of the same model, for the same nonce.
  GpuMaker sibling(std::uint64_t serial) const {
    GpuMaker other = *this;
    other.boot_rom_key = MintKey::generate(MintKeyType::kP384);
    other.leaf_key = MintKey::generate(MintKeyType::kP384);
    other.signer = other.leaf_key;
    other.leaf.serial = serial;
    return other;
  }

  ByteVector fwid = ByteVector(48, 0xFA);
  ByteVector nonce = ByteVector(32, 9);
  ByteVector request_head{0x11, 0xE0, 0x01, 0xFF};
  ByteVector opaque_head;
  std::vector<Block> blocks;
  std::vector<Field> fields;
  MintKey root_key = MintKey::generate(MintKeyType::kP384);
  MintKey identity_key = MintKey::generate(MintKeyType::kP384);
  MintKey provisioner_key = MintKey::generate(MintKeyType::kP384);
  MintKey boot_rom_key = MintKey::generate(MintKeyType::kP384);
  MintKey leaf_key = MintKey::generate(MintKeyType::kP384);
  MintKey signer = leaf_key;
  MintCertificate root, identity, provisioner, boot_rom, leaf;
};

}  // namespace sealpack::testing
