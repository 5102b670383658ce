# SPDX-License-Identifier: Apache-2.0
"""Canonical encoding and the messages of a bundle: sections 2, 3.7, 5, 6 and 8 of docs/FORMAT.md as tables."""

import hashlib
import re
from collections import namedtuple
from types import SimpleNamespace

USAGE, IO, MALFORMED, UNSUPPORTED, NOT_AUTHENTIC, REFUSED, KEY_UNAVAILABLE, LIMIT = 2, 3, 10, 11, 12, 13, 14, 16
NAMES = {2: "usage", 3: "io", 10: "malformed", 11: "unsupported", 12: "not-authentic", 13: "refused",
         14: "key-unavailable", 16: "limit"}


class Refusal(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def demand(condition, message, code=MALFORMED):
    if not condition:
        raise Refusal(code, message)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def lp(value):
    data = value.to_bytes(8, "little") if isinstance(value, int) else value
    return len(data).to_bytes(8, "little") + data


def round_up(x, m):
    return -(-x // m) * m


# ---- section 2: canonical encoding -------------------------------------------------------------------------------

class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        demand(size <= len(self.data) - self.at, "a field is cut short")
        self.at += size
        return self.data[self.at - size:self.at]

    def varint(self):
        value = 0
        for i in range(10):
            byte = self.take(1)[0]
            value |= (byte & 0x7f) << (7 * i)
            if byte < 0x80:
                demand(byte or i == 0, "a varint is not in its shortest form")
                demand(value < 2**64, "a varint exceeds 64 bits")
                return value
        raise Refusal(MALFORMED, "a varint has more than 10 bytes")

    def done(self):
        return self.at == len(self.data)


# kind: number, bytes, text, message, packed. `least` and `most` bound the value of a number, else the size; `count`
# is the most elements of a repeated field, None for a singular one; `over` is the class of exceeding `most` or `count`.
Field = namedtuple("Field", "name kind least most count over schema optional")


def number(name, least=0, most=2**64 - 1, over=MALFORMED):
    return Field(name, "number", least, most, None, over, None, False)


def u32(name, least=0, most=2**32 - 1, over=MALFORMED):
    return number(name, least, most, over)


def raw(name, most, least=0):
    return Field(name, "bytes", least, most, None, MALFORMED, None, False)


def fixed(name, size, optional=False):
    return Field(name, "bytes", size, size, None, MALFORMED, None, optional)


def text(name, most, least=0):
    return Field(name, "text", least, most, None, MALFORMED, None, False)


def one(name, schema, optional=False):
    return Field(name, "message", 0, None, None, MALFORMED, schema, optional)


def many(name, schema, count, over=MALFORMED):
    return Field(name, "message", 0, None, count, over, schema, False)


def decode(field, wire, cursor):
    demand(wire == (0 if field.kind == "number" else 2), f"{field.name} has another wire type")
    if field.kind == "number":
        value = cursor.varint()
        demand(value or field.count is not None, f"{field.name} is written though it is 0")
        demand(value >= field.least, f"{field.name} is too small", below(field))
        demand(value <= field.most, f"{field.name} is {value}, above {field.most}", field.over)
        return value
    data = cursor.take(cursor.varint())
    if field.kind == "message":
        return parse(field.schema, data)
    if field.kind == "packed":
        inner, values = Cursor(data), []
        demand(data, f"{field.name} is written though it has no elements")
        while not inner.done():
            values.append(inner.varint())
            demand(len(values) <= field.most, f"{field.name} has too many elements", field.over)
        return values
    demand(data or field.count is not None, f"{field.name} is written though it is empty")
    demand(field.least <= len(data) <= field.most, f"{field.name} has {len(data)} bytes")
    if field.kind == "text":
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refusal(MALFORMED, f"{field.name} is not UTF-8") from error
    return data


def below(field):
    """A number of which one value alone is allowed is refused alike on both sides of it: format and suite (section 5.1)."""
    return field.over if field.least == field.most else MALFORMED


def absent(field):
    if field.count is not None or field.kind == "packed":
        return []
    code = below(field) if field.kind == "number" else MALFORMED
    demand(field.optional or (field.kind != "message" and field.least == 0), f"{field.name} is missing", code)
    return {"number": 0, "bytes": b"", "text": "", "message": None}[field.kind]


def parse(schema, data):
    fields, check = schema
    cursor, values, last = Cursor(data), {}, 0
    while not cursor.done():
        tag = cursor.varint()
        demand(8 <= tag < 2**32 and tag >> 3 in fields, f"field {tag >> 3} does not exist")
        field = fields[tag >> 3]
        if field.count is None:
            demand(tag >> 3 > last, "fields do not ascend")
            values[field.name] = decode(field, tag & 7, cursor)
        else:
            demand(tag >> 3 >= last, "fields do not ascend")
            elements = values.setdefault(field.name, [])
            demand(len(elements) < field.count, f"more than {field.count} {field.name}", field.over)
            elements.append(decode(field, tag & 7, cursor))
        last = tag >> 3
    message = SimpleNamespace(**{f.name: values[f.name] if f.name in values else absent(f) for f in fields.values()})
    check(message)
    return message


def table(*fields, check=lambda message: None):
    return dict(enumerate(fields, 1)), check


def check_ascending(keys, what):
    demand(all(a < b for a, b in zip(keys, keys[1:])), f"{what} do not ascend")


# ---- sections 5 to 9: the messages -------------------------------------------------------------------------------

BAD_CODE_POINTS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")


def check_path(path):
    data = path.encode()
    demand(1 <= len(data) <= 1024, "a path has no byte or more than 1024")
    for component in data.split(b"/"):
        demand(1 <= len(component) <= 255, "a component of a path is empty or too long")
        demand(component[-1:] not in (b" ", b"."), "a component of a path ends in a space or a dot")  # so is . and ..
    demand(b"\\" not in data and data[1:2] != b":" and not BAD_CODE_POINTS.search(path), "a path holds what it must not")


def check_paths(entries, what):
    paths = [entry.path.encode() for entry in entries]
    check_ascending(paths, what)
    folded = [bytes(c + 32 if 0x41 <= c <= 0x5a else c for c in path) for path in paths]
    taken = set(folded)
    demand(len(taken) == len(folded), f"two {what} have one path but for case")
    for path in folded:
        parts = path.split(b"/")
        demand(not any(b"/".join(parts[:i]) in taken for i in range(1, len(parts))), f"one of {what} is a folder of another")


def check_segment(segment):
    demand(segment.size <= (2**28 if segment.kind == 1 else 2**26), "a segment is too large", LIMIT)


def check_sealed_file(file):
    check_path(file.path)
    demand(all(s.kind == 2 for s in file.segments[1:]), "a header segment is not the first of its file")
    file.size = sum(s.size for s in file.segments)
    demand(file.size <= 2**46, "a file is too large", LIMIT)


def check_original(original):
    check_path(original.path)
    demand(sum(e.size for e in original.extents) == original.size, "extents do not add up to their original")


def check_content(content):
    for name in ("public_files", "sealed_files", "originals", "excluded"):
        check_paths(getattr(content, name), name)
    files = content.public_files + content.sealed_files
    demand(sum(len(f.segments) for f in content.sealed_files) <= 2**20, "too many segments", LIMIT)
    demand(sum(len(o.extents) for o in content.originals) <= 2**21, "too many extents", LIMIT)
    for extent in (e for o in content.originals for e in o.extents):
        demand(extent.file < len(files), "an extent names a file that does not exist")
        demand(extent.offset + extent.size <= files[extent.file].size, "an extent ends behind its file")
    demand(sum(o.size for o in content.originals) <= sum(f.size for f in files), "originals are larger than all files")
    demand(all(t.file < len(files) for t in content.card.tensors), "the card names a file that does not exist")


def check_claim(rule):
    forms = (rule.accepted or rule.required, rule.minimum, rule.maximum, rule.require_bits or rule.allow_bits,
             rule.ignore_because)
    demand(sum(bool(form) for form in forms) == 1, "a claim needs exactly one rule")
    check_ascending(rule.accepted, "accepted values")
    check_ascending(rule.required, "required values")
    demand(not set(rule.accepted) & set(rule.required), "a value is both accepted and required")


def check_environment(environment):
    demand(environment.rules, "an environment has no rules")
    check_ascending([r.claim.encode() for r in environment.rules], "claims")


def check_policy(policy):
    demand(bool(policy.anyone_because) != bool(policy.environments), "a policy admits anyone or environments")


def check_release(release):
    demand(release.min_loader == 1, f"the release needs a reader of level {release.min_loader}", UNSUPPORTED)
    demand(release.not_after == 0 or release.not_after > release.not_before, "not_after is not above not_before")


def check_answer(answer):
    demand(answer.form == 2 or answer.decimals == 0, "decimals without rounding")


def check_slot(slot):
    enc, least, most = {1: (32, 80, 80), 2: (65, 80, 80), 3: (0, 256, 512), 4: (0, 72, 72), 5: (0, 72, 72)}[slot.kind]
    demand(len(slot.enc) == enc and least <= len(slot.wrapped) <= most, "a slot has fields of another size than its kind")
    if slot.kind == 5:
        demand(slot.slot_class == 1, "a passphrase slot is not direct")
        demand(slot.argon2_passes <= 16 and slot.argon2_memory_kib <= 2**20, "Argon2id costs are too high", LIMIT)
        demand(slot.argon2_passes >= 1 and slot.argon2_memory_kib >= 8, "Argon2id costs are too low")
    else:
        demand(slot.argon2_passes == 0 and slot.argon2_memory_kib == 0, "a slot has costs without a passphrase")


SIGNATURE = table(fixed("key", 32), raw("signature", 1024))
ENVELOPE = table(text("payload_type", 256), raw("payload", 2**20), many("signatures", SIGNATURE, 64),
                 check=lambda e: check_ascending([s.key for s in e.signatures], "signatures"))
SLOT = table(u32("kind", 1, 5), u32("slot_class", 1, 2), fixed("salt", 16), fixed("hint", 8), raw("enc", 65),
             raw("wrapped", 512), u32("argon2_passes"), u32("argon2_memory_kib"), check=check_slot)
HEAD = table(one("release", ENVELOPE), many("slots", SLOT, 2**17, LIMIT))
GRANT = table(fixed("uuid", 16), fixed("content_digest", 32), one("slot", SLOT))

PUBLIC_FILE = table(text("path", 1024, 1), number("size", 0, 2**46, LIMIT), fixed("root", 32),
                    check=lambda f: check_path(f.path))
SEGMENT = table(u32("kind", 1, 2), number("size", 1), fixed("salt", 24), fixed("commitment", 32), fixed("root", 32),
                check=check_segment)
SEALED_FILE = table(text("path", 1024, 1), u32("kind", 1, 2), many("segments", SEGMENT, 2**20, LIMIT), check=check_sealed_file)
EXTENT = table(u32("file"), number("offset"), number("size", 1))
ORIGINAL = table(text("path", 1024, 1), number("size", 0, 2**46, LIMIT), many("extents", EXTENT, 2**21, LIMIT), check=check_original)
EXCLUDED = table(text("path", 1024, 1), text("because", 4096), check=lambda f: check_path(f.path))
TENSOR = table(text("name", 4096), text("dtype", 64), Field("shape", "packed", 0, 32, None, MALFORMED, None, False), u32("file"))
FACT = table(text("key", 256, 1), text("value", 4096))
CARD = table(u32("redaction", 0, 2), many("tensors", TENSOR, 2**20, LIMIT), many("facts", FACT, 1024, LIMIT),
             number("sealed_parameters"), check=lambda c: check_ascending([f.key.encode() for f in c.facts], "facts"))
PLAN = table(text("scheme", 64, 1), u32("version", 1), raw("parameters", 2**24))
CONTENT = table(u32("format", 1, 1, UNSUPPORTED), u32("suite", 1, 1, UNSUPPORTED), fixed("uuid", 16), fixed("authority", 32),
                text("product", 4096, 1), u32("head_size", 2**16, 2**25), fixed("parent", 32, optional=True),
                many("public_files", PUBLIC_FILE, 2**17, LIMIT), many("sealed_files", SEALED_FILE, 2**17, LIMIT),
                many("originals", ORIGINAL, 2**17, LIMIT), many("excluded", EXCLUDED, 2**17, LIMIT),
                one("card", CARD), one("plan", PLAN), check=check_content)

CLAIM = table(text("claim", 64, 1), Field("accepted", "bytes", 1, 1024, 4096, MALFORMED, None, False), number("minimum"),
              text("ignore_because", 4096), number("maximum"), raw("require_bits", 1024), raw("allow_bits", 1024),
              Field("required", "bytes", 1, 1024, 4096, MALFORMED, None, False), check=check_claim)
ENVIRONMENT = table(text("tee", 64, 1), many("rules", CLAIM, 256), check=check_environment)
POLICY = table(text("anyone_because", 4096), many("environments", ENVIRONMENT, 256), check=check_policy)
ANSWER = table(u32("form", 1, 3), u32("decimals", 0, 9), number("query_budget"), check=check_answer)
ESCROW = table(fixed("key", 32), text("because", 4096, 1), check=lambda e: demand(any(e.key), "the escrow key is a passphrase"))
RELEASE = table(fixed("content_digest", 32), number("content_size", 1, 2**26, LIMIT), fixed("key_commitment", 32),
                text("product", 4096, 1), text("version", 4096), number("counter", 1), number("not_before"), number("not_after"),
                u32("min_loader", 1), one("policy", POLICY), one("answer", ANSWER), text("licence", 262144),
                one("escrow", ESCROW, optional=True), check=check_release)
