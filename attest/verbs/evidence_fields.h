// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "attest/evidence/evidence.h"

namespace sealpack::attest {

// What an item says, field by field, before anything of it is proven: for reading, never for
// deciding.
struct EvidenceField {
  std::string name;
  std::string value;  // printable
};

struct DescribedItem {
  std::string kind;
  std::uint64_t size = 0;
  Digest digest;
  std::vector<EvidenceField> fields;
  std::string unreadable;  // why there are no fields, or not all
};

std::vector<DescribedItem> describe(const Evidence& evidence);

// Collects fields; the readers of the item kinds add to one. Internal to these verbs.
class FieldList {
 public:
  void text(const std::string& name, const std::string& value) { fields_.push_back({name, value}); }
  void bytes(const std::string& name, Bytes value) { text(name, to_hex(value)); }
  void number(const std::string& name, std::uint64_t value) { text(name, std::to_string(value)); }
  void bits(const std::string& name, std::uint64_t value);  // "0x30000"
  std::vector<EvidenceField> take() { return std::move(fields_); }

 private:
  std::vector<EvidenceField> fields_;
};

Status read_snp_report(Bytes bytes, FieldList& out);
Status read_snp_certificates(Bytes bytes, FieldList& out);
Status read_dcap_quote(Bytes bytes, FieldList& out);
// COSE and what is in it, whatever it means: keys and values as they are there.
Status read_cbor(Bytes bytes, FieldList& out);
Status read_tpm_quote(Bytes bytes, FieldList& out);
Status read_tpm_pcrs(Bytes bytes, FieldList& out);
Status read_tpm_public(Bytes bytes, FieldList& out);
Status read_event_log(Bytes bytes, bool ccel, FieldList& out);
Status read_hcl_report(Bytes bytes, FieldList& out);
Status read_certificates(Bytes bytes, FieldList& out);
Status read_gpu_request(Bytes bytes, FieldList& out);
Status read_gpu_report(Bytes bytes, FieldList& out);

}  // namespace sealpack::attest
