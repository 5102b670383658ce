// SPDX-License-Identifier: Apache-2.0
#include "unpacker/core/bundle_check.h"

#include <algorithm>

namespace sealpack::unpacker {
namespace {

using bundle::kFanOut;
using bundle::kLeafSize;
using bundle::TreeShape;

std::uint64_t group_count(std::uint64_t stored_size) {
  return (TreeShape(stored_size).leaf_count() + kFanOut - 1) / kFanOut;
}

// Compares `expected` with the bytes at `offset`.
Status check_determined(const BlockSource& source, std::uint64_t offset, Bytes expected) {
  ByteVector found(expected.size());
  TRY(source.read_at(offset, found));
  if (!std::equal(found.begin(), found.end(), expected.begin())) {
    return Error(ErrorCode::kMalformed, "a tar header or padding at byte " +
                                            std::to_string(offset) +
                                            " is not what the manifest determines");
  }
  return done();
}

}  // namespace

BundleCheck::BundleCheck(const VerifiedBundle& bundle) : bundle_(&bundle) {
  const bundle::Content& content = bundle.content();
  for (std::uint32_t i = 0; i < content.public_files.size(); ++i) {
    add({0, false, i, 0, content.public_files[i].size});
  }
  for (std::uint32_t i = 0; i < content.sealed_files.size(); ++i) {
    const auto& places = bundle.layout().segments[i];
    for (std::size_t j = 0; j < places.size(); ++j) add({0, true, i, j, places[j].sealed_size});
  }
}

void BundleCheck::add(Stream stream) {
  stream.first_unit = group_count_;
  group_count_ += group_count(stream.size);
  streams_.push_back(stream);
}

const BundleCheck::Stream& BundleCheck::stream_of(std::uint64_t unit) const {
  const auto after = std::upper_bound(
      streams_.begin(), streams_.end(), unit,
      [](std::uint64_t wanted, const Stream& stream) { return wanted < stream.first_unit; });
  return *std::prev(after);
}

std::uint64_t BundleCheck::unit_size(std::uint64_t unit) const {
  if (unit == group_count_) return 0;
  const Stream& stream = stream_of(unit);
  const std::uint64_t start = (unit - stream.first_unit) * kFanOut * kLeafSize;
  return std::min<std::uint64_t>(kFanOut * kLeafSize, stream.size - start);
}

Status BundleCheck::check(std::uint64_t unit, FileReader& reader) const {
  if (unit == group_count_) return check_headers();
  const Stream& stream = stream_of(unit);
  const std::uint64_t first = (unit - stream.first_unit) * kFanOut;
  const std::uint64_t count =
      std::min<std::uint64_t>(kFanOut, TreeShape(stream.size).leaf_count() - first);
  return stream.sealed ? reader.check_segment(stream.file, stream.segment, first, count)
                       : reader.check_public(stream.file, first, count);
}

Status BundleCheck::check_headers() const {
  const bundle::Layout& layout = bundle_->layout();
  std::uint64_t end = 0;  // of the data of the member before
  for (const bundle::Member& member : layout.members) {
    TRY(check_determined(bundle_->source(), end, ByteVector(member.header_offset - end)));
    TRY(check_determined(bundle_->source(), member.header_offset, bundle::member_headers(member)));
    end = member.data_offset + member.size;
  }
  return check_determined(bundle_->source(), end, ByteVector(layout.file_size - end));
}

}  // namespace sealpack::unpacker
