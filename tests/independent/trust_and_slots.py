# SPDX-License-Identifier: Apache-2.0
"""Trust, slots, grants and replaced heads before both readers: sections 6.6, 8, 9 and 14 of docs/FORMAT.md."""

import json
import shutil

import hostile
import sealpack_reader as reader
from both_readers import RECIPIENTS, check, check_unsealed, counts, make_key, read_with_python


def unseal_with_both(tool, name, expected, folder, public, private, bundle, grant=None):
    """Each reader must leave with a code in `expected`, and with an output only if that is 0."""
    out = folder / "slots.out"
    extra = ["--grant", grant] if grant else []
    runs = [(read_with_python, ("unseal", bundle, "--key", public, "--recipient", private, "--out", out, *extra))]
    if "unseal" in tool.verbs:
        runs.append((tool.run, ("unseal", bundle, "--trust", public, "--key", private, "--out", out, *extra)))
    for run, arguments in runs:
        code, output = run(*arguments)
        check(code in expected, f"{name}: {code} instead of {expected}: {output}")
        check(out.exists() == (code == 0), f"{name}: output of a failure, or none of a success")
        shutil.rmtree(out, ignore_errors=True)
    counts["slots and grants"] += 1


def check_slots(tool, keys, folder, bundle, signer, other):
    """Slots and grants are not signed: each byte of them must prove itself by the key that comes out (section 8)."""
    editor = hostile.Editor(bundle, hostile.signing_key(signer[0]))
    path, grant = folder / "slots.seal", folder / "slots.grant"
    stranger = hostile.Editor(other, editor.key)
    for kind in RECIPIENTS:
        private = keys[kind][0]
        for name, head, expected in hostile.unwrap_cases(editor.head, reader.Recipient.private(private)):
            path.write_bytes(editor.with_head(head))
            unseal_with_both(tool, f"{kind}: {name}", expected, folder, signer[1], private, path)
        for name, data, expected in hostile.grant_cases(editor, stranger, reader.Recipient.private(private)):
            path.write_bytes(editor.with_head(hostile.put(editor.head, 2)))
            grant.write_bytes(data)
            unseal_with_both(tool, f"{kind}, grant: {name}", expected, folder, signer[1], private, path, grant)


def check_trust(tool, keys, folder, bundle):
    """Section 6.6: the same trust, as options here and as a trust file there. The bundle is signed by "vendor" alone."""
    public, release = keys["vendor"][1], reader.open_verified(bundle, None)
    counter, digest = release.release.counter, release.release_digest.hex()
    content, key = release.release.content_digest.hex(), reader.load_public(public).digest.hex()
    wrong = "00" * 32
    product = release.release.product
    ours = ["--key", public]
    both_keys = ["--key", public, keys["vendor256"][1]]
    both = f'[authority]\nkeys = ["{public}", "{keys["vendor256"][1]}"]\n'
    mine = f'[authority]\nkeys = ["{public}"]\n'
    named = f'product = "{product}"\n'
    for name, options, trust, expected in (
            ("product", ["--product", product], named + mine, 0),
            ("another product", ["--product", "x"], 'product = "x"\n' + mine, reader.REFUSED),
            ("floor", ["--product", product, "--floor", counter], f"counter_floor = {counter}\n" + named + mine, 0),
            ("higher floor", ["--product", product, "--floor", counter + 1], f"counter_floor = {counter + 1}\n" + named + mine,
             reader.REFUSED),
            ("floor without product", ["--floor", 1], "counter_floor = 1\n" + mine, reader.USAGE),
            ("release at the floor", ["--product", product, "--floor", counter, "--floor-release", digest],
             f'counter_floor = {counter}\nfloor_release = "sha256:{digest}"\n' + named + mine, 0),
            ("another release at the floor", ["--product", product, "--floor", counter, "--floor-release", wrong],
             f'counter_floor = {counter}\nfloor_release = "sha256:{wrong}"\n' + named + mine, reader.REFUSED),
            ("pinned", ["--content-digest", content], f'content = "sha256:{content}"\n' + mine, 0),
            ("another pinned", ["--content-digest", wrong], f'content = "sha256:{wrong}"\n' + mine, reader.REFUSED),
            ("two keys, one needed", both_keys, both, 0),
            ("two keys, both needed", both_keys + ["--threshold", 2], both + "threshold = 2\n", reader.NOT_AUTHENTIC),
            ("threshold above the keys", ours + ["--threshold", 2], mine + "threshold = 2\n", reader.USAGE),
            ("threshold 0", ours + ["--threshold", 0], mine + "threshold = 0\n", reader.USAGE),
            ("one key twice", ours + ours, f'[authority]\nkeys = ["{public}", "{public}"]\n', reader.USAGE),
            ("revoked key", ["--revoked", key], ("keys", key), reader.NOT_AUTHENTIC),
            ("revoked content", ["--revoked", content], ("contents", content), reader.REFUSED),
            ("revoked release", ["--revoked", digest], ("releases", digest), reader.REFUSED),
            ("another revoked", ["--revoked", wrong], ("releases", wrong), 0)):
        if isinstance(trust, tuple):
            (folder / "revoked.toml").write_text(f'serial = 5\n{trust[0]} = ["sha256:{trust[1]}"]\n')
            trust = mine + f'[revocations]\nfile = "{folder / "revoked.toml"}"\n'
        (folder / "trust.toml").write_text(trust)
        code, output = read_with_python("verify", bundle, *([] if "--key" in options else ours), *options)
        check(code == expected, f"trust, {name}: {code} instead of {expected}: {output}")
        if "verify" in tool.verbs:
            code, output = tool.verify(bundle, folder / "trust.toml")
            check(code == expected, f"trust, {name}: sealpack {code} instead of {expected}: {output}")
        counts["trusts"] += 1


