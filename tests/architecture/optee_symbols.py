#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the trusted application wants from outside is what optee_symbols.txt says, no more.

Arguments: the golden list, nm, the relocatable object of the application. A line of the list is a
symbol, or a pattern with a star; "optional: X" need not occur. Whatever the list says, no name of
FORBIDDEN may occur: nothing in the TEE opens files, talks to a network or starts threads or programs.
"""

import fnmatch
import pathlib
import subprocess
import sys

OPTIONAL = "optional: "
FORBIDDEN = ["open*", "fopen*", "socket", "connect", "pthread_create", "exec*", "fork", "system", "popen",
             "dlopen", "getenv", "time", "clock_gettime", "mmap*", "mprotect"]


def entries(text):
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def undefined_symbols(listing):
    return {fields[-1] for line in listing.splitlines() if (fields := line.split())}


def differences(golden, symbols):
    patterns = {entry.removeprefix(OPTIONAL) for entry in entries(golden)}
    required = {entry for entry in entries(golden) if not entry.startswith(OPTIONAL)}

    def matches(symbol, list_of):
        return any(fnmatch.fnmatchcase(symbol, pattern) for pattern in list_of)

    return ([f"forbidden in a TEE: {symbol}" for symbol in sorted(symbols) if matches(symbol, FORBIDDEN)] +
            [f"new in the trusted application: {symbol}" for symbol in sorted(symbols)
             if not matches(symbol, patterns) and not matches(symbol, FORBIDDEN)] +
            [f"no longer in the trusted application: {pattern}" for pattern in sorted(required)
             if not any(fnmatch.fnmatchcase(symbol, pattern) for symbol in symbols)])


def main():
    golden, nm, program = sys.argv[1:4]
    listing = subprocess.run([nm, "-u", program], check=True, capture_output=True, text=True).stdout
    found = differences(pathlib.Path(golden).read_text(), undefined_symbols(listing))
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
