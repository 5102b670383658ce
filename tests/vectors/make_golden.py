#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the bundles of tests/vectors/golden that are not there yet. Released bundles stay: they must open for ever.

  make_golden.py --sealpack BINARY

Salts and keys are random, so a bundle cannot be made again: it replaces none. The keys are published and protect
nothing. The AES-KWP slot and the attested release are written here, by other code than sealpack's.
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
from types import SimpleNamespace

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "independent"))

import sealpack_reader as reader  # noqa: E402
from both_readers import files_below, make_key, make_symmetric  # noqa: E402
from edited_bundle import Editor, get, message, put  # noqa: E402

KEYS, GOLDEN = HERE / "keys", HERE / "golden"
CURVE = ("-algorithm", "EC", "-pkeyopt", "ec_param_enc:named_curve", "-pkeyopt", "ec_paramgen_curve:P-256")


def key(name, role, *genpkey):
    name = "NOT-A-SECRET-" + name
    if not (KEYS / f"{name}.key").exists():
        make_key(KEYS, name, role, *genpkey)
        (KEYS / f"{name}.key").chmod(0o644)  # whoever reads it with sealpack makes a copy of mode 0600
    return name + ".key", name + ".pub"


def secret(name, value):
    path = KEYS / ("NOT-A-SECRET-" + name)
    if not path.exists():
        path.write_text(value + "\n")
    return path.name


def safetensors(tensors):
    """A file with F32 tensors: {name: list of numbers}."""
    header, data = {}, b""
    for name, values in tensors.items():
        packed = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": [len(values)], "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def build(sealpack, model, out, signer, *options):
    """`options` may name files of KEYS. They are read from copies, since sealpack takes no secret that others may read."""
    with tempfile.TemporaryDirectory() as folder:
        private = shutil.copytree(KEYS, pathlib.Path(folder) / "keys")
        for path in private.iterdir():
            path.chmod(0o600)
        options = [private / o if o.startswith("NOT-A-SECRET-") else o for o in options]
        subprocess.run([sealpack, "build", model, "--out", out, "--signer", private / signer, "--counter", "7", *options], check=True)


def verified(path, trust):
    with_defaults = ["verify", str(path), "--key", str(KEYS / trust)]
    return reader.open_verified(path, reader.trust_of(reader.parse_options(with_defaults)))


def recipient(kind, value):
    options = SimpleNamespace(recipient=None, kek=None, passphrase_file=None)
    setattr(options, kind, bytes.fromhex((KEYS / value).read_text()) if kind == "kek" else KEYS / value)
    return reader.find_recipient(options)


def kwp_slot(bundle, kek, content_key, salt):
    """Section 8 for a slot of kind 4, class direct."""
    to = reader.Recipient.symmetric(kek)
    bound = b"".join(map(reader.lp, (b"sealpack/v1/slot", 4, 1, bundle.content.uuid, bundle.release.content_digest,
                                     bundle.content.authority, to.id)))
    hint = reader.sha256(reader.lp(b"sealpack/v1/slot-hint"), reader.lp(salt), reader.lp(to.id))[:8]
    wrapped = aes_key_wrap_with_padding(kek, content_key + reader.sha256(bound))
    return message(f1=4, f2=1, f3=salt, f4=hint, f6=wrapped)


def signing_key(name):
    return serialization.load_pem_private_key(reader.load_key(KEYS / name), None)


def describe(path, trust, model, what, opens, refuses=()):
    """Writes what a reader must find in the bundle; it says what the independent reader found."""
    bundle = verified(path, trust)
    content_key = reader.find_content_key(bundle, recipient(*opens[0]), None)
    opens = [*opens, ("content_key", secret(path.stem + ".content-key", content_key.hex()))]
    expected = {"what": what, "trust": trust, "product": bundle.release.product, "counter": bundle.release.counter,
                "content_digest": bundle.release.content_digest.hex(), "release_digest": bundle.release_digest.hex(),
                "originals": {n: hashlib.sha256(d).hexdigest() for n, d in files_below(model).items()},
                "opens": opens, "refuses": list(refuses)}
    path.with_suffix(".json").write_text(json.dumps(expected, indent=2) + "\n")
    print(f"{path.name}: {path.stat().st_size} bytes")


