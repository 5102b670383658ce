#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No TRY inside a new-expression: the memory is taken before the value is there, and lost where it is not."""

import re

import sources

INSIDE = re.compile(r"\bnew\s+[\w:<>]+\s*[({][^;]*?\bTRY\(")


def check(root):
    problems = []
    for path in sources.files(root, sources.ALL_FOLDERS):
        text = (root / path).read_text()
        for match in INSIDE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            problems.append(f"{path}:{line}: TRY inside a new-expression")
    return problems


if __name__ == "__main__":
    sources.main(check)
