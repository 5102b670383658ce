// SPDX-License-Identifier: Apache-2.0
#include "tests/attest/measure/rim/manifest_fixture.h"

namespace sealpack::rim {
namespace {

using testing::Fails;
using testing::FailsWith;
using testing::HasOnlyReason;
using ::testing::HasSubstr;
using testing::Manifest;
using testing::ManifestMaker;
using testing::MintKey;
using testing::MintKeyType;
using testing::Succeeds;

TEST_F(Manifest, IsAcceptedInAnyFormOfTheSameDocument) {
  const std::string text = maker.text();
  EXPECT_THAT(read(text), Succeeds());
  EXPECT_THAT(read("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + text + "\n"), Succeeds());
  // Attributes in another order, an empty element without an end tag: canonicalised alike.
  EXPECT_THAT(read(with(text, "edition=\"GPU\" product=\"GH100\"></r:Meta>",
                        "product=\"GH100\"   edition='GPU'/>")),
              Succeeds());
}

TEST_F(Manifest, RefusesAnyChangeOfWhatWasSigned) {
  const std::string text = maker.text();
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"5E.00.01", "5E.00.02"},
                                 {"b1b1", "b1b2"},
                                 {"active=\"False\"", "active=\"True\""},
                                 {"\n<r:Resource", "<r:Resource"},
                                 {"tagId=\"0123\"", "tagId=\"0124\""}}) {
    EXPECT_THAT(read(with(text, from, to)), Fails(ErrorCode::kNotAuthentic)) << from;
    EXPECT_THAT(reasons, HasOnlyReason("rim.signature"));
  }
}

TEST_F(Manifest, RefusesASignatureByAnotherKeyOrOfAnotherDocument) {
  maker.signer = MintKey::generate(MintKeyType::kP384);
  expect_reason("rim.signature");
  maker.signer = maker.leaf_key;
  ManifestMaker other = maker;
  other.meta = other.meta_of("96.00.5E.00.02", "GH100");
  EXPECT_THAT(read(maker.before_signature() + other.signature() + maker.after_signature()),
              Fails(ErrorCode::kNotAuthentic));
  EXPECT_THAT(reasons, HasOnlyReason("rim.signature"));
}

TEST_F(Manifest, RefusesASignatureByACertificateThatIsNotItsFirst) {
  maker.signer = maker.authority_key;
  expect_reason("rim.signature");
}

// Whose chain leads nowhere has no document canonicalised: nothing is said of the signature.
TEST_F(Manifest, IsNotLookedAtUntilItsSignersChainLeadsToARoot) {
  std::string text = maker.text();
  maker.root_key = MintKey::generate(MintKeyType::kP384);
  for (const std::string& one : {text, with(text, "5E.00.01", "5E.00.02")}) {
    EXPECT_THAT(read(one), Fails(ErrorCode::kNotAuthentic));
    EXPECT_THAT(reasons, HasOnlyReason("chain.root"));
  }
}

// Signature wrapping: the signed document is kept where nobody looks, another stands in its place.
TEST_F(Manifest, RefusesASignedDocumentInsideAnother) {
  const std::string genuine = maker.text();
  ManifestMaker forged = maker;
  forged.resources =
      with(forged.resources, to_hex(ByteVector(48, 0xC3)), to_hex(ByteVector(48, 0xDD)));
  EXPECT_THAT(read(forged.before_signature() + genuine + forged.after_signature()),
              Fails(ErrorCode::kMalformed));
  // The genuine signature moved up, the genuine document inside it or beside it.
  const std::string object = "<ds:Object Id=\"a\">" + genuine + "</ds:Object></ds:Signature>";
  EXPECT_THAT(read(forged.before_signature() + with(maker.signature(), "</ds:Signature>", object) +
                   forged.after_signature()),
              Fails(ErrorCode::kMalformed));
}

TEST_F(Manifest, RefusesReferencesToPartsOfTheDocument) {
  for (const char* uri :
       {" URI=\"#payload\"", " URI=\"#xpointer(/)\"", "", " URI=\"file:///etc/passwd\"",
        " URI=\"http://127.0.0.1/x\"", " Id=\"a\" URI=\"\"", " Type=\"x\" URI=\"\""}) {
    maker.reference_attributes = uri;
    EXPECT_THAT(run(), Fails(ErrorCode::kUnsupported)) << uri;
  }
  maker.reference_attributes = " URI=\"\"";
  maker.two_references = true;
  EXPECT_THAT(run(), Fails(ErrorCode::kUnsupported));
}

TEST_F(Manifest, RefusesEveryOtherAlgorithm) {
  const std::string dsig = "http://www.w3.org/2000/09/xmldsig#";
  maker.digest_method = dsig + "sha1";
  maker.digest_hash = crypto::HashAlgorithm::kSha1;
  EXPECT_THAT(run(), Fails(ErrorCode::kUnsupported));
  maker = {};
  for (const char* method : {"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1",
                             "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
                             "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384", ""}) {
    maker.signature_method = method;
    EXPECT_THAT(run(), Fails(ErrorCode::kUnsupported)) << method;
  }
  maker = {};
  maker.canonicalization = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
  EXPECT_THAT(run(), Fails(ErrorCode::kUnsupported));
}

TEST_F(Manifest, RefusesAlgorithmsThatSayMoreThanTheirName) {
  const std::string more = "\" More=\"";
  maker.digest_method += more;
  EXPECT_THAT(run(), Fails(ErrorCode::kUnsupported));
  maker = {};
  maker.transforms[1] += more;
  EXPECT_THAT(run(), Fails(ErrorCode::kUnsupported));
  maker = {};
  maker.canonicalization += more;
  EXPECT_THAT(run(), Fails(ErrorCode::kUnsupported));
  maker = {};
  EXPECT_THAT(run(), Succeeds());
}

TEST_F(Manifest, RefusesEveryOtherTransform) {
  const std::string enveloped(testing::kEnvelopedUri);
  const std::string c14n(testing::kC14n11Uri);
  const std::string xslt = "http://www.w3.org/TR/1999/REC-xslt-19991116";
  const std::string xpath = "http://www.w3.org/TR/1999/REC-xpath-19991116";
  for (const auto& transforms : std::vector<std::vector<std::string>>{
           {},
           {enveloped},
           {c14n},
           {c14n, enveloped},
           {enveloped, xslt},
           {enveloped, xpath},
           {enveloped, c14n, xpath},
           {enveloped, "http://www.w3.org/2006/12/xml-c14n11#WithComments"}}) {
    maker.transforms = transforms;
    EXPECT_THAT(run(), Fails(ErrorCode::kUnsupported)) << transforms.size();
  }
}

TEST_F(Manifest, RefusesTwoSignaturesAndNone) {
  EXPECT_THAT(read(maker.before_signature() + maker.signature() + maker.signature() +
                   maker.after_signature()),
              FailsWith(ErrorCode::kMalformed, HasSubstr("2 signatures")));
  EXPECT_THAT(read(maker.before_signature() + maker.after_signature()),
              FailsWith(ErrorCode::kMalformed, HasSubstr("0 signatures")));
}

TEST_F(Manifest, RefusesASignatureWithoutCertificatesOrWithMoreThanThem) {
  const std::string text = maker.text();
  const std::size_t begin = text.find("<ds:X509Certificate>");
  const std::size_t end = text.find("</ds:X509Data>");
  std::string none = text;
  none.erase(begin, end - begin);
  EXPECT_THAT(read(none), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(read(with(text, "<ds:X509Data>", "<ds:KeyName>a</ds:KeyName><ds:X509Data>")),
              Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(read(with(text, "<ds:X509Certificate>", "<ds:X509Certificate>!")),
              Fails(ErrorCode::kMalformed));
}

TEST_F(Manifest, RefusesDocumentTypesAndWithThemAllEntities) {
  const std::string text = maker.text();
  const std::string bomb =
      "<!DOCTYPE SoftwareIdentity [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;\">"
      "<!ENTITY c \"&b;&b;&b;&b;&b;&b;\">]>";
  const std::string external =
      "<!DOCTYPE SoftwareIdentity [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>";
  for (const std::string& head :
       {bomb, external, std::string("<!DOCTYPE SoftwareIdentity SYSTEM \"http://127.0.0.1/a\">")}) {
    EXPECT_THAT(read(head + text), FailsWith(ErrorCode::kMalformed, HasSubstr("document type")));
  }
  EXPECT_THAT(read(bomb + with(text, "0123", "&c;")), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(read(with(text, "0123", "&e;")), Fails(ErrorCode::kMalformed));
}

TEST_F(Manifest, RefusesWhatASignatureWouldPassOver) {
  const std::string text = maker.text();
  EXPECT_THAT(read("<!-- a -->" + text), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(read(with(text, "<r:Payload>", "<!-- a --><r:Payload>")),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(read(with(text, "<r:Payload>", "<?a b?><r:Payload>")), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(read("<?a b?>" + text), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(read(with(text, "<r:Payload>", "<![CDATA[a]]><r:Payload>")),
              Fails(ErrorCode::kMalformed));
}

TEST_F(Manifest, RefusesOtherEncodings) {
  const std::string text = maker.text();
  std::string wide;
  for (const char c : text) wide += std::string(1, c) + '\0';
  EXPECT_THAT(read(wide), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(read(with(text, "0123", "\xff\xfe")), Fails(ErrorCode::kMalformed));
}

TEST_F(Manifest, IsBounded) {
  EXPECT_THAT(read(std::string(kMaxXmlSize + 1, ' ')), Fails(ErrorCode::kLimit));
  std::string deep;
  for (int i = 0; i < 17; ++i) deep += "<a>";
  for (int i = 0; i < 17; ++i) deep += "</a>";
  EXPECT_THAT(read(deep), FailsWith(ErrorCode::kMalformed, HasSubstr("16")));
  std::string many = "<a>";
  for (std::size_t i = 0; i < kMaxXmlNodes; ++i) many += "<b/>";
  EXPECT_THAT(read(many + "</a>"), FailsWith(ErrorCode::kMalformed, HasSubstr("20000")));
  // Namespaces of one element or of many: without a bound, 23 KB of them took seconds.
  const auto declared = [](std::size_t i) { return " xmlns:n" + std::to_string(i) + "=\"urn:u\""; };
  std::string wide = "<a", apart = "<a>";
  for (std::size_t i = 0; i <= kMaxXmlNamespaces; ++i) {
    wide += declared(i);
    apart += "<b" + declared(i) + "/>";
  }
  EXPECT_THAT(read(wide + "/>"), FailsWith(ErrorCode::kMalformed, HasSubstr("16 namespaces")));
  EXPECT_THAT(read(apart + "</a>"), FailsWith(ErrorCode::kMalformed, HasSubstr("16 namespaces")));
  const std::size_t own = 4;  // of the manifest and its signature
  for (std::size_t i = own; i < kMaxXmlNamespaces; ++i) {
    maker.meta += "<r:Entity" + declared(i) + "></r:Entity>\n";
  }
  EXPECT_THAT(run(), Succeeds());
  maker.meta += "<r:Entity" + declared(kMaxXmlNamespaces) + "></r:Entity>\n";
  EXPECT_THAT(run(), FailsWith(ErrorCode::kMalformed, HasSubstr("16 namespaces")));
  for (const char* text : {"", "x", "<a>", "<a/><b/>", "<SoftwareIdentity/>"}) {
    EXPECT_THAT(read(text), Fails(ErrorCode::kMalformed)) << text;
  }
}

// Nothing that differs is accepted with another meaning. Of the certificates every eighth byte.
TEST_F(Manifest, SaysTheSameOrNothingWithAnyByteFlipped) {
  maker.root_key = maker.authority_key = MintKey::generate(MintKeyType::kP256);
  const auto genuine = run();
  ASSERT_THAT(genuine, Succeeds());
  const std::string text = maker.text();
  const std::size_t begin = text.find("<ds:X509Data>");
  const std::size_t end = text.find("</ds:X509Data>");
  for (std::size_t i = 0; i<text.size(); i += i> begin && i < end ? 8 : 1) {
    std::string flipped = text;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x01);
    const auto manifest = read(flipped);
    if (!manifest.ok()) continue;
    EXPECT_EQ(manifest->version, genuine->version) << i;
    ASSERT_EQ(manifest->measurements.size(), genuine->measurements.size()) << i;
    for (std::size_t k = 0; k < manifest->measurements.size(); ++k) {
      EXPECT_EQ(manifest->measurements[k].index, genuine->measurements[k].index) << i;
      EXPECT_EQ(manifest->measurements[k].values, genuine->measurements[k].values) << i;
    }
  }
}

}  // namespace
}  // namespace sealpack::rim
