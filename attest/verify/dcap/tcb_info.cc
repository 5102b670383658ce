// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/tcb_info.h"

#include <algorithm>

namespace sealpack::attest::dcap {
namespace {

using models::JsonReader;

constexpr std::uint64_t kVersion = 3;
constexpr std::size_t kMaxLevels = 256;
constexpr std::size_t kMaxModules = 64;

// [{"svn": n, "category": …, "type": …}] of exactly 16.
Status read_components(JsonReader& in, std::string_view field, Array<16>& out) {
  std::size_t count = 0;
  TRY(in.begin_array(field));
  while (TRY(in.next_element())) {
    std::optional<std::uint32_t> svn;
    TRY(read_object(in, "component", [&](std::string_view key) -> Result<bool> {
      if (key != "svn") return false;
      svn = TRY(read_number(in, key, 0xff));
      return true;
    }));
    if (!svn) return in.malformed("a component without svn");
    if (count == out.size()) return in.malformed(std::string(field) + " has more than 16 entries");
    out[count++] = static_cast<std::uint8_t>(*svn);
  }
  if (count != out.size()) {
    return in.malformed(std::string(field) + " has " + std::to_string(count) + " entries, not 16");
  }
  return done();
}

// The date, status and advisories that every kind of level has.
class LevelReader {
 public:
  explicit LevelReader(std::optional<TcbStatus> (*status_of)(std::string_view))
      : status_of_(status_of) {}

  Result<bool> member(JsonReader& in, std::string_view key) {
    if (key == "tcbDate") {
      date_ = TRY(read_time(in, key));
    } else if (key == "tcbStatus") {
      const std::string text = TRY(in.string(key));
      status_ = status_of_(text);
      if (!status_) return in.malformed("a tcbStatus that is not known: " + printable(text));
    } else if (key == "advisoryIDs") {
      advisories_ = TRY(read_advisories(in));
    } else {
      return false;
    }
    return true;
  }

  template <typename Level>
  Status finish(const JsonReader& in, Level& level) {
    if (!date_ || !status_) return in.malformed("a level without tcbDate or tcbStatus");
    level.date = *date_;
    level.status = *status_;
    level.advisories = std::move(advisories_);
    return done();
  }

 private:
  std::optional<TcbStatus> (*status_of_)(std::string_view);
  std::optional<std::uint64_t> date_;
  std::optional<TcbStatus> status_;
  std::vector<std::string> advisories_;
};

struct TcbReader {
  bool sgx = false;
  bool tdx = false;
  bool pce = false;

  // What a level demands must be understood whole.
  Status read(JsonReader& in, TcbLevel& level) {
    return read_object(in, "tcb", [&](std::string_view key) -> Result<bool> {
      if (key == "sgxtcbcomponents") {
        TRY(read_components(in, key, level.sgx_components));
        sgx = true;
      } else if (key == "tdxtcbcomponents") {
        TRY(read_components(in, key, level.tdx_components));
        tdx = true;
      } else if (key == "pcesvn") {
        level.pce_svn = static_cast<std::uint16_t>(TRY(read_number(in, key, 0xffff)));
        pce = true;
      } else {
        return in.malformed("a level demands " + printable(key) + ", which is not known");
      }
      return true;
    });
  }
};

struct ReadLevel {
  TcbLevel level;
  bool tdx = false;
};

Result<ReadLevel> read_level(JsonReader& in) {
  TcbLevel level;
  TcbReader tcb;
  LevelReader rest(platform_status);
  TRY(read_object(in, "TCB level", [&](std::string_view key) -> Result<bool> {
    if (key != "tcb") return rest.member(in, key);
    TRY(tcb.read(in, level));
    return true;
  }));
  if (!tcb.sgx || !tcb.pce) return in.malformed("a level without sgxtcbcomponents or pcesvn");
  TRY(rest.finish(in, level));
  return ReadLevel{std::move(level), tcb.tdx};
}

Result<ModuleIdentity> read_module(JsonReader& in, bool with_id) {
  ModuleIdentity module;
  unsigned seen = 0;
  TRY(read_object(in, "TDX module", [&](std::string_view key) -> Result<bool> {
    if (key == "mrsigner") {
      TRY(read_hex(in, key, module.mr_signer));
    } else if (key == "attributes") {
      TRY(read_hex(in, key, module.attributes));
    } else if (key == "attributesMask") {
      TRY(read_hex(in, key, module.attributes_mask));
    } else if (with_id && key == "id") {
      module.id = TRY(in.string(key));
    } else if (with_id && key == "tcbLevels") {
      module.levels = TRY(read_identity_levels(in));
    } else {
      return false;
    }
    ++seen;
    return true;
  }));
  if (seen != (with_id ? 5U : 3U)) return in.malformed("a TDX module lacks a member");
  return module;
}

Result<std::vector<ModuleIdentity>> read_modules(JsonReader& in) {
  std::vector<ModuleIdentity> modules;
  TRY(in.begin_array("tdxModuleIdentities"));
  while (TRY(in.next_element())) {
    if (modules.size() == kMaxModules) return in.malformed("more than 64 TDX modules");
    ModuleIdentity module = TRY(read_module(in, true));
    const auto twin = std::find_if(modules.begin(), modules.end(),
                                   [&](const ModuleIdentity& m) { return m.id == module.id; });
    if (twin != modules.end()) return in.malformed("two TDX modules " + printable(module.id));
    modules.push_back(std::move(module));
  }
  return modules;
}

struct InfoReader {
  JsonReader& in;
  TcbInfo info{};
  HeaderReader header{};
  std::optional<Tee> tee{};
  bool fmspc = false;
  bool pce_id = false;
  bool tcb_type = false;
  std::size_t tdx_levels = 0;

