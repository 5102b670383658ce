// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/cose/nitro_document.h"

#include "attest/verify/cose/cbor.h"

namespace sealpack::attest {
namespace {

constexpr std::string_view kWhat = "nitro document";
constexpr std::uint64_t kMaxBundle = 8;
constexpr std::string_view kFields[] = {"module_id",  "digest",      "timestamp",
                                        "pcrs",       "certificate", "cabundle",
                                        "public_key", "user_data",   "nonce"};

// Documents of NitroTPM, by the same root, have it in the place of "pcrs": other registers, which
// other software measured.
constexpr std::string_view kInstancePcrs = "nitrotpm_pcrs";

class Parser {
 public:
  explicit Parser(CborMap map) : map_(std::move(map)) {}

  Result<NitroDocument> run() {
    TRY(check_fields());
    NitroDocument document;
    document.module_id = TRY(TRY(field("module_id")).text("module_id"));
    if (document.module_id.empty()) return malformed("module_id", "it is empty");
    const std::string_view digest = TRY(TRY(field("digest")).text("digest"));
    if (digest != "SHA384") return malformed("digest", printable(digest) + ", expected SHA384");
    document.timestamp = TRY(TRY(field("timestamp")).unsigned_number("timestamp"));
    document.pcrs = TRY(pcrs());
    document.certificate = TRY(TRY(field("certificate")).bytes("certificate"));
    document.cabundle = TRY(cabundle());
    document.public_key = TRY(optional_bytes("public_key"));
    document.user_data = TRY(optional_bytes("user_data"));
    document.nonce = TRY(optional_bytes("nonce"));
    return document;
  }

 private:
  static Error malformed(std::string_view name, const std::string& why) {
    return Error(ErrorCode::kMalformed, std::string(kWhat) + ", " + std::string(name) + ": " + why);
  }

  // Those that are known are counted: any other makes the count differ.
  Status check_fields() const {
    if (map_.find(kInstancePcrs)) {
      return malformed(kInstancePcrs, "a document of an instance's TPM, not of an enclave");
    }
    std::size_t known = 0;
    for (const std::string_view name : kFields) known += map_.find(name) ? 1U : 0U;
    if (known != map_.size()) {
      return malformed("", std::to_string(map_.size() - known) + " fields that are not known");
    }
    return done();
  }

  Result<CborReader> field(std::string_view name) const {
    const auto value = map_.find(name);
    if (!value) return malformed(name, "it is missing");
    return CborReader(*value, kWhat, CborLengths::kAny);
  }

  Result<Bytes> optional_bytes(std::string_view name) const {
    if (!map_.find(name)) return Bytes{};
    CborReader in = TRY(field(name));
    if (TRY(in.take_null())) return Bytes{};
    return in.bytes(name);
  }

  Result<std::map<std::uint64_t, Bytes>> pcrs() const {
    CborReader in = TRY(field("pcrs"));
    CborReader::Members members = TRY(in.open_map("pcrs"));
    std::map<std::uint64_t, Bytes> pcrs;
    while (TRY(in.next(members))) {
      const std::uint64_t index = TRY(in.unsigned_number("pcrs"));
      const Bytes value = TRY(in.bytes("pcrs"));
      const std::string name = "pcr" + std::to_string(index);
      if (index >= kNitroPcrCount) return malformed(name, "there are 32 registers");
      if (value.size() != kNitroPcrSize) {
        return malformed(name, std::to_string(value.size()) + " bytes, expected 48");
      }
      if (!pcrs.emplace(index, value).second) return malformed(name, "it is there twice");
    }
    for (std::uint64_t index = 0; index < 3; ++index) {
      if (!pcrs.contains(index)) return malformed("pcr" + std::to_string(index), "it is missing");
    }
    return pcrs;
  }

  Result<std::vector<Bytes>> cabundle() const {
    CborReader in = TRY(field("cabundle"));
    CborReader::Members members = TRY(in.open_array("cabundle"));
    std::vector<Bytes> bundle;
    while (TRY(in.next(members))) {
      if (bundle.size() == kMaxBundle) return malformed("cabundle", "more than 8 certificates");
      bundle.push_back(TRY(in.bytes("cabundle")));
    }
    if (bundle.empty()) return malformed("cabundle", "no certificates");
    return bundle;
  }

  CborMap map_;
};

}  // namespace

Result<NitroDocument> parse_nitro_document(Bytes payload) {
  if (payload.size() > kMaxNitroDocumentSize) {
    return Error(ErrorCode::kMalformed, "nitro document of " + format_size(payload.size()) +
                                            ", more than the module ever answers");
  }
  return Parser(TRY(CborMap::parse(payload, kWhat, CborLengths::kAny))).run();
}

}  // namespace sealpack::attest
