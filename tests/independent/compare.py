#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares sealpack with the independent reader: what one builds the other opens, and both refuse the same bytes.

  compare.py --sealpack BINARY [--source REPOSITORY] [--golden-only]

Exit status 77 means skipped: python3-cryptography is missing.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

try:
    import sealpack_reader as reader
except ImportError as error:
    print(f"SKIPPED: {error}; install python3-cryptography", file=sys.stderr)
    sys.exit(77)

import hostile
import trust_and_slots
from both_readers import (RECIPIENTS, Tool, both_read, check, check_unsealed, counts, files_below, make_keys, problems,
                          read_with_python)

FAULTS = 80  # flips and truncations of each of the bundles that are damaged
SIGNED_FAULTS = 50  # as many each of releases, manifests and heads, of each of the bundles that are edited


def make_folder(path):
    (path / "sub").mkdir(parents=True)
    (path / "config.json").write_text('{"architectures": ["Toy"]}\n')
    (path / "empty").write_bytes(b"")
    (path / "exact.bin").write_bytes(random.Random(1).randbytes(2 * 16384))
    (path / "leaves.bin").write_bytes(random.Random(2).randbytes(130 * 16400 + 1))
    (path / "sub" / ("n" * 120 + ".bin")).write_bytes(b"one path of more than a hundred bytes")
    return path


def make_models(source, folder):
    """Small models of scripts/make-models; a kind that needs a missing Python module is left out aloud."""
    for kind, size, output in (("safetensors", "3M", "made.safetensors"), ("sharded", "4M", "sharded"), ("gguf", "2M", "made.gguf"),
                               ("onnx-external", None, "external"), ("onnx-nested", None, "nested.onnx")):
        path = folder / output
        size_option = ["--size", size] if size else []
        done = subprocess.run([sys.executable, source / "scripts" / "make-models", kind, *size_option, path],
                              capture_output=True, text=True, check=False)
        if done.returncode == 0:
            yield path
        else:
            print(f"left out: make-models {kind}: {done.stderr.strip().splitlines()[-1:]}")


def build_cases(source, folder):
    """(name, model, signer, options of build)"""
    fashion = source / "examples" / "fashion-mnist"
    yield "st-whole", fashion / "fashion-cnn.safetensors", "vendor", []
    yield "st-part", fashion / "fashion-cnn.safetensors", "vendor256", ["--seal", "fc*", "--redact", "names"]
    yield "onnx-whole", fashion / "fashion-cnn.onnx", "vendor", []
    yield "onnx-part", fashion / "fashion-cnn.onnx", "vendor384", ["--public", "*conv1*"]
    (folder / "tiny.txt").write_text("a model of one line\n")
    yield "tiny-whole", folder / "tiny.txt", "vendor", []
    yield "folder", make_folder(folder / "folder"), "vendor", []
    for path in make_models(source, folder):
        yield path.name + "-whole", path, "vendor", []
        yield path.name + "-part", path, "vendor", ["--seal", "*w*"]


def check_case(tool, keys, folder, case):
    """Builds one bundle; verifies it, unseals it with each key in each reader. Returns the path of the bundle."""
    name, model, signer, options = case
    bundle, public = folder / f"{name}.seal", keys[signer][1]
    recipients = [keys[k][1] for k in RECIPIENTS]
    code, output = tool.run("build", model, "--out", bundle, "--signer", keys[signer][0], *options,
                            *(a for r in recipients for a in ("--to", r)))
    check(code == 0, f"{name}: build: {code} {output}")
    if code:
        return None
    code, output = read_with_python("verify", bundle, "--key", public)
    check(code == 0, f"{name}: the independent reader refuses it: {output}")
    if "--redact" in options:
        manifest = reader.open_verified(bundle, None).manifest
        check(b"fc1" not in manifest and b"conv1" in manifest, f"{name}: names of sealed tensors are left out, and only they")
    for kind in RECIPIENTS:
        out = folder / f"{name}.{kind}.out"
        code, output = read_with_python("unseal", bundle, "--key", public, "--recipient", keys[kind][0], "--out", out)
        check(code == 0, f"{name}: unseal with {kind}: {output}")
        check_unsealed(f"{name}, {kind}", out, model)
    code, _ = read_with_python("unseal", bundle, "--key", public, "--recipient", keys["stranger"][0], "--out", folder / "never")
    check(code == reader.KEY_UNAVAILABLE and not (folder / "never").exists(), f"{name}: a stranger gets {code}")
    other = "vendor" if signer != "vendor" else "vendor256"
    check(read_with_python("verify", bundle, "--key", keys[other][1])[0] == reader.NOT_AUTHENTIC, f"{name}: another signer's key")
    if "unseal" in tool.verbs:
        out = folder / f"{name}.tool.out"
        code, output = tool.run("unseal", bundle, "--trust", public, "--key", keys["p256"][0], "--out", out)
        check(code == 0, f"{name}: sealpack unseal: {output}")
        check_unsealed(f"{name}, sealpack unseal", out, model)
    counts["bundles"] += 1
    return bundle


