// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to attest/verify/snp: processor families, as AMD's certificates tell them apart.

#include <optional>

#include "formats/base/bytes.h"

namespace sealpack::attest::snp {

enum class Product { kMilan, kGenoa, kTurin };

std::string_view to_string(Product product);  // "Milan", as in the names of ARK and ASK

// By CPUID's combined family and model. Genoa are Bergamo and Siena too: their keys are issued
// under it.
std::optional<Product> product_of_cpuid(std::uint8_t family, std::uint8_t model);
// By productName of an endorsement key's certificate: "Milan-B0", "Genoa". What follows the hyphen
// is the stepping, which is wrong on some chips and proves nothing.
std::optional<Product> product_of_name(std::string_view name);

// Security versions of a platform's firmware. Turin has the first mutable code's too.
struct Tcb {
  std::uint8_t fmc = 0;
  std::uint8_t bootloader = 0;
  std::uint8_t tee = 0;
  std::uint8_t snp = 0;
  std::uint8_t microcode = 0;
  bool operator==(const Tcb&) const = default;
};
// From TCB_VERSION, 8 bytes, whose layout depends on the product. nullopt where a reserved byte is
// not zero.
std::optional<Tcb> parse_tcb(Product product, Bytes bytes);
// No component is greater.
bool is_at_most(const Tcb& a, const Tcb& b);
std::string describe(Product product, const Tcb& tcb);

}  // namespace sealpack::attest::snp
