// SPDX-License-Identifier: Apache-2.0
#include "attest/files/evidence_folder.h"

#include <algorithm>
#include <map>

#include "attest/files/evidence_file.h"
#include "formats/files/file_source.h"

namespace sealpack::attest {
namespace {

constexpr std::size_t kMaxFiles = 64;
using Contents = std::map<std::string, ByteVector>;

// Attributes of configfs-tsm that are no evidence (Documentation/ABI/testing/configfs-tsm).
constexpr std::string_view kAsked[] = {"generation",
                                       "inblob",
                                       "manifestblob",
                                       "privlevel",
                                       "privlevel_floor",
                                       "service_guid",
                                       "service_manifest_version",
                                       "service_provider"};

Result<Contents> read_folder(const std::filesystem::path& folder) {
  Contents contents;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with('.')) continue;
    if (std::find(std::begin(kAsked), std::end(kAsked), name) != std::end(kAsked)) continue;
    if (contents.size() == kMaxFiles) {
      return Error(ErrorCode::kLimit, "more than 64 files in " + printable(folder.string()));
    }
    const bool is_log = name == "event_log";  // of configfs-tsm; among items it has a kind's name
    contents[name] = TRY(load_file(entry->path(), max_item_file_size(is_log ? "event-log" : name)));
  }
  if (error) return io_error("cannot read " + printable(folder.string()), error.value());
  return contents;
}

std::string line_of(const ByteVector& content) {
  std::string text(as_text(content));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

struct Provider {
  std::string_view name;
  const char* tee;
  const char* kind;
};
constexpr Provider kProviders[] = {{"sev_guest", "sev-snp", "report"},
                                   {"tdx_guest", "tdx", "quote"},
                                   {"arm_cca_guest", "cca", "token"}};

Result<Evidence> from_tsm(const Contents& contents) {
  const std::string provider = line_of(contents.at("provider"));
  const auto* known = std::find_if(std::begin(kProviders), std::end(kProviders),
                                   [&](const Provider& one) { return one.name == provider; });
  if (known == std::end(kProviders)) {
    return Error(ErrorCode::kUnsupported, "no TEE for the provider " + printable(provider));
  }
  Evidence evidence{known->tee, {}};
  for (const auto& [name, content] : contents) {
    if (content.empty() || name == "provider") continue;
    if (name == "outblob") {
      TRY(set_item(evidence, known->kind, content));
    } else if (name == "auxblob") {
      TRY(set_item(evidence, "certificates", content));
    } else if (name == "event_log") {
      TRY(set_item(evidence, "event-log", content));
    } else {
      return Error(ErrorCode::kMalformed, "a file " + printable(name) + " that does not belong");
    }
  }
  if (evidence.find(known->kind) == nullptr) {
    return Error(ErrorCode::kMalformed, "no outblob, or an empty one");
  }
  return evidence;
}

Result<Evidence> from_items(const Contents& contents) {
  Evidence evidence{line_of(contents.at("tee")), {}};
  for (const auto& [name, content] : contents) {
    if (name == "tee") continue;
    const auto added = set_item(evidence, name, content);
    if (!added.ok()) return Error(ErrorCode::kMalformed, added.error().message());
  }
  // The envelope's own rules.
  return parse_evidence(serialize_evidence(evidence));
}

Result<Evidence> from_contents(const Contents& contents) {
  if (contents.count("provider") != 0) return from_tsm(contents);
  if (contents.count("tee") != 0) return from_items(contents);
  return Error(ErrorCode::kMalformed,
               "neither a report of configfs-tsm (with a file 'provider') nor items of evidence "
               "(with a file 'tee')")
      .with_hint("endorsements go with --endorsements; files of the items with --item");
}

}  // namespace

Result<Evidence> load_evidence_folder(const std::filesystem::path& path) {
  return from_contents(TRY(read_folder(path))).within(printable(path.string()));
}

}  // namespace sealpack::attest
