// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include "bench/bundle_work.h"

namespace sealpack::bench {

// The best time of every slice of a contender's passes: what an undisturbed pass would take, as
// long as every slice was undisturbed once.
class BestTimes {
 public:
  void start_pass() { next_ = 0; }
  void add(double seconds);
  double seconds() const;

 private:
  std::vector<double> best_;
  std::size_t next_ = 0;
};

// Contenders over one bundle in the page cache, run one after the other in every round: the parts
// of unsealing by themselves, unsealing into memory that is there already, the hash of the bundle's
// leaves, verifying.
class SpeedContest {
 public:
  static Result<std::unique_ptr<SpeedContest>> make(const std::filesystem::path& bundle,
                                                    const Keys& keys);
  ~SpeedContest();
  SpeedContest(const SpeedContest&) = delete;
  SpeedContest& operator=(const SpeedContest&) = delete;

  Status run_round();
  // "name value" lines: seconds of a pass each, and the bytes of one.
  void print() const;

 private:
  // Up to 128 chunks of one segment.
  struct Slice {
    std::size_t segment = 0;
    std::uint64_t first = 0;  // leaf and chunk
    std::size_t count = 0;
    std::uint64_t offset = 0;  // in the plaintext of the file
    std::size_t size = 0;
  };
  enum class Part { kRead, kHash, kDecrypt };

  explicit SpeedContest(OpenFile file) : file_(std::move(file)) {}
  const unpacker::VerifiedBundle& verified() const { return file_.bundle.verified(); }
  void cut_slices();
  Status map_memory();
  Result<crypto::SegmentCipher> open_segment(std::size_t segment) const;
  MutableBytes destination(const Slice& slice) const {
    return MutableBytes(destination_).subspan(slice.offset, slice.size);
  }

  Status run_part(Part part, BestTimes& times);
  Result<double> run_part(Part part, const Slice& slice, const crypto::SegmentCipher& cipher);
  Status load_batch(const Slice& slice, std::size_t done, std::size_t count);
  Status run_unseal();
  Status run_unseal_whole(unsigned threads, BestTimes& times);
  Status run_hash_in_place();
  Status run_verify();

  OpenFile file_;
  std::uint32_t file_number_ = 0;
  std::vector<Slice> slices_;
  MutableBytes destination_;
  Bytes stored_;  // the bundle, mapped
  bundle::LeafBuffer leaves_{16};
  crypto::BatchHasher hasher_;

  BestTimes read_, hash_, decrypt_, unseal_, hash_in_place_, verify_;
  BestTimes whole_one_, whole_two_;
};

}  // namespace sealpack::bench
