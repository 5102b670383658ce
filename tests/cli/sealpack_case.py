# SPDX-License-Identifier: Apache-2.0
"""What the tests of the command line share: the tool, a folder, keys and a small model."""

import functools
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
import unittest

TOOL = os.environ["SEALPACK"]
# What a user has there is not for tests: a proxy between them and their own servers, a calibration.
os.environ["no_proxy"] = "127.0.0.1"
os.environ["XDG_CACHE_HOME"] = "/nonexistent"

OK, USAGE, IO, MALFORMED, UNSUPPORTED, NOT_AUTHENTIC = 0, 2, 3, 10, 11, 12
REFUSED, KEY_UNAVAILABLE, TRY_AGAIN, LIMIT = 13, 14, 15, 16

ATTESTED_POLICY = """
[[environment]]
tee = "simulated"
[environment.claims]
measurement = { accept = ["%s"] }
root = { accept = ["%s"] }
""" % ("ab" * 32, "cd" * 32)


def safetensors(tensors):
    """Bytes of a safetensors file of F32 tensors: {name: shape}."""
    header, data = {}, b""
    for number, (name, shape) in enumerate(tensors.items()):
        count = 1
        for size in shape:
            count *= size
        begin = len(data)
        data += b"".join(struct.pack("<f", number + i / 7) for i in range(count))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


GROUPS = {"attest", "broker", "policy", "provision"}
DEEPER = {"log", "measure"}


@functools.cache
def documented_codes(verb):
    """The exit codes that the help of a verb lists."""
    done = subprocess.run([TOOL, *verb, "--help"], capture_output=True, text=True, timeout=600)
    _, _, codes = done.stdout.partition("Exit status:\n")
    return {int(code) for code in re.findall(r"(?m)^  (\d+) ", codes)}


def verb_of(arguments):
    depth = 1 + (arguments[:1] and arguments[0] in GROUPS)
    depth += depth == 2 and len(arguments) > 1 and arguments[1] in DEEPER
    return tuple(map(str, arguments[:depth]))


class Run:
    """How one run of the tool ended."""

    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    def json(self):
        return json.loads(self.out)


class SealpackCase(unittest.TestCase):
    """A fresh folder a test, in which the tool runs, with keys and a model that are made once."""

    @classmethod
    def setUpClass(cls):
        cls._made = tempfile.TemporaryDirectory()
        made = pathlib.Path(cls._made.name)
        cls.folder = made
        for role, name in (("authority", "vendor"), ("authority", "stranger"),
                           ("recipient", "device"), ("recipient", "other"),
                           ("broker", "broker"), ("escrow", "escrow")):
            cls.run_in(made, "keygen", role, "--out", name, "--no-passphrase", "-q")
        (made / "model").mkdir()
        (made / "model" / "net.safetensors").write_bytes(
            safetensors({"a.weight": [40, 50], "a.bias": [50], "b.weight": [3]}))
        (made / "model" / "config.json").write_text('{"width": 50}\n')
        (made / "model" / "blob.bin").write_bytes(os.urandom(70000))
        (made / "model" / "empty.bin").write_bytes(b"")
        (made / "attested.toml").write_text(ATTESTED_POLICY)

    @classmethod
    def tearDownClass(cls):
        cls._made.cleanup()

    def setUp(self):
        made = type(self).folder
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        shutil.copytree(made, self.folder, dirs_exist_ok=True)

    @staticmethod
    def run_in(folder, *arguments, **options):
        done = subprocess.run([TOOL, *map(str, arguments)], cwd=folder, capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, timeout=600, **options)
        return Run(done)

    def run_tool(self, *arguments):
        run = self.run_in(self.folder, *arguments)
        # A verb that cannot be found has no help.
        known = documented_codes(verb_of(arguments))
        if known and run.status > 0:
            self.assertIn(run.status, known,
                          f"the help of {verb_of(arguments)} does not say so: {run.err}")
        return run

    def succeed(self, *arguments):
        run = self.run_tool(*arguments)
        self.assertEqual(run.status, OK, f"{arguments}: {run.err}")
        return run

    def fail_with(self, status, pattern, *arguments):
        """Expects an exit status, a message on stderr, and a folder in which nothing changed."""
        before = self.snapshot()
        run = self.run_tool(*arguments)
        self.assertEqual(run.status, status, f"{arguments}: {run.out}{run.err}")
        self.assertRegex(run.err, pattern)
        after = self.snapshot()
        self.assertEqual(sorted(after), sorted(before), f"{arguments} left something behind")
        self.assertEqual([path for path in after if after[path] != before[path]], [],
                         f"{arguments} changed something")
        return run

    def snapshot(self):
        return {str(path): path.read_bytes() if path.is_file() else b""
                for path in self.folder.rglob("*")}

    def build(self, name="b.seal", *arguments, to="device.pub", signer="vendor.key"):
        self.succeed("build", "model", "--out", name, "--signer", signer, "--to", to, *arguments)
        return self.folder / name

    def build_attested(self, name="b.seal", *arguments):
        return self.build(name, "--policy", "attested.toml", "--escrow", "escrow.pub",
                          "--escrow-reason", "we keep a way back", *arguments, to="broker.pub")

    def flip(self, path, offset):
        """Changes one bit of a file."""
        content = bytearray(path.read_bytes())
        content[offset] ^= 1
        path.write_bytes(bytes(content))

    def assert_same_model(self, folder):
        model = self.folder / "model"
        names = sorted(path.name for path in model.iterdir())
        self.assertEqual(sorted(path.name for path in folder.iterdir()), names)
        for name in names:
            self.assertEqual((folder / name).read_bytes(), (model / name).read_bytes(), name)
