// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/verify/dcap/quote.h"
#include "attest/verify/dcap/signed_document.h"
#include "attest/verify/dcap/tcb_status.h"

namespace sealpack::attest::dcap {

// A level of a platform: what it must have at least, and what it is worth then.
struct TcbLevel {
  Array<16> sgx_components{};
  Array<16> tdx_components{};  // of TDX alone
  std::uint16_t pce_svn = 0;
  TcbStatus status = TcbStatus::kRevoked;
  std::uint64_t date = 0;  // Unix seconds
  std::vector<std::string> advisories;
};

// A level of an enclave or of the TDX module.
struct IdentityLevel {
  std::uint16_t isv_svn = 0;
  TcbStatus status = TcbStatus::kRevoked;
  std::uint64_t date = 0;
  std::vector<std::string> advisories;
};

struct ModuleIdentity {
  std::string id;  // "TDX_01"; empty for modules before identities (tdxModule)
  Array<48> mr_signer{};
  Array<8> attributes{};
  Array<8> attributes_mask{};
  std::vector<IdentityLevel> levels;
};

// TCB Info V3 (PCS API v4).
struct TcbInfo {
  static constexpr std::string_view kName = "tcbInfo";

  DocumentHeader header;
  Tee tee = Tee::kSgx;
  Array<6> fmspc{};
  Array<2> pce_id{};
  // As the document orders them: the newest first, by its maker's promise.
  std::vector<TcbLevel> levels;
  // Of TDX alone.
  std::optional<ModuleIdentity> module;
  std::vector<ModuleIdentity> module_identities;
};

// The inner value, whose signature holds. kMalformed, also for another version than 3, for other
// than 16 components and for members of a level's "tcb" that are not known. Members elsewhere that
// are not known are passed over.
Result<TcbInfo> parse_tcb_info(Bytes json);

// Levels of an enclave or module: [{"tcb":{"isvsvn":…},"tcbDate":…,"tcbStatus":…}].
Result<std::vector<IdentityLevel>> read_identity_levels(models::JsonReader& in);
// The first whose SVN is not above `isv_svn`; nullptr where there is none.
const IdentityLevel* find_level(const std::vector<IdentityLevel>& levels, std::uint16_t isv_svn);

}  // namespace sealpack::attest::dcap
