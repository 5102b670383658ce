# SPDX-License-Identifier: Apache-2.0
"""Bundles edited by someone who holds the vendor's key: other releases, other manifests, other slots, well signed.

Flipped bits never get past a digest. What a signed but wrong message meets are the rules of docs/FORMAT.md themselves,
and two readers that disagree about one of them disagree about a bundle that a vendor could have signed.
"""

import pathlib

import sealpack_reader as reader
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from messages import Cursor, sha256


def varint(value):
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def split(data):
    """The fields of a message as [number, value], where the value is an int or bytes."""
    cursor, fields = Cursor(data), []
    while not cursor.done():
        tag = cursor.varint()
        fields.append([tag >> 3, cursor.varint() if tag & 7 == 0 else cursor.take(cursor.varint())])
    return fields


def join(fields):
    return b"".join(varint(n * 8) + varint(v) if isinstance(v, int) else varint(n * 8 + 2) + varint(len(v)) + v for n, v in fields)


def message(**fields):
    """message(f1=…, f2=[…]): fields by their numbers; a list is a repeated field. 0 and empty are left out ([F-2.1.4])."""
    numbered = sorted((int(name[1:]), value) for name, value in fields.items() if value)
    return join([n, v] for n, value in numbered for v in (value if isinstance(value, list) else [value]))


def put(data, number, *values):
    """`data` with field `number` replaced by `values`, in its place in the order; without values it is left out."""
    fields = [f for f in split(data) if f[0] != number] + [[number, v] for v in values]
    return join(sorted(fields, key=lambda f: f[0]))


def get(data, number):
    return [v for n, v in split(data) if n == number]


def edit(data, number, change, which=0):
    """`data` with element `which` of the messages in field `number` put through `change`."""
    values = get(data, number)
    values[which] = change(values[which])
    return put(data, number, *values)


class Editor:
    """The bytes of one bundle in state A, taken apart, and the key that signed it."""

    def __init__(self, path, key):
        self.data, self.key = pathlib.Path(path).read_bytes(), key
        self.head_size = int.from_bytes(self.data[4116:4120], "little")
        size = int.from_bytes(self.data[8192:8196], "little")
        self.head = self.data[8228:8228 + size]
        self.envelope = get(self.head, 1)[0]
        self.payload = get(self.envelope, 2)[0]
        bundle = reader.open_verified(path, None)
        self.members = bundle.members
        self.content = bundle.manifest

    def sign(self, pae):
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(pae)
        _, digest, size, order = reader.CURVES["p256"]
        r, s = utils.decode_dss_signature(self.key.sign(pae, ec.ECDSA(digest)))
        return r.to_bytes(size, "big") + min(s, order - s).to_bytes(size, "big")

    def with_head(self, head):
        copy = (self.head_size - 4096) // 8192 * 4096
        block = len(head).to_bytes(4, "little") + sha256(head) + head
        assert len(block) <= copy
        return self.data[:8192] + block + bytes(copy - len(block)) + self.data[8192 + copy:]

    def with_payload(self, payload, kind=b"application/vnd.sealpack.release.v1", sign=True):
        pae = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
        signature = get(self.envelope, 3)[0]
        if sign:
            signature = put(signature, 2, self.sign(pae))
        return self.with_head(put(self.head, 1, message(f1=kind, f2=payload, f3=signature)))

    def with_content(self, content):
        """The manifest may grow or shrink as long as the data of the members behind it stays where it is."""
        begin, tree = 8192 + self.head_size, self.members[2]
        end = reader.round_up(begin + len(content), 512)
        header = reader.headers(b"sealpack/tree", tree.size, end)
        assert end + len(header) == tree.data, "the members behind the manifest would move"
        data = self.with_payload(put(put(self.payload, 1, sha256(content)), 2, len(content)))
        own = reader.headers(b"sealpack/content", len(content), 4096 + self.head_size)
        padding = bytes(end - begin - len(content))
        return data[:4096 + self.head_size] + own + content + padding + header + data[tree.data:]
