# SPDX-License-Identifier: Apache-2.0
"""What bench/loader/run holds against each other: the executor, other engines, sealed models."""

import hashlib
import json
import os
import pathlib
import subprocess
import sys

import numpy

from measuring import run, seconds_of

ENGINE = pathlib.Path(__file__).resolve().parent / "engine"
PYTHON = "/usr/bin/python3"  # has Debian's python3-torch


# --- Engines ---------------------------------------------------------------------------

class OtherEngine:
    """bench/loader/engine in a process that stays, pinned where one thread is measured."""

    def __init__(self, name, python, network, folder, threads):
        self.name, self.best = name, float("inf")
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads),
                           OPENBLAS_NUM_THREADS=str(threads))
        self._process = subprocess.Popen(
            [*pinned(threads), python, ENGINE, name, network, folder, str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=environment)
        # "ready", then the version of the engine and what it rests on.
        self.works, _, self.version = self._process.stdout.readline().strip().partition(" ")

    def measure(self, runs):
        self._process.stdin.write(f"{runs}\n")
        self._process.stdin.flush()
        self.best = min(self.best, float(self._process.stdout.readline()))

    def finish(self):
        self._process.stdin.close()
        self._process.wait()


def pinned(threads):
    return ("taskset", "-c", str((os.cpu_count() or 1) - 1)) if threads == 1 else ()


class NnRun:
    """The executor in its own process, on the whole memory of the machine."""

    def __init__(self, program, model, image, answers):
        self.words = [program, model, image, answers]

    def times(self, runs, threads, pin=True):
        """(best, mean) seconds of a run, without loading."""
        words = [*(pinned(threads) if pin else ()), *self.words, "--time", runs, "--threads",
                 threads]
        text = run(*words, stdout=subprocess.PIPE, text=True).stdout
        line = next(line for line in text.splitlines() if line.startswith("best "))
        best, mean = line.replace(",", "").split()[1:5:3]
        return float(best) / 1000, float(mean) / 1000

    def cold_start(self):
        return seconds_of(*self.words)


def python_with_onnxruntime(given):
    for python in [given] if given else (PYTHON, "python3"):
        try:
            if subprocess.run([python, "-c", "import onnxruntime"], check=False,
                              stderr=subprocess.DEVNULL).returncode == 0:
                return python
        except OSError:
            pass
    print("bench/loader: no interpreter has onnxruntime (--onnxruntime-python): not measured",
          file=sys.stderr)
    return None


# --- Sealed models ---------------------------------------------------------------------

class Refused(Exception):
    pass


class Sealed:
    """A sealed model, run in the process TEE with one thread that computes."""

    def __init__(self, programs, folder, name, model, input_name, output_name, image):
        self.program, self.folder, self.name = programs / "sealpack", folder, name
        self.model = model
        self.input_name, self.output_name, self.image = input_name, output_name, image
        self.bundle, self.answers = folder / f"{name}.seal", folder / f"{name}-answers.npy"
        run(self.program, "build", model, "--out", self.bundle, "--signer", folder / "vendor.key",
            "--to", folder / "device.pub", "--product", name, "-q", stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)

    def rows(self, count):
        path = self.folder / f"{self.name}-{count}.npy"
        if not path.exists():
            numpy.save(path, numpy.repeat(self.image, count, axis=0))
        return path

    def run(self, count, cap=None, batch=1):
        """The counters of running `count` rows, `batch` at a time; Refused with the reason."""
        counters = self.folder / "counters.json"
        words = [self.program, "run", self.bundle, "--trust", self.folder / "vendor.pub", "--key",
                 self.folder / "device.key", "--input", f"{self.input_name}={self.rows(count)}",
                 "--output", f"{self.output_name}={self.answers}", "--threads", "1", "--force",
                 "-q", "--counters", counters]
        if cap:
            words += ["--tee-memory", f"{cap}MiB"]
        if batch > 1:
            words += ["--batch", batch]
        result = subprocess.run([str(word) for word in words], check=False,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if result.returncode != 0:
            errors = [line for line in result.stderr.splitlines() if " error: " in line]
            raise Refused(errors[0].split(": error: ", 1)[1].split(": ", 1)[-1]
                          .replace("|", "/") if errors else "no reason given")
        return json.loads(counters.read_text())

    def digest(self):
        return hashlib.sha256(self.answers.read_bytes()).hexdigest()


class Steady:
    """Best seconds a row in the secure world, by the difference between few and many rows."""

    def __init__(self, sealed, few, many, cap=None, batch=1):
        self.sealed, self.few, self.many, self.cap, self.batch = sealed, few, many, cap, batch
        self._few, self._many = float("inf"), float("inf")
        self.peak, self.counters, self.digest, self.refusal = 0, None, None, None

    def measure(self):
        if self.refusal:
            return
        try:
            first = self.sealed.run(self.few, self.cap, self.batch)
            self.digest = self.sealed.digest()
            self.counters = self.sealed.run(self.many, self.cap, self.batch)
        except Refused as refused:
            self.refusal = str(refused)
            return
        self._few = min(self._few, first["seconds"]["secure"])
        self._many = min(self._many, self.counters["seconds"]["secure"])
        self.peak = max(self.peak, first["secure_memory"]["peak"],
                        self.counters["secure_memory"]["peak"])

    def seconds(self):
        return (self._many - self._few) / (self.many - self.few)
