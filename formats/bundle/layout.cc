// SPDX-License-Identifier: Apache-2.0
#include "formats/bundle/layout.h"

#include <algorithm>

#include "formats/bundle/tree.h"
#include "keymgmt/crypto/segment_cipher.h"

namespace sealpack::bundle {
namespace {

constexpr std::uint64_t kMaxBundleSize = std::uint64_t{1} << 62U;
constexpr std::uint64_t kMinComment = 13;  // shortest "NN comment=x\n" used
constexpr std::uint64_t kMaxOctalSize = (std::uint64_t{1} << 33U) - 1;

std::uint64_t round_up(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

// "SIZE key=value\n", where SIZE counts itself.
std::string pax_record(const std::string& key, const std::string& value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t size = rest + 1;
  while (std::to_string(size).size() + rest != size) ++size;
  return std::to_string(size) + " " + key + "=" + value + "\n";
}

// A comment record of exactly `size` bytes.
std::string pax_filler(std::size_t size) {
  const std::string digits = std::to_string(size);
  return digits + " comment=" + std::string(size - digits.size() - 10, '-') + "\n";
}

std::string pax_records(const Member& member) {
  return pax_record("path", member.path) + pax_record("size", std::to_string(member.size));
}

// The headers' size when they start at `offset`.
std::uint64_t headers_size(const Member& member, std::uint64_t offset) {
  const std::uint64_t pax = round_up(pax_records(member).size() + kMinComment, kTarBlock);
  return round_up(offset + pax + 2 * kTarBlock, kAlignment) - offset;
}

void put_octal(MutableBytes field, std::uint64_t value) {
  for (std::size_t i = field.size() - 1; i-- > 0;) {
    field[i] = static_cast<std::uint8_t>('0' + (value & 7U));
    value >>= 3U;
  }
}

void put_text(MutableBytes field, std::string_view text) {
  std::copy_n(text.begin(), std::min(field.size(), text.size()), field.begin());
}

// POSIX.1-2001 ustar header block.
void put_ustar(MutableBytes block, std::string_view name, std::uint64_t size, char type) {
  put_text(block.subspan(0, 100), name);
  put_octal(block.subspan(100, 8), 0644);
  put_octal(block.subspan(108, 8), 0);
  put_octal(block.subspan(116, 8), 0);
  put_octal(block.subspan(124, 12), size > kMaxOctalSize ? 0 : size);
  put_octal(block.subspan(136, 12), 0);
  put_text(block.subspan(148, 8), "        ");
  block[156] = static_cast<std::uint8_t>(type);
  put_text(block.subspan(257, 8), std::string_view("ustar\00000", 8));
  put_octal(block.subspan(329, 8), 0);
  put_octal(block.subspan(337, 8), 0);
  std::uint64_t sum = 0;
  for (const std::uint8_t byte : block.first(kTarBlock)) sum += byte;
  put_octal(block.subspan(148, 7), sum);
  block[154] = 0;
}

// Adds members one behind the other.
class MemberList {
 public:
  Status add(const std::string& path, std::uint64_t size) {
    Member member;
    member.path = path;
    member.size = size;
    member.header_offset = end_;
    member.data_offset = end_ + headers_size(member, end_);
    const auto end = checked_add(member.data_offset, size);
    if (!end || *end > kMaxBundleSize) return Error(ErrorCode::kLimit, "bundle too large");
    end_ = round_up(*end, kTarBlock);
    members_.push_back(std::move(member));
    return done();
  }
  std::uint64_t end() const { return end_; }
  const Member& last() const { return members_.back(); }
  std::vector<Member> take() { return std::move(members_); }

 private:
  std::uint64_t end_ = 0;
  std::vector<Member> members_;
};

// Sealed sizes and places inside the tree member; data offsets are relative to their file.
std::uint64_t place_trees(const Content& content, Layout& layout) {
  std::uint64_t tree = 0;
  for (const PublicFile& file : content.public_files) {
    layout.public_tree_offsets.push_back(tree);
    tree += TreeShape(file.size).stored_size();
  }
  std::uint64_t number = 0;
  for (const SealedFile& file : content.sealed_files) {
    std::uint64_t data = 0;
    std::uint64_t plain = 0;
    auto& places = layout.segments.emplace_back();
    for (const Segment& segment : file.segments) {
      Layout::SegmentPlace place;
      place.number = number++;
      place.data_offset = data;
      place.plain_offset = plain;
      // Segment sizes are at most 2^28, checked when the manifest was parsed.
      place.sealed_size = crypto::SegmentCipher::sealed_size(segment.size).value_or(0);
      place.tree_offset = tree;
      data += place.sealed_size;
      plain += segment.size;
      tree += TreeShape(place.sealed_size).stored_size();
      places.push_back(place);
    }
    layout.sealed_sizes.push_back(plain);
  }
  return tree;
}

}  // namespace

std::uint64_t content_offset(std::uint32_t head_size) {
  MemberList members;
  if (!members.add("sealpack/head", head_size).ok()) die("impossible head size");
  // The size of the manifest is not known here. It changes the length of a pax record, but never by
  // so much that the headers would need another page: path and size take less than 512 bytes.
  if (!members.add("sealpack/content", 0).ok()) die("impossible head size");
  return members.last().data_offset;
}

Result<Layout> layout_of(const Content& content, std::uint64_t content_size) {
  Layout layout;
  const std::uint64_t tree_size = place_trees(content, layout);
  MemberList members;
  TRY(members.add("sealpack/head", content.head_size));
  TRY(members.add("sealpack/content", content_size));
  TRY(members.add("sealpack/tree", tree_size));
  const std::uint64_t tree_offset = members.last().data_offset;
  for (std::uint64_t& offset : layout.public_tree_offsets) offset += tree_offset;

  for (const PublicFile& file : content.public_files) {
    TRY(members.add("public/" + file.path, file.size));
    layout.public_offsets.push_back(members.last().data_offset);
  }
  for (std::size_t i = 0; i < content.sealed_files.size(); ++i) {
    auto& places = layout.segments[i];
    std::uint64_t size = 0;
    for (const Layout::SegmentPlace& place : places) size += place.sealed_size;
    TRY(members.add("sealed/" + content.sealed_files[i].path, size));
    for (Layout::SegmentPlace& place : places) {
      place.data_offset += members.last().data_offset;
      place.tree_offset += tree_offset;
    }
  }
  layout.file_size = members.end() + kEndMark;
  layout.members = members.take();
  return layout;
}

ByteVector member_headers(const Member& member) {
  const auto size = static_cast<std::size_t>(member.data_offset - member.header_offset);
  const std::size_t pax_size = size - 2 * kTarBlock;
  std::string records = pax_records(member);
  records += pax_filler(pax_size - records.size());

  ByteVector headers(size);
  const MutableBytes all(headers);
  put_ustar(all.first(kTarBlock), "PaxHeader", pax_size, 'x');
  put_text(all.subspan(kTarBlock, pax_size), records);
  put_ustar(all.last(kTarBlock), member.path, member.size, '0');
  return headers;
}

}  // namespace sealpack::bundle
