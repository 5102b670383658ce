# SPDX-License-Identifier: Apache-2.0
"""Running both readers: the sealpack binary, the independent reader in this process, keys for both, and the score."""

import base64
import contextlib
import io
import os
import re
import subprocess
from collections import Counter

import sealpack_reader as reader

RECIPIENTS = ("x25519", "p256", "rsa", "kek")
# Disagreements that wait for a decision, by what ends their name; each is printed, and an error as soon as it is gone.
counts = Counter()
problems = []


def check(condition, what):
    counts["checks"] += 1
    if not condition:
        problems.append(what)
        print(f"FAILED: {what}", file=sys.stderr)


def read_with_python(*arguments):
    """Exit code and output of the independent reader, run in this process."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = reader.main([str(a) for a in arguments])
    return code, out.getvalue()


class Tool:
    """The sealpack binary."""

    def __init__(self, binary):
        self.binary = binary
        self.verbs = set(re.findall(r"^\s+([a-z]+)\s", self.run("--help")[1], re.M))

    def run(self, *arguments):
        done = subprocess.run([self.binary, *map(str, arguments)], capture_output=True, text=True, errors="replace", check=False)
        return done.returncode, done.stdout + done.stderr

    def verify(self, bundle, key):
        return self.run("verify", bundle, "--trust", key)


def write_key(path, header, pem):
    path.write_text(f"sealpack-key: {header}\n" + pem)
    path.chmod(0o644 if path.suffix == ".pub" else 0o600)
    return path


def make_key(folder, name, role, *genpkey):
    private = subprocess.run(["openssl", "genpkey", *genpkey], capture_output=True, text=True, check=True).stdout
    public = subprocess.run(["openssl", "pkey", "-pubout"], input=private, capture_output=True, text=True, check=True).stdout
    return write_key(folder / f"{name}.key", f"role={role}", private), write_key(folder / f"{name}.pub", f"role={role}", public)


def make_symmetric(folder, name, key):
    """A .key file with AES-256 key-wrap bytes: PKCS#8 with the identifier id-aes256-wrap-pad. It is its own public half."""
    der = base64.b64encode(reader.SYMMETRIC_KEY + key).decode()
    lines = ["-----BEGIN PRIVATE KEY-----", der[:64], der[64:], "-----END PRIVATE KEY-----", ""]
    path = write_key(folder / f"{name}.key", "role=recipient", "\n".join(lines))
    return path, path


def make_keys(folder):
    curve = ("-algorithm", "EC", "-pkeyopt", "ec_param_enc:named_curve", "-pkeyopt")
    return {"vendor": make_key(folder, "vendor", "authority", "-algorithm", "ED25519"),
            "vendor256": make_key(folder, "vendor256", "authority", *curve, "ec_paramgen_curve:P-256"),
            "vendor384": make_key(folder, "vendor384", "authority", *curve, "ec_paramgen_curve:P-384"),
            "x25519": make_key(folder, "x25519", "recipient", "-algorithm", "X25519"),
            "p256": make_key(folder, "p256", "recipient", *curve, "ec_paramgen_curve:P-256"),
            "rsa": make_key(folder, "rsa", "recipient", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
            "kek": make_symmetric(folder, "kek", os.urandom(32)),
            "stranger": make_key(folder, "stranger", "recipient", "-algorithm", "X25519")}


def files_below(path):
    if path.is_file():
        return {path.name: path.read_bytes()}
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def check_unsealed(name, got, model):
    check(files_below(got) == files_below(model), f"{name}: originals differ")


def both_read(tool, bundle, public, name):
    """Exit codes of both readers; they must agree on whether they accept."""
    code, output = read_with_python("verify", bundle, "--key", public)
    if "verify" not in tool.verbs:
        return code, None
    theirs, their_output = tool.verify(bundle, public)
    check((code == 0) == (theirs == 0), f"{name}: independent {code}, sealpack {theirs}\n  {output}  {their_output}")
    check(theirs in reader.NAMES or theirs == 0, f"{name}: sealpack exits with {theirs}")
    counts["compared"] += 1
    counts["accepted by both"] += code == theirs == 0
    counts["same class" if code == theirs else "other class"] += 1
    if code != theirs:
        print(f"other class: {name[:100]}: independent {code}, sealpack {theirs}: {their_output.splitlines()[:1]}")
    return code, theirs
