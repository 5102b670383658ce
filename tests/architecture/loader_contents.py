#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is linked into the code inside the TEE is what loader_contents.txt says, no more, no less.

Arguments: the golden list, the list that CMake made. A line "optional: X" may be missing: X exists
on some processors only. To accept a change, argue for it in docs/decisions/ and edit the list.
"""

import pathlib
import sys

OPTIONAL = "optional: "


def entries(text):
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def differences(golden, actual):
    golden, actual = entries(golden), set(entries(actual))
    required = {entry for entry in golden if not entry.startswith(OPTIONAL)}
    optional = {entry.removeprefix(OPTIONAL) for entry in golden if entry.startswith(OPTIONAL)}
    return ([f"new in the loader: {entry}" for entry in sorted(actual - required - optional)] +
            [f"no longer in the loader: {entry}" for entry in sorted(required - actual)])


def main():
    golden, actual = (pathlib.Path(name).read_text() for name in sys.argv[1:3])
    found = differences(golden, actual)
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
