// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/schemes/layers/parameters.h"

#include <algorithm>

#include "formats/base/path_rules.h"
#include "formats/bundle/limits.h"
#include "formats/bundle/message_reader.h"
#include "formats/bundle/message_writer.h"
#include "runtime-loader/nn/tensor.h"

namespace sealpack::layers {
namespace {

using bundle::kMaxTextSize;
using bundle::MessageReader;
using bundle::MessageWriter;

namespace field {
enum : std::uint32_t {
  kBefore = 1,
  kSecure = 2,
  kAfter = 3,
  kExternal = 4,
  kTap = 5,
  kAnswer = 6,
  kReturned = 7,
  kResult = 8,
  kModel = 9,
};
}
namespace external {
enum : std::uint32_t { kLocation = 1, kPath = 2 };
}
namespace crossing {
enum : std::uint32_t { kName = 1, kSource = 2, kDtype = 3, kDimension = 4 };
}
namespace dimension {
enum : std::uint32_t { kSize = 1, kSymbol = 2 };
}

ByteVector serialize(const Crossing& value) {
  MessageWriter out;
  out.text(crossing::kName, value.name);
  out.text(crossing::kSource, value.source);
  out.u64(crossing::kDtype, value.dtype);
  for (const Dimension& dim : value.shape) {
    MessageWriter inner;
    inner.u64(dimension::kSize, dim.size);
    inner.text(dimension::kSymbol, dim.symbol);
    out.element(crossing::kDimension, inner.take());
  }
  return out.take();
}

Result<std::string> required(MessageReader& in, std::uint32_t number, std::string_view name) {
  std::string text = TRY(in.text(number, name, kMaxTextSize));
  if (text.empty()) return in.malformed(std::string(name) + " is missing");
  return text;
}

Result<Dimension> parse_dimension(Bytes bytes) {
  MessageReader in(bytes, "a dimension");
  Dimension dim;
  dim.size = TRY(in.u64(dimension::kSize, "size"));
  dim.symbol = TRY(in.text(dimension::kSymbol, "symbol", kMaxTextSize));
  TRY(in.finish());
  if ((dim.size == 0) == dim.symbol.empty()) {
    return in.malformed("a dimension has a size or a name, one of the two");
  }
  if (dim.size > static_cast<std::uint64_t>(nn::kMaxElements)) {
    return in.malformed("a dimension of " + std::to_string(dim.size));
  }
  return dim;
}

enum class Source { kNone, kOptional, kRequired };

Result<Crossing> parse_crossing(Bytes bytes, Source source) {
  MessageReader in(bytes, "a crossing tensor");
  Crossing value;
  value.name = TRY(required(in, crossing::kName, "name"));
  if (source == Source::kRequired) value.source = TRY(required(in, crossing::kSource, "source"));
  if (source == Source::kOptional) {
    value.source = TRY(in.text(crossing::kSource, "source", kMaxTextSize));
  }
  value.dtype = TRY(in.u32(crossing::kDtype, "dtype"));
  if (!nn::to_dtype(value.dtype).ok()) {
    return in.malformed("element type " + std::to_string(value.dtype));
  }
  while (TRY(in.at(crossing::kDimension))) {
    if (value.shape.size() == kMaxRank) return in.malformed("too many dimensions");
    value.shape.push_back(
        TRY(parse_dimension(TRY(in.element(crossing::kDimension, "a dimension")))));
  }
  TRY(in.finish());
  return value;
}

Result<std::vector<Crossing>> parse_crossings(MessageReader& in, std::uint32_t number,
                                              std::string_view what, Source source) {
  std::vector<Crossing> list;
  while (TRY(in.at(number))) {
    if (list.size() == kMaxValues) return in.malformed("too many of " + std::string(what));
    list.push_back(TRY(parse_crossing(TRY(in.element(number, what)), source)));
  }
  return list;
}

Result<std::vector<External>> parse_externals(MessageReader& in) {
  std::vector<External> list;
  while (TRY(in.at(field::kExternal))) {
    if (list.size() == kMaxExternals) return in.malformed("too many external files");
    MessageReader inner(TRY(in.element(field::kExternal, "an external file")), "an external file");
    External file;
    file.location = TRY(required(inner, external::kLocation, "location"));
    file.path = TRY(required(inner, external::kPath, "path"));
    TRY(check_path(file.path));
    TRY(inner.finish());
    list.push_back(std::move(file));
  }
  return list;
}

Result<std::vector<std::string>> parse_results(MessageReader& in) {
  std::vector<std::string> list;
  while (TRY(in.at(field::kResult))) {
    if (list.size() == kMaxValues) return in.malformed("too many results");
    const Bytes name = TRY(in.element(field::kResult, "a result"));
    if (name.empty() || name.size() > kMaxTextSize || !is_utf8(as_text(name))) {
      return in.malformed("a result has no valid name");
    }
    list.emplace_back(as_text(name));
  }
  return list;
}

bool has_duplicate(std::vector<std::string_view> names) {
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) != names.end();
}

// What one part promises and another needs.
Status check(const Parameters& parameters, const MessageReader& in) {
  std::vector<std::string_view> taps;
  for (const Crossing& tap : parameters.taps) {
    taps.push_back(tap.name);
    if (!tap.source.empty() && parameters.before.empty()) {
      return in.malformed("a tap comes from a part that is not there");
    }
  }
  if (has_duplicate(std::move(taps))) return in.malformed("two taps of one name");
  // An output may be an answer and go back as well; the taps of `after` are distinct.
  std::vector<std::string_view> answers;
  std::vector<std::string_view> returned;
  for (const Crossing& answer : parameters.answers) answers.push_back(answer.name);
  for (const Crossing& value : parameters.returned) returned.push_back(value.source);
  if (has_duplicate(answers) || has_duplicate(std::move(returned))) {
    return in.malformed("two outputs of one name");
  }
  if (has_duplicate({parameters.results.begin(), parameters.results.end()})) {
    return in.malformed("two results of one name");
  }
  for (const std::string_view answer : answers) {
    if (std::find(parameters.results.begin(), parameters.results.end(), answer) ==
        parameters.results.end()) {
      return in.malformed("an answer is no result: " + printable(answer));
    }
  }
  if (parameters.answers.empty() && parameters.returned.empty()) {
    return in.malformed("nothing comes out of the secure part");
  }
  if (parameters.after.empty() != parameters.returned.empty()) {
    return in.malformed("something goes back, or there is a part behind, but not both");
  }
  std::vector<std::string_view> locations;
  for (const External& file : parameters.externals) locations.push_back(file.location);
  if (has_duplicate(std::move(locations))) return in.malformed("two external files of one name");
  return done();
}

}  // namespace

