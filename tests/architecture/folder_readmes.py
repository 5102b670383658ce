#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every folder of the product that holds sources has a short README.md."""

import sources

SHORTEST, LONGEST = 3, 20


def check(root):
    problems = []
    for folder in sorted({path.parent for path in sources.files(root)}):
        readme = root / folder / "README.md"
        if not readme.is_file():
            problems.append(f"{folder}: has no README.md")
            continue
        lines = [line for line in readme.read_text().splitlines() if line.strip()]
        if not SHORTEST <= len(lines) <= LONGEST:
            problems.append(f"{folder}/README.md: {len(lines)} lines; "
                            f"{SHORTEST} to {LONGEST} say what is here and what is not")
    return problems


if __name__ == "__main__":
    sources.main(check)
