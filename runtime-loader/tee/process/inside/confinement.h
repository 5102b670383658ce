// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/result.h"

// How the program gives up its rights, one function a right. All before it reads a byte that
// somebody else wrote.
namespace sealpack::tee {

// Undumpable (so that no other process of the same user may trace it or read its memory), no core
// file, no new rights by execve, a heap that only grows. Ends the process where that is refused,
// and where somebody traces it already.
void harden_process();

// PR_SET_MDWE: nothing that was writable becomes executable. False where the kernel has no such
// thing (before 6.3); the system call filter refuses the same.
bool refuse_new_code();

// Landlock with no right at all: no file, no device, no TCP port, no signal to others, as far as
// this kernel knows them. False where it has no Landlock.
bool leave_file_system();

// Closes all but the first three, the control channel, bundles and the figures about itself
// (descriptors.h).
void close_other_descriptors();

// No more files, processes or written bytes than there are now.
void freeze_limits();

}  // namespace sealpack::tee