def check_validity(tool, keys, folder, bundle):
    """[F-6.6.7]: both ends belong to the span."""
    editor, path = hostile.Editor(bundle, hostile.signing_key(keys["vendor"][0])), folder / "validity.seal"
    path.write_bytes(editor.with_payload(hostile.put(hostile.put(editor.payload, 7, 2000), 8, 3000)))
    for time, expected in ((1999, reader.REFUSED), (2000, 0), (3000, 0), (3001, reader.REFUSED)):
        code, output = read_with_python("verify", path, "--key", keys["vendor"][1], "--time", time)
        check(code == expected, f"at {time}: {code} {output}")
        if "verify" in tool.verbs:
            code, output = tool.run("verify", path, "--trust", keys["vendor"][1], "--at", time)
            check(code == expected, f"at {time}: sealpack {code} {output}")


def check_written(tool, keys, folder, bundle, model):
    """What other verbs write: grants, and heads replaced in place (section 14)."""
    public, mine, new = keys["vendor"][1], keys["x25519"][0], keys["stranger"]
    grant, changed = folder / "written.grant", folder / "written.seal"
    shutil.copy(bundle, changed)
    if "grant" in tool.verbs:
        code, output = tool.run("grant", changed, "--trust", public, "--key", mine, "--to", new[1], "--out", grant)
        check(code == 0, f"grant: {output}")
        code, output = read_with_python("unseal", changed, "--key", public, "--recipient", new[0], "--grant", grant,
                                        "--out", folder / "written.out")
        check(code == 0, f"unseal with a grant: {output}")
        check_unsealed("grant", folder / "written.out", model)
        counts["grants written"] += 1
    if "reseal" not in tool.verbs:
        return
    steps = (("B", ("--key", mine, "--add-to", new[1]), 0), ("A", ("--drop-to", new[1]), reader.KEY_UNAVAILABLE),
             ("B", ("--signer", keys["vendor"][0], "--not-after", "2100-01-31"), reader.KEY_UNAVAILABLE))
    for i, (state, options, expected) in enumerate(steps):
        code, output = tool.run("reseal", changed, "--in-place", "--trust", public, *options)
        check(code == 0, f"reseal {options}: {output}")
        code, output = read_with_python("info", changed, "--json", "--key", public)
        check(code == 0 and json.loads(output)["state"] == state, f"reseal {options}: {code}, not in state {state}")
        code, output = read_with_python("unseal", changed, "--key", public, "--recipient", new[0], "--out", folder / f"resealed{i}")
        check(code == expected, f"reseal {options}: unseal gives {code}: {output}")
        counts["heads replaced"] += 1


def check_large_head(tool, keys, folder, model):
    """More recipients than a head of 64 KiB holds."""
    recipients = [make_key(folder, f"fleet{i}", "recipient", "-algorithm", "X25519") for i in range(250)]
    (folder / "fleet.txt").write_text("".join(f"{public}\n" for _, public in recipients))
    bundle = folder / "fleet.seal"
    code, output = tool.run("build", model, "--out", bundle, "--signer", keys["vendor"][0], "--to-file", folder / "fleet.txt")
    check(code == 0, f"250 recipients: {output}")
    for private, _ in recipients[::100]:
        out = folder / f"{private.stem}.out"
        code, output = read_with_python("unseal", bundle, "--key", keys["vendor"][1], "--recipient", private, "--out", out)
        check(code == 0, f"250 recipients: {output}")
        check_unsealed("250 recipients", out, model)
    counts["bundles"] += 1
