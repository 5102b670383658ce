// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>

#include "formats/base/bytes.h"

// The layout of DCAP quotes: Intel's "SGX ECDSA Quote Library Reference" (v3) and "TDX DCAP Quoting
// Library Reference" (v4, v5). Integers are little-endian. Nothing here is proven.
namespace sealpack::attest::dcap {

template <std::size_t N>
using Array = std::array<std::uint8_t, N>;

enum class Tee { kSgx, kTdx };
const char* to_string(Tee tee);  // "SGX", "TDX": as in Intel's documents

// REPORTBODY of an enclave (SDM volume 3D, table "REPORT structure"), 384 bytes.
struct SgxReport {
  static constexpr std::size_t kSize = 384;
  Array<16> cpu_svn{};
  Array<4> misc_select{};
  Array<16> isv_ext_prod_id{};
  Array<16> attributes{};  // flags, then XFRM
  Array<32> mrenclave{};
  Array<32> mrsigner{};
  Array<64> config_id{};
  std::uint16_t isv_prod_id = 0;
  std::uint16_t isv_svn = 0;
  std::uint16_t config_svn = 0;
  Array<16> isv_family_id{};
  Array<64> report_data{};
  bool reserved_is_zero = false;

  bool debug() const { return (attributes[0] & 0x02U) != 0; }
};
// `bytes` has kSize bytes.
Result<SgxReport> parse_sgx_report(Bytes bytes);

// TD report body as it is in a quote: 584 bytes of TDX 1.0, 648 of TDX 1.5, 885 of TDX 1.5 with its
// extension (sgx_report2_body_v1_5_ex_t).
struct TdReport {
  static constexpr std::size_t kSize10 = 584;
  static constexpr std::size_t kSize15 = 648;
  static constexpr std::size_t kSize15Extended = 885;
  // What TDX 1.5 adds.
  struct Added {
    Array<16> tee_tcb_svn2{};  // of the module that runs now; tee_tcb_svn: when the TD was built
    Array<48> mr_service_td{};
  };
  // What its extension adds: where the TD comes from, and which service TDs are bound now.
  struct Extension {
    std::uint8_t vm_id = 0;  // 0: the TD itself (of a partitioned one: its L1); else an L2 VM in it
    Array<32> td_id{};       // chosen anew at each launch
    Array<48> device_info{};
    Array<48> initial_service_td{};
    Array<8> initial_service_td_attributes{};
    Array<16> initial_cpu_svn{};
    Array<16> initial_tee_tcb_svn{};  // where the TD was made; zero: not stated
    Array<12> initial_fmspc{};
    Array<48> current_service_td{};
    Array<8> current_service_td_attributes{};
  };
  Array<16> tee_tcb_svn{};
  Array<48> mr_seam{};
  Array<48> mr_signer_seam{};
  Array<8> seam_attributes{};
  Array<8> td_attributes{};
  Array<8> xfam{};
  Array<48> mr_td{};
  Array<48> mr_config_id{};
  Array<48> mr_owner{};
  Array<48> mr_owner_config{};
  std::array<Array<48>, 4> rtmr{};
  Array<64> report_data{};
  std::optional<Added> added;
  std::optional<Extension> extension;
};
// `bytes` has kSize10, kSize15 or kSize15Extended bytes.
Result<TdReport> parse_td_report(Bytes bytes);

inline constexpr std::size_t kMaxQuoteSize = 128U << 10U;

// Views into the bytes that it was parsed from.
struct Quote {
  std::uint16_t version = 0;
  Tee tee = Tee::kSgx;
  Array<16> qe_vendor_id{};
  // One of both, by `tee`.
  std::optional<SgxReport> sgx;
  std::optional<TdReport> td;
  Bytes signed_part;  // header and body
  // ECDSA P-256 signature data.
  Bytes signature;        // r || s over signed_part
  Bytes certification;    // everything behind it: what vouches for the key
  Bytes attestation_key;  // X || Y
  Bytes qe_report_bytes;
  SgxReport qe_report;
  Bytes qe_signature;  // over qe_report_bytes
  Bytes qe_authentication_data;
  std::uint16_t certification_type = 0;
  Bytes certification_data;
};

// Versions 3, 4 and 5 with an ECDSA P-256 attestation key. Behind the signature data only zeros may
// follow: platforms hand out buffers of a fixed size. kMalformed; kUnsupported for newer versions
// and other kinds of keys, TEEs and bodies; kLimit.
Result<Quote> parse_quote(Bytes bytes);

}  // namespace sealpack::attest::dcap
