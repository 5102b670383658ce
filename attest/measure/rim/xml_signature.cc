// SPDX-License-Identifier: Apache-2.0
#include "attest/measure/rim/xml_signature.h"

#include <libxml/globals.h>
#include <libxml/xmlerror.h>
#include <xmlsec/xmlsec.h>
// The order is xmlsec's.
#include <xmlsec/crypto.h>
#include <xmlsec/errors.h>
#include <xmlsec/io.h>
#include <xmlsec/transforms.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmltree.h>

#include "formats/base/base64.h"

namespace sealpack::rim {
namespace {

constexpr const char* kSpace = "http://www.w3.org/2000/09/xmldsig#";
constexpr std::string_view kC14n11 = "http://www.w3.org/2006/12/xml-c14n11";
constexpr std::string_view kEnveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
constexpr std::string_view kSha384 = "http://www.w3.org/2001/04/xmldsig-more#sha384";
constexpr std::string_view kEcdsaSha384 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384";
constexpr std::size_t kMaxCertificates = 8;

struct FreeContext {
  void operator()(xmlSecDSigCtx* context) const { xmlSecDSigCtxDestroy(context); }
};

void say_nothing(const char*, int, const char*, const char*, const char*, int, const char*) {}

// libxml2 prints what its canonicalisation refuses unless somebody listens on this thread.
class QuietXml {
 public:
  QuietXml() : context_(xmlStructuredErrorContext), function_(xmlStructuredError) {
    xmlSetStructuredErrorFunc(nullptr, [](void*, xmlError*) {});
  }
  ~QuietXml() { xmlSetStructuredErrorFunc(context_, function_); }
  QuietXml(const QuietXml&) = delete;
  QuietXml& operator=(const QuietXml&) = delete;