  Result<bool> member(std::string_view key) {
    if (key == "id") {
      const std::string id = TRY(in.string(key));
      if (id != "SGX" && id != "TDX") return in.malformed("id is " + printable(id));
      tee = id == "SGX" ? Tee::kSgx : Tee::kTdx;
    } else if (key == "fmspc") {
      TRY(read_hex(in, key, info.fmspc));
      fmspc = true;
    } else if (key == "pceId") {
      TRY(read_hex(in, key, info.pce_id));
      pce_id = true;
    } else if (key == "tcbType") {
      // How levels compare. One way is defined.
      TRY(read_number(in, key, 0));
      tcb_type = true;
    } else if (key == "tdxModule") {
      info.module = TRY(read_module(in, false));
    } else if (key == "tdxModuleIdentities") {
      info.module_identities = TRY(read_modules(in));
    } else if (key == "tcbLevels") {
      TRY(read_levels());
    } else {
      return header.member(in, key);
    }
    return true;
  }

  Status read_levels() {
    TRY(in.begin_array("tcbLevels"));
    while (TRY(in.next_element())) {
      if (info.levels.size() == kMaxLevels) return in.malformed("more than 256 levels");
      ReadLevel next = TRY(read_level(in));
      tdx_levels += next.tdx ? 1 : 0;
      info.levels.push_back(std::move(next.level));
    }
    return done();
  }

  Result<TcbInfo> finish() {
    TRY(in.finish());
    info.header = TRY(header.finish(in, kVersion));
    if (!tee || !fmspc || !pce_id || !tcb_type || info.levels.empty()) {
      return in.malformed("lacks id, fmspc, pceId, tcbType or levels");
    }
    info.tee = *tee;
    const bool tdx = info.tee == Tee::kTdx;
    if (tdx_levels != (tdx ? info.levels.size() : 0)) {
      return in.malformed("TDX components, and levels without them, of " +
                          std::string(to_string(info.tee)));
    }
    if (tdx != info.module.has_value() || (!tdx && !info.module_identities.empty())) {
      return in.malformed(tdx ? "lacks tdxModule" : "has a TDX module and is of SGX");
    }
    return std::move(info);
  }
};

}  // namespace

Result<TcbInfo> parse_tcb_info(Bytes json) {
  JsonReader in(json, TcbInfo::kName);
  InfoReader reader{in};
  TRY(read_object(in, TcbInfo::kName, [&](std::string_view key) { return reader.member(key); }));
  return reader.finish();
}

Result<std::vector<IdentityLevel>> read_identity_levels(JsonReader& in) {
  std::vector<IdentityLevel> levels;
  TRY(in.begin_array("tcbLevels"));
  while (TRY(in.next_element())) {
    if (levels.size() == kMaxLevels) return in.malformed("more than 256 levels");
    IdentityLevel level;
    bool svn = false;
    LevelReader rest(identity_status);
    TRY(read_object(in, "level", [&](std::string_view key) -> Result<bool> {
      if (key != "tcb") return rest.member(in, key);
      TRY(read_object(in, "tcb", [&](std::string_view name) -> Result<bool> {
        if (name != "isvsvn") return in.malformed("a level demands " + printable(name));
        level.isv_svn = static_cast<std::uint16_t>(TRY(read_number(in, name, 0xffff)));
        svn = true;
        return true;
      }));
      return true;
    }));
    if (!svn) return in.malformed("a level without isvsvn");
    TRY(rest.finish(in, level));
    levels.push_back(std::move(level));
  }
  if (levels.empty()) return in.malformed("no levels");
  return levels;
}

const IdentityLevel* find_level(const std::vector<IdentityLevel>& levels, std::uint16_t isv_svn) {
  for (const IdentityLevel& level : levels) {
    if (isv_svn >= level.isv_svn) return &level;
  }
  return nullptr;
}

}  // namespace sealpack::attest::dcap
