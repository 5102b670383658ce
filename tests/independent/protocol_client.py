#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A client of brokers written from docs/PROTOCOL.md and docs/LOADER-FORMATS.md §2 alone, on the worked example.

`protocol_client.py PROTOCOL.md` takes the example's bytes apart, makes again what can be made, and opens the grant.
"""

import base64
import hashlib
import hmac
import pathlib
import sys

try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
except ImportError:
    print("python3-cryptography is not installed", file=sys.stderr)
    sys.exit(77)


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


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def fields(data):
    """{number: [values]} of a message; fields must ascend."""
    out, at, last = {}, 0, 0
    while at < len(data):
        tag, at = varint(data, at)
        value, at = varint(data, at)
        if tag & 7 == 2:
            value, at = data[at:at + value], at + value
        assert tag >> 3 >= last, "fields out of order"
        last = tag >> 3
        out.setdefault(last, []).append(value)
    assert at == len(data), "a field is cut short"
    return out


def write_varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def message(*numbered):
    out = b""
    for number, value in numbered:
        if isinstance(value, int):
            out += write_varint(number << 3) + write_varint(value)
        else:
            out += write_varint(number << 3 | 2) + write_varint(len(value)) + value
    return out


def lp(*parts):
    parts = [p.to_bytes(8, "little") if isinstance(p, int) else p for p in parts]
    return b"".join(len(p).to_bytes(8, "little") + p for p in parts)


def extract(salt, key):
    return hmac.new(salt or bytes(32), key, hashlib.sha256).digest()


def expand(key, info, size):
    out = block = b""
    for i in range(1, size // 32 + 2):
        block = hmac.new(key, block + info + bytes([i]), hashlib.sha256).digest()
        out += block
    return out[:size]


def raw(public):
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def hpke_open(private, enc, info, aad, sealed):
    """RFC 9180 base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, single shot."""
    def labeled_extract(suite, salt, label, key):
        return extract(salt, b"HPKE-v1" + suite + label + key)

    def labeled_expand(suite, key, label, context, size):
        return expand(key, size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context, size)

    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"
    shared = private.exchange(X25519PublicKey.from_public_bytes(enc))
    prk = labeled_extract(kem, b"", b"eae_prk", shared)
    secret = labeled_expand(kem, prk, b"shared_secret", enc + raw(private.public_key()), 32)
    context = (b"\x00" + labeled_extract(suite, b"", b"psk_id_hash", b"") +
               labeled_extract(suite, b"", b"info_hash", info))
    prk = labeled_extract(suite, secret, b"secret", b"")
    key = labeled_expand(suite, prk, b"key", context, 32)
    nonce = labeled_expand(suite, prk, b"base_nonce", context, 12)
    return AESGCM(key).decrypt(nonce, sealed, aad)


def check(condition, what):
    if not condition:
        print(f"FAILED: {what}", file=sys.stderr)
        sys.exit(1)
    print(f"ok: {what}")


def check_request(example):
    word = lambda text: hashlib.sha256(text).digest()
    subject = [(2, word(b"authority")), (3, word(b"content")), (4, word(b"release"))]
    check(message((1, 1), *subject, (5, b"simulated")) == example["challenge request"], "challenge request")
    challenge = fields(example["challenge"])
    check(sorted(challenge) == [1, 2, 3, 4], "the challenge names no key")
    nonce, identity = challenge[2][0], challenge[3][0]
    # The one that the TEE pins; it has it from its own configuration.
    broker = hashlib.sha256(example["key for grants, SPKI"]).digest()
    transcript = lp(b"sealpack/grant/v1", 1, nonce, identity, broker, word(b"authority"), word(b"content"), word(b"release"),
                    b"simulated", b"hpke-0020-0001-0002", example["exchange key, SPKI"], b"model")
    check(transcript == example["T"], "T")
    check(hashlib.sha512(transcript).digest() == example["report data"], "report data")
    check(example["report data"] in example["evidence"], "the evidence binds it")
    request = message((1, 1), (2, nonce), (3, identity), (4, broker), (5, word(b"authority")), (6, word(b"content")),
                      (7, word(b"release")), (8, b"simulated"), (9, example["exchange key, SPKI"]), (10, b"model"),
                      (11, example["evidence"]))
    check(request == example["key request"], "key request")
    check(message((1, 1), (2, request)) == example["release request"], "release request")


def check_grant(example):
    grant = fields(example["grant"])
    payload, signature = grant[1][0], grant[2][0]
    kind = b"application/vnd.sealpack.key-grant.v1"
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    Ed25519PublicKey.from_public_bytes(example["key for grants, SPKI"][-32:]).verify(signature, signed)
    told = fields(payload)
    check(sorted(told) == [1, 2, 3, 4, 5, 7, 8], "the grant is signed, and has a time, a floor and a lease")
    aad = lp(b"sealpack/v1/grant-facts", told[4][0], told[5][0], told[7][0], told[8][0])
    private = X25519PrivateKey.from_private_bytes(bytes([4]) * 32)
    key = hpke_open(private, told[2][0], example["T"], aad, told[3][0])
    check(key == bytes([5]) * 32, "the grant opens")


def check_log(example, note):
    entry = fields(example["log entry"])
    check(entry[2] == [1] and entry[6][0] == hashlib.sha256(bytes(range(32))).digest(), "log entry")
    leaf = hashlib.sha256(b"\x00" + example["log entry"]).digest()
    check(leaf == example["its leaf hash"], "leaf hash")
    body, signatures = note.split("\n\n")
    origin, size, root = body.split("\n")
    check((size, base64.b64decode(root)) == ("1", leaf), "the checkpoint is of that log")
    dash, name, encoded = signatures.strip().split(" ")
    blob = base64.b64decode(encoded)
    check((dash, name) == ("\u2014", origin), "the checkpoint is signed by its log")
    # The log's key is 32 times 03.
    public = Ed25519PrivateKey.from_private_bytes(bytes([3]) * 32).public_key()
    digest = hashlib.sha256(origin.encode() + b"\n\x01" + raw(public)).digest()
    check(blob[:4] == digest[:4], "key hash of the note")
    public.verify(blob[4:], (body + "\n").encode())
    refusal = fields(example["refusal"])
    check(refusal[2] == [13] and fields(refusal[3][0])[1] == [b"broker.nonce-used"], "refusal")


def main():
    example, note = read_example(pathlib.Path(sys.argv[1]))
    check_request(example)
    check_grant(example)
    check_log(example, note)


if __name__ == "__main__":
    main()
