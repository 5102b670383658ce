// SPDX-License-Identifier: Apache-2.0
#include "formats/cli/json_output.h"

#include <ostream>

namespace sealpack::cli {

void print_json(Terminal& terminal, const Json& value) {
  terminal.out() << value.dump(2, ' ', true, Json::error_handler_t::replace) << '\n' << std::flush;
}

Json reasons_json(const std::vector<Reason>& reasons) {
  Json json = Json::array();
  for (const Reason& one : reasons) json.push_back({{"code", one.code}, {"text", one.text}});
  return json;
}

std::string json_digest(const Digest& digest) {
  return "sha256:" + to_hex(digest.bytes);
}

}  // namespace sealpack::cli