 private:
  void* context_;
  xmlStructuredErrorFunc function_;
};

// Once; without the functions that open files and connections for references.
bool is_library_ready() {
  static const bool kReady = [] {
    if (xmlSecInit() != 0 || xmlSecCheckVersion() != 1 || xmlSecCryptoInit() != 0) return false;
    xmlSecIOCleanupCallbacks();
    xmlSecErrorsSetCallback(say_nothing);  // starting sets one that prints
    return true;
  }();
  return kReady;
}

std::size_t count_signatures(const xmlNode* node) {
  std::size_t count = 0;
  for (; node != nullptr; node = node->next) {
    if (node->type != XML_ELEMENT_NODE) continue;
    if (is_element(node, kSpace, "Signature")) ++count;
    count += count_signatures(node->children);
  }
  return count;
}

// The elements below `parent`, which must be of exactly these names.
Result<std::vector<xmlNode*>> exactly(const xmlNode* parent,
                                      std::initializer_list<const char*> names) {
  const std::vector<xmlNode*> elements = TRY(elements_of(parent));
  bool same = elements.size() == names.size();
  for (std::size_t i = 0; same && i < elements.size(); ++i) {
    same = is_element(elements[i], kSpace, names.begin()[i]);
  }
  if (same) return elements;
  return Error(ErrorCode::kUnsupported,
               "manifest: " + std::string(reinterpret_cast<const char*>(parent->name)) +
                   " of its signature is not built as NVIDIA's are");
}

// One attribute, Algorithm, and nothing inside.
Status check_algorithm(const xmlNode* element, std::string_view expected) {
  const auto algorithm = attribute_of(element, nullptr, "Algorithm");
  const bool bare = element->properties != nullptr && element->properties->next == nullptr &&
                    element->children == nullptr;
  if (algorithm && *algorithm == expected && bare) return done();
  return Error(ErrorCode::kUnsupported,
               "manifest: " + std::string(reinterpret_cast<const char*>(element->name)) +
                   " of its signature is " + printable(algorithm.value_or("not stated")) +
                   ", not " + std::string(expected));
}

Status check_reference(const xmlNode* reference) {
  const auto uri = attribute_of(reference, nullptr, "URI");
  if (!uri || !uri->empty() || reference->properties->next != nullptr) {
    return Error(ErrorCode::kUnsupported,
                 "manifest: its signature is not over the whole document, but over " +
                     printable(uri.value_or("what it does not say")));
  }
  const auto parts = TRY(exactly(reference, {"Transforms", "DigestMethod", "DigestValue"}));
  const auto transforms = TRY(exactly(parts[0], {"Transform", "Transform"}));
  TRY(check_algorithm(transforms[0], kEnveloped));
  TRY(check_algorithm(transforms[1], kC14n11));
  return check_algorithm(parts[1], kSha384);
}

Status check_signed_info(const xmlNode* info) {
  const auto parts = TRY(exactly(info, {"CanonicalizationMethod", "SignatureMethod", "Reference"}));
  TRY(check_algorithm(parts[0], kC14n11));
  TRY(check_algorithm(parts[1], kEcdsaSha384));
  return check_reference(parts[2]);
}

Result<std::vector<ByteVector>> read_certificates(const xmlNode* key_info) {
  const auto data = TRY(exactly(key_info, {"X509Data"}));
  std::vector<ByteVector> certificates;
  for (const xmlNode* element : TRY(elements_of(data[0]))) {
    if (!is_element(element, kSpace, "X509Certificate")) {
      return malformed_xml("X509Data with something besides certificates");
    }
    if (certificates.size() == kMaxCertificates) return malformed_xml("more than 8 certificates");
    std::string base64;
    for (const char c : TRY(text_of(element))) {
      if (c != ' ' && c != '\n' && c != '\r' && c != '\t') base64 += c;
    }
    certificates.push_back(TRY(from_base64(base64).within("manifest: X509Certificate")));
  }
  if (certificates.empty()) return malformed_xml("no certificate in its signature");
  return certificates;
}

bool enable_profile(xmlSecDSigCtx* context) {
  context->enabledReferenceUris = xmlSecTransformUriTypeEmpty;
  for (const xmlSecTransformId id :
       {xmlSecTransformEnvelopedId, xmlSecTransformInclC14N11Id, xmlSecTransformSha384Id}) {
    if (xmlSecDSigCtxEnableReferenceTransform(context, id) != 0) return false;
  }
  for (const xmlSecTransformId id : {xmlSecTransformInclC14N11Id, xmlSecTransformEcdsaSha384Id}) {
    if (xmlSecDSigCtxEnableSignatureTransform(context, id) != 0) return false;
  }
  return true;
}

}  // namespace

Result<XmlSignature> find_signature(xmlDoc* document) {
  const xmlNode* root = xmlDocGetRootElement(document);
  if (count_signatures(root) != 1) {
    return malformed_xml(std::to_string(count_signatures(root)) + " signatures, not one");
  }
  XmlSignature found;
  for (xmlNode* element : TRY(elements_of(root))) {
    if (is_element(element, kSpace, "Signature")) found.element = element;
  }
  if (found.element == nullptr) {
    return malformed_xml("its signature is not directly below its root");
  }
  const auto parts = TRY(exactly(found.element, {"SignedInfo", "SignatureValue", "KeyInfo"}));
  TRY(check_signed_info(parts[0]));
  found.certificates = TRY(read_certificates(parts[2]));
  return found;
}

Status verify_signature(const XmlSignature& signature, Bytes certificate) {
  if (!is_library_ready()) return Error(ErrorCode::kInternal, "libxmlsec1 does not start");
  const std::unique_ptr<xmlSecDSigCtx, FreeContext> context(xmlSecDSigCtxCreate(nullptr));
  if (!context) die("libxmlsec1 has no memory");
  if (!enable_profile(context.get())) {
    return Error(ErrorCode::kInternal, "libxmlsec1 lacks an algorithm");
  }
  const QuietXml quiet;
  // With a key given, none is looked for in KeyInfo.
  context->signKey =
      xmlSecCryptoAppKeyLoadMemory(certificate.data(), static_cast<xmlSecSize>(certificate.size()),
                                   xmlSecKeyDataFormatCertDer, nullptr, nullptr, nullptr);
  if (context->signKey == nullptr) {
    return Error(ErrorCode::kNotAuthentic, "manifest: its signer's key is none that is known");
  }
  if (xmlSecDSigCtxVerify(context.get(), signature.element) != 0 ||
      context->status != xmlSecDSigStatusSucceeded) {
    return Error(ErrorCode::kNotAuthentic,
                 "manifest: its signature is not by the key of its first certificate");
  }
  return done();
}

}  // namespace sealpack::rim
