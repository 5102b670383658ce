# SPDX-License-Identifier: Apache-2.0
"""Which files of the tree the checks look at, and how a check reports."""

import pathlib
import sys

CODE_FOLDERS = ("formats", "keymgmt", "attest", "packer", "unpacker", "runtime-loader")
ALL_FOLDERS = CODE_FOLDERS + ("tests", "bench", "examples", "scripts", "cmake", "docs")
CPP = (".cc", ".h")


def files(root, folders=CODE_FOLDERS, suffixes=CPP):
    """Files below `folders`, as paths relative to `root`, in order."""
    found = []
    for folder in folders:
        for path in (root / folder).rglob("*"):
            if path.suffix in suffixes and path.is_file():
                found.append(path.relative_to(root))
    return sorted(found)


def main(check):
    """Runs check(root), which lists what is wrong; the exit status says whether anything is."""
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    problems = check(root)
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)
