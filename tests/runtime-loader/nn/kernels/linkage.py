#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""linkage.py NM LIBRARY: no object compiled for one instruction set shares code with the program.

A weak symbol (an inline function or template of a common header) in such an object could become the
copy that the linker keeps for everybody, and then run on a machine without those instructions.
"""

import subprocess
import sys

WEAK = "WwVvu"


def problems(lines):
    name = ""
    seen = 0
    for line in lines:
        if line.endswith(".o:"):
            name = line[:-1]
            seen += name.startswith("isa_")
        elif line and name.startswith("isa_"):
            kind, symbol = line[17:18], line[19:]
            if kind in WEAK:
                yield f"{name}: {symbol} is shared ({kind})"
            elif kind in "TDBR" and not symbol.endswith("_kernels()"):
                yield f"{name}: {symbol} is visible outside"
    if seen < 2:
        yield f"{seen} objects of instruction sets found; 2 or more were expected"


def main():
    nm, library = sys.argv[1:]
    text = subprocess.run([nm, "--demangle", library], check=True, capture_output=True, text=True).stdout
    found = list(problems(text.splitlines()))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
