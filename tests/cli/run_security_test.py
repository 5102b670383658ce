# SPDX-License-Identifier: Apache-2.0
"""What a run of a sealed model shows to others on the same machine."""

import os
import pathlib
import random
import re
import resource
import signal
import subprocess
import threading
import time
import unittest

from run_case import MODEL, RunCase, images, read_npy
from sealpack_case import IO, OK, TOOL

CAP = 6 << 20
NEEDS_ROOT = unittest.skipUnless(os.geteuid() == 0, "needs root to look")


def proc(process, name):
    return pathlib.Path(f"/proc/{process}/{name}")


def has_ended(process):
    """A zombie that nobody has collected yet has: it holds no memory."""
    try:
        return ") Z " in proc(process, "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def mapped_or_open(process):
    """Names of all files that a process has mapped or open."""
    maps = proc(process, "maps").read_text().splitlines()
    return [line.split(maxsplit=5)[5] for line in maps if line.count("/")] + [
        os.readlink(path) for path in proc(process, "fd").iterdir()]


def as_user(user, action):
    """Whether `action` succeeds in a process of that user."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            action()
            os._exit(0)
        except OSError:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


class RunSecurity(RunCase):
    def start(self, *more):
        """The tool, with a model that answered once and waits for more; and its TEE's process."""
        command = [TOOL, *self.arguments("--tee-memory", str(CAP), *more, inputs=("-",),
                                         outputs=("-",))]
        tool = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                preexec_fn=lambda: resource.setrlimit(
                                    resource.RLIMIT_CORE,
                                    (0, resource.getrlimit(resource.RLIMIT_CORE)[1])))
        self.addCleanup(self.end, tool)
        self.ask(tool)
        children = proc(tool.pid, f"task/{tool.pid}/children").read_text().split()
        self.assertEqual(len(children), 1)
        return tool, int(children[0])

    @staticmethod
    def end(tool):
        tool.kill()
        tool.wait()
        for pipe in (tool.stdin, tool.stdout, tool.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass

    def ask(self, tool, rows=1):
        tool.stdin.write(images(rows))
        tool.stdin.flush()
        size = 128 + rows * 40
        answer = tool.stdout.read(size)
        self.assertEqual(len(answer), size, "no answer")
        return read_npy(answer)[0]

    def test_does_not_outlive_its_host_even_when_it_is_stopped(self):
        """A stopped process never sees that the channel has ended."""
        tool, inside = self.start()
        os.kill(inside, signal.SIGSTOP)
        tool.kill()
        tool.wait()
        deadline = time.monotonic() + 120
        while not has_ended(inside):
            self.assertLess(time.monotonic(), deadline, "the TEE is still there")
            time.sleep(0.05)

    @NEEDS_ROOT
    def test_stays_under_the_cap_as_the_kernel_counts(self):
        tool, tee = self.start()
        self.ask(tool, 3)
        rollup = proc(tee, "smaps_rollup").read_text()
        anonymous = int(re.search(r"^Anonymous:\s+(\d+) kB", rollup, re.M)[1]) << 10
        self.assertLessEqual(anonymous, CAP)
        tool.stdin.close()
        self.assertEqual(tool.wait(), OK)
        told = tool.stderr.read().decode()
        peak = re.search(r"peak ([0-9.]+) MiB of 6.0 MiB", told)
        self.assertTrue(peak, told)
        self.assertLessEqual(anonymous, (float(peak[1]) + 0.06) * (1 << 20))

    @NEEDS_ROOT
    def test_nobody_else_reads_its_memory(self):
        _, tee = self.start()
        own = proc(tee, "environ").stat().st_uid
        status = proc(tee, "status").read_text()
        runs_as = int(re.search(r"^Uid:\s+(\d+)", status, re.M)[1])
        self.assertNotEqual(runs_as, 0)
        self.assertEqual(own, 0)  # undumpable: its files belong to root
        for user in (runs_as, 12345):
            for name in ("mem", "maps", "environ", "smaps", "fd/3"):
                path = proc(tee, name)
                self.assertFalse(as_user(user, lambda path=path: open(path, "rb").close()),
                                 f"{name} as {user}")

    @NEEDS_ROOT
    def test_has_no_environment_no_arguments_and_no_rights(self):
        os.environ["SEALPACK_TEST"] = "do not pass me on"
        _, tee = self.start()
        self.assertEqual(proc(tee, "environ").read_bytes(), b"")
        self.assertEqual(proc(tee, "cmdline").read_bytes(), b"sealpack-tee\0")
        status = proc(tee, "status").read_text()
        for line in ("NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000",
                     "CapPrm:\t0000000000000000"):
            self.assertIn(line, status)
        limits = proc(tee, "limits").read_text()
        for name in ("core file size", "processes", "open files", "file size"):
            self.assertRegex(limits, rf"Max {name}\s+0\s+0\s")
        self.assertEqual(os.getsid(tee), tee)

    def test_a_crash_leaves_no_core_and_says_so(self):
        tool, tee = self.start()
        before = self.snapshot()
        os.kill(tee, signal.SIGSEGV)
        try:
            tool.stdin.write(images(1))
            tool.stdin.close()
        except BrokenPipeError:
            pass
        self.assertEqual(tool.wait(timeout=60), IO)
        self.assertIn("killed by signal 11", tool.stderr.read().decode())
        self.assertEqual(sorted(self.snapshot()), sorted(before))

    @NEEDS_ROOT
    def test_shares_no_memory_by_name(self):
        tool, tee = self.start()
        for process in (tool.pid, tee):
            files = mapped_or_open(process)
            self.assertTrue(files)
            self.assertEqual([name for name in files if name.startswith("/dev/shm")], [])

    def test_no_weights_and_no_keys_in_what_it_writes(self):
        before = self.snapshot()
        run = self.succeed(*self.arguments("--counters", "c.json", "--tee-memory", CAP))
        new = {name: content for name, content in self.snapshot().items() if name not in before}
        self.assertEqual(sorted(pathlib.Path(name).name for name in new), ["c.json", "y.npy"])
        said = run.out.encode() + run.err.encode() + b"".join(new.values())
        weights = MODEL.read_bytes()
        key = (self.folder / "device.key").read_bytes()
        chooser = random.Random(1)
        for content in (weights, key):
            for _ in range(300):
                at = chooser.randrange(len(content) - 32)
                piece = content[at:at + 32]
                if len(set(piece)) > 8:
                    self.assertNotIn(piece, said)

    def test_a_host_that_rewrites_the_bundle_gains_nothing(self):
        expected = self.answer()
        bundle = self.folder / "b.seal"
        size = bundle.stat().st_size
        stop = threading.Event()

        def rewrite():
            chooser = random.Random(2)
            with open(bundle, "r+b", buffering=0) as file:
                while not stop.is_set():
                    at = chooser.randrange(size)
                    for _ in range(2):  # and back
                        byte = os.pread(file.fileno(), 1, at)[0]
                        os.pwrite(file.fileno(), bytes([byte ^ 1]), at)
                        time.sleep(0.0005)

        thread = threading.Thread(target=rewrite)
        thread.start()
        try:
            for _ in range(8):
                (self.folder / "y.npy").unlink(missing_ok=True)
                run = self.run_tool(*self.arguments("--tee-memory", CAP))
                if run.status == OK:
                    self.assertEqual(read_npy((self.folder / "y.npy").read_bytes())[0], expected)
                else:
                    self.assertFalse((self.folder / "y.npy").exists())
        finally:
            stop.set()
            thread.join()


if __name__ == "__main__":
    unittest.main()
