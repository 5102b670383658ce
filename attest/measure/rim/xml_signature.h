// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to attest/measure/rim: the one form of XML signature (XMLDSig) that NVIDIA's manifests
// have. Everything that a document could choose is fixed here.

#include "attest/measure/rim/xml_document.h"

namespace sealpack::rim {

// The signature of a document: an element directly below the root, and the only one of its name
// anywhere, that says exactly
//
//   one reference, to the whole document (URI=""), without the signature itself (enveloped),
//   canonicalised as C14N 1.1, digest SHA-384; signed with ECDSA over SHA-384;
//   KeyInfo: certificates
//
// So what is signed is the document that is read: there is no identifier that could point to
// another part of it. kMalformed; kUnsupported for any other algorithm or reference.
struct XmlSignature {
  xmlNode* element = nullptr;
  std::vector<ByteVector> certificates;  // DER, in their order
};
Result<XmlSignature> find_signature(xmlDoc* document);

// By the key of the certificate (DER), whatever KeyInfo says. kNotAuthentic.
Status verify_signature(const XmlSignature& signature, Bytes certificate);

}  // namespace sealpack::rim
