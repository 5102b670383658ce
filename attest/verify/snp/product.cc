// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/snp/product.h"

#include <array>

namespace sealpack::attest::snp {

std::string_view to_string(Product product) {
  switch (product) {
    case Product::kMilan:
      return "Milan";
    case Product::kGenoa:
      return "Genoa";
    case Product::kTurin:
      return "Turin";
  }
  die("unknown product");
}

std::optional<Product> product_of_cpuid(std::uint8_t family, std::uint8_t model) {
  constexpr std::uint8_t kZen3And4 = 0x19;
  constexpr std::uint8_t kZen5 = 0x1A;
  if (family == kZen3And4) {
    if (model <= 0x0F) return Product::kMilan;
    if (model <= 0x1F || (model >= 0xA0 && model <= 0xAF)) return Product::kGenoa;
  }
  if (family == kZen5 && model <= 0x11) return Product::kTurin;
  return std::nullopt;
}

std::optional<Product> product_of_name(std::string_view name) {
  struct Row {
    std::string_view name;
    Product product;
  };
  static constexpr Row kRows[] = {{"Milan", Product::kMilan},
                                  {"Genoa", Product::kGenoa},
                                  {"Bergamo", Product::kGenoa},
                                  {"Siena", Product::kGenoa},
                                  {"Turin", Product::kTurin}};
  const std::string_view family = name.substr(0, name.find('-'));
  for (const Row& row : kRows) {
    if (row.name == family) return row.product;
  }
  return std::nullopt;
}

std::optional<Tcb> parse_tcb(Product product, Bytes bytes) {
  if (bytes.size() != 8) return std::nullopt;
  const bool is_turin = product == Product::kTurin;
  const std::size_t reserved = is_turin ? 4 : 2;
  const std::size_t reserved_end = is_turin ? 7 : 6;
  for (std::size_t i = reserved; i < reserved_end; ++i) {
    if (bytes[i] != 0) return std::nullopt;
  }
  if (is_turin) return Tcb{bytes[0], bytes[1], bytes[2], bytes[3], bytes[7]};
  return Tcb{0, bytes[0], bytes[1], bytes[6], bytes[7]};
}

bool is_at_most(const Tcb& a, const Tcb& b) {
  return a.fmc <= b.fmc && a.bootloader <= b.bootloader && a.tee <= b.tee && a.snp <= b.snp &&
         a.microcode <= b.microcode;
}

std::string describe(Product product, const Tcb& tcb) {
  std::string text;
  if (product == Product::kTurin) text = "fmc " + std::to_string(tcb.fmc) + ", ";
  return text + "bootloader " + std::to_string(tcb.bootloader) + ", tee " +
         std::to_string(tcb.tee) + ", snp " + std::to_string(tcb.snp) + ", microcode " +
         std::to_string(tcb.microcode);
}

}  // namespace sealpack::attest::snp