ByteVector serialize_parameters(const Parameters& parameters) {
  MessageWriter out;
  out.text(field::kBefore, parameters.before);
  out.text(field::kSecure, parameters.secure);
  out.text(field::kAfter, parameters.after);
  for (const External& file : parameters.externals) {
    MessageWriter inner;
    inner.text(external::kLocation, file.location);
    inner.text(external::kPath, file.path);
    out.element(field::kExternal, inner.take());
  }
  for (const Crossing& value : parameters.taps) out.element(field::kTap, serialize(value));
  for (const Crossing& value : parameters.answers) out.element(field::kAnswer, serialize(value));
  for (const Crossing& value : parameters.returned) {
    out.element(field::kReturned, serialize(value));
  }
  for (const std::string& name : parameters.results) out.text(field::kResult, name);
  out.text(field::kModel, parameters.model);
  return out.take();
}

Result<Parameters> parse_parameters(Bytes bytes) {
  MessageReader in(bytes, "parameters of the scheme layers");
  Parameters parameters;
  parameters.before = TRY(in.text(field::kBefore, "before", kMaxTextSize));
  parameters.secure = TRY(required(in, field::kSecure, "secure"));
  parameters.after = TRY(in.text(field::kAfter, "after", kMaxTextSize));
  parameters.externals = TRY(parse_externals(in));
  parameters.taps = TRY(parse_crossings(in, field::kTap, "taps", Source::kOptional));
  parameters.answers = TRY(parse_crossings(in, field::kAnswer, "answers", Source::kNone));
  parameters.returned =
      TRY(parse_crossings(in, field::kReturned, "returned tensors", Source::kRequired));
  parameters.results = TRY(parse_results(in));
  parameters.model = TRY(in.text(field::kModel, "model", kMaxTextSize));
  TRY(in.finish());
  for (const std::string* path : {&parameters.before, &parameters.secure, &parameters.after}) {
    if (!path->empty()) TRY(check_path(*path));
  }
  TRY(check(parameters, in));
  return parameters;
}

}  // namespace sealpack::layers
