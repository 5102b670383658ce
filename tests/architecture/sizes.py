#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No file over 450 lines, no function over 60, unless sizes_allowed.txt gives the reason."""

import re

import sources

FILE_LINES, FUNCTION_LINES = 450, 60
NOT_A_FUNCTION = re.compile(r"^(namespace|class|struct|enum|union|extern)\b")


def functions(lines):
    """(first line, number of lines) of each function at the outermost level.

    The code is kept in clang-format's shape: such a body ends with a brace in the first column.
    """
    declared = start = None
    for number, line in enumerate(lines, 1):
        if start:
            if line == "}":
                yield start, number - start + 1
            if line.startswith("}"):
                start = None
            continue
        if line[:1] not in ("", " ", "#", "/", "}"):
            declared = None if NOT_A_FUNCTION.match(line) else number
        if declared and line.endswith("{"):
            declared, start = None, declared
        elif line.endswith(";"):
            declared = None


def allow_list(root):
    """File name -> reason."""
    reasons = {}
    for line in (root / "tests/architecture/sizes_allowed.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, reason = line.partition(": ")
            reasons[name] = reason
    return reasons


def check_file(root, path):
    lines = (root / path).read_text().splitlines()
    if len(lines) > FILE_LINES:
        yield f"{path}: {len(lines)} lines, more than {FILE_LINES}"
    if path.suffix in sources.CPP:
        for start, length in functions(lines):
            if length > FUNCTION_LINES:
                yield f"{path}:{start}: a function of {length} lines, more than {FUNCTION_LINES}"


def check(root):
    reasons = allow_list(root)
    problems = [f"sizes_allowed.txt: {name} has no reason" for name in reasons if not reasons[name]]
    long_ones = set()
    for path in sources.files(root, sources.ALL_FOLDERS, sources.CPP + (".py",)):
        found = list(check_file(root, path))
        if found:
            long_ones.add(str(path))
        if str(path) not in reasons:
            problems += found
    problems += [f"sizes_allowed.txt: {name} is no longer long, or no longer there"
                 for name in sorted(set(reasons) - long_ones)]
    return problems


if __name__ == "__main__":
    sources.main(check)
