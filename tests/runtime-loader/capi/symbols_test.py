#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the shared library exports: the functions of loader.h, as listed in symbols.txt, and nothing else.

symbols_test.py LIBRARY symbols.txt loader.h
"""

import pathlib
import re
import subprocess
import sys

# Of the C and C++ runtimes and OpenSSL; no others are needed at run time.
NEEDED = re.compile(r"^(libcrypto|libIPSec_MB|libstdc\+\+|libgcc_s|libc|libm|libpthread|ld-linux[-\w]*)\.so")


def exported(library):
    lines = subprocess.run(["nm", "-D", "--defined-only", library], check=True, text=True,
                           capture_output=True).stdout.splitlines()
    return {line.split()[-1] for line in lines} - {"SEALPACK_LOADER_1"}


def needed(library):
    text = subprocess.run(["objdump", "-p", library], check=True, text=True,
                          capture_output=True).stdout
    return re.findall(r"NEEDED\s+(\S+)", text), re.search(r"SONAME\s+(\S+)", text)[1]


def main():
    library, listed, header = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    golden = {f"{name}@@SEALPACK_LOADER_1" for name in listed.read_text().split()}
    problems = [f"exported and not listed: {name}" for name in sorted(exported(library) - golden)]
    problems += [f"listed and not exported: {name}" for name in sorted(golden - exported(library))]
    declared = set(re.findall(r"SEALPACK_API [^;]*?(sealpack_\w+)\(", header.read_text()))
    names = {name.partition("@")[0] for name in golden}
    problems += [f"declared and not listed: {name}" for name in sorted(declared - names)]
    problems += [f"listed and not declared: {name}" for name in sorted(names - declared)]
    libraries, soname = needed(library)
    problems += [f"needs {name}" for name in libraries if not NEEDED.match(name)]
    if soname != "libsealpack-loader.so.1":
        problems.append(f"is called {soname}")
    print("\n".join(problems) or f"{len(golden)} functions")
    sys.exit(1 if problems else 0)


main()
