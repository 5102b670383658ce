#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The worked example of docs/PROTOCOL.md: takes its bytes apart, makes again what can be made, and opens the grant.

  protocol_example.py PROTOCOL.md

Exit status 77 means skipped: python3-cryptography is missing.
"""

import pathlib
import sys

try:
    import broker_client as client
    import broker_messages as m
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from sealpack_reader import signature_holds
except ImportError as error:
    print(f"SKIPPED: {error}; install python3-cryptography", file=sys.stderr)
    sys.exit(77)

from messages import parse, sha256


def read_example(path):
    text = path.read_text().split("<!-- example -->\n```\n", 1)[1].split("```", 1)[0]
    values, name = {}, None
    body, _, note = text.partition("checkpoint of the log with this entry alone:\n")
    for line in body.splitlines():
        if line.endswith(" ="):
            name = line[:-2]
            values[name] = b""
        else:
            values[name] += bytes.fromhex(line)
    return values, note


def check(condition, what):
    if not condition:
        print(f"FAILED: {what}", file=sys.stderr)
        sys.exit(1)
    print(f"ok: {what}")


def private(byte):
    """The example's private keys are 32 times one byte."""
    return Ed25519PrivateKey.from_private_bytes(bytes([byte]) * 32)


def check_request(example):
    subject = {name: sha256(name.encode()) for name in ("authority", "content", "release")}
    asked = m.write(m.CHALLENGE_REQUEST, version=1, tee="simulated", **subject)
    check(asked == example["challenge request"], "challenge request")
    challenge = parse(m.CHALLENGE_REPLY, example["challenge"])
    request = parse(m.KEY_REQUEST, example["key request"])
    check(request.broker == sha256(example["key for grants, SPKI"]), "the request names the key for grants")
    check((request.nonce, request.challenge_id) == (challenge.nonce, challenge.id), "the request is about the challenge")
    check((request.public_key, request.role) == (example["exchange key, SPKI"], "model"), "the request has its own key")
    check(m.transcript(request) == example["T"], "T")
    check(m.sha512(example["T"]) == example["report data"], "report data")
    evidence = m.simulated_evidence(private(1), sha256(b"measurement"), example["report data"])
    check(request.evidence == evidence == example["evidence"], "evidence")
    check(m.write(m.KEY_REQUEST, **vars(request)) == example["key request"], "key request")
    release = m.write(m.RELEASE_REQUEST, version=1, key_request=example["key request"])
    check(release == example["release request"], "release request")
    return request


def check_grant(example, request):
    grant = parse(m.KEY_GRANT, example["grant"])
    check(signature_holds(m.public_key(example["key for grants, SPKI"]), grant.signature, m.pre_authentication(grant.payload)),
          "the grant is signed")
    payload = parse(m.GRANT_PAYLOAD, grant.payload)
    check(payload.unix_seconds and payload.floor_counter and payload.lease_until, "the grant has a time, a floor and a lease")
    own = X25519PrivateKey.from_private_bytes(bytes([4]) * 32)
    key = m.hpke_open(own, payload.enc, m.transcript(request), m.facts(payload), payload.wrapped)
    check(key == bytes([5]) * 32, "the grant opens")


def check_log(example, note):
    entry = parse(m.LOG_ENTRY, example["log entry"])
    check(entry.kind == m.GRANTED and entry.nonce == sha256(bytes(range(32))), "log entry")
    leaf = client.leaf_hash(example["log entry"])
    check(leaf == example["its leaf hash"], "leaf hash")
    origin, size, root = client.read_checkpoint(note, m.public_key(m.spki(private(3).public_key())))
    check((size, root) == (1, client.tree_root([leaf])) and origin.startswith("sealpack-log/"), "the checkpoint is of that log")
    refusal = parse(m.REFUSAL, example["refusal"])
    check(refusal.code == 13 and [reason.code for reason in refusal.reasons] == ["broker.nonce-used"], "refusal")


def main():
    example, note = read_example(pathlib.Path(sys.argv[1]))
    check_grant(example, check_request(example))
    check_log(example, note)


if __name__ == "__main__":
    main()
