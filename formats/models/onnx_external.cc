// SPDX-License-Identifier: Apache-2.0
#include "formats/models/onnx_external.h"

#include <charconv>

#include "formats/models/names.h"

namespace sealpack::models::onnx {
namespace {

Error malformed(const std::string& why) {
  return {ErrorCode::kMalformed, why};
}

Status check_location(std::string_view location) {
  const auto refused = [&] {
    return malformed("external data at " + shown(location) +
                     ", which is not a plain relative path");
  };
  // A backslash or a drive letter is a separator for some readers.
  if (location.find_first_of(std::string_view("\\:\0", 3)) != std::string_view::npos) {
    return refused();
  }
  for (;;) {
    const std::size_t slash = location.find('/');
    const std::string_view part = location.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return refused();
    if (slash == std::string_view::npos) return done();
    location.remove_prefix(slash + 1);
  }
}

Result<std::uint64_t> parse_decimal(std::string_view text, const char* what) {
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || failure != std::errc() || end != text.data() + text.size() ||
      (text[0] == '0' && text.size() > 1)) {
    return malformed("external data with " + std::string(what) + " " + shown(text));
  }
  return value;
}

// "models/" of "models/a.onnx".
std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash + 1);
}

Result<std::uint32_t> find_file(const ModelFiles& files, std::string_view location) {
  TRY(check_location(location));
  const std::string path = std::string(folder_of(files.model().path)).append(location);
  if (path == files.model().path) return malformed("external data in the model file itself");
  for (std::size_t i = 0; i < files.inputs.size(); ++i) {
    if (files.inputs[i].path == path) return static_cast<std::uint32_t>(i);
  }
  return Error(ErrorCode::kUsage, "external data file " + shown(path) + " is not given")
      .with_hint("give the folder that holds the model and its external data");
}

struct Keys {
  std::optional<std::string_view> location, offset, length, checksum;
};

Result<Keys> read_keys(const std::vector<const Message*>& entries) {
  Keys keys;
  for (const Message* message : entries) {
    const std::string_view key = message->text(entry::kKey);
    std::optional<std::string_view>* slot = key == "location"   ? &keys.location
                                            : key == "offset"   ? &keys.offset
                                            : key == "length"   ? &keys.length
                                            : key == "checksum" ? &keys.checksum
                                                                : nullptr;
    if (slot == nullptr) {
      return Error(ErrorCode::kUnsupported, "external data with the key " + shown(key));
    }
    if (slot->has_value()) return malformed("external data with two keys " + shown(key));
    *slot = message->text(entry::kValue);
  }
  if (!keys.location) return malformed("external data without a location");
  return keys;
}

}  // namespace

Result<SourceRange> find_external(const ModelFiles& files,
                                  const std::vector<const Message*>& entries,
                                  std::uint64_t expected) {
  const Keys keys = TRY(read_keys(entries));
  SourceRange range;
  range.file = TRY(find_file(files, *keys.location));
  range.size = expected;
  if (keys.offset) range.offset = TRY(parse_decimal(*keys.offset, "offset"));
  if (keys.length) {
    const std::uint64_t length = TRY(parse_decimal(*keys.length, "length"));
    if (length != expected) {
      return malformed("external data of " + std::to_string(length) + " bytes for a tensor of " +
                       std::to_string(expected));
    }
  }
  const std::uint64_t size = files.inputs[range.file].source->size();
  if (range.offset > size || range.size > size - range.offset) {
    return malformed("external data past the end of " + shown(files.inputs[range.file].path));
  }
  return range;
}

std::string external_location(const ModelFiles& files, std::uint32_t file) {
  return files.inputs[file].path.substr(folder_of(files.model().path).size());
}

}  // namespace sealpack::models::onnx
