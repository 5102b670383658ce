// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "formats/base/bytes.h"
#include "formats/bundle/limits.h"

namespace sealpack::bundle {

using Uuid = std::array<std::uint8_t, 16>;

struct PublicFile {
  std::string path;  // below public/, formats/base/path_rules.h
  std::uint64_t size = 0;
  Digest root;  // of the Merkle tree over its bytes
  bool operator==(const PublicFile&) const = default;
};

enum class SegmentKind : std::uint8_t { kHeader = 1, kData = 2 };

// One encrypted stream.
struct Segment {
  SegmentKind kind = SegmentKind::kData;
  std::uint64_t size = 0;               // of the plaintext, 1 … kMaxSegmentSize
  std::array<std::uint8_t, 24> salt{};  // Cobblestone-256 header
  std::array<std::uint8_t, 32> commitment{};
  Digest root;  // of the Merkle tree over its ciphertext
  bool operator==(const Segment&) const = default;
};

enum class SealedKind : std::uint8_t {
  kModel = 1,    // a file of a standard format, or an input file as it was
  kResidue = 2,  // bytes of an input file that no other file of the bundle holds
};

// The plaintexts of the segments, joined, are the file.
struct SealedFile {
  std::string path;  // below sealed/
  SealedKind kind = SealedKind::kModel;
  std::vector<Segment> segments;  // never empty, but for a file of size 0
  std::uint64_t size() const;     // plaintext
  bool operator==(const SealedFile&) const = default;
};

// Where a run of bytes of an input file is now. `file` counts public files first, then sealed
// files.
struct Extent {
  std::uint32_t file = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  bool operator==(const Extent&) const = default;
};

// An input file: its extents joined give it back byte for byte.
struct OriginalFile {
  std::string path;
  std::uint64_t size = 0;
  std::vector<Extent> extents;
  bool operator==(const OriginalFile&) const = default;
};

struct ExcludedFile {
  std::string path;
  std::string because;
  bool operator==(const ExcludedFile&) const = default;
};

// One tensor as anyone may see it. `file` as in Extent.
struct CardTensor {
  std::string name;
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::uint32_t file = 0;
  bool operator==(const CardTensor&) const = default;
};

struct Fact {
  std::string key;
  std::string value;
  bool operator==(const Fact&) const = default;
};

enum class Redaction : std::uint8_t { kNone = 0, kNames = 1, kAll = 2 };

// What the vendor says about the model in the clear. A reader that can open the bundle refuses a
// card that disagrees with the sealed headers.
struct Card {
  Redaction redaction =
      Redaction::kNone;  // of sealed tensors: kNames drops names, kAll the tensors
  std::vector<CardTensor> tensors;
  std::vector<Fact> facts;              // ascending by key, distinct
  std::uint64_t sealed_parameters = 0;  // elements in sealed tensors, 0 when redacted
  bool operator==(const Card&) const = default;
};

// How a protection scheme divided the model; `parameters` is read by the scheme alone.
struct Plan {
  std::string scheme = "whole";
  std::uint32_t version = 1;
  ByteVector parameters;
  bool operator==(const Plan&) const = default;
};

// The immutable description of every byte of a bundle (FORMAT.md §5). Its SHA-256 is the content
// digest.
struct Content {
  Uuid uuid{};       // random; names this encryption
  Digest authority;  // digest of the root key that may release this
  std::string product;
  std::uint32_t head_size = kMinHeadSize;
  std::vector<PublicFile> public_files;  // ascending by path
  std::vector<SealedFile> sealed_files;  // ascending by path
  std::vector<OriginalFile> originals;   // ascending by path
  std::vector<ExcludedFile> excluded;    // ascending by path
  Card card;
  Plan plan;
  std::optional<Digest> parent;  // content digest of the bundle this one builds on (adapters)
  bool operator==(const Content&) const = default;

  std::uint64_t file_size(std::uint32_t file) const;  // plaintext size of file number `file`
};

// Parses and checks everything that can be checked without the rest of the bundle: order, limits,
// paths and their collisions, extents that tile the originals. kMalformed, kLimit, kUnsupported.
Result<Content> parse_content(Bytes bytes);

// Context that a segment's keys are derived with (FORMAT.md §7). `number` counts the segments of
// the bundle from 0 in manifest order.
ByteVector segment_context(const Uuid& uuid, std::uint64_t number, SegmentKind kind,
                           std::uint64_t size);

}  // namespace sealpack::bundle
