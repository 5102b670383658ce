# SPDX-License-Identifier: Apache-2.0
"""What bench/bundle, bench/loader/run and bench/attest/run share: running programs, the table, where it ran."""

import datetime
import os
import pathlib
import platform
import subprocess
import time

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
DOCUMENT = REPOSITORY / "docs" / "PERFORMANCE.md"
PROGRAMS = REPOSITORY / "build" / "release" / "bin"
MIB = 1 << 20


# --- Running and timing ----------------------------------------------------------------

def run(*words, **options):
    return subprocess.run([str(word) for word in words], check=True, **options)


def output_of(*words):
    return run(*words, stdout=subprocess.PIPE, text=True).stdout


def seconds_of(*words, stdin=None):
    start = time.perf_counter()
    run(*words, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def rate(size, seconds):
    return f"{size / seconds / 1e9:.2f} GB/s"


class SpeedOfParts:
    """`bundle_bench speed BUNDLE`: rounds of reading, hashing, decrypting, unsealing a bundle."""

    def __init__(self, program, bundle):
        self._process = subprocess.Popen([program, "speed", bundle], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)

    def run_round(self):
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self._process.stdout.readline()

    def finish(self):
        """Seconds of the best pass by name, and `bytes` of a pass."""
        self._process.stdin.close()
        times = {name: float(value) for name, value in map(str.split, self._process.stdout)}
        if self._process.wait() != 0:
            raise SystemExit("bench: bundle_bench speed failed")
        return times


# --- The table -------------------------------------------------------------------------

class Table:
    """`wall` says that a row is wall-clock time, which other work on the machine makes invalid."""

    def __init__(self, disturbed):
        self.rows, self.disturbed = [], disturbed

    def add(self, what, measured, against="", ratio="", limit="", passes=None,
            wall=False):
        verdict = "" if passes is None else "PASS" if passes else "**MISS**"
        if verdict and wall and self.disturbed:
            verdict += ", disturbed"
        self.rows.append((what, measured, against, ratio, limit, verdict))

    def at_least(self, what, measured, against, ratio, limit, wall=False):
        self.add(what, measured, against, f"{ratio:.2f}", f"≥ {limit}", ratio >= limit, wall)

    def at_most_times(self, what, measured, against, ratio, limit, wall=False):
        self.add(what, measured, against, f"{ratio:.2f}", f"≤ {limit}", ratio <= limit, wall)

    def at_most(self, what, value, unit, limit, note="", wall=False):
        self.add(what, f"{value:.1f} {unit}", note, f"{value / limit:.2f}", f"≤ {limit:g} {unit}",
                 value <= limit, wall)

    def not_installed(self, tool):
        self.add(tool, "not installed")

    def text(self):
        head = ("what", "measured", "against", "ratio", "limit", "")
        lines = [head, ("---",) * len(head), *self.rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)


# --- Where it ran ----------------------------------------------------------------------

def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


class Place:
    """The machine and its load; make it before the measurements."""

    def __init__(self):
        self.load_before = os.getloadavg()[0]
        self.disturbed = self.load_before > (os.cpu_count() or 1) / 4

    def lines(self, command, detail, invalid):
        """`invalid` names the figures that other work on the machine makes invalid."""
        lines = [f"{datetime.date.today()}, `{command}`",
                 f"{processor()}, {os.cpu_count() or 1} cores; Linux {platform.release()}; {detail}",
                 f"load average {self.load_before:.1f} before, {os.getloadavg()[0]:.1f} after"]
        if self.disturbed:
            lines.append(f"**other work was running: {invalid} are not valid**")
        return lines

    def description(self, command, programs, invalid):
        engine = output_of(programs / "bundle_bench", "engine").strip()
        return "\n".join(f"* {line}" for line in self.lines(command, f"engine {engine}", invalid))


def write_section(name, text):
    """Replaces what the document holds between the markers of `name`."""
    begin, end = f"<!-- {name} begin -->", f"<!-- {name} end -->"
    before, rest = DOCUMENT.read_text().split(begin, 1)
    after = rest.split(end, 1)[1]
    DOCUMENT.write_text(f"{before}{begin}\n{text}\n{end}{after}")
