#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A second reader of sealpack bundles, written from docs/FORMAT.md alone: [F-x.y.z] cites its rules.

It shares no line with the C++ code, so that where both agree the document is what they agree on. It checks every byte
before it gives out one, holds a whole file in memory, and wipes nothing: it proves the document, it does not protect
weights.
"""

import argparse
import base64
import ctypes
import ctypes.util
import hmac
import json
import os
import re
import shutil
import sys
import time
from types import SimpleNamespace

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding

from messages import (CONTENT, GRANT, HEAD, IO, KEY_UNAVAILABLE, LIMIT, MALFORMED, NAMES, NOT_AUTHENTIC, REFUSED, RELEASE,
                      UNSUPPORTED, USAGE, Cursor, Refusal, demand, lp, parse, round_up, sha256)

# ---- section 6.4, 6.5: keys and signatures -----------------------------------------------------------------------

PREFIXES = {"ed25519": "302a300506032b6570032100", "p256": "3059301306072a8648ce3d020106082a8648ce3d030107034200",
            "p384": "3076301006072a8648ce3d020106052b81040022036200"}
SMALL_ORDER = {0, 1, 2**255 - 20,
               int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
               int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little")}
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
CURVES = {"p256": (ec.SECP256R1(), hashes.SHA256(), 32, 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551),
          "p384": (ec.SECP384R1(), hashes.SHA384(), 48,
                   0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973)}


def read_whole(path, most):
    try:
        with open(path, "rb") as file:
            return file.read(most)
    except OSError as error:
        raise Refusal(IO, str(error)) from error


def load_key(path):
    """PEM text of a key file, without the line that tells what the key is for."""
    data = read_whole(path, 2**20)
    return data.split(b"\n", 1)[1] if data.startswith(b"sealpack-key:") else data


def load_public(path):
    body = re.search(rb"-----BEGIN PUBLIC KEY-----(.*?)-----END PUBLIC KEY-----", load_key(path), re.S)
    demand(body, f"{path} holds no public key", USAGE)
    der = base64.b64decode(body[1])
    for kind, prefix in PREFIXES.items():
        if der.startswith(bytes.fromhex(prefix)):
            return SimpleNamespace(kind=kind, digest=sha256(der), der=der, point=der[len(prefix) // 2:])
    raise Refusal(USAGE, f"{path}: keys of this kind do not sign")


def canonical_point(data):
    y = int.from_bytes(data, "little") & (2**255 - 1)
    return y < 2**255 - 19 and y not in SMALL_ORDER


def signature_holds(key, signature, message):
    try:
        if key.kind == "ed25519":
            if len(signature) != 64 or int.from_bytes(signature[32:], "little") >= ED25519_ORDER:
                return False
            if not canonical_point(key.point) or not canonical_point(signature[:32]):
                return False
            ed25519.Ed25519PublicKey.from_public_bytes(key.point).verify(signature, message)
            return True
        curve, digest, size, order = CURVES[key.kind]
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        if len(signature) != 2 * size or not 1 <= r < order or not 1 <= s <= order // 2:
            return False
        public = ec.EllipticCurvePublicKey.from_encoded_point(curve, key.point)
        public.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(digest))
        return True
    except (InvalidSignature, ValueError):
        return False


# ---- section 3: container and head -------------------------------------------------------------------------------

class Bundle:
    """File access that never takes fewer bytes than asked for, and the results of reading step by step (section 12)."""

    def __init__(self, path):
        try:
            self.file = open(path, "rb")
            self.size = os.fstat(self.file.fileno()).st_size
        except OSError as error:
            raise Refusal(IO, str(error)) from error

    def read(self, offset, size):
        demand(offset + size <= self.size, "the file is cut short")
        self.file.seek(offset)
        data = self.file.read(size)
        demand(len(data) == size, "the file shrank while it was read", IO)
        return data

    def demand_zero(self, begin, end, what):
        for at in range(begin, end, 2**20):
            size = min(2**20, end - at)
            demand(self.read(at, size) == bytes(size), f"{what} is not zero")


STATES = {0x0f: ("A", False), 0x33: ("A", True), 0x55: ("B", True), 0x69: ("B", False)}


def read_format(cursor, magic):
    demand(cursor.take(16) == magic, "this is no bundle or grant")
    format_number = int.from_bytes(cursor.take(4), "little")
    demand(format_number, "format 0")
    demand(format_number == 1, f"format {format_number} needs a newer sealpack", UNSUPPORTED)


def read_head(bundle):
    demand(bundle.size >= 4096 + 65536, "the file is too short for a bundle")
    page = Cursor(bundle.read(4096, 4096))
    read_format(page, b"sealpack bundle\0")
    head_size, state = int.from_bytes(page.take(4), "little"), page.take(1)[0]
    demand(2**16 <= head_size <= 2**25 and head_size & (head_size - 1) == 0, "head size")
    demand(state in STATES, "state")
    demand(not any(page.data[page.at:]), "padding of the preamble is not zero")
    demand(bundle.size >= 4096 + head_size, "the file is cut short in the head")
    copy_size = (head_size - 4096) // 8192 * 4096
    live, updating = STATES[state]
    begin, other = (8192, 8192 + copy_size) if live == "A" else (8192 + copy_size, 8192)
    size = int.from_bytes(bundle.read(begin, 4), "little")
    demand(size <= copy_size - 36, "the message in the head is too long")
    checksum, message = bundle.read(begin + 4, 32), bundle.read(begin + 36, size)
    demand(sha256(message) == checksum, "the head is damaged", NOT_AUTHENTIC)
    bundle.demand_zero(begin + 36 + size, begin + copy_size, "padding of the head")
    if not updating:
        bundle.demand_zero(other, other + copy_size, "the other copy of the head")
    bundle.demand_zero(8192 + 2 * copy_size, 4096 + head_size, "the end of the head")
    bundle.head_size, bundle.state, bundle.head = head_size, live + (", updating" if updating else ""), parse(HEAD, message)


def ustar(name, size, kind):
    block = bytearray(512)

    def put(offset, data):
        block[offset:offset + len(data)] = data
    put(0, name[:100])
    put(100, b"0000644\0" + b"0000000\0" * 2)
    put(124, b"%011o\0" % (size if size <= 8589934591 else 0))
    put(136, b"00000000000\0" + b" " * 8 + kind)
    put(257, b"ustar\00000")
    put(329, b"0000000\0" * 2)
    put(148, b"%06o\0 " % sum(block))
    return bytes(block)


def record(key, value):
    rest = b" " + key + b"=" + value + b"\n"
    n = len(rest)
    while n != len(str(n)) + len(rest):
        n += 1
    return str(n).encode() + rest


def headers(path, size, end):
    records = record(b"path", path) + record(b"size", str(size).encode())
    total = round_up(end + 1024 + round_up(len(records) + 13, 512), 4096) - end
    n = total - 1024 - len(records)
    filler = str(n).encode() + b" comment=" + b"-" * (n - len(str(n)) - 10) + b"\n"
    return ustar(b"PaxHeader", total - 1024, b"x") + records + filler + ustar(path, size, b"0")


def sealed_size(segment):
    return segment.size + 16 * (segment.size // 16384 + 1)


def tree_size(size):
    """Bytes of the stored nodes of a stream of `size` bytes (section 4.1)."""
    count, nodes = max(1, -(-size // 16400)), 0
    while count > 1:
        count = -(-count // 128)
        nodes += count
    return 4096 * nodes


def lay_out(bundle, content, content_size):
    """Offsets of all members, streams and nodes ([F-3.1.1], section 3.2, [F-4.3.1]); the file size ([F-6.6.10])."""
    trees = [tree_size(f.size) for f in content.public_files]
    trees += [tree_size(sealed_size(s)) for f in content.sealed_files for s in f.segments]
    members = [("sealpack/head", bundle.head_size), ("sealpack/content", content_size), ("sealpack/tree", sum(trees))]
    members += [("public/" + f.path, f.size) for f in content.public_files]
    members += [("sealed/" + f.path, sum(map(sealed_size, f.segments))) for f in content.sealed_files]
    bundle.members, end = [], 0
    for path, size in members:
        block = headers(path.encode(), size, end)
        bundle.members.append(SimpleNamespace(begin=end, headers=block, data=end + len(block), size=size))
        end = round_up(end + len(block) + size, 512)
        demand(end <= 2**62, "the bundle is too large", LIMIT)
    bundle.end = end
    at, sizes = bundle.members[2].data, iter(trees)
    segment_number = 0
    for file, member in zip(content.public_files + content.sealed_files, bundle.members[3:]):
        file.streams, offset = [], member.data
        if not hasattr(file, "segments"):
            file.streams.append(SimpleNamespace(offset=offset, size=file.size, root=file.root, segment=None))
        for segment in getattr(file, "segments", []):
            segment.number, segment_number = segment_number, segment_number + 1
            file.streams.append(SimpleNamespace(offset=offset, size=sealed_size(segment), root=segment.root, segment=segment))
            offset += sealed_size(segment)
        for stream in file.streams:
            stream.nodes, stream.nodes_size = at, next(sizes)
            at += stream.nodes_size
    demand(bundle.size == end + 1024, f"the file has {bundle.size} bytes, not {end + 1024}")


# ---- section 4: trees --------------------------------------------------------------------------------------------

def prove_stream(bundle, stream, keep=True):
    """Reads a stream once, checks it against its stored nodes and its signed root, and returns those very bytes."""
    leaves, kept = [], []
    for at in range(0, max(1, stream.size), 16400):
        leaf = bundle.read(stream.offset + at, min(16400, stream.size - at))
        leaves.append(sha256(b"\0", leaf))
        if keep:
            kept.append(leaf)
    stored, at = bundle.read(stream.nodes, stream.nodes_size), 0
    while len(leaves) > 1:
        level = b"".join(leaves)
        level += bytes(-len(level) % 4096)
        demand(stored[at:at + len(level)] == level, "a leaf or node does not fit its tree", NOT_AUTHENTIC)
        at += len(level)
        leaves = [sha256(b"\1", level[i:i + 4096]) for i in range(0, len(level), 4096)]
    demand(leaves[0] == stream.root, "a stream does not fit its root", NOT_AUTHENTIC)
    return b"".join(kept)


# ---- section 6.6: trust, and section 12: reading -----------------------------------------------------------------

RELEASE_TYPE = "application/vnd.sealpack.release.v"


def check_signatures(envelope, trust):
    if envelope.payload_type != RELEASE_TYPE + "1":
        known = envelope.payload_type.startswith(RELEASE_TYPE)
        raise Refusal(UNSUPPORTED if known else MALFORMED, "the payload type is not that of a release")
    kind = envelope.payload_type.encode()
    pae = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(envelope.payload), envelope.payload)
    count = 0
    for signature in envelope.signatures:
        if signature.key in trust.keys:
            demand(signature_holds(trust.keys[signature.key], signature.signature, pae), "a signature does not hold", NOT_AUTHENTIC)
            count += signature.key not in trust.revoked
    demand(count >= trust.threshold, f"{count} trusted signatures, {trust.threshold} needed", NOT_AUTHENTIC)


def check_refusals(release, digest, trust):
    reasons = []
    if trust.product is not None and release.product != trust.product:
        reasons.append("another product")
    if trust.pinned and release.content_digest != trust.pinned:
        reasons.append("another content than the pinned one")
    if release.content_digest in trust.revoked or digest in trust.revoked:
        reasons.append("revoked")
    if release.counter < trust.floor:
        reasons.append("counter below the floor")
    if release.counter == trust.floor and trust.floor_release and digest != trust.floor_release:
        reasons.append("another release was accepted with this counter")
    if release.not_before or release.not_after:
        if trust.time is None or trust.time < release.not_before or (release.not_after and trust.time > release.not_after):
            reasons.append("outside its validity")
    demand(not reasons, "; ".join(reasons), REFUSED)


def read_content(bundle, release):
    bundle.manifest = data = bundle.read(8192 + bundle.head_size, release.content_size)
    demand(sha256(data) == release.content_digest, "the content manifest does not fit its digest", NOT_AUTHENTIC)
    content = parse(CONTENT, data)
    demand(content.head_size == bundle.head_size, "head size of preamble and manifest differ")
    demand(content.product == release.product, "product of release and manifest differ")
    return content


def open_verified(path, trust):
    """Steps 1 to 7 of section 12. `trust` None shows claims only: nothing of the result is proven."""
    bundle = Bundle(path)
    read_head(bundle)
    envelope = bundle.head.release
    if trust:
        check_signatures(envelope, trust)
    bundle.release, bundle.release_digest = parse(RELEASE, envelope.payload), sha256(envelope.payload)
    if trust:
        check_refusals(bundle.release, bundle.release_digest, trust)
    bundle.content = read_content(bundle, bundle.release)
    if trust:
        demand(bundle.content.authority in trust.authorities, "the authority is none of the trusted ones", REFUSED)
    lay_out(bundle, bundle.content, bundle.release.content_size)
    return bundle


def verify_every_byte(bundle):
    """Step 12: headers, padding and all streams; the head and the manifest are checked already."""
    end = 0
    for member in bundle.members:
        bundle.demand_zero(end, member.begin, "padding behind a member")
        demand(bundle.read(member.begin, len(member.headers)) == member.headers, "a tar header is not the one it must be")
        end = member.data + member.size
    bundle.demand_zero(end, bundle.size, "the end of the archive")
    for file in bundle.content.public_files + bundle.content.sealed_files:
        for stream in file.streams:
            prove_stream(bundle, stream, keep=False)


# ---- section 8: slots --------------------------------------------------------------------------------------------

def hmac_sha256(key, data):
    return hmac.new(key, data, "sha256").digest()


class Hpke:
    """RFC 9180, base mode, receiver, one message; HKDF-SHA256 and AES-256-GCM."""

    def __init__(self, kem):
        self.kem = kem.to_bytes(2, "big")

    @staticmethod
    def extract(suite, salt, label, ikm):
        return hmac_sha256(salt, b"HPKE-v1" + suite + label + ikm)

    @staticmethod
    def expand(suite, prk, label, info, size):
        labeled = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
        return HKDFExpand(hashes.SHA256(), size, labeled).derive(prk)

    def schedule(self, dh, enc, public, info):
        """Key and nonce of the one message."""
        kem, suite = b"KEM" + self.kem, b"HPKE" + self.kem + b"\0\1\0\2"
        shared = self.expand(kem, self.extract(kem, b"", b"eae_prk", dh), b"shared_secret", enc + public, 32)
        context = b"\0" + self.extract(suite, b"", b"psk_id_hash", b"") + self.extract(suite, b"", b"info_hash", info)
        secret = self.extract(suite, shared, b"secret", b"")
        return self.expand(suite, secret, b"key", context, 32), self.expand(suite, secret, b"base_nonce", context, 12)

    def open(self, dh, enc, public, info, wrapped, aad=b""):
        key, nonce = self.schedule(dh, enc, public, info)
        return AESGCM(key).decrypt(nonce, wrapped, aad)


def argon2id(passphrase, slot):
    name = ctypes.util.find_library("sodium")
    demand(name, "libsodium is not installed, which has the Argon2id that passphrase slots need", UNSUPPORTED)
    sodium, out = ctypes.CDLL(name), ctypes.create_string_buffer(32)
    demand(sodium.sodium_init() >= 0, "libsodium does not start", UNSUPPORTED)
    done = sodium.crypto_pwhash(out, ctypes.c_ulonglong(32), passphrase, ctypes.c_ulonglong(len(passphrase)), slot.salt,
                                ctypes.c_ulonglong(slot.argon2_passes), ctypes.c_size_t(slot.argon2_memory_kib * 1024), 2)
    demand(done == 0, "Argon2id failed", IO)
    return out.raw


# A symmetric key in a file: a PKCS#8 PrivateKeyInfo of id-aes256-wrap-pad with the 32 bytes behind this prefix.
SYMMETRIC_KEY = bytes.fromhex("30320201 00300b06 09608648 01650304 01300420")


class Recipient:
    """A key of one of the five kinds: `kind`, `id` (section 8.1) and `unwrap(slot, bound)`."""

    def __init__(self, kind, recipient_id, unwrap):
        self.kind, self.id, self.unwrap = kind, recipient_id, unwrap

    @classmethod
    def symmetric(cls, key):
        demand(len(key) == 32, "a key-encryption key has 32 bytes", USAGE)
        return cls(4, hmac_sha256(key, b"sealpack/v1/symmetric-key-id"),
                   lambda slot, bound: aes_key_unwrap_with_padding(key, slot.wrapped))

    @classmethod
    def passphrase(cls, words):
        return cls(5, bytes(32), lambda slot, bound: aes_key_unwrap_with_padding(argon2id(words, slot), slot.wrapped))

    @classmethod
    def private(cls, path):
        pem = load_key(path)
        der = base64.b64decode(b"".join(line for line in pem.splitlines() if not line.startswith(b"-----")))
        if der.startswith(SYMMETRIC_KEY):
            return cls.symmetric(der[len(SYMMETRIC_KEY):])
        try:
            key = serialization.load_pem_private_key(pem, None)
        except (ValueError, TypeError) as error:
            raise Refusal(USAGE, f"{path}: {error}") from error
        public = key.public_key()
        spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        if isinstance(key, x25519.X25519PrivateKey):
            def unwrap(slot, bound):
                dh = key.exchange(x25519.X25519PublicKey.from_public_bytes(slot.enc))
                return Hpke(0x20).open(dh, slot.enc, spki[-32:], bound, slot.wrapped)
            return cls(1, sha256(spki), unwrap)
        if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
            def unwrap(slot, bound):
                dh = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(key.curve, slot.enc))
                return Hpke(0x10).open(dh, slot.enc, spki[-65:], bound, slot.wrapped)
            return cls(2, sha256(spki), unwrap)
        if isinstance(key, rsa.RSAPrivateKey):
            oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
            return cls(3, sha256(spki), lambda slot, bound: key.decrypt(slot.wrapped, oaep))
        raise Refusal(USAGE, f"{path}: keys of this kind receive nothing")


def try_slot(bundle, slot, recipient):
    """The content key, or None; admission is judged before the key is used ([F-8.4.1])."""
    bound = b"".join(map(lp, (b"sealpack/v1/slot", slot.kind, slot.slot_class, bundle.content.uuid,
                              bundle.release.content_digest, bundle.content.authority, recipient.id)))
    try:
        payload = recipient.unwrap(slot, bound)
    except (InvalidTag, InvalidUnwrap, ValueError):
        return None
    if len(payload) != 64 or not hmac.compare_digest(payload[32:], sha256(bound)):
        return None
    escrow = bundle.release.escrow
    if bundle.release.policy.environments and slot.slot_class == 1:
        demand(escrow and escrow.key == recipient.id, "a direct slot does not open an attested release", REFUSED)
    return payload[:32] if key_fits(bundle, payload[:32]) else None


def key_fits(bundle, key):
    return hmac.compare_digest(hmac_sha256(key, b"sealpack/v1/content-key-commitment"), bundle.release.key_commitment)


def read_grant(bundle, path):
    data = read_whole(path, 2049)
    demand(len(data) <= 2048, "a grant has at most 2048 bytes", LIMIT)
    cursor = Cursor(data)
    read_format(cursor, b"sealpack grant\0\0")
    checksum = cursor.take(32)
    demand(sha256(data[52:]) == checksum, "the grant is damaged", NOT_AUTHENTIC)
    grant = parse(GRANT, data[52:])
    same = grant.uuid == bundle.content.uuid and grant.content_digest == bundle.release.content_digest
    demand(same, "this grant is for another bundle", KEY_UNAVAILABLE)
    return grant.slot


def find_content_key(bundle, recipient, grant):
    attempts = 4 if recipient.kind == 5 else 16
    for slot in ([read_grant(bundle, grant)] if grant else bundle.head.slots):
        hint = sha256(lp(b"sealpack/v1/slot-hint"), lp(slot.salt), lp(recipient.id))[:8]
        if slot.kind == recipient.kind and slot.hint == hint and attempts:
            attempts -= 1
            key = try_slot(bundle, slot, recipient)
            if key:
                return key
    raise Refusal(KEY_UNAVAILABLE, "no slot opens with this key")


# ---- section 7: segments, section 5.4: originals -----------------------------------------------------------------

def open_segment(bundle, content_key, stream):
    segment = stream.segment
    context = b"".join(map(lp, (b"sealpack/v1/segment", bundle.content.uuid, segment.number, segment.kind, segment.size)))
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + segment.salt + context
    keys = HKDFExpand(hashes.SHA512(), 76, info).derive(content_key)
    key, base, commitment = AESGCM(keys[:32]), int.from_bytes(keys[32:44], "big"), keys[44:]
    demand(hmac.compare_digest(commitment, segment.commitment), "a segment is committed to another key", KEY_UNAVAILABLE)
    sealed, plain = prove_stream(bundle, stream), []
    for i, at in enumerate(range(0, len(sealed), 16400)):
        try:
            plain.append(key.decrypt((base ^ i).to_bytes(12, "big"), sealed[at:at + 16400], b""))
        except InvalidTag as error:
            raise Refusal(NOT_AUTHENTIC, f"chunk {i} of segment {segment.number}") from error
    return b"".join(plain)


def plaintexts(bundle, content_key):
    """Plaintext of each file of the bundle by its number."""
    for file in bundle.content.public_files:
        yield prove_stream(bundle, file.streams[0])
    for file in bundle.content.sealed_files:
        yield b"".join(open_segment(bundle, content_key, stream) for stream in file.streams)


def unseal(bundle, content_key, out):
    originals = bundle.content.originals
    print(f"{len(originals)} originals, {sum(o.size for o in originals)} bytes", file=sys.stderr)  # [F-5.4.5]
    files = list(plaintexts(bundle, content_key))
    partial = out.rstrip("/") + ".partial"
    try:
        os.makedirs(partial)
        for original in originals:
            path = os.path.join(partial, original.path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "xb") as file:
                for extent in original.extents:
                    file.write(files[extent.file][extent.offset:extent.offset + extent.size])
        os.rename(partial, out)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise Refusal(IO, str(error)) from error


# ---- the command -------------------------------------------------------------------------------------------------

def plain_json(value):
    if isinstance(value, SimpleNamespace):
        return {k: plain_json(v) for k, v in vars(value).items() if k != "streams"}
    if isinstance(value, list):
        return [plain_json(v) for v in value]
    return value.hex() if isinstance(value, bytes) else value


def trust_of(options):
    keys = [load_public(path) for path in options.key]
    digests = {key.digest for key in keys}
    demand(keys and len(digests) == len(keys), "a trust needs keys, each once", USAGE)
    demand(1 <= options.threshold <= len(keys), "threshold", USAGE)
    demand(options.floor == 0 or options.product is not None, "a counter floor needs --product", USAGE)
    return SimpleNamespace(keys={key.digest: key for key in keys}, threshold=options.threshold, product=options.product,
                           authorities=set(options.authority) or digests, floor=options.floor,
                           floor_release=options.floor_release, pinned=options.content_digest, revoked=set(options.revoked),
                           time=int(time.time()) if options.time is None else options.time)


def find_recipient(options):
    given = [x for x in (options.recipient, options.kek, options.passphrase_file) if x is not None]
    demand(len(given) == 1, "give one of --recipient, --kek, --passphrase-file, --content-key", USAGE)
    if options.recipient:
        return Recipient.private(options.recipient)
    if options.kek:
        return Recipient.symmetric(options.kek)
    return Recipient.passphrase(read_whole(options.passphrase_file, 2**20).split(b"\n")[0].rstrip(b"\r"))


def run(options):
    if options.verb == "info":
        bundle = open_verified(options.bundle, trust_of(options) if options.key else None)
        claims = {"proven": bool(options.key), "state": bundle.state, "release_digest": bundle.release_digest.hex(),
                  "release": plain_json(bundle.release), "content": plain_json(bundle.content),
                  "slots": plain_json(bundle.head.slots), "signers": [s.key.hex() for s in bundle.head.release.signatures]}
        if not options.key:
            print("nothing of this is proven: no --key was given", file=sys.stderr)  # [F-6.6.12]
        print(json.dumps(claims, indent=2 if not options.json else None))
        return
    bundle = open_verified(options.bundle, trust_of(options))
    verify_every_byte(bundle)
    if options.verb == "verify":
        print(f"verified: {bundle.release.product}, counter {bundle.release.counter}, {bundle.size} bytes")
        return
    key = options.content_key or find_content_key(bundle, find_recipient(options), options.grant)
    demand(len(key) == 32 and key_fits(bundle, key), "this is not the content key of this bundle", KEY_UNAVAILABLE)
    unseal(bundle, key, options.out)


def parse_options(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=("verify", "unseal", "info"))
    parser.add_argument("bundle")
    parser.add_argument("--key", nargs="+", action="extend", default=[], help="public keys that are trusted to sign")
    parser.add_argument("--authority", action="append", type=bytes.fromhex, default=[], help="digest; else those of --key")
    parser.add_argument("--threshold", type=int, default=1)
    parser.add_argument("--product")
    parser.add_argument("--floor", type=int, default=0, help="least counter")
    for name in ("--floor-release", "--content-digest", "--kek", "--content-key"):
        parser.add_argument(name, type=bytes.fromhex)
    parser.add_argument("--revoked", action="append", type=bytes.fromhex, default=[], help="digest of key, content or release")
    parser.add_argument("--time", type=int, help="Unix seconds; else the clock's")
    for name in ("--recipient", "--passphrase-file", "--grant", "--out"):
        parser.add_argument(name)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if options.verb == "unseal" and not options.out:
        parser.error("unseal needs --out")
    if options.verb != "info" and not options.key:
        parser.error("--key")
    return options


def main(arguments):
    try:
        run(parse_options(arguments))
        return 0
    except Refusal as refusal:
        print(f"{NAMES[refusal.code]}: {refusal}", file=sys.stderr)
        return refusal.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
