// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to attest/measure/rim: XML without anything that makes it dangerous.

#include <libxml/tree.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "formats/base/bytes.h"

namespace sealpack::rim {

struct FreeXml {
  void operator()(xmlDoc* document) const { xmlFreeDoc(document); }
};
using XmlDocument = std::unique_ptr<xmlDoc, FreeXml>;

// UTF-8 text of elements, attributes and characters, and nothing else: a document type (and with it
// every entity), comments, processing instructions, CDATA and what follows the root refuse it.
// Nothing is loaded. kMalformed; kLimit. Bounded as reference_manifest.h says.
Result<XmlDocument> parse_xml(Bytes text);

// Whether an element has that name in that namespace.
bool is_element(const xmlNode* node, const char* space, const char* name);
// All elements below it, in order. kMalformed where there is text between them.
Result<std::vector<xmlNode*>> elements_of(const xmlNode* parent);
// Characters of an element without elements. kMalformed.
Result<std::string> text_of(const xmlNode* element);
// nullopt where there is none. `space` nullptr: an attribute without a namespace.
std::optional<std::string> attribute_of(const xmlNode* element, const char* space,
                                        const char* name);

Error malformed_xml(const std::string& why);

}  // namespace sealpack::rim