def positions(dice, size, head_size):
    """Half in the first pages of head, manifest and tree, half anywhere."""
    begin = 8192 + head_size
    regions = [(0, 4096), (4096, 4122), (8192, 10240), (begin - 4096, begin + 4096), (size - 1536, size), (0, size), (0, size),
               (0, size), (begin, size)]
    low, high = dice.choice(regions)
    return dice.randrange(low, min(high, size))


def check_faults(tool, folder, bundle, public, dice):
    data, path = bundle.read_bytes(), folder / "fault.seal"
    head_size = int.from_bytes(data[4116:4120], "little")
    for _ in range(FAULTS):
        at, kind = positions(dice, len(data), head_size), dice.choice(("flip", "flip", "flip", "byte", "cut", "drop", "insert"))
        if kind == "flip":
            changed = data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1:]
        elif kind == "byte":
            changed = data[:at] + bytes([data[at] ^ dice.randrange(1, 256)]) + data[at + 1:]
        else:
            changed = {"cut": data[:at], "drop": data[:at] + data[at + 1:], "insert": data[:at] + b"\0" + data[at:]}[kind]
        # A whole byte of the state may become the state "updating" with the same live copy, which is a valid head.
        if changed == data or (kind == "byte" and at == 4120):
            continue
        path.write_bytes(changed)
        code, _ = both_read(tool, path, public, f"{bundle.name}: {kind} at {at}")
        check(code != 0, f"{bundle.name}: {kind} at {at} is accepted")
        counts["faults"] += 1


def damaged(dice, data):
    """`data` with one or two bytes flipped, replaced, dropped or inserted, or a run of them copied elsewhere."""
    for _ in range(dice.choice((1, 1, 1, 2))):
        at, kind = dice.randrange(len(data)), dice.choice(("flip", "flip", "low", "drop", "insert", "copy"))
        if kind == "copy":
            begin, size = dice.randrange(len(data)), dice.randrange(1, 120)
            data = data[:at] + data[begin:begin + size] + data[at:]
        else:
            changed = {"flip": bytes([data[at] ^ 1 << dice.randrange(8)]), "low": bytes([dice.randrange(4)]), "drop": b"",
                       "insert": bytes([dice.randrange(256), data[at]])}[kind]
            data = data[:at] + changed + data[at + 1:]
    return data


def check_signed_faults(tool, folder, bundle, signer, dice):
    """Damage under a signature that holds, where only the rules stand between a reader and what it reads."""
    editor, path = hostile.Editor(bundle, hostile.signing_key(signer[0])), folder / "signed.seal"
    for i in range(SIGNED_FAULTS):
        release = damaged(dice, editor.payload)
        path.write_bytes(editor.with_payload(release))
        both_read(tool, path, signer[1], f"{bundle.name}: signed release {i}: {release.hex()}")
        content = damaged(dice, editor.content)
        path.write_bytes(editor.with_content(content))
        both_read(tool, path, signer[1], f"{bundle.name}: signed manifest {i}: {content.hex()}")
        head = damaged(dice, editor.head)
        path.write_bytes(editor.with_head(head))
        both_read(tool, path, signer[1], f"{bundle.name}: head {i}: {head.hex()}")
        counts["signed faults"] += 3


def check_hostile(tool, folder, bundle, signer):
    path = folder / "hostile.seal"
    for name, data, expected in hostile.cases(bundle, signer[0]):
        path.write_bytes(data)
        code, _ = both_read(tool, path, signer[1], name)
        check(code in expected, f"{name}: independent reader exits with {code}, expected {expected}")
        counts["signed edits"] += 1


def golden_options(keys, opens):
    names = {"recipient": "--recipient", "kek": "--kek", "passphrase_file": "--passphrase-file", "content_key": "--content-key"}
    kind, value = opens
    path = keys / value
    return names[kind], path.read_text().strip() if kind in ("kek", "content_key") else path


