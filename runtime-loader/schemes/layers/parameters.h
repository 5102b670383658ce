// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "formats/base/bytes.h"

namespace sealpack::layers {

inline constexpr std::string_view kSchemeName = "layers";
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kMaxValues = 4096;  // taps, answers, … each
inline constexpr std::size_t kMaxExternals = 4096;
inline constexpr std::size_t kMaxRank = 8;

// A dimension: a size, or the name of one that the caller of the model chooses.
struct Dimension {
  std::uint64_t size = 0;  // 0: symbolic
  std::string symbol;      // not empty if symbolic
  bool operator==(const Dimension&) const = default;
};

// A tensor that crosses between the two sides.
struct Crossing {
  std::string name;  // on the secure side: an input or output of the secure graph
  // Of a tap: the output of `before` it comes from; empty where it is an input of the model of the
  // same name. Of what goes back: the input of `after` it goes to. Of an answer: empty.
  std::string source;
  std::uint32_t dtype = 0;  // onnx.TensorProto.DataType
  std::vector<Dimension> shape;
  bool operator==(const Crossing&) const = default;
};

struct External {
  std::string location;  // as the secure graph names it
  std::string path;      // below sealed/
  bool operator==(const External&) const = default;
};

// What the plan of a bundle says under the scheme `layers` (docs/FORMAT.md §5.5): which files are
// the parts of the model and what crosses between them. In the clear.
//
//   model inputs → before (public) → taps → secure (sealed) → answers
//                                                     └→ returned → after (public) → more answers
struct Parameters {
  std::string before;                // below public/; empty: nothing is computed before
  std::string secure;                // below sealed/
  std::string after;                 // below public/; empty: nothing comes back
  std::vector<External> externals;   // data files of `secure`
  std::vector<Crossing> taps;        // all inputs of `secure`
  std::vector<Crossing> answers;     // outputs of `secure` that are outputs of the model
  std::vector<Crossing> returned;    // outputs of `secure` that `after` reads
  std::vector<std::string> results;  // outputs of the model, whichever part makes them, in order
  std::string model;                 // path of the original file; empty: it was divided elsewhere
  bool operator==(const Parameters&) const = default;
};

// The one encoding of these parameters. They must be what parse_parameters accepts.
ByteVector serialize_parameters(const Parameters& parameters);
// Untrusted bytes: kMalformed.
Result<Parameters> parse_parameters(Bytes bytes);

}  // namespace sealpack::layers
