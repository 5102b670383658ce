// SPDX-License-Identifier: Apache-2.0
#include "attest/measure/rim/manifest_file.h"

#include <optional>

#include "formats/base/base64.h"
#include "formats/models/json_reader.h"

namespace sealpack::rim {

Result<ByteVector> unwrap_manifest(Bytes file) {
  const std::string_view text = as_text(file);
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  if (start == text.npos || text[start] != '{') return to_vector(file);
  models::JsonReader in(file, "manifest");
  std::optional<ByteVector> xml;
  TRY(in.begin_object("manifest"));
  while (const auto key = TRY(in.next_key())) {
    if (*key != "rim") {
      TRY(in.skip_value());
      continue;
    }
    if (xml) return in.malformed("two members 'rim'");
    xml = TRY(from_base64(TRY(in.string("rim"))));
  }
  TRY(in.finish());
  if (!xml) return in.malformed("no member 'rim'");
  return std::move(*xml);
}

}  // namespace sealpack::rim