def check_golden_tool(tool, vectors, folder, name, bundle, expected):
    cases = [(kind, value, 0) for kind, value in expected["opens"]] + expected["refuses"]
    for i, (kind, value, code) in enumerate(cases):
        if kind not in ("recipient", "passphrase_file"):
            continue  # sealpack takes a symmetric key as a .key file, which is in the list beside its bytes
        key, out = folder / value, folder / f"{name}.tool.{i}"
        shutil.copy(vectors / "keys" / value, key)
        key.chmod(0o600)  # sealpack takes no private key that others may read
        got, output = tool.run("unseal", bundle, "--trust", vectors / "keys" / expected["trust"], "--out", out,
                               "--key", key if kind == "recipient" else f"passphrase:{key}")
        check(got == code, f"golden {name}: sealpack unseal with {value}: {got} instead of {code}: {output}")
        digests = {k: hashlib.sha256(v).hexdigest() for k, v in files_below(out).items()} if got == 0 else expected["originals"]
        check(digests == expected["originals"], f"golden {name}: sealpack unseal with {value}: originals")


def check_golden(tool, vectors, folder):
    """The bundles of tests/vectors/golden must open for ever."""
    for path in sorted((vectors / "golden").glob("*.json")):
        expected, bundle, name = json.loads(path.read_text()), path.with_suffix(".seal"), path.stem
        public = vectors / "keys" / expected["trust"]
        code, output = read_with_python("info", bundle, "--json", "--key", public)
        check(code == 0, f"golden {name}: {output}")
        info = json.loads(output) if code == 0 else {"release": {}}
        for field in ("product", "counter", "content_digest"):
            check(info["release"].get(field) == expected[field], f"golden {name}: {field}")
        check(info.get("release_digest") == expected["release_digest"], f"golden {name}: release digest")
        for i, opens in enumerate(expected["opens"]):
            out = folder / f"{name}.{i}"
            code, output = read_with_python("unseal", bundle, "--key", public, *golden_options(vectors / "keys", opens), "--out", out)
            check(code == 0, f"golden {name} with {opens}: {output}")
            got = {k: hashlib.sha256(v).hexdigest() for k, v in files_below(out).items()} if code == 0 else {}
            check(got == expected["originals"], f"golden {name} with {opens}: originals")
        for kind, value, code in expected["refuses"]:
            got, _ = read_with_python("unseal", bundle, "--key", public, *golden_options(vectors / "keys", (kind, value)),
                                      "--out", folder / "never")
            check(got == code, f"golden {name} with {value}: {got} instead of {code}")
        if "verify" in tool.verbs:
            check(tool.verify(bundle, public)[0] == 0, f"golden {name}: sealpack verify")
        if "unseal" in tool.verbs:
            check_golden_tool(tool, vectors, folder, name, bundle, expected)
        counts["golden bundles"] += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sealpack", required=True)
    parser.add_argument("--source", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--golden-only", action="store_true")
    options = parser.parse_args()
    tool, dice = Tool(os.path.abspath(options.sealpack)), random.Random(20240607)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check_golden(tool, options.source / "tests" / "vectors", folder)
        if not options.golden_only:
            keys = make_keys(folder)
            bundles = {c[0]: (check_case(tool, keys, folder, c), keys[c[2]]) for c in build_cases(options.source, folder)}
            for damaged in ("st-whole", "st-part", "onnx-part", "folder"):
                bundle, signer = bundles[damaged]
                if bundle:
                    check_faults(tool, folder, bundle, signer[1], dice)
            for edited in ("st-whole", "st-part"):
                bundle, signer = bundles[edited]
                if bundle:
                    check_hostile(tool, folder, bundle, signer)
                    check_signed_faults(tool, folder, bundle, signer, dice)
            tiny, model = bundles["tiny-whole"][0], folder / "tiny.txt"
            if tiny and bundles["folder"][0]:
                trust_and_slots.check_slots(tool, keys, folder, tiny, keys["vendor"], bundles["folder"][0])
                trust_and_slots.check_trust(tool, keys, folder, tiny)
                trust_and_slots.check_validity(tool, keys, folder, tiny)
                trust_and_slots.check_written(tool, keys, folder, tiny, model)
                trust_and_slots.check_large_head(tool, keys, folder, model)
    if "verify" not in tool.verbs:
        print("NOT COMPARED: this sealpack has no verify")
    print(", ".join(f"{n} {what}" for what, n in counts.items()) + f"; {len(problems)} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