def make_tiny(sealpack, path, work):
    model = work / "tiny.safetensors"
    model.write_bytes(safetensors({"open.weight": [1.0, 2.0], "secret.weight": [0.5, -0.25, 3.0]}))
    signer, trust = key("vendor-ed25519", "authority", "-algorithm", "ED25519")
    private, public = key("recipient-x25519", "recipient", "-algorithm", "X25519")
    words = secret("passphrase", "correct horse battery staple")
    kek = secret("kek", os.urandom(32).hex())
    kek_file, _ = make_symmetric(KEYS, "NOT-A-SECRET-kek", bytes.fromhex((KEYS / kek).read_text()))
    kek_file.chmod(0o644)
    build(sealpack, model, path, signer, "--product", "tiny", "--version", "1.0", "--seal", "secret*", "--to", public,
          "--to-passphrase", words)
    bundle, editor = verified(path, trust), Editor(path, signing_key(signer))
    content_key = reader.find_content_key(bundle, recipient("recipient", private), None)
    slot = kwp_slot(bundle, bytes.fromhex((KEYS / kek).read_text()), content_key, os.urandom(16))
    path.write_bytes(editor.with_head(put(editor.head, 2, *get(editor.head, 2), slot)))
    describe(path, trust, model, "safetensors, one tensor public; Ed25519; X25519, passphrase and AES-KWP slots",
             [("recipient", private), ("passphrase_file", words), ("kek", kek), ("recipient", kek_file.name)])


def make_p256(sealpack, path, work):
    model = work / "folder"
    (model / "sub").mkdir(parents=True)
    (model / "config.json").write_text('{"architectures":["Toy"]}\n')
    (model / "empty").write_bytes(b"")
    (model / "sub" / "model.safetensors").write_bytes(safetensors({"a": [float(i) for i in range(4200)], "b": [1.0]}))
    signer, trust = key("vendor-p256", "authority", *CURVE)
    private, public = key("recipient-p256", "recipient", *CURVE)
    build(sealpack, model, path, signer, "--product", "toy/p256", "--redact", "names", "--to", public)
    describe(path, trust, model, "a folder, its weights sealed whole, names redacted; ECDSA P-256; P-256 slot; two chunks",
             [("recipient", private)])


def make_attested(sealpack, path, work):
    model = work / "attested.safetensors"
    model.write_bytes(safetensors({"w": [1.0] * 16}))
    signer, trust = key("vendor-ed25519", "authority", "-algorithm", "ED25519")
    escrow, escrow_public = key("escrow-rsa", "recipient", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    private, public = key("recipient-x25519", "recipient", "-algorithm", "X25519")
    build(sealpack, model, path, signer, "--product", "attested", "--to", escrow_public, "--to", public)
    editor = Editor(path, signing_key(signer))
    environment = message(f1=b"simulated", f2=[message(f1=b"debug", f4=b"a test"), message(f1=b"measurement", f2=[bytes(32)])])
    named = message(f1=reader.Recipient.private(KEYS / escrow).id, f2=b"a test of recovery")
    payload = put(put(editor.payload, 10, message(f2=[environment])), 13, named)
    path.write_bytes(editor.with_payload(payload))
    describe(path, trust, model, "attested release: its escrow key, RSA, opens it; a direct X25519 slot is refused",
             [("recipient", escrow)], [("recipient", private, reader.REFUSED)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sealpack", required=True)
    options = parser.parse_args()
    KEYS.mkdir(exist_ok=True)
    GOLDEN.mkdir(exist_ok=True)
    for name, make in (("tiny", make_tiny), ("p256", make_p256), ("attested", make_attested)):
        path = GOLDEN / f"{name}.seal"
        if path.exists():
            print(f"{path.name}: kept")
            continue
        with tempfile.TemporaryDirectory() as work:
            make(os.path.abspath(options.sealpack), path, pathlib.Path(work))


if __name__ == "__main__":
    main()
