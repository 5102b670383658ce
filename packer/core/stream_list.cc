// SPDX-License-Identifier: Apache-2.0
#include "packer/core/stream_list.h"

#include <algorithm>

namespace sealpack::packer {

StreamList::StreamList(const Assembly& assembly, const bundle::Content& content,
                       const bundle::Layout& layout) {
  for (std::size_t i = 0; i < content.public_files.size(); ++i) {
    Stream& stream = add(assembly.public_files[i], assembly.inputs, content.public_files[i].size);
    stream.plain_size = content.public_files[i].size;
    stream.data_offset = layout.public_offsets[i];
    stream.tree_offset = layout.public_tree_offsets[i];
  }
  for (std::size_t i = 0; i < content.sealed_files.size(); ++i) {
    const bundle::SealedFile& file = content.sealed_files[i];
    std::uint64_t plain_offset = 0;
    for (std::size_t j = 0; j < file.segments.size(); ++j) {
      const auto& place = layout.segments[i][j];
      const bundle::Segment& segment = file.segments[j];
      Stream& stream = add(assembly.sealed_files[i].file, assembly.inputs, place.sealed_size);
      stream.sealed = true;
      stream.plain_offset = plain_offset;
      stream.plain_size = segment.size;
      stream.data_offset = place.data_offset;
      stream.tree_offset = place.tree_offset;
      stream.context =
          bundle::segment_context(content.uuid, place.number, segment.kind, segment.size);
      plain_offset += segment.size;
    }
  }
}

std::pair<Stream*, std::uint64_t> StreamList::find(std::uint64_t unit) const {
  const auto after = std::upper_bound(first_units_.begin(), first_units_.end(), unit);
  const auto index = static_cast<std::size_t>(after - first_units_.begin() - 1);
  return {streams_[index].get(), unit - first_units_[index]};
}

void StreamList::fill_in(bundle::Content& content) const {
  auto stream = streams_.begin();
  for (bundle::PublicFile& file : content.public_files) file.root = (*stream++)->root;
  for (bundle::SealedFile& file : content.sealed_files) {
    for (bundle::Segment& segment : file.segments) {
      segment.salt = (*stream)->header.salt;
      segment.commitment = (*stream)->header.commitment;
      segment.root = (*stream++)->root;
    }
  }
}

Stream& StreamList::add(const models::OutputFile& file,
                        const std::vector<models::InputFile>& inputs, std::uint64_t stored_size) {
  if (reader_of_ != &file) {
    readers_.push_back(std::make_unique<PieceReader>(file, inputs));
    reader_of_ = &file;
  }
  streams_.push_back(std::make_unique<Stream>(*readers_.back(), stored_size));
  first_units_.push_back(unit_count_);
  unit_count_ += streams_.back()->group_count();
  return *streams_.back();
}

}  // namespace sealpack::packer
