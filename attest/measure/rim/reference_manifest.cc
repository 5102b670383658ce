// SPDX-License-Identifier: Apache-2.0
#include "attest/measure/rim/reference_manifest.h"

#include <algorithm>
#include <charconv>

#include "attest/measure/rim/xml_signature.h"

namespace sealpack::rim {
namespace {

constexpr const char* kSwid = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd";
constexpr const char* kSignature = "http://www.w3.org/2000/09/xmldsig#";
constexpr const char* kSha384 = "http://www.w3.org/2001/04/xmlenc#sha384";
constexpr std::size_t kDigestSize = 48;
constexpr unsigned kMeasurementCount = 64;
constexpr unsigned kMaxAlternatives = 64;
constexpr std::size_t kMaxText = 128;

Result<std::string> required(const xmlNode* element, const char* name) {
  const auto value = attribute_of(element, nullptr, name);
  if (!value || value->empty() || value->size() > kMaxText) {
    return malformed_xml(std::string(name) + " of " + reinterpret_cast<const char*>(element->name) +
                         " is missing, empty or longer than 128 bytes");
  }
  return *value;
}

Result<unsigned> number(const xmlNode* element, const char* name, unsigned limit) {
  const std::string text = TRY(required(element, name));
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > limit ||
      std::to_string(value) != text) {
    return malformed_xml(std::string(name) + " is " + printable(text) + ", no number up to " +
                         std::to_string(limit));
  }
  return value;
}

// xs:boolean, and as NVIDIA writes it.
Result<bool> flag(const xmlNode* element, const char* name) {
  const std::string text = TRY(required(element, name));
  const std::string_view word = text;
  if (word == "True" || word == "true") return true;
  if (word == "False" || word == "false") return false;
  return malformed_xml(std::string(name) + " is " + printable(text) + ", neither true nor false");
}

// The one element of that name below the root.
Result<xmlNode*> only(const std::vector<xmlNode*>& elements, const char* name) {
  xmlNode* found = nullptr;
  for (xmlNode* element : elements) {
    if (!is_element(element, kSwid, name)) continue;
    if (found != nullptr) return malformed_xml("two elements " + std::string(name));
    found = element;
  }
  if (found == nullptr) return malformed_xml("no element " + std::string(name));
  return found;
}

// Attributes in the namespace of the hash that are not Hash0 to Hash(count - 1).
Status check_no_other_hash(const xmlNode* resource, unsigned count) {
  unsigned hashes = 0;
  for (const xmlAttr* one = resource->properties; one != nullptr; one = one->next) {
    const std::string_view name = reinterpret_cast<const char*>(one->name);
    if (one->ns != nullptr && name.starts_with("Hash")) ++hashes;
  }
  if (hashes == count) return done();
  return malformed_xml(std::to_string(hashes) + " hashes where " + std::to_string(count) +
                       " alternatives are stated");
}

struct Resource {
  GoldenMeasurement measurement;
  bool active = false;
};

Result<Resource> read_resource(const xmlNode* element) {
  if (!is_element(element, kSwid, "Resource") || TRY(required(element, "type")) != "Measurement") {
    return malformed_xml("a payload with something besides measurements");
  }
  Resource resource;
  resource.measurement.index = TRY(number(element, "index", kMeasurementCount - 1));
  resource.active = TRY(flag(element, "active"));
  const unsigned alternatives = TRY(number(element, "alternatives", kMaxAlternatives));
  const unsigned size = TRY(number(element, "size", kMaxText));
  TRY(check_no_other_hash(element, alternatives));
  for (unsigned i = 0; i < alternatives; ++i) {
    const auto hex = attribute_of(element, kSha384, ("Hash" + std::to_string(i)).c_str());
    if (!hex) return malformed_xml("Hash" + std::to_string(i) + " is missing");
    ByteVector value = TRY(from_hex(*hex).within("manifest: Hash" + std::to_string(i)));
    if (value.size() != kDigestSize || size != kDigestSize) {
      return malformed_xml("a SHA-384 of " + std::to_string(value.size()) + " bytes, said to be " +
                           std::to_string(size));
    }
    resource.measurement.values.push_back(std::move(value));
  }
  auto& values = resource.measurement.values;
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  if (resource.active && values.empty()) {
    return malformed_xml("an active measurement without an accepted value");
  }
  return resource;
}

Status read_payload(const xmlNode* payload, ReferenceManifest& manifest) {
  std::vector<unsigned> seen;
  for (const xmlNode* element : TRY(elements_of(payload))) {
    Resource resource = TRY(read_resource(element));
    const unsigned index = resource.measurement.index;
    if (std::find(seen.begin(), seen.end(), index) != seen.end()) {
      return malformed_xml("measurement " + std::to_string(index) + " is there twice");
    }
    seen.push_back(index);
    if (resource.active) manifest.measurements.push_back(std::move(resource.measurement));
  }
  if (manifest.measurements.empty()) return malformed_xml("no active measurement");
  std::sort(manifest.measurements.begin(), manifest.measurements.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
  return done();
}

bool is_all(std::string_view text, std::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == text.npos;
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t dot = text.find('.');
    parts.push_back(text.substr(0, dot));
    if (dot == text.npos) return parts;
    text.remove_prefix(dot + 1);
  }
}

// Manifests of both kinds say everything in the same fields; their versions tell them apart:
// "96.00.5E.00.01", five bytes in hex, or "580.95.05", decimal.
Result<ManifestKind> kind_of(const std::string& version) {
  const std::vector<std::string_view> parts = split(version);
  const auto all = [&](auto check) { return std::all_of(parts.begin(), parts.end(), check); };
  if (parts.size() == 5 && all([](std::string_view part) {
        return part.size() == 2 && is_all(part, "0123456789ABCDEF");
      })) {
    return ManifestKind::kVbios;
  }
  if ((parts.size() == 2 || parts.size() == 3) && parts[0].size() >= 3 &&
      all([](std::string_view part) { return is_all(part, "0123456789"); })) {
    return ManifestKind::kDriver;
  }
  return Error(ErrorCode::kUnsupported,
               "manifest: version " + printable(version) + " is none of a driver or a VBIOS");
}

Result<std::string> architecture_of(const std::string& product) {
  if (product.starts_with("GH")) return std::string("hopper");
  if (product.starts_with("GB")) return std::string("blackwell");
  return Error(ErrorCode::kUnsupported,
               "manifest: for " + printable(product) + ", no GPU that is known");
}

Result<ReferenceManifest> read_manifest(const xmlNode* root) {
  if (!is_element(root, kSwid, "SoftwareIdentity")) {
    return malformed_xml("no SWID tag (SoftwareIdentity)");
  }
  // A supplement says nothing by itself, and a tag for installation media is no statement on what
  // runs.
  for (const char* name : {"corpus", "patch", "supplemental"}) {
    if (attribute_of(root, nullptr, name) && TRY(flag(root, name))) {
      return Error(ErrorCode::kUnsupported, "manifest: " + std::string(name) + " is true");
    }
  }
  const std::vector<xmlNode*> elements = TRY(elements_of(root));
  for (const xmlNode* element : elements) {
    const bool expected =
        is_element(element, kSwid, "Entity") || is_element(element, kSwid, "Meta") ||
        is_element(element, kSwid, "Payload") || is_element(element, kSignature, "Signature");
    if (!expected) return malformed_xml("an element that no manifest of NVIDIA has");
  }
  const xmlNode* meta = TRY(only(elements, "Meta"));
  ReferenceManifest manifest;
  manifest.tag_id = TRY(required(root, "tagId"));
  manifest.version = TRY(required(meta, "colloquialVersion"));
  manifest.product = TRY(required(meta, "product"));
  manifest.kind = TRY(kind_of(manifest.version));
  manifest.architecture = TRY(architecture_of(manifest.product));
  TRY(read_payload(TRY(only(elements, "Payload")), manifest));
  return manifest;
}

// The chain of the first certificate; reasons otherwise.
Result<std::vector<x509::Certificate>> verify_signers(const XmlSignature& signature,
                                                      const ManifestRules& rules,
                                                      std::vector<Reason>& reasons) {
  std::vector<x509::Certificate> pool;
  for (const ByteVector& der : signature.certificates) {
    pool.push_back(TRY(x509::Certificate::parse_der(der).within("manifest")));
  }
  const x509::Certificate leaf = pool.front();
  x509::ChainRules chain_rules;
  chain_rules.now = rules.now;
  chain_rules.roots = rules.roots;
  chain_rules.revocation =
      rules.must_be_unrevoked ? x509::Revocation::kAll : x509::Revocation::kNone;
  chain_rules.revocation_lists = rules.revocation_lists;
  chain_rules.ocsp_responses = rules.ocsp_responses;
  auto chain = x509::verify_chain(leaf, pool, chain_rules, reasons);
  if (leaf.is_authority() || !leaf.may_sign()) {
    reasons.push_back({"rim.leaf", "the first certificate is not for signing manifests"});
  }
  if (chain) {
    const Status verified = verify_signature(signature, leaf.der());
    if (!verified.ok()) {
      if (verified.error().code() != ErrorCode::kNotAuthentic) return verified.error();
      reasons.push_back({"rim.signature", verified.error().message()});
    }
  }
  if (!chain || !reasons.empty()) {
    return Error(ErrorCode::kNotAuthentic, "the manifest is not proven to be NVIDIA's");
  }
  return std::move(*chain);
}

}  // namespace

Result<ReferenceManifest> verify_manifest(Bytes xml, const ManifestRules& rules,
                                          std::vector<Reason>& reasons) {
  const XmlDocument document = TRY(parse_xml(xml));
  const XmlSignature signature = TRY(find_signature(document.get()));
  std::vector<x509::Certificate> signers = TRY(verify_signers(signature, rules, reasons));
  ReferenceManifest manifest = TRY(read_manifest(xmlDocGetRootElement(document.get())));
  manifest.signers = std::move(signers);
  return manifest;
}

Result<ReferenceManifest> read_manifest_that_nobody_verified(Bytes xml) {
  const XmlDocument document = TRY(parse_xml(xml));
  TRY(find_signature(document.get()));
  return read_manifest(xmlDocGetRootElement(document.get()));
}

}  // namespace sealpack::rim
