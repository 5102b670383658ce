// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/measure/rim/reference_manifest.h"
#include "formats/base/base64.h"
#include "tests/attest/authority/mint.h"

namespace sealpack::testing {

inline constexpr std::string_view kSha384Uri = "http://www.w3.org/2001/04/xmldsig-more#sha384";
inline constexpr std::string_view kC14n11Uri = "http://www.w3.org/2006/12/xml-c14n11";
inline constexpr std::string_view kEnvelopedUri =
    "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
inline constexpr std::string_view kEcdsaSha384Uri =
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384";

// A manifest of its own making, written in its canonical form (C14N 1.1), so that it can be hashed
// as it stands: namespaces before attributes, each sorted; no element without an end tag. Parts can
// be edited before it is made.
struct ManifestMaker {
  ManifestMaker() {
    root.subject = "NVIDIA CoRIM signing Root CA";
    authority.subject = "NVIDIA Reference Value GH100 CA";
    leaf.subject = "HCC RIM L4 Signer";
    root.authority = authority.authority = true;
    add(0, true, {ByteVector(48)});
    add(1, true, {ByteVector(48, 0xB1), ByteVector(48, 0xA1)});
    add(2, false, {ByteVector(48)});
    add(63, true, {ByteVector(48, 0xC3)});
  }

  void add(unsigned index, bool active, const std::vector<ByteVector>& values) {
    std::string line = "<r:Resource";
    line += std::string(" active=\"") + (active ? "True" : "False") + "\"";
    line += " alternatives=\"" + std::to_string(values.size()) + "\"";
    line += " index=\"" + std::to_string(index) + "\" name=\"Measurement_" + std::to_string(index) +
            "\" size=\"48\" type=\"Measurement\"";
    for (std::size_t i = 0; i < values.size(); ++i) {
      line += " h:Hash" + std::to_string(i) + "=\"" + to_hex(values[i]) + "\"";
    }
    resources += line + "></r:Resource>\n";
  }

  std::string head() const {
    return "<SoftwareIdentity xmlns=\"" + swid + "\" xmlns:h=\"" + hash_space + "\" xmlns:r=\"" +
           swid + "\"" + root_attributes + " tagId=\"0123\">\n" + meta;
  }
  std::string meta_of(const std::string& version, const std::string& product) const {
    return "<r:Meta colloquialVersion=\"" + version + "\" edition=\"GPU\" product=\"" + product +
           "\"></r:Meta>\n";
  }
  std::string before_signature() const {
    return head() + "<r:Payload>\n" + resources + "</r:Payload>\n";
  }
  std::string after_signature() const { return "</SoftwareIdentity>"; }

  // What the reference is to: the document without the signature.
  std::string digest() const {
    return to_base64(crypto::hash(digest_hash, as_bytes(before_signature() + after_signature())));
  }
  // As it stands in the document, or as it is signed: with the namespaces around it.
  std::string signed_info(bool canonical) const {
    const std::string open = canonical
                                 ? "<ds:SignedInfo xmlns=\"" + swid + "\" xmlns:ds=\"" + ds_space +
                                       "\" xmlns:h=\"" + hash_space + "\" xmlns:r=\"" + swid + "\">"
                                 : "<ds:SignedInfo>";
    const auto element = [](const std::string& name, std::string_view algorithm) {
      return "<ds:" + name + " Algorithm=\"" + std::string(algorithm) + "\"></ds:" + name + ">";
    };
    std::string all_transforms;
    for (const std::string& one : transforms) all_transforms += element("Transform", one);
    std::string reference = "<ds:Reference" + reference_attributes + "><ds:Transforms>" +
                            all_transforms + "</ds:Transforms>" +
                            element("DigestMethod", digest_method) + "<ds:DigestValue>" + digest() +
                            "</ds:DigestValue></ds:Reference>";
    if (two_references) reference += reference;
    return open + element("CanonicalizationMethod", canonicalization) +
           element("SignatureMethod", signature_method) + reference + "</ds:SignedInfo>";
  }
  std::string signature() const {
    const ByteVector value =
        signer.sign(crypto::HashAlgorithm::kSha384, as_bytes(signed_info(true)));
    std::string certificates;
    for (const ByteVector& der : chain()) {
      certificates += "<ds:X509Certificate>" + to_base64(der) + "</ds:X509Certificate>";
    }
    return "<ds:Signature xmlns:ds=\"" + ds_space + "\">" + signed_info(false) +
           "<ds:SignatureValue>" + to_base64(value) + "</ds:SignatureValue><ds:KeyInfo>" +
           "<ds:X509Data>" + certificates + "</ds:X509Data></ds:KeyInfo></ds:Signature>";
  }
  std::vector<ByteVector> chain() const {
    return {mint(leaf, leaf_key, &authority, authority_key),
            mint(authority, authority_key, &root, root_key),
            mint(root, root_key, nullptr, root_key)};
  }
  std::string text() const { return before_signature() + signature() + after_signature(); }

  std::string ds_space = "http://www.w3.org/2000/09/xmldsig#";
  std::string swid = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd";
  std::string hash_space = "http://www.w3.org/2001/04/xmlenc#sha384";
  std::string root_attributes = " corpus=\"false\" patch=\"false\" supplemental=\"false\"";
  std::string meta = meta_of("96.00.5E.00.01", "GH100");
  std::string resources;
  std::string reference_attributes = " URI=\"\"";
  std::string canonicalization{kC14n11Uri};
  std::string signature_method{kEcdsaSha384Uri};
  std::string digest_method{kSha384Uri};
  crypto::HashAlgorithm digest_hash = crypto::HashAlgorithm::kSha384;
  std::vector<std::string> transforms{std::string(kEnvelopedUri), std::string(kC14n11Uri)};
  bool two_references = false;
  MintKey root_key = MintKey::generate(MintKeyType::kP384);
  MintKey authority_key = MintKey::generate(MintKeyType::kP384);
  MintKey leaf_key = MintKey::generate(MintKeyType::kP384);
  MintKey signer = leaf_key;
  MintCertificate root, authority, leaf;
};

}  // namespace sealpack::testing
