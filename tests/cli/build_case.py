# SPDX-License-Identifier: Apache-2.0
"""Keys, small models and a folder for the tests of `sealpack build`."""

import base64
import io
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import unittest

# No calibration of the user's.
os.environ["XDG_CACHE_HOME"] = "/nonexistent"

USAGE, IO, MALFORMED, UNSUPPORTED, REFUSED, KEY_UNAVAILABLE = 2, 3, 10, 11, 13, 14

# Published keys: RFC 8032 section 7.1 (tests 1 and 2), RFC 7748 section 6.1.
AUTHORITY_SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
AUTHORITY_KEY = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
PUBLISHER_SEED = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
ALICE = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
BOB = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"

POLICY = """
[[environment]]
tee = "simulated"
[environment.claims]
measurement = { accept = ["%s"] }
root = { accept = ["%s"] }
""" % ("ab" * 32, "cd" * 32)


def key_file(role, label, der):
    lines = base64.b64encode(der).decode()
    text = "\n".join(lines[i:i + 64] for i in range(0, len(lines), 64))
    return f"sealpack-key: role={role}\n-----BEGIN {label}-----\n{text}\n-----END {label}-----\n"


def private_key(role, seed):
    der = bytes.fromhex("302e020100300506032b657004220420" + seed)
    return key_file(role, "PRIVATE KEY", der)


def signing_public_key(role, key):
    return key_file(role, "PUBLIC KEY", bytes.fromhex("302a300506032b6570032100" + key))


def public_key(role, key):
    return key_file(role, "PUBLIC KEY", bytes.fromhex("302a300506032b656e032100" + key))


def safetensors(tensors, seed=1):
    header, at = {}, 0
    for name, size in tensors.items():
        header[name] = {"dtype": "U8", "shape": [size], "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + random.Random(seed).randbytes(at)


def zstd(data):
    """A frame of raw blocks."""
    out = bytes.fromhex("28b52ffde0") + struct.pack("<Q", len(data))
    blocks = [data[i:i + 100_000] for i in range(0, len(data), 100_000)] or [b""]
    for block in blocks:
        last = block is blocks[-1]
        out += struct.pack("<I", len(block) << 3 | int(last))[:3] + block
    return out


def tar(files, links=(), mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for name, target in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return out.getvalue()


class BuildCase(unittest.TestCase):
    TOOL = ""

    def setUp(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="sealpack-cli-"))
        self.addCleanup(shutil.rmtree, self.home)
        self.put("vendor.key", private_key("authority", AUTHORITY_SEED), 0o600)
        self.put("vendor.pub", signing_public_key("authority", AUTHORITY_KEY))
        self.put("ci.key", private_key("publisher", PUBLISHER_SEED), 0o600)
        self.put("r.pub", public_key("recipient", ALICE))
        self.put("broker.pub", public_key("broker", ALICE))
        self.put("escrow.pub", public_key("escrow", BOB))
        self.put("policy.toml", POLICY)
        self.put("ranker.safetensors", safetensors({"body.w": 3000, "head.w": 100}))
        (self.home / "out").mkdir()

    def put(self, name, content, mode=0o644):
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return str(path)

    def run_tool(self, *arguments, cwd=None):
        return subprocess.run([self.TOOL, *map(str, arguments)], cwd=cwd or self.home, timeout=600,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)

    def build(self, *arguments, model="ranker.safetensors", out="out/b.seal", signer="vendor.key",
              to="r.pub"):
        command = ["build", model, "--out", out]
        if signer:
            command += ["--signer", signer]
        if to:
            command += ["--to", to]
        return self.run_tool(*command, *arguments)

    def bundles(self):
        return sorted(entry.name for entry in (self.home / "out").iterdir())

    def fails(self, result, status, *words):
        """Refused with a message and nothing written."""
        errors = result.stderr.decode()
        self.assertEqual(result.returncode, status, errors)
        self.assertIn("sealpack: error: ", errors)
        for word in words:
            self.assertIn(word, errors)
        self.assertEqual(result.stdout, b"")
        self.assertEqual(self.bundles(), [])

    def succeeds(self, result):
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result

    def report(self, *arguments, **options):
        result = self.succeeds(self.build("--json", *arguments, **options))
        return json.loads(result.stdout)

    def members(self):
        with tarfile.open(self.home / "out/b.seal") as archive:
            return archive.getnames()


def main():
    """Runs the tests of the script SCRIPT SEALPACK [unittest arguments]."""
    BuildCase.TOOL = os.path.abspath(sys.argv.pop(1))
    unittest.main()
