# SPDX-License-Identifier: Apache-2.0
"""What brokers and their clients say to each other: docs/PROTOCOL.md §2, §4, §9 and docs/LOADER-FORMATS.md §2 as tables.

Written from these documents, docs/ATTESTATION.md (the envelope) and docs/attestation/simulated.md alone.
"""

import re
from types import SimpleNamespace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from edited_bundle import varint
from messages import (KEY_UNAVAILABLE, LIMIT, MALFORMED, UNSUPPORTED, Field, demand, fixed, lp, many, number, parse, raw,
                      sha256, table, text, u32)
from sealpack_reader import PREFIXES, Hpke

X25519_PREFIX = bytes.fromhex("302a300506032b656e032100")
GRANT_TYPE = b"application/vnd.sealpack.key-grant.v1"
SUITE = b"hpke-0020-0001-0002"


def write(schema, **values):
    """A message in the canonical encoding: 0, empty and None are left out, messages within are given as bytes."""
    out = b""
    for tag, field in schema[0].items():
        value = values.pop(field.name, None)
        for element in (value or []) if field.count is not None else [value] if value else []:
            data = element.encode() if isinstance(element, str) else element
            out += varint(tag * 8) + varint(data) if isinstance(data, int) else varint(tag * 8 + 2) + varint(len(data)) + data
    assert not values, f"no such fields: {sorted(values)}"
    return out


def read(schema, data, most):
    demand(len(data) <= most, f"a message has {len(data)} bytes, more than {most}", LIMIT)
    return parse(schema, data)


def texts(name, most, count):
    return Field(name, "text", 1, most, count, MALFORMED, None, False)


def matching(pattern, *names):
    def check(message):
        for name in names:
            value = getattr(message, name)
            for one in value if isinstance(value, list) else [value]:
                demand(one == "" or re.fullmatch(pattern, one), f"{name} is {one!r}")
    return check


LABEL, CODE = "[a-z0-9-]{1,64}", "[a-z0-9.-]{1,64}"


def version():
    return u32("version", 1, 1, UNSUPPORTED)


# ---- PROTOCOL §2 -------------------------------------------------------------------------------------------------

CHALLENGE_REQUEST = table(version(), fixed("authority", 32), fixed("content", 32), fixed("release", 32), text("tee", 64, 1),
                          check=matching(LABEL, "tee"))
CHALLENGE_REPLY = table(version(), fixed("nonce", 32), raw("id", 256, 1), number("expires"))
RELEASE_REQUEST = table(version(), raw("key_request", 2**18, 1), raw("endorsements", 2**19))
REASON = table(text("code", 64, 1), text("text", 1024), check=matching(CODE, "code"))
REFUSAL = table(version(), u32("code", 1), many("reasons", REASON, 64), number("log_index"), u32("retry_after"),
                check=lambda refusal: demand(refusal.reasons, "a refusal without a reason"))
CHALLENGE_MOST, RELEASE_MOST, REFUSAL_MOST = 1024, 512 * 1024, 80 * 1024

# ---- LOADER-FORMATS §2 -------------------------------------------------------------------------------------------


def check_facts(payload):
    demand(payload.floor_counter or not payload.floor_release, "the release of a floor without the floor")
    demand(bool(payload.lease_until) == bool(payload.instance), "a lease without an instance, or the other way round")


KEY_REQUEST = table(version(), raw("nonce", 64, 16), raw("challenge_id", 256), fixed("broker", 32), fixed("authority", 32),
                    fixed("content", 32), fixed("release", 32), text("tee", 64, 1), raw("public_key", 1024), text("role", 64, 1),
                    raw("evidence", 2**17), fixed("renews", 16, optional=True), check=matching(LABEL, "tee", "role"))
KEY_GRANT = table(raw("payload", 2**14, 1), raw("signature", 1024))
GRANT_PAYLOAD = table(version(), raw("enc", 1024), raw("wrapped", 1024), number("unix_seconds"), number("floor_counter"),
                      fixed("floor_release", 32, optional=True), number("lease_until"), fixed("instance", 16, optional=True),
                      check=check_facts)
KEY_REQUEST_MOST, KEY_GRANT_MOST = 256 * 1024, 16 * 1024


def transcript(request):
    """T of a KeyRequest: all of it but the evidence."""
    parts = [b"sealpack/grant/v1", 1, request.nonce, request.challenge_id, request.broker, request.authority, request.content,
             request.release, request.tee.encode(), SUITE, request.public_key, request.role.encode()]
    return b"".join(map(lp, parts + ([request.renews] if request.renews else [])))


