// SPDX-License-Identifier: Apache-2.0
#include "attest/measure/rim/xml_document.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include <algorithm>

#include "attest/measure/rim/reference_manifest.h"

namespace sealpack::rim {
namespace {

struct FreeContext {
  void operator()(xmlParserCtxt* context) const { xmlFreeParserCtxt(context); }
};

const xmlChar* xml_text(const char* text) {
  return reinterpret_cast<const xmlChar*>(text);
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct XmlCount {
  std::size_t nodes = 0;
  std::size_t namespaces = 0;  // declarations
};

// Counted and bounded before anything else walks it; attributes hold text alone, since there are no
// entities to refer to.
Status check_nodes(const xmlNode* node, unsigned depth, XmlCount& count) {
  if (depth > kMaxXmlDepth) return malformed_xml("elements inside more than 16 others");
  for (; node != nullptr; node = node->next) {
    if (++count.nodes > kMaxXmlNodes) return malformed_xml("more than 20000 elements and texts");
    if (node->type == XML_TEXT_NODE) continue;
    if (node->type != XML_ELEMENT_NODE) {
      return malformed_xml("something other than elements and characters (a comment, for example)");
    }
    for (const xmlNs* one = node->nsDef; one != nullptr; one = one->next) {
      if (++count.namespaces > kMaxXmlNamespaces) return malformed_xml("more than 16 namespaces");
    }
    for (const xmlAttr* one = node->properties; one != nullptr; one = one->next) {
      const xmlNode* value = one->children;
      if (++count.nodes > kMaxXmlNodes) return malformed_xml("more than 20000 elements and texts");
      if (value == nullptr) continue;
      if (value->type != XML_TEXT_NODE || value->next != nullptr) {
        return malformed_xml("an attribute that is not plain text");
      }
    }
    TRY(check_nodes(node->children, depth + 1, count));
  }
  return done();
}

}  // namespace

Error malformed_xml(const std::string& why) {
  return Error(ErrorCode::kMalformed, "manifest: " + why);
}

Result<XmlDocument> parse_xml(Bytes text) {
  if (text.size() > kMaxXmlSize) {
    return Error(ErrorCode::kLimit, "manifest: " + format_size(text.size()) + ", at most " +
                                        format_size(kMaxXmlSize) + " are read");
  }
  const std::string_view characters = as_text(text);
  // Before a parser sees it: no document type, so no entities and nothing to load. Read as UTF-8
  // whatever it says, no byte can be part of another encoding of these.
  if (characters.find('\0') != characters.npos) return malformed_xml("a NUL, so no UTF-8 text");
  if (characters.find("<!") != characters.npos) {
    return malformed_xml("a document type, a comment or CDATA, of which manifests have none");
  }
  const std::unique_ptr<xmlParserCtxt, FreeContext> context(xmlNewParserCtxt());
  if (!context) die("libxml2 has no memory");
  constexpr int kOptions = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING;
  XmlDocument document(xmlCtxtReadMemory(context.get(), characters.data(),
                                         static_cast<int>(characters.size()), nullptr, "UTF-8",
                                         kOptions));
  if (!document) {
    const xmlError* error = xmlCtxtGetLastError(context.get());
    const std::string where = error == nullptr ? "" : ", line " + std::to_string(error->line);
    return malformed_xml("no well-formed XML" + where);
  }
  if (document->intSubset != nullptr || document->extSubset != nullptr) {
    return malformed_xml("a document type, of which manifests have none");
  }
  const xmlNode* root = xmlDocGetRootElement(document.get());
  if (root == nullptr || document->children != root || root->next != nullptr) {
    return malformed_xml("something beside its one element");
  }
  XmlCount count;
  TRY(check_nodes(root, 1, count));
  return document;
}

bool is_element(const xmlNode* node, const char* space, const char* name) {
  return node->type == XML_ELEMENT_NODE && xmlStrEqual(node->name, xml_text(name)) != 0 &&
         node->ns != nullptr && xmlStrEqual(node->ns->href, xml_text(space)) != 0;
}

Result<std::vector<xmlNode*>> elements_of(const xmlNode* parent) {
  std::vector<xmlNode*> elements;
  for (xmlNode* child = parent->children; child != nullptr; child = child->next) {
    if (child->type == XML_ELEMENT_NODE) {
      elements.push_back(child);
      continue;
    }
    const std::string_view text = reinterpret_cast<const char*>(child->content);
    if (!std::all_of(text.begin(), text.end(), is_space)) {
      return malformed_xml("text between elements");
    }
  }
  return elements;
}

Result<std::string> text_of(const xmlNode* element) {
  std::string text;
  for (const xmlNode* child = element->children; child != nullptr; child = child->next) {
    if (child->type != XML_TEXT_NODE) return malformed_xml("an element where text is expected");
    text += reinterpret_cast<const char*>(child->content);
  }
  return text;
}

std::optional<std::string> attribute_of(const xmlNode* element, const char* space,
                                        const char* name) {
  for (const xmlAttr* one = element->properties; one != nullptr; one = one->next) {
    if (xmlStrEqual(one->name, xml_text(name)) == 0) continue;
    if (space == nullptr ? one->ns != nullptr
                         : one->ns == nullptr || xmlStrEqual(one->ns->href, xml_text(space)) == 0) {
      continue;
    }
    if (one->children == nullptr) return std::string();
    return std::string(reinterpret_cast<const char*>(one->children->content));
  }
  return std::nullopt;
}

}  // namespace sealpack::rim
