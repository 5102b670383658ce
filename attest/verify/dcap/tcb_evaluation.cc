// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/tcb_evaluation.h"

#include <algorithm>
#include <set>

namespace sealpack::attest::dcap {
namespace {

template <std::size_t N>
bool equal_under_mask(const Array<N>& value, const Array<N>& mask, const Array<N>& expected) {
  for (std::size_t i = 0; i < N; ++i) {
    if ((value[i] & mask[i]) != expected[i]) return false;
  }
  return true;
}

bool at_least(const Array<16>& have, const Array<16>& wanted, std::size_t first) {
  for (std::size_t i = first; i < have.size(); ++i) {
    if (have[i] < wanted[i]) return false;
  }
  return true;
}

bool platform_meets(const PckExtension& pck, const TcbLevel& level) {
  return at_least(pck.component_svns, level.sgx_components, 0) && pck.pce_svn >= level.pce_svn;
}

// Bytes 0 and 1 are the module's version, which an identity of its own judges from version 1 on.
bool module_meets(const Array<16>& tee_tcb_svn, const TcbLevel& level) {
  return at_least(tee_tcb_svn, level.tdx_components, tee_tcb_svn[1] > 0 ? 2 : 0);
}

struct Levels {
  const TcbLevel* platform = nullptr;  // the first that the processor and PCE meet
  const TcbLevel* met = nullptr;       // and, of TDX, that the module meets too
};

Levels find_levels(const TcbInfo& info, const PckExtension& pck, const TdReport* td) {
  Levels found;
  for (const TcbLevel& level : info.levels) {
    if (!platform_meets(pck, level)) continue;
    if (found.platform == nullptr) found.platform = &level;
    if (td == nullptr || module_meets(td->tee_tcb_svn, level)) {
      found.met = &level;
      break;
    }
  }
  return found;
}

std::string module_name(std::uint8_t version) {
  return "TDX_" + to_hex(Bytes(&version, 1));
}

// Identities are named by the version in upper-case hex.
const ModuleIdentity* find_module(const TcbInfo& info, std::uint8_t version) {
  const std::string name = module_name(version);
  for (const ModuleIdentity& module : info.module_identities) {
    const bool same = std::equal(
        name.begin(), name.end(), module.id.begin(), module.id.end(), [](char a, char b) {
          const bool lower = b >= 'a' && b <= 'f';
          const bool upper = a >= 'a' && a <= 'f';
          return (upper ? a - 'a' + 'A' : a) == (lower ? b - 'a' + 'A' : b);
        });
    if (same) return &module;
  }
  return nullptr;
}

void match_module(const TdReport& td, const ModuleIdentity& module, std::vector<Reason>& reasons) {
  if (td.mr_signer_seam != module.mr_signer) {
    reasons.push_back({"tdx.module", "the TDX module is signed by " + to_hex(td.mr_signer_seam) +
                                         ", not by " + to_hex(module.mr_signer)});
  }
  if (td.seam_attributes != Array<8>{} ||
      !equal_under_mask(td.seam_attributes, module.attributes_mask, module.attributes)) {
    reasons.push_back({"tdx.module", "the TDX module has attributes " + to_hex(td.seam_attributes) +
                                         ": not one for production"});
  }
}

// The level of the module that built the TD. nullptr without a reason for modules before version 1,
// which the platform's level judges.
const IdentityLevel* module_level(const TcbInfo& info, const TdReport& td,
                                  std::vector<Reason>& reasons) {
  const std::uint8_t version = td.tee_tcb_svn[1];
  if (version == 0) {
    match_module(td, *info.module, reasons);
    return nullptr;
  }
  const ModuleIdentity* module = find_module(info, version);
  if (module == nullptr) {
    reasons.push_back({"tdx.module", "the TCB info knows no TDX module " + module_name(version)});
    return nullptr;
  }
  match_module(td, *module, reasons);
  const IdentityLevel* level = find_level(module->levels, td.tee_tcb_svn[0]);
  if (level == nullptr) {
    reasons.push_back({"tdx.module-level", "no level of " + module->id + " is met by SVN " +
                                               std::to_string(td.tee_tcb_svn[0])});
  }
  return level;
}

// Whether the module that runs now is the newest: then the TD, built by an older one, is out of
// date only until it is launched again.
bool is_current(const Array<16>& running, const TcbInfo& info) {
  const TcbLevel& newest = info.levels.front();
  if (running[2] < newest.tdx_components[2]) return false;
  if (running[1] == 0) return running[0] >= newest.tdx_components[0];
  const ModuleIdentity* module = find_module(info, running[1]);
  if (module == nullptr) return false;
  const IdentityLevel& level = module->levels.front();
  return level.status == TcbStatus::kUpToDate && running[0] >= level.isv_svn;
}

bool is_in_order(TcbStatus status) {
  return status == TcbStatus::kUpToDate || status == TcbStatus::kSwHardeningNeeded ||
         status == TcbStatus::kConfigurationNeeded ||
         status == TcbStatus::kConfigurationAndSwHardeningNeeded;
}

// `status`, or that a new launch is all that the TD needs.
TcbStatus consider_relaunch(TcbStatus status, const TcbInfo& info, const TdReport& td,
                            const TcbLevel& platform, const IdentityLevel& module,
                            const IdentityLevel& qe) {
  if (!td.added || qe.status != TcbStatus::kUpToDate || !is_in_order(platform.status) ||
      module.status != TcbStatus::kOutOfDate || !is_current(td.added->tee_tcb_svn2, info)) {
    return status;
  }
  if (status != TcbStatus::kOutOfDate && status != TcbStatus::kOutOfDateConfigurationNeeded) {
    return status;
  }
  return needs_configuration(platform.status) || needs_configuration(status)
             ? TcbStatus::kTdRelaunchAdvisedConfigurationNeeded
             : TcbStatus::kTdRelaunchAdvised;
}

template <typename Level>
void count_in(const Level& level, std::uint64_t& date, std::set<std::string>& advisories) {
  date = std::min(date, level.date);
  advisories.insert(level.advisories.begin(), level.advisories.end());
}

std::string describe(const PckExtension& pck, const TdReport* td) {
  std::string text =
      "components " + to_hex(pck.component_svns) + ", PCE SVN " + std::to_string(pck.pce_svn);
  if (td != nullptr) text += ", TEE TCB SVN " + to_hex(td->tee_tcb_svn);
  return text;
}

}  // namespace

const IdentityLevel* match_identity(const SgxReport& qe, const EnclaveIdentity& identity,
                                    std::vector<Reason>& reasons) {
  const std::size_t before = reasons.size();
  const auto differs = [&](const std::string& what) {
    reasons.push_back(
        {"dcap.qe-identity-mismatch",
         "the quoting enclave is not Intel's " + identity.id + ": its " + what + " differs"});
  };
  if (qe.mrsigner != identity.mr_signer) differs("MRSIGNER " + to_hex(qe.mrsigner));
  if (qe.isv_prod_id != identity.isv_prod_id) {
    differs("ISVPRODID " + std::to_string(qe.isv_prod_id));
  }
  if (!equal_under_mask(qe.attributes, identity.attributes_mask, identity.attributes)) {
    differs("ATTRIBUTES " + to_hex(qe.attributes));
  }
  if (!equal_under_mask(qe.misc_select, identity.misc_select_mask, identity.misc_select)) {
    differs("MISCSELECT " + to_hex(qe.misc_select));
  }
  if (reasons.size() != before) return nullptr;
  const IdentityLevel* level = find_level(identity.levels, qe.isv_svn);
  if (level == nullptr) {
    reasons.push_back({"dcap.qe-level", "no level of " + identity.id + " is met by ISVSVN " +
                                            std::to_string(qe.isv_svn)});
  }
  return level;
}

std::optional<TcbEvaluation> evaluate_tcb(const TcbInfo& info, const PckExtension& pck,
                                          const TdReport* td, const IdentityLevel& qe,
                                          std::vector<Reason>& reasons) {
  const std::size_t before = reasons.size();
  const IdentityLevel* module = td == nullptr ? nullptr : module_level(info, *td, reasons);
  const Levels levels = find_levels(info, pck, td);
  if (levels.met == nullptr) {
    reasons.push_back({"dcap.tcb-level", "the platform meets no TCB level of evaluation " +
                                             std::to_string(info.header.evaluation) + ": it has " +
                                             describe(pck, td)});
  }
  if (reasons.size() != before) return std::nullopt;

  TcbStatus status = levels.met->status;
  std::uint64_t date = levels.met->date;
  std::set<std::string> advisories;
  count_in(*levels.met, date, advisories);
  count_in(qe, date, advisories);
  if (module != nullptr) {
    count_in(*module, date, advisories);
    status = converge(status, module->status);
    status = consider_relaunch(status, info, *td, *levels.platform, *module, qe);
  }
  status = converge(status, qe.status);
  // Keys of such a platform are known to others: its signatures prove nothing.
  if (status == TcbStatus::kRevoked) {
    reasons.push_back(
        {"dcap.tcb-revoked", "Intel revoked the platform's TCB level (" + describe(pck, td) + ")"});
    return std::nullopt;
  }
  return TcbEvaluation{status, date, {advisories.begin(), advisories.end()}};
}

}  // namespace sealpack::attest::dcap
