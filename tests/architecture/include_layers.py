#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every #include of the product obeys layers.toml. What no row allows is refused."""

import pathlib
import re
import tomllib

import sources

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# Headers of the system that the host side may use without a row.
SYSTEM = re.compile(r"^(sys/|linux/|fcntl\.h|unistd\.h|dirent\.h|poll\.h|signal\.h|spawn\.h|"
                    r"termios\.h|locale\.h|stdio\.h|time\.h|errno\.h)")
# What code inside the TEE has no use for: these come from the caller as interfaces.
NOT_IN_THE_LOADER = {"thread", "mutex", "shared_mutex", "condition_variable", "future", "latch",
                     "barrier", "semaphore", "filesystem", "fstream", "iostream", "chrono",
                     "ctime", "csignal", "locale", "regex"}


class Layers:
    def __init__(self, rows):
        self.rows = rows
        self.used = set()

    def rows_of(self, path):
        """The row of the file's folder, then the row of the file itself."""
        names = [str(path.parent), str(path)]
        self.used.update(name for name in names if name in self.rows)
        return [self.rows[name] for name in names if name in self.rows]


def allowed(name, patterns):
    return any(name == p or (p.endswith("/") and name.startswith(p)) for p in patterns)


def check_own(path, name, rows):
    folder = str(pathlib.PurePosixPath(name).parent)
    if folder == str(path.parent):
        return None
    uses = [use for row in rows for use in row.get("uses", ())]
    if folder in uses or name in uses:
        return None
    return f"includes {name}, which is not below it"


def check_foreign(name, rows):
    if any(allowed(name, row.get("foreign", ())) for row in rows):
        return None
    loader = any(row.get("loader") for row in rows)
    if loader and name in NOT_IN_THE_LOADER:
        return f"includes <{name}>, which the code inside the TEE does without"
    if not name.endswith((".h", ".hpp")):
        return None
    if not loader and SYSTEM.match(name):
        return None
    return f"includes <{name}>, which no row allows here"


def check_file(root, path, layers):
    rows = layers.rows_of(path)
    if str(path.parent) not in layers.rows:
        return [f"{path}: its folder has no row in layers.toml"]
    # Fuzz targets stand beside their parser but are programs of their own.
    fuzz = path.stem.endswith("_fuzz")
    problems = []
    for number, line in enumerate((root / path).read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        name = match[2]
        if fuzz and (name.startswith("tests/") or match[1] == "<"):
            continue
        own = match[1] == '"' and not name.endswith(".pb.h")
        problem = check_own(path, name, rows) if own else check_foreign(name, rows)
        if problem:
            problems.append(f"{path}:{number}: {problem}")
    return problems


def check(root):
    table = root / "tests/architecture/layers.toml"
    layers = Layers(tomllib.loads(table.read_text())["layer"])
    problems = []
    for path in sources.files(root):
        problems += check_file(root, path, layers)
    problems += [f"layers.toml: the row {name} belongs to no file"
                 for name in sorted(set(layers.rows) - layers.used) if name.endswith(sources.CPP)]
    return problems


if __name__ == "__main__":
    sources.main(check)
