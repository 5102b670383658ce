// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "formats/files/file_source.h"
#include "formats/models/model.h"

namespace sealpack {

struct InputOptions {
  // Where archives are unpacked, into a file without a name; empty: the system's temporary folder.
  std::filesystem::path scratch_folder;
  std::uint64_t max_unpacked = std::uint64_t{1} << 40U;  // bytes of all files of an archive
  std::uint64_t max_files = std::uint64_t{1} << 20U;     // of an archive: entries of any kind
  // An archive that unpacks to more than this and to more than 1000 times its size is a bomb.
  std::uint64_t bomb_threshold = std::uint64_t{1} << 30U;
};

// Something in the input that is not part of the model, for the report to the user.
struct SkippedInput {
  std::string path;
  std::string reason;
};

// The files of a model, by path in byte order. Every path passes check_path and the list passes
// check_no_collisions; every source is open and never looked up by name again.
struct InputTree {
  std::vector<models::InputFile> files;
  std::vector<SkippedInput> skipped;
};

// Opens what the user named:
// * a file (a symbolic link is followed): that one file, under its base name;
// * a folder: the regular files in it, without ".git" and ".cache/huggingface". A symbolic link
//   inside is refused, but for the Hugging Face cache layout: when the folder lies in one called
//   "snapshots", links to files directly in "blobs" beside that are followed. Devices, sockets and
//   FIFOs are refused;
// * an archive (.zip .tar .tar.gz .tgz .tar.zst .tar.xz, and it begins like one): the regular files
//   in it, without a folder that holds them all. Links, devices, encrypted and sparse entries are
//   refused, and so is an archive that ends early.
// kIo for what cannot be read or is of the wrong kind, kMalformed for bad names and archives,
// kUnsupported for encrypted or sparse entries, kLimit beyond `options` or the number of files this
// process may hold open (the soft limit is raised to the hard one as needed), kUsage when nothing
// is left.
Result<InputTree> open_inputs(const std::filesystem::path& path, const InputOptions& options);

}  // namespace sealpack
