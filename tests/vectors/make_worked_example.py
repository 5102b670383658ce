#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints an annotated walk through the bytes of a bundle, for "Worked example" in docs/FORMAT.md.

Shares no code with sealpack and uses only the standard library, so it is also a small check of the
document: whatever it shows it has recomputed (offsets, headers, digests, trees, commitments, hints).
It does not verify signatures and does not decrypt; tests/independent does.

  make_worked_example.py BUNDLE [--content-key FILE]            prints the section
  make_worked_example.py BUNDLE [...] --update docs/FORMAT.md   puts it between the markers
  make_worked_example.py BUNDLE [...] --check docs/FORMAT.md    fails unless it stands there already

FILE holds the content key as 64 hex digits: of a golden bundle only, which keeps no secret.
"""

import argparse
import hashlib
import hmac
import pathlib
import struct
import sys

BEGIN = "<!-- example:begin -->"
END = "<!-- example:end -->"
PAGE = 4096
BLOCK = 512
LEAF = 16400
CHUNK = 16384
FAN_OUT = 128
MAX_ROWS = 4  # rows of hex shown of one value
MAX_LIST = 3  # elements shown of one repeated field

STATES = {0x0F: ("A", 0, False), 0x33: ("A, updating", 0, True),
          0x55: ("B, updating", 1, True), 0x69: ("B", 1, False)}
SLOT_KINDS = {1: "hpke-x25519", 2: "hpke-p256", 3: "rsa-oaep", 4: "aes-kwp", 5: "passphrase"}

# number -> (name, type[, message]); types: u, b(ytes), t(ext), p(acked), m(essage). A * marks a
# repeated field.
MESSAGES = {
    "Head": {1: ("release", "m", "Envelope"), 2: ("slots", "m*", "Slot")},
    "Envelope": {1: ("payload_type", "t"), 2: ("payload", "b"), 3: ("signatures", "m*", "Signature")},
    "Signature": {1: ("key", "b"), 2: ("signature", "b")},
    "Slot": {1: ("kind", "u"), 2: ("slot_class", "u"), 3: ("salt", "b"), 4: ("hint", "b"),
             5: ("enc", "b"), 6: ("wrapped", "b"), 7: ("argon2_passes", "u"),
             8: ("argon2_memory_kib", "u")},
    "Release": {1: ("content_digest", "b"), 2: ("content_size", "u"), 3: ("key_commitment", "b"),
                4: ("product", "t"), 5: ("version", "t"), 6: ("counter", "u"), 7: ("not_before", "u"),
                8: ("not_after", "u"), 9: ("min_loader", "u"), 10: ("policy", "m", "Policy"),
                11: ("answer", "m", "AnswerRule"), 12: ("licence", "t"), 13: ("escrow", "m", "Escrow")},
    "Policy": {1: ("anyone_because", "t"), 2: ("environments", "m*", "Environment")},
    "Environment": {1: ("tee", "t"), 2: ("rules", "m*", "ClaimRule")},
    "ClaimRule": {1: ("claim", "t"), 2: ("accepted", "b*"), 3: ("minimum", "u"),
                  4: ("ignore_because", "t"), 5: ("maximum", "u"), 6: ("require_bits", "b"),
                  7: ("allow_bits", "b"), 8: ("required", "b*")},
    "AnswerRule": {1: ("form", "u"), 2: ("decimals", "u"), 3: ("query_budget", "u")},
    "Escrow": {1: ("key", "b"), 2: ("because", "t")},
    "Content": {1: ("format", "u"), 2: ("suite", "u"), 3: ("uuid", "b"), 4: ("authority", "b"),
                5: ("product", "t"), 6: ("head_size", "u"), 7: ("parent", "b"),
                8: ("public_files", "m*", "PublicFile"), 9: ("sealed_files", "m*", "SealedFile"),
                10: ("originals", "m*", "OriginalFile"), 11: ("excluded", "m*", "ExcludedFile"),
                12: ("card", "m", "Card"), 13: ("plan", "m", "Plan")},
    "PublicFile": {1: ("path", "t"), 2: ("size", "u"), 3: ("root", "b")},
    "SealedFile": {1: ("path", "t"), 2: ("kind", "u"), 3: ("segments", "m*", "Segment")},
    "Segment": {1: ("kind", "u"), 2: ("size", "u"), 3: ("salt", "b"), 4: ("commitment", "b"),
                5: ("root", "b")},
    "OriginalFile": {1: ("path", "t"), 2: ("size", "u"), 3: ("extents", "m*", "Extent")},
    "Extent": {1: ("file", "u"), 2: ("offset", "u"), 3: ("size", "u")},
    "ExcludedFile": {1: ("path", "t"), 2: ("because", "t")},
    "Card": {1: ("redaction", "u"), 2: ("tensors", "m*", "CardTensor"), 3: ("facts", "m*", "Fact"),
             4: ("sealed_parameters", "u")},
    "CardTensor": {1: ("name", "t"), 2: ("dtype", "t"), 3: ("shape", "p"), 4: ("file", "u")},
    "Fact": {1: ("key", "t"), 2: ("value", "t")},
    "Plan": {1: ("scheme", "t"), 2: ("version", "u"), 3: ("parameters", "b")},
}
DEFAULTS = {"u": 0, "b": b"", "t": "", "p": [], "m": None}


class Bad(Exception):
    """The bundle breaks a rule; the text names it."""


def require(condition, why):
    if not condition:
        raise Bad(why)


def sha256(data):
    return hashlib.sha256(data).digest()


def lp(*parts):
    out = b""
    for part in parts:
        if isinstance(part, int):
            part = struct.pack("<Q", part)
        elif isinstance(part, str):
            part = part.encode()
        out += struct.pack("<Q", len(part)) + part
    return out


def round_up(value, unit):
    return -(-value // unit) * unit


# Canonical encoding (section 2)


def varint(data, at, end):
    value = 0
    for i in range(10):
        require(at < end, f"a varint is cut short at byte {at}")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            require(byte or i == 0, f"a varint is not minimal before byte {at}")
            require(value < 1 << 64, f"a varint exceeds 64 bits before byte {at}")
            return value, at
    raise Bad(f"a varint exceeds 64 bits before byte {at}")


def parse(kind, data, at=0, end=None):
    """Message as a dict of name -> value, with "@" -> list of (name, tag start, value start, end)."""
    end = len(data) if end is None else end
    fields = MESSAGES[kind]
    out = {name: [] if spec[0].endswith("*") else DEFAULTS[spec[0]]
           for name, *spec in fields.values()}
    out["@"] = []
    last = 0
    while at < end:
        start = at
        tag, at = varint(data, at, end)
        number, wire = tag >> 3, tag & 7
        require(number in fields, f"{kind} has an unknown field {number}")
        name, form, *sub = fields[number]
        require(number > last or (number == last and form.endswith("*")),
                f"field {name} of {kind} is out of order")
        last = number
        require(wire == (0 if form == "u" else 2), f"field {name} of {kind} has wire type {wire}")
        if form == "u":
            value_at = at
            value, at = varint(data, at, end)
            require(value, f"{name} of {kind} is written although it is 0")
        else:
            size, at = varint(data, at, end)
            value_at = at
            require(size <= end - at, f"{name} of {kind} is cut short")
            raw = bytes(data[at:at + size])
            at += size
            require(size or form[0] == "m", f"{name} of {kind} is written although it is empty")
            if form[0] == "m":
                value = parse(sub[0], data, value_at, at)
            elif form == "t":
                value = raw.decode("utf-8")
            elif form == "p":
                value, inner = [], 0
                while inner < size:
                    element, inner = varint(raw, inner, size)
                    value.append(element)
            else:
                value = raw
        if form.endswith("*"):
            out[name].append(value)
        else:
            out[name] = value
        out["@"].append((name, start, value_at, at))
    return out


# Container (section 3)


def pax_record(key, value):
    rest = len(key.encode()) + len(value.encode()) + 3
    size = rest + 1
    while len(str(size)) + rest != size:
        size += 1
    return f"{size} {key}={value}\n".encode()


def pax_records(path, size):
    return pax_record("path", path) + pax_record("size", str(size))


def ustar(name, size, kind):
    block = bytearray(BLOCK)

    def put(at, data):
        block[at:at + len(data)] = data

    put(0, name.encode()[:100])
    for at in (100, 108, 116, 329, 337):
        put(at, b"0000644" if at == 100 else b"0000000")
    put(124, b"%011o" % (size if size < 1 << 33 else 0))
    put(136, b"00000000000")
    put(148, b" " * 8)
    put(156, kind)
    put(257, b"ustar\x0000")
    put(148, b"%06o\0 " % sum(block))
    return bytes(block)


class Member:
    def __init__(self, path, size, end):
        self.path, self.size, self.header_at = path, size, end
        records = pax_records(path, size)
        used = 2 * BLOCK + round_up(len(records) + 13, BLOCK)
        self.data_at = round_up(end + used, PAGE)
        self.pax_size = self.data_at - end - 2 * BLOCK
        self.end = round_up(self.data_at + size, BLOCK)

    def headers(self):
        records = pax_records(self.path, self.size)
        size = self.pax_size - len(records)
        filler = b"%d comment=" % size
        records += filler + b"-" * (size - len(filler) - 1) + b"\n"
        return (ustar("PaxHeader", self.pax_size, b"x") + records +
                ustar(self.path, self.size, b"0"))


# Trees (section 4)


def node_counts(size):
    count = max(1, -(-size // LEAF))
    counts = []
    while count > 1:
        count = -(-count // FAN_OUT)
        counts.append(count)
    return counts


def tree_of(stream):
    """(root, stored nodes) of a stream."""
    digests = [sha256(b"\0" + stream[at:at + LEAF]) for at in range(0, max(1, len(stream)), LEAF)]
    stored = b""
    while len(digests) > 1:
        nodes = [b"".join(digests[at:at + FAN_OUT]).ljust(PAGE, b"\0")
                 for at in range(0, len(digests), FAN_OUT)]
        stored += b"".join(nodes)
        digests = [sha256(b"\1" + node) for node in nodes]
    return digests[0], stored


# Segments (section 7)


def sealed_size(size):
    return size + 16 * (size // CHUNK + 1)


def segment_context(uuid, number, segment):
    return lp("sealpack/v1/segment", uuid, number, segment["kind"], segment["size"])


def hkdf_expand_sha512(key, info, size):
    out = block = b""
    counter = 1
    while len(out) < size:
        block = hmac.new(key, block + info + bytes([counter]), hashlib.sha512).digest()
        out += block
        counter += 1
    return out[:size]


# The bundle


class Bundle:
    def __init__(self, data):
        self.data = data
        require(len(data) >= PAGE + 65536, "the file is too small for a bundle")
        self.read_head()
        self.read_content()
        self.place()

    def read_head(self):
        data = self.data
        require(data[4096:4112] == b"sealpack bundle\0", "no magic at byte 4096")
        number, self.head_size = struct.unpack_from("<II", data, 4112)
        require(number == 1, f"format {number}")
        size = self.head_size
        require(1 << 16 <= size <= 1 << 25 and size & (size - 1) == 0 and len(data) >= PAGE + size,
                f"impossible head size {size}")
        require(data[4120] in STATES, f"impossible state {data[4120]:#x}")
        self.state, live, updating = STATES[data[4120]]
        require(not any(data[4121:8192]), "padding of the preamble is not zero")
        self.copy_size = (size - PAGE) // (2 * PAGE) * PAGE
        self.copy_at = 2 * PAGE + live * self.copy_size
        self.message_size, = struct.unpack_from("<I", data, self.copy_at)
        require(self.message_size <= self.copy_size - 36, "the message runs past its copy")
        self.message_at = self.copy_at + 36
        message_end = self.message_at + self.message_size
        require(sha256(data[self.message_at:message_end]) == data[self.copy_at + 4:self.message_at],
                "the checksum of the head does not match")
        require(not any(data[message_end:self.copy_at + self.copy_size]), "padding is not zero")
        other = 2 * PAGE + (1 - live) * self.copy_size
        require(updating or not any(data[other:other + self.copy_size]),
                "the other copy of the head is not zero")
        require(not any(data[2 * PAGE + 2 * self.copy_size:PAGE + size]),
                "the end of the head is not zero")
        self.head = parse("Head", data, self.message_at, message_end)

    def read_content(self):
        envelope = self.head["release"]
        require(envelope is not None, "the head has no release")
        self.envelope = envelope
        require(envelope["payload_type"] == "application/vnd.sealpack.release.v1",
                f"payload type {envelope['payload_type']!r}")
        self.release = parse("Release", envelope["payload"])
        self.content_at = 2 * PAGE + self.head_size
        size = self.release["content_size"]
        raw = self.data[self.content_at:self.content_at + size]
        require(len(raw) == size, "the file ends inside its content manifest")
        require(sha256(raw) == self.release["content_digest"], "the content digest does not match")
        self.content = parse("Content", self.data, self.content_at, self.content_at + size)
        require(self.content["head_size"] == self.head_size, "another head size was signed")
        require(self.content["product"] == self.release["product"], "two products")

    def place(self):
        content = self.content
        # Streams in tree order: (what, offset in its member, size, root, segment or None, number)
        self.streams = []
        sizes = [self.head_size, self.release["content_size"], None]
        paths = ["sealpack/head", "sealpack/content", "sealpack/tree"]
        for file in content["public_files"]:
            self.streams.append((len(paths), 0, file["size"], file["root"], None, None))
            paths.append("public/" + file["path"])
            sizes.append(file["size"])
        number = 0
        for file in content["sealed_files"]:
            at = 0
            for segment in file["segments"]:
                size = sealed_size(segment["size"])
                self.streams.append((len(paths), at, size, segment["root"], segment, number))
                at += size
                number += 1
            paths.append("sealed/" + file["path"])
            sizes.append(at)
        sizes[2] = sum(PAGE * sum(node_counts(stream[2])) for stream in self.streams)
        self.members = []
        end = 0
        for path, size in zip(paths, sizes):
            self.members.append(Member(path, size, end))
            end = self.members[-1].end
        require(self.members[1].data_at == self.content_at, "the manifest is not where it belongs")
        self.file_size = end + 1024
        require(self.file_size == len(self.data),
                f"the file has {len(self.data)} bytes, its manifest describes {self.file_size}")

    def check_everything(self):
        data, end = self.data, 0
        for member in self.members:
            require(not any(data[end:member.header_at]), f"padding at byte {end} is not zero")
            require(data[member.header_at:member.data_at] == member.headers(),
                    f"the headers of {member.path} are not the determined ones")
            end = member.data_at + member.size
        require(not any(data[end:]), "the end of the archive is not zero")
        tree_at = self.members[2].data_at
        for index, offset, size, root, _, _ in self.streams:
            member = self.members[index]
            at = member.data_at + offset
            found, nodes = tree_of(data[at:at + size])
            require(found == root, f"the tree of {member.path} has another root")
            require(data[tree_at:tree_at + len(nodes)] == nodes,
                    f"the stored nodes of {member.path} are not those of its bytes")
            tree_at += len(nodes)


# Printing


def hex_rows(data, at, label, limit=MAX_ROWS):
    """Rows of 16 bytes; the middle of long values is left out aloud."""
    rows = [data[i:i + 16] for i in range(0, len(data), 16)] or [b""]
    lines = []
    for i, row in enumerate(rows):
        if len(rows) > limit and limit - 1 <= i < len(rows) - 1:
            if i == limit - 1:
                lines.append(f"{'':>8}  ... {16 * (len(rows) - limit)} bytes")
            continue
        lines.append(f"{at + 16 * i:08x}  {row.hex(' '):<47}  {label if i == 0 else ''}".rstrip())
    return lines


def show_value(value):
    if isinstance(value, str):
        text = value if len(value) <= 48 else value[:45] + "..."
        return "".join(c if c.isprintable() and c not in "`|" else "?" for c in text)
    if isinstance(value, list):
        return "[" + ", ".join(map(str, value[:8])) + (", ..." if len(value) > 8 else "") + "]"
    return str(value)


def message_rows(data, message, indent=""):
    lines = []
    shown, seen = {}, {}
    for name, start, value_at, end in message["@"]:
        value = message[name]
        repeated = isinstance(value, list) and value and isinstance(value[0], (dict, bytes))
        if repeated:
            index = seen.get(name, 0)
            seen[name] = index + 1
            shown[name] = len(value)
            if index >= MAX_LIST:
                if index == MAX_LIST:
                    lines.append(f"{'':>8}  ... {len(value) - MAX_LIST} more {name}")
                continue
            label = f"{indent}{name}[{index}]"
            value = value[index]
        else:
            label = f"{indent}{name}"
        if isinstance(value, dict):
            lines += hex_rows(data[start:value_at], start, f"{label}: {end - value_at} bytes")
            lines += message_rows(data, value, indent + "  ")
        elif isinstance(value, bytes):
            lines += hex_rows(data[start:end], start, f"{label}: {len(value)} bytes")
        else:
            lines += hex_rows(data[start:end], start, f"{label} = {show_value(value)}")
    return lines


class Page:
    def __init__(self):
        self.lines = []

    def say(self, *lines):
        self.lines += [*lines, ""]

    def code(self, lines):
        self.lines += ["```", *lines, "```", ""]

    def text(self):
        return "\n".join(self.lines).rstrip() + "\n"


def print_layout(page, bundle):
    page.say(f"### The file: {len(bundle.data):,} bytes",
             "", "| member | headers at | data at | size |", "|---|---|---|---|")
    page.lines.pop()
    for member in bundle.members:
        path = show_value(member.path)
        page.lines.append(f"| `{path}` | {member.header_at} | {member.data_at} | {member.size} |")
    page.say(f"| end mark | | {bundle.members[-1].end} | 1024 |")
    first = bundle.members[0]
    headers = bundle.data[first.header_at:first.data_at]
    page.say("The headers of the first member (§3.2): a ustar block of type `x`, the pax records, and the "
             "ustar block of the file.")
    records = pax_records(first.path, first.size)
    rows = hex_rows(headers[:112], 0, "name, mode")
    rows += hex_rows(headers[112:160], 112, "uid, gid, size, time, checksum, type")
    rows += hex_rows(headers[257:265], 257, "ustar, version")
    rows += hex_rows(records, BLOCK, show_value(records.decode().replace("\n", "\\n")))
    filler = headers[BLOCK + len(records):BLOCK + first.pax_size]
    rows += hex_rows(filler, BLOCK + len(records), f"filler, {len(filler)} bytes", 3)
    at = BLOCK + first.pax_size
    rows += hex_rows(headers[at:at + 160], at, "ustar block of the file")
    page.code(rows)


def print_head(page, bundle):
    data = bundle.data
    page.say("### Head", "", f"State {bundle.state}; copies of {bundle.copy_size} bytes; the live one starts at "
             f"{bundle.copy_at} and holds {bundle.message_size} bytes (§3.5 to §3.7).")
    rows = hex_rows(data[4096:4112], 4096, "magic")
    rows += hex_rows(data[4112:4116], 4112, "format 1")
    rows += hex_rows(data[4116:4120], 4116, f"head size {bundle.head_size}")
    rows += hex_rows(data[4120:4121], 4120, f"state {bundle.state}")
    at = bundle.copy_at
    rows += hex_rows(data[at:at + 4], at, f"message size {bundle.message_size}")
    rows += hex_rows(data[at + 4:at + 36], at + 4, "SHA-256 of the message")
    page.code(rows + message_rows(data, bundle.head))


def print_release(page, bundle):
    envelope = bundle.envelope
    kind, payload = envelope["payload_type"], envelope["payload"]
    pae = b"DSSEv1 %d %s %d " % (len(kind.encode()), kind.encode(), len(payload)) + payload
    page.say("### Release", "", "The payload, offsets from its start (§6.2). It was not verified here: that takes trust.")
    page.code(message_rows(payload, bundle.release))
    rows = hex_rows(pae[:len(pae) - len(payload)], 0, "PAE, then the payload")
    page.code(rows + [f"SHA-256(PAE)      {sha256(pae).hex()}", f"release digest    {sha256(payload).hex()}"])


def print_content(page, bundle):
    raw = bundle.data[bundle.content_at:bundle.content_at + bundle.release["content_size"]]
    page.say("### Content manifest", "", f"At 8192 + {bundle.head_size} = {bundle.content_at} (§5).")
    page.code(message_rows(bundle.data, bundle.content) + ["", f"content digest    {sha256(raw).hex()}"])


def print_trees(page, bundle):
    page.say("### Trees", "", "Leaves hashed from the stored bytes, up to the root in the manifest (§4).", "",
             "| stream | bytes | leaves | stored nodes | root |", "|---|---|---|---|---|")
    page.lines.pop()
    for index, offset, size, root, segment, number in bundle.streams[:16]:
        name = f"segment {number}" if segment else show_value(bundle.members[index].path)
        nodes = node_counts(size)
        page.lines.append(f"| {name} | {size} | {max(1, -(-size // LEAF))} | "
                          f"{' + '.join(map(str, nodes)) or 0} | `{root.hex()[:16]}…` |")
    if len(bundle.streams) > 16:
        page.lines.append(f"| {len(bundle.streams) - 16} more | | | | |")
    page.lines.append("")
    index, offset, size, _, _, _ = bundle.streams[0]
    at = bundle.members[index].data_at + offset
    leaf = bundle.data[at:at + min(size, LEAF)]
    page.code([f"leaf(0) of the first stream = SHA-256(00 || {len(leaf)} bytes at {at})",
               f"                            = {sha256(bytes(1) + leaf).hex()}"])


def print_segments(page, bundle, key):
    segments = [s for s in bundle.streams if s[4]]
    if not segments:
        return
    index, offset, size, _, segment, number = segments[0]
    uuid = bundle.content["uuid"]
    context = segment_context(uuid, number, segment)
    page.say("### First segment", "", f"{segment['size']} bytes of plaintext in {segment['size'] // CHUNK + 1} chunk(s), "
             f"{size} bytes sealed, at {bundle.members[index].data_at + offset} (§7).")
    label = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0"
    info = label + segment["salt"] + context
    rows = hex_rows(context, 0, "context", 16) + [""] + hex_rows(info, 0, "info", 16)
    if key is None:
        page.code(rows)
        return
    derived = hkdf_expand_sha512(key, info, 76)
    require(derived[44:] == segment["commitment"], "the segment's commitment does not fit the key")
    commitment = hmac.new(key, b"sealpack/v1/content-key-commitment", hashlib.sha256).digest()
    require(commitment == bundle.release["key_commitment"], "the key commitment does not fit the key")
    for _, _, _, _, other, other_number in segments:
        other_info = label + other["salt"] + segment_context(uuid, other_number, other)
        require(hkdf_expand_sha512(key, other_info, 76)[44:] == other["commitment"],
                f"the commitment of segment {other_number} does not fit the key")
    page.code(rows + ["", f"content key       {key.hex()}", f"its commitment    {commitment.hex()}",
                      f"segment key       {derived[:32].hex()}", f"base nonce        {derived[32:44].hex()}",
                      f"commitment        {derived[44:].hex()}",
                      f"nonce of chunk 1  {(int.from_bytes(derived[32:44], 'big') ^ 1).to_bytes(12, 'big').hex()}"])
    at = bundle.members[index].data_at + offset
    page.code(hex_rows(bundle.data[at:at + 32], at, "ciphertext of chunk 0 begins"))


def print_slots(page, bundle):
    slots = bundle.head["slots"]
    if not slots:
        return
    slot = slots[0]
    kind = SLOT_KINDS.get(slot["kind"], "unknown")
    page.say("### First slot", "", f"Kind {kind}, class {slot['slot_class']}. What it is bound to, before the recipient id (§8.3):")
    content = bundle.content
    bound = lp("sealpack/v1/slot", slot["kind"], slot["slot_class"], content["uuid"],
               bundle.release["content_digest"], content["authority"])
    rows = hex_rows(bound, 0, "bound, without LP(recipient id)", 16)
    if kind == "passphrase":
        hint = sha256(lp("sealpack/v1/slot-hint", slot["salt"], bytes(32)))[:8]
        require(hint == slot["hint"], "the hint of the passphrase slot does not fit")
        rows += ["", f"SHA-256(bound)    {sha256(bound + lp(bytes(32))).hex()}"]
    page.code(rows)


def walk_through(bundle, key):
    page = Page()
    print_layout(page, bundle)
    print_head(page, bundle)
    print_release(page, bundle)
    print_content(page, bundle)
    if bundle.streams:
        print_trees(page, bundle)
    print_segments(page, bundle, key)
    print_slots(page, bundle)
    return page.text()


def replace_section(document, section):
    before, begin, rest = document.partition(BEGIN + "\n")
    _, end, after = rest.partition(END)
    require(begin and end, f"the document lacks {BEGIN} or {END} on lines of their own")
    return before + begin + "\n" + section + "\n" + end + after


def main():
    arguments = argparse.ArgumentParser(description=__doc__,
                                        formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("bundle", type=pathlib.Path)
    arguments.add_argument("--content-key", type=pathlib.Path, metavar="FILE")
    target = arguments.add_mutually_exclusive_group()
    target.add_argument("--update", type=pathlib.Path, metavar="DOCUMENT")
    target.add_argument("--check", type=pathlib.Path, metavar="DOCUMENT")
    options = arguments.parse_args()
    try:
        key = None
        if options.content_key:
            key = bytes.fromhex(options.content_key.read_text())
            require(len(key) == 32, "a content key has 32 bytes")
        bundle = Bundle(options.bundle.read_bytes())
        bundle.check_everything()
        section = walk_through(bundle, key)
        if options.update or options.check:
            path = options.update or options.check
            old = path.read_text(encoding="utf-8")
            new = replace_section(old, section)
            if options.check:
                require(old == new, f"{path} shows another bundle; run with --update")
            elif old != new:
                path.write_text(new, encoding="utf-8")
        else:
            print(section, end="")
    except (Bad, OSError, UnicodeDecodeError, ValueError, struct.error) as error:
        print(f"make_worked_example.py: {options.bundle}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
