#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a shared library exports: the functions of its header, as listed in symbols.txt, and nothing else.

symbols_test.py LIBRARY symbols.txt HEADER
"""

import pathlib
import re
import subprocess
import sys

# Of the C and C++ runtimes and OpenSSL; no others are needed at run time.
RUNTIME = r"libcrypto|libIPSec_MB|libstdc\+\+|libgcc_s|libc|libm|libpthread|ld-linux[-\w]*"
# By SONAME: the version of its symbols, and what it needs.
LIBRARIES = {
    "libsealpack-loader.so.1": ("SEALPACK_LOADER_1", RUNTIME),
    "libsealpack-key-sources.so.1": ("SEALPACK_KEY_SOURCES_1",
                                     RUNTIME + r"|libsealpack-loader|libcurl|libtss2-\w+"),
}


def exported(library):
    lines = subprocess.run(["nm", "-D", "--defined-only", library], check=True, text=True,
                           capture_output=True).stdout.splitlines()
    return {line.split()[-1] for line in lines}


def needed(library):
    text = subprocess.run(["objdump", "-p", library], check=True, text=True,
                          capture_output=True).stdout
    return re.findall(r"NEEDED\s+(\S+)", text), re.search(r"SONAME\s+(\S+)", text)[1]


def main():
    library, listed, header = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    libraries, soname = needed(library)
    if soname not in LIBRARIES:
        sys.exit(f"{library} is called {soname}")
    version, may_need = LIBRARIES[soname]
    golden = {f"{name}@@{version}" for name in listed.read_text().split()}
    found = exported(library) - {version}
    problems = [f"exported and not listed: {name}" for name in sorted(found - golden)]
    problems += [f"listed and not exported: {name}" for name in sorted(golden - found)]
    declared = set(re.findall(r"SEALPACK_API [^;]*?(sealpack_\w+)\(", header.read_text()))
    names = {name.partition("@")[0] for name in golden}
    problems += [f"declared and not listed: {name}" for name in sorted(declared - names)]
    problems += [f"listed and not declared: {name}" for name in sorted(names - declared)]
    problems += [f"needs {name}" for name in libraries
                 if not re.match(rf"^({may_need})\.so", name)]
    print("\n".join(problems) or f"{len(golden)} functions")
    sys.exit(1 if problems else 0)


main()
