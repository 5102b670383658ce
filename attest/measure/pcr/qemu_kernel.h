// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/measure/pcr/boot_description.h"

namespace sealpack::measure {

// A kernel as QEMU's option -kernel hands it to OVMF, up to QEMU 9.2: the setup header of the x86
// boot protocol (Documentation/arch/x86/boot.rst) is filled in as a boot loader would, and firmware
// measures the result. What is written depends on the size of the initrd (0: none) and on where the
// memory of the machine ends. kUnsupported for kernels before protocol 2.06 and for a command line
// with a video mode ("vga=").
Result<ByteVector> kernel_as_qemu_loads_it(Bytes kernel, std::uint64_t initrd_size,
                                           std::string_view command_line,
                                           LinuxBoot::Machine machine, std::uint64_t memory);

}  // namespace sealpack::measure