def sha512(data):
    digest = hashes.Hash(hashes.SHA512())
    digest.update(data)
    return digest.finalize()


def facts(payload):
    """What the seal of a grant is bound to besides T."""
    parts = [b"sealpack/v1/grant-facts", payload.unix_seconds, payload.floor_counter]
    parts += [payload.floor_release] if payload.floor_release else []
    parts += [payload.lease_until, payload.instance] if payload.lease_until else []
    return b"".join(map(lp, parts))


def pre_authentication(payload, kind=GRANT_TYPE):
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


# ---- ATTESTATION "The envelope", attestation/simulated.md ---------------------------------------------------------

ITEM = table(text("kind", 64, 1), raw("bytes", 2**17, 1))
ENVELOPE = table(version(), text("tee", 64, 1), many("items", ITEM, 64))
STATEMENT = table(version(), fixed("measurement", 32), raw("report_data", 64, 1), raw("root", 1024, 1), raw("signature", 1024, 1))


def stated(measurement, report_data, root):
    return b"".join(map(lp, (b"sealpack/v1/simulated-evidence", measurement, report_data, root)))


def simulated_evidence(key, measurement, report_data):
    """Evidence by an Ed25519 key of role simulated-root."""
    root = spki(key.public_key())
    statement = write(STATEMENT, version=1, measurement=measurement, report_data=report_data, root=root,
                      signature=key.sign(stated(measurement, report_data, root)))
    return write(ENVELOPE, version=1, tee="simulated", items=[write(ITEM, kind="report", bytes=statement)])


# ---- keys, HPKE ---------------------------------------------------------------------------------------------------

def spki(public):
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def public_key(der):
    """A key that signs, as `signature_holds` takes it."""
    for kind, prefix in PREFIXES.items():
        if der.startswith(bytes.fromhex(prefix)):
            return SimpleNamespace(kind=kind, der=der, digest=sha256(der), point=der[len(prefix) // 2:])
    demand(False, "this is no key that signs", UNSUPPORTED)


def hpke_seal(public, info, aad, plaintext):
    own = X25519PrivateKey.generate()
    enc = spki(own.public_key())[-32:]
    dh = own.exchange(X25519PublicKey.from_public_bytes(public))
    key, nonce = Hpke(0x20).schedule(dh, enc, public, info)
    return enc, AESGCM(key).encrypt(nonce, plaintext, aad)


def hpke_open(private, enc, info, aad, sealed):
    try:
        dh = private.exchange(X25519PublicKey.from_public_bytes(enc))
        return Hpke(0x20).open(dh, enc, spki(private.public_key())[-32:], info, sealed, aad)
    except (InvalidTag, ValueError):
        demand(False, "the grant does not open", KEY_UNAVAILABLE)


# ---- PROTOCOL §9.1 ------------------------------------------------------------------------------------------------

LOG_ENTRY = table(version(), u32("kind", 1, 4), number("time"), number("epoch"), u32("transport", 0, 2),
                  fixed("nonce", 32, optional=True), fixed("authority", 32, optional=True), fixed("content", 32, optional=True),
                  fixed("release", 32, optional=True), text("tee", 64), text("role", 64),
                  fixed("exchange_key", 32, optional=True), fixed("evidence", 32, optional=True),
                  fixed("claims", 32, optional=True), raw("device", 2**16), texts("codes", 64, 2**16), number("floor"),
                  number("lease_until"), fixed("instance", 16, optional=True), text("what", 2**16),
                  fixed("epoch_id", 16, optional=True), check=matching(CODE, "tee", "role", "codes"))
GRANTED, REFUSED_ENTRY, CHANGE, EPOCH_OPENED = 1, 2, 3, 4
CLAIM = table(text("name", 64, 1), raw("value", 2**16))
CLAIMS = table(text("tee", 64, 1), many("claims", CLAIM, 2**16))

# ---- PROTOCOL §7 --------------------------------------------------------------------------------------------------

FILE_MAGIC = b"sealpack broker "


def to_file(kind, message):
    return FILE_MAGIC + kind.encode() + b"\n" + message


def from_file(data):
    """(kind, message)"""
    line, newline, message = data.partition(b"\n")
    demand(line.startswith(FILE_MAGIC) and newline, "this is no file of an exchange")
    return line[len(FILE_MAGIC):].decode(), message
