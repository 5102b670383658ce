#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rule ids that code and tests cite exist in FORMAT.md, once. Prints the rules no test cites."""

import re

import sources

DEFINED = re.compile(r"\*\*\[(F-\d+(?:\.\d+)+)\]\*\*")
SECTION = re.compile(r"^#+ (\d+\.\d+) ", re.M)  # F-3.2 stands for all of section 3.2
CITED = re.compile(r"(?<![A-Za-z0-9])F-\d+(?:\.\d+)+")
TEST_FILES = (".cc", ".h", ".py", ".txt", ".toml", ".json")


def citations(root, folders, suffixes):
    """id -> a file that cites it."""
    cited = {}
    for path in sources.files(root, folders, suffixes):
        text = (root / path).read_text(errors="replace")
        for rule in CITED.findall(text):
            cited.setdefault(rule, path)
    return cited


def by_number(rules):
    return sorted(rules, key=lambda rule: [int(part) for part in rule[2:].split(".")])


def check(root):
    text = (root / "docs/FORMAT.md").read_text()
    defined = DEFINED.findall(text)
    problems = [f"docs/FORMAT.md: {rule} is defined twice"
                for rule in by_number({r for r in defined if defined.count(r) > 1})]
    in_tests = citations(root, ("tests",), TEST_FILES)
    # The self-test plants ids that do not exist.
    in_tests = {r: p for r, p in in_tests.items() if p.parent.name != "architecture"}
    in_code = citations(root, sources.CODE_FOLDERS, sources.CPP)
    known = set(defined) | {f"F-{section}" for section in SECTION.findall(text)}
    for cited in (in_tests, in_code):
        problems += [f"{cited[rule]}: cites {rule}, which docs/FORMAT.md does not have"
                     for rule in by_number(set(cited) - known)]
    untested = by_number(set(defined) - set(in_tests))
    print(f"{len(defined)} rules, {len(untested)} cited by no test: {' '.join(untested)}")
    return problems


if __name__ == "__main__":
    sources.main(check)
