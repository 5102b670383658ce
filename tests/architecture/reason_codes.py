#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each reason's code is in one table of the documentation, and a test expects it.

Codes are string literals "family.what". Some are put together, "dcap.tcb-info" + "-expired": what
is documented must then be put together from two literals of one folder, and of one file in tests.
"""

import collections
import re

import sources

CODE_FOLDERS = ("attest", "keymgmt/broker", "keymgmt/x509")
FAMILIES = {"azure", "broker", "cca", "chain", "cose", "dcap", "eventlog", "evidence", "nitro",
            "nvidia", "policy", "psa", "server", "sgx", "simulated", "snp", "tdx", "tpm"}
# Codes of what all TEEs share: each page says what they mean for its own.
ON_EVERY_PAGE = "evidence."
FILE_NAMES = (".der", ".crl", ".pem", ".json", ".toml", ".key", ".bin")

LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"|\'((?:[^\'\\\n]|\\.)*)\'')
CODE = re.compile(r"([a-z][a-z0-9]*)(?:\.[a-z0-9][a-z0-9-]*)+")
ROW = re.compile(r"^\|([^|]*)\|")
CELL_CODE = re.compile(r"`([a-z0-9.-]+)`")


def literals(text):
    return {a or b for a, b in LITERAL.findall(text)}


def documented(root):
    """code -> pages with a table headed "code" that lists it; `.what` repeats the family before."""
    pages = collections.defaultdict(set)
    for path in sources.files(root, ("docs",), (".md",)):
        in_table, head = False, ""
        for line in (root / path).read_text().splitlines():
            row = ROW.match(line)
            if not row:
                in_table = False
            elif not in_table:
                in_table, head = True, row.group(1).strip()
            elif head == "code":
                family = ""
                for code in CELL_CODE.findall(row.group(1)):
                    code = family + code if code.startswith(".") else code
                    if CODE.fullmatch(code):
                        family = code.rpartition(".")[0]
                        pages[code].add(str(path))
    return pages


def can_be_made(code, words):
    """Whether `code` is one of `words`, or two of them one after the other."""
    if code in words:
        return True
    cuts = [i for i, c in enumerate(code) if c in ".-"]
    return any(head in words and tail in words
               for i in cuts
               for head, tail in ((code[:i], code[i:]), (code[:i], code[i + 1:]),
                                  (code[:i + 1], code[i + 1:])))


def read_code(root):
    """Codes with a file that has each, and the literals of each folder."""
    codes, folders, problems = {}, collections.defaultdict(set), []
    for path in sources.files(root, CODE_FOLDERS):
        if path.stem.endswith("_fuzz"):
            continue
        words = literals((root / path).read_text(errors="replace"))
        folders[path.parent] |= words
        for word in sorted(words):
            match = CODE.fullmatch(word.rstrip("-"))
            if not match or word.endswith(FILE_NAMES):
                continue
            if match.group(1) in FAMILIES:
                codes.setdefault(word, path)
            elif path.parts[:2] in (("attest", "verify"), ("keymgmt", "x509")):
                problems.append(f"{path}: {word} is of no family that reason_codes.py knows")
    return codes, folders, problems


def is_beginning(word, pages):
    return any(code.startswith(word) and (word[-1] in ".-" or code[len(word)] in ".-")
               for code in pages if len(code) > len(word))


def check(root):
    pages = documented(root)
    codes, folders, problems = read_code(root)
    problems += [f"{path}: {code} is in no table of docs/ headed \"code\""
                 for code, path in sorted(codes.items())
                 if code not in pages and not is_beginning(code, pages)]
    tests = [literals((root / path).read_text(errors="replace"))
             for path in sources.files(root, ("tests",), (".cc", ".h", ".py"))
             if path.parts[1] != "architecture"]
    for code, where in sorted(pages.items()):
        if code.split(".")[0] not in FAMILIES:
            continue
        if len(where) > 1 and not code.startswith(ON_EVERY_PAGE):
            problems.append(f"{code} is on {len(where)} pages: {', '.join(sorted(where))}")
        if not any(can_be_made(code, words) for words in folders.values()):
            problems.append(f"{min(where)}: {code} is given by no code")
        elif not any(can_be_made(code, words) for words in tests):
            problems.append(f"{min(where)}: {code} is expected by no test")
    print(f"{len(codes)} codes in the code, {len(pages)} documented")
    return problems


if __name__ == "__main__":
    sources.main(check)
