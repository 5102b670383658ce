# SPDX-License-Identifier: Apache-2.0
"""What a careless or malicious vendor could sign: one rule of docs/FORMAT.md broken at a time, by the id of the rule.

Each case is (name, bytes of a bundle, the exit codes that the document allows). Some break nothing: they are the
borders that a reader must still accept.
"""

import sealpack_reader as reader
from cryptography.hazmat.primitives import serialization
from edited_bundle import Editor, edit, get, join, message, put, split, varint

OK = {0}
BAD = {reader.MALFORMED}
NEW = {reader.UNSUPPORTED}
FORGED = {reader.NOT_AUTHENTIC}
NO = {reader.REFUSED}
MUCH = {reader.LIMIT}

ENVIRONMENT = message(f1=b"simulated", f2=[message(f1=b"debug", f3=1), message(f1=b"measurement", f2=[b"a", b"b"])])
ANYONE = message(f1=b"a test")


def release_cases(p):
    """(name, payload, expected) for the payload `p` of a release."""
    yield "no change", p, OK
    yield "F-6.2 counter 0", put(p, 6), BAD
    yield "F-2.1.4 zero written", put(p, 7, 0), BAD
    yield "F-6.2 version of 4096 bytes", put(p, 5, b"v" * 4096), OK
    yield "F-6.2 version of 4097 bytes", put(p, 5, b"v" * 4097), BAD
    yield "F-2.1.8 surrogate", put(p, 5, b"\xed\xa0\x80"), BAD
    yield "F-2.1.8 overlong", put(p, 5, b"\xc0\x80"), BAD
    yield "F-2.1.8 above U+10FFFF", put(p, 5, b"\xf4\x90\x80\x80"), BAD
    yield "F-2.1.8 highest code point", put(p, 5, b"\xf4\x8f\xbf\xbf"), OK
    yield "F-2.1.8 zero byte", put(p, 5, b"a\0b"), OK
    yield "F-2.1.9 unknown field 14", put(p, 14, 1), BAD
    yield "F-2.1.9 unknown field 14 of bytes", put(p, 14, b"x"), BAD
    yield "F-2.1.2 order", join(reversed(split(p))), BAD
    yield "F-2.1.2 twice", join(split(p)[:1] + split(p)), BAD
    yield "F-2.1.1 long varint", join(f for f in split(p) if f[0] < 9) + b"\x48\x81\x00" + join(f for f in split(p) if f[0] > 9), BAD
    yield "F-2.1.3 fixed64", p + b"\x71" + bytes(8), BAD
    yield "F-2.1.3 field number 0", p + b"\x00\x01", BAD
    yield "F-2.1.9 cut short", p[:-1], BAD
    yield "F-6.2 empty payload", b"", BAD
    yield "F-6.2 product empty", put(p, 4), BAD
    yield "F-6.6.8 product differs from the manifest", put(p, 4, b"another"), BAD
    yield "F-6.2.2 min_loader 0", put(p, 9), BAD
    yield "F-6.2.2 min_loader 2", put(p, 9, 2), NEW
    yield "F-2.1.7 min_loader 2^32", put(p, 9, 2**32), BAD | NEW
    yield "F-6.2 not_after below not_before", put(put(p, 7, 2000), 8, 1000), BAD
    yield "F-6.2 not_after equal to not_before", put(put(p, 7, 1000), 8, 1000), BAD
    yield "F-6.6.7 expired", put(put(p, 7, 1000), 8, 1001), NO
    yield "F-6.6.7 not yet", put(p, 7, 2**40), NO
    yield "F-6.6.7 not_before at its most", put(p, 7, 2**64 - 1), NO
    yield "F-6.6.7 valid", put(put(p, 7, 1000), 8, 2**63), OK
    yield "F-6.2 counter at its most", put(p, 6, 2**64 - 1), OK
    yield "F-6.2 content_size too small", edit_size(p, -1), FORGED
    yield "F-6.2 content_size too large", edit_size(p, 1), FORGED
    yield "F-6.2 content_size behind the file", put(p, 2, 2**26), BAD
    yield "F-6.2 content_size above the limit", put(p, 2, 2**26 + 1), MUCH
    yield "F-6.2 licence of 262,144 bytes fits no head of 64 KiB; 20,000 do", put(p, 12, b"l" * 20000), OK
    yield from policy_cases(p)


def edit_size(p, difference):
    return put(p, 2, get(p, 2)[0] + difference)


def policy_cases(p):
    yield "F-6.3.1 empty policy", put(p, 10, b""), BAD
    yield "F-2.1.5 no policy", put(p, 10), BAD
    yield "F-6.3.1 anyone and environments", put(p, 10, message(f1=b"x", f2=[ENVIRONMENT])), BAD
    yield "F-6.3 environments", put(p, 10, message(f2=[ENVIRONMENT])), OK
    yield "F-6.3 one environment twice", put(p, 10, message(f2=[ENVIRONMENT] * 2)), OK
    yield "F-6.3 256 environments", put(p, 10, message(f2=[ENVIRONMENT] * 256)), OK
    yield "F-6.3 257 environments", put(p, 10, message(f2=[ENVIRONMENT] * 257)), BAD
    yield "F-6.3 no rules", put(p, 10, message(f2=[message(f1=b"tdx")])), BAD
    yield "F-6.3 no tee", put(p, 10, message(f2=[put(ENVIRONMENT, 1)])), BAD
    rules = get(ENVIRONMENT, 2)
    for name, changed, expected in (
            ("F-1.3.1 claims out of order", rules[::-1], BAD), ("F-1.3.1 one claim twice", rules[:1] * 2, BAD),
            ("F-6.3.2 no rule in a claim", [message(f1=b"debug")], BAD),
            ("F-6.3.2 minimum and accepted", [message(f1=b"c", f2=[b"a"], f3=1)], BAD),
            ("F-6.3.2 minimum and reason", [message(f1=b"c", f3=1, f4=b"because")], BAD),
            ("F-6.3.2 reason", [message(f1=b"c", f4=b"because")], OK),
            ("F-6.3.2 maximum", [message(f1=b"c", f5=300)], OK),
            ("F-6.3.2 minimum and maximum", [message(f1=b"c", f3=1, f5=300)], BAD),
            ("F-6.3.2 maximum and accepted", [message(f1=b"c", f2=[b"a"], f5=300)], BAD),
            ("F-6.3.2 maximum and reason", [message(f1=b"c", f4=b"because", f5=300)], BAD),
            ("F-6.3.2 required bits", [message(f1=b"c", f6=b"\0\1")], OK),
            ("F-6.3.2 allowed bits, none of them", [message(f1=b"c", f7=b"\0\0")], OK),
            ("F-6.3.2 required and allowed bits", [message(f1=b"c", f6=b"\1", f7=b"\3")], OK),
            ("F-6.3.2 bits and accepted", [message(f1=b"c", f2=[b"a"], f6=b"\1")], BAD),
            ("F-6.3.2 bits and reason", [message(f1=b"c", f4=b"because", f7=b"\1")], BAD),
            ("F-6.3.2 bits and minimum", [message(f1=b"c", f3=1, f6=b"\1")], BAD),
            ("F-6.3 bits of 1025 bytes", [message(f1=b"c", f6=b"a" * 1025)], BAD),
            ("F-6.3.2 required", [message(f1=b"c", f8=[b"a", b"b"])], OK),
            ("F-6.3.2 required and others accepted", [message(f1=b"c", f2=[b"b"], f8=[b"a"])], OK),
            ("F-6.3.2 required and accepted", [message(f1=b"c", f2=[b"a", b"b"], f8=[b"b"])], BAD),
            ("F-6.3.2 required and bits", [message(f1=b"c", f6=b"\1", f8=[b"a"])], BAD),
            ("F-6.3.2 required and maximum", [message(f1=b"c", f5=3, f8=[b"a"])], BAD),
            ("F-1.3.1 required out of order", [message(f1=b"c", f8=[b"b", b"a"])], BAD),
            ("F-6.3 required is empty", [message(f1=b"c", f8=[b""])], BAD),
            ("F-2.1.9 what comes after required", [message(f1=b"c", f8=[b"a"], f9=1)], BAD),
            ("F-2.1.4 maximum of 0", [message(f1=b"c", f3=1) + b"\x28\x00"], BAD),
            ("F-6.3 accepted is empty", [message(f1=b"c", f2=[b""])], BAD),
            ("F-6.3 accepted of 1025 bytes", [message(f1=b"c", f2=[b"a" * 1025])], BAD),
            ("F-1.3.1 accepted out of order", [message(f1=b"c", f2=[b"b", b"a"])], BAD),
            ("F-1.3.1 prefix first", [message(f1=b"c", f2=[b"a", b"aa"])], OK),
            ("F-6.3 claim of 65 bytes", [message(f1=b"c" * 65, f3=1)], BAD)):
        yield name, put(p, 10, message(f2=[put(ENVIRONMENT, 2, *changed)])), expected
    for name, answer, expected in (
            ("F-6.2 form 0", b"", BAD), ("F-6.2 form 4", message(f1=4), BAD), ("F-6.2 decimals without form 2", message(f1=1, f2=3), BAD),
            ("F-6.2 9 decimals", message(f1=2, f2=9), OK), ("F-6.2 10 decimals", message(f1=2, f2=10), BAD),
            ("F-6.2 rounded to no decimals", message(f1=2), OK), ("F-6.2 budget", message(f1=3, f3=2**64 - 1), OK)):
        yield name, put(p, 11, answer), expected
    for name, escrow, expected in (
            ("F-6.2 escrow", message(f1=b"k" * 32, f2=b"x"), OK), ("F-6.2 escrow without reason", message(f1=b"k" * 32), BAD),
            ("F-6.2 escrow key of 31 bytes", message(f1=b"k" * 31, f2=b"x"), BAD), ("F-2.1.7 empty escrow", b"", BAD),
            ("F-6.2 escrow for whoever has a passphrase", message(f1=bytes(32), f2=b"x"), BAD)):
        yield name, put(p, 13, escrow), expected


def content_cases(c):
    """(name, manifest, expected) for the manifest `c`."""
    yield "no change", c, OK
    yield "F-5.1 format 2", put(c, 1, 2), NEW
    yield "F-5.1 format 0", put(c, 1), NEW
    yield "F-5.1 suite 2", put(c, 2, 2), NEW
    yield "F-5.1 suite 0", put(c, 2), NEW
    yield "F-1.1.2 format 2 with an unknown field", put(put(c, 1, 2), 14, 1), NEW
    yield "F-2.1.9 unknown field 14", put(c, 14, b"x"), BAD
    yield "F-2.1.7 uuid of 15 bytes", put(c, 3, b"u" * 15), BAD
    yield "F-6.6.9 another authority", put(c, 4, b"a" * 32), NO
    yield "F-6.6.8 another product", put(c, 5, b"another"), BAD
    yield "F-6.6.8 another head size", put(c, 6, 2**17), BAD
    yield "F-3.3.2 head size no power of two", put(c, 6, 65537), BAD
    yield "F-5.1.3 a parent", put(c, 7, b"p" * 32), OK
    yield "F-2.1.7 parent of 31 bytes", put(c, 7, b"p" * 31), BAD
    yield "F-5.1 no card", put(c, 12), BAD
    yield "F-2.1.5 empty card", put(c, 12, b""), OK
    yield "F-5.1 no plan", put(c, 13), BAD
    yield "F-5.3 empty plan", put(c, 13, b""), BAD
    yield "F-5.3.2 unknown scheme", put(c, 13, message(f1=b"unheard-of", f2=7, f3=b"parameters")), OK
    yield "F-5.3 plan without version", put(c, 13, message(f1=b"whole")), BAD
    yield "F-5.3 scheme of 65 bytes", put(c, 13, message(f1=b"s" * 65, f2=1)), BAD
    yield from card_cases(c)
    yield from file_cases(c)
    yield from path_cases(c)


def card_cases(c):
    files = len(get(c, 8)) + len(get(c, 9))
    sealed = files - 1
    for name, card, expected in (
            ("redaction 3", message(f1=3), BAD), ("file that does not exist", message(f2=[message(f1=b"t", f4=files)]), BAD),
            ("tensor without anything", message(f2=[b""]), OK), ("empty dtype", message(f2=[message(f1=b"t", f4=sealed)]), OK),
            ("dtype of 65 bytes", message(f2=[message(f2=b"d" * 65)]), BAD),
            ("32 dimensions", message(f2=[message(f3=b"\1" * 32)]), OK), ("33 dimensions", message(f2=[message(f3=b"\1" * 33)]), BAD),
            ("dimension 0", message(f2=[message(f3=b"\0")]), OK), ("F-2.1.6 empty shape", message(f2=[b"\x1a\0"]), BAD),
            ("F-2.1.1 long dimension", message(f2=[message(f3=b"\x81\0")]), BAD),
            ("F-2.1.1 dimension of 11 bytes", message(f2=[message(f3=b"\xff" * 10 + b"\1")]), BAD),
            ("F-2.1.1 dimension 2^64", message(f2=[message(f3=b"\xff" * 9 + b"\2")]), BAD),
            ("F-2.1.1 dimension 2^64 - 1", message(f2=[message(f3=b"\xff" * 9 + b"\1")]), OK),
            ("F-2.1.9 shape cut short", message(f2=[message(f3=b"\x81")]), BAD),
            ("two tensors of one name", message(f2=[message(f1=b"t")] * 2), OK),
            ("F-5.3 name under redaction 1", message(f1=1, f2=[message(f1=b"t", f4=sealed)]), OK),
            ("F-5.3 sealed tensor under redaction 2", message(f1=2, f2=[message(f1=b"t", f4=sealed)]), OK),
            ("F-5.3 sealed_parameters under redaction 2", message(f1=2, f4=5), OK),
            ("facts", message(f3=[message(f1=b"a", f2=b"x"), message(f1=b"b")]), OK),
            ("F-1.3.1 facts out of order", message(f3=[message(f1=b"b"), message(f1=b"a")]), BAD),
            ("F-1.3.1 one fact twice", message(f3=[message(f1=b"a"), message(f1=b"a")]), BAD),
            ("fact without key", message(f3=[message(f2=b"a")]), BAD),
            ("fact with a key of 257 bytes", message(f3=[message(f1=b"k" * 257)]), BAD)):
        yield "F-5.3 card: " + name, put(c, 12, card), expected


def last_segment(c, change):
    """The manifest with the last segment of its last sealed file put through `change`."""
    return edit(c, 9, lambda f: edit(f, 3, change, -1), -1)


def file_sizes(c):
    sealed = [sum(sum(get(s, 2)) for s in get(f, 3)) for f in get(c, 9)]
    return [sum(get(f, 2)) for f in get(c, 8)] + sealed


def file_cases(c):
    yield "F-5.2 kind 3 of a file", edit(c, 9, lambda f: put(f, 2, 3), -1), BAD
    yield "F-5.2 kind 0 of a file", edit(c, 9, lambda f: put(f, 2), -1), BAD
    yield "F-5.2 kind 3 of a segment", last_segment(c, lambda s: put(s, 1, 3)), BAD
    yield "F-5.2 segment of size 0", last_segment(c, lambda s: put(s, 2)), BAD
    yield "F-5.2 segment of 64 MiB + 1", last_segment(c, lambda s: put(put(s, 1, 2), 2, 2**26 + 1)), MUCH | BAD
    yield "F-6.6.10 segment one byte larger", last_segment(c, lambda s: put(s, 2, get(s, 2)[0] + 1)), BAD | FORGED
    yield "F-4.2.1 another root", last_segment(c, lambda s: put(s, 5, b"r" * 32)), FORGED
    yield "F-5.2 another commitment is seen only with the key", last_segment(c, lambda s: put(s, 4, b"c" * 32)), OK
    yield "F-5.2.1 second header segment", edit(c, 9, lambda f: put(f, 3, *[put(s, 1, 1) for s in get(f, 3) * 2]), -1), BAD
    yield "F-5.2.1 header segment after a data segment", edit(
        c, 9, lambda f: put(f, 3, put(get(f, 3)[0], 1, 2), put(get(f, 3)[0], 1, 1)), -1), BAD
    yield "F-1.3.1 a sealed file twice", put(c, 9, *(get(c, 9)[-1:] * 2)), BAD
    yield "F-6.6.10 a file less", put(c, 9, *get(c, 9)[:-1]), BAD
    yield "F-5.4 an original less", put(c, 10), OK
    yield "F-5.4 size of an original", edit(c, 10, lambda o: put(o, 2, get(o, 2)[0] + 1)), BAD
    yield "F-5.4 size above 2^46", edit(c, 10, lambda o: put(o, 2, 2**46 + 1)), MUCH | BAD
    files = len(get(c, 8)) + len(get(c, 9))
    for name, change, expected in (
            ("of size 0", lambda e: put(e, 3), BAD), ("in a file that does not exist", lambda e: put(e, 1, files), BAD),
            ("F-5.4.2 behind its file", lambda e: put(e, 2, 2**40), BAD), ("F-1.3.2 overflow", lambda e: put(e, 2, 2**64 - 1), BAD | MUCH)):
        yield "F-5.4 extent " + name, edit(c, 10, lambda o, change=change: edit(o, 3, change)), expected
    empty = message(f1=b"~empty")
    yield "F-5.4 an empty original", put(c, 10, *get(c, 10), empty), OK
    yield "F-5.4.3 extents overlap", put(c, 10, message(f1=b"~z", f2=2, f3=[message(f1=files - 1, f3=1)] * 2)), OK
    full = [message(f1=i, f3=s) for i, s in enumerate(file_sizes(c))]
    yield "F-5.4.6 originals as large as all files", put(c, 10, message(f1=b"o", f2=sum(file_sizes(c)), f3=full)), OK
    yield "F-5.4.6 originals larger than all files", put(
        c, 10, message(f1=b"o", f2=sum(file_sizes(c)), f3=full), message(f1=b"p", f2=1, f3=[message(f1=0, f3=1)])), BAD
    yield "F-5.4.1 sum of extents overflows", put(c, 10, *get(c, 10), message(
        f1=b"~z", f2=2, f3=[message(f1=files - 1, f3=2**63), message(f1=files - 1, f3=2**63 + 2)])), BAD | MUCH


PATHS = [("", BAD), ("/a", BAD), ("a/", BAD), ("a//b", BAD), (".", BAD), ("..", BAD), ("a/../b", BAD), ("a.", BAD), ("a ", BAD), ("a. ", BAD),
         (" a", OK), (".a", OK), ("a\\b", BAD), ("c:", BAD), ("c:/x", BAD), ("cc:", OK), ("a/c:", OK), ("é:", OK), ("x" * 255, OK),
         ("x" * 256, BAD), ("/".join(["x" * 255] * 4), OK), ("/".join(["x" * 255] * 4) + "/y", BAD), ("/".join(["x" * 204] * 5), OK),
         ("a\x1fb", BAD), ("a\x7fb", BAD), ("a\x9fb", BAD), ("a\xa0b", OK), ("a\u061cb", BAD), ("a\u200ab", OK), ("a\u200bb", BAD),
         ("a\u200fb", BAD), ("a\u2010b", OK), ("a\u2027b", OK), ("a\u2028b", BAD), ("a\u202eb", BAD), ("a\u202fb", OK), ("a\u2060b", BAD),
         ("a\u206fb", BAD), ("a\u2070b", OK), ("a\ufeffb", BAD), ("a\U000dffffb", OK), ("a\U000e0000b", BAD), ("a\U000e007fb", BAD),
         ("a\U000e0080b", OK), ("a\ufffeb", OK), ("con", OK), ("*?", OK), ("a\nb", BAD)]


def path_cases(c):
    for path, expected in PATHS:
        yield f"F-3.4 path {path[:20]!a}", put(c, 11, message(f1=path.encode())), expected
    for paths, expected in ((["B", "a"], OK), (["a", "B"], BAD), (["A", "a"], BAD), (["a", "a"], BAD), (["a", "a/b"], BAD), (["A", "a/b"], BAD),
                            (["a", "a-", "a/b"], BAD), (["a/b", "a/c"], OK), (["A/b", "a/c"], OK), (["A/b", "a/B"], BAD), (["a", "ab/c"], OK),
                            (["\xc4", "\xe4"], OK), (["a/b", "ab"], OK), (["A", "a-", "a/b"], BAD), (["a/b/c", "a/b/c/d/e"], BAD)):
        yield f"F-3.4.4 paths {paths!a}", put(c, 11, *[message(f1=p.encode()) for p in paths]), expected
    yield "F-3.4.4 one path in two lists", put(c, 11, message(f1=get(get(c, 10)[0], 1)[0])), OK


def slot_cases(h):
    """(name, message of the head, expected): nobody signs slots, so these need no key."""
    slot = get(h, 2)[0]
    passphrase = message(f1=5, f2=1, f3=b"s" * 16, f4=b"h" * 8, f6=b"w" * 72, f7=1, f8=8)
    yield "F-3.7 no slots", put(h, 2), OK
    yield "F-3.7 a slot twice", put(h, 2, slot, slot), OK
    yield "F-2.1.9 field 3 of the head", put(h, 3, 1), BAD
    yield "F-3.7 no release", put(h, 1), BAD
    yield "F-3.7 an empty slot", put(h, 2, slot, b""), BAD
    for name, changed, expected in (
            ("kind 6", put(slot, 1, 6), BAD), ("class 0", put(slot, 2), BAD), ("class 3", put(slot, 2, 3), BAD), ("class 2", put(slot, 2, 2), OK),
            ("hint of 7 bytes", put(slot, 4, b"h" * 7), BAD), ("costs without a passphrase", put(slot, 7, 1), BAD),
            ("enc of another size", put(slot, 5, b"e" * 33), BAD), ("wrapped of another size", put(slot, 6, b"w" * 81), BAD),
            ("passphrase", passphrase, OK), ("F-8.1.2 attested passphrase", put(passphrase, 2, 2), BAD),
            ("no passes", put(passphrase, 7), BAD), ("16 passes", put(passphrase, 7, 16), OK), ("17 passes", put(passphrase, 7, 17), MUCH),
            ("F-8.3.4 7 KiB", put(passphrase, 8, 7), BAD), ("F-8.3.4 1 GiB", put(passphrase, 8, 2**20), OK),
            ("F-8.3.4 above 1 GiB", put(passphrase, 8, 2**20 + 1), MUCH), ("wrapped of 71 bytes", put(passphrase, 6, b"w" * 71), BAD),
            ("passphrase with enc", put(passphrase, 5, b"e"), BAD), ("rsa of 255 bytes", rsa_slot(255), BAD), ("rsa of 256 bytes", rsa_slot(256), OK),
            ("rsa of 257 bytes", rsa_slot(257), OK), ("rsa of 512 bytes", rsa_slot(512), OK), ("rsa of 513 bytes", rsa_slot(513), BAD),
            ("P-256 enc that is no point", message(f1=2, f2=1, f3=b"s" * 16, f4=b"h" * 8, f5=b"e" * 65, f6=b"w" * 80), OK)):
        yield "F-8.1.1 slot: " + name, put(h, 2, slot, changed), expected


def rsa_slot(size):
    return message(f1=3, f2=1, f3=b"s" * 16, f4=b"h" * 8, f6=b"w" * size)


def signature_cases(editor):
    """(name, message of the head, expected) for the signatures and the payload type."""
    signature, payload = get(editor.envelope, 3)[0], get(editor.envelope, 2)[0]
    stranger = message(f1=b"\0" * 32, f2=b"whatever")

    def head(*signatures, kind=b"application/vnd.sealpack.release.v1"):
        return put(editor.head, 1, message(f1=kind, f2=payload, f3=list(signatures)))
    own = get(signature, 2)[0]
    yield "F-6.6.4 no signature", head(), FORGED
    yield "F-6.6.3 a stranger's beside it", head(stranger, signature), OK
    yield "F-6.6.3 a stranger's of no bytes", head(message(f1=b"\0" * 32), signature), OK
    yield "F-3.7 signatures out of order", head(signature, stranger), BAD
    yield "F-3.7 a signature twice", head(signature, signature), BAD
    yield "F-3.7 signature of 1025 bytes", head(put(stranger, 2, b"s" * 1025), signature), BAD
    yield "F-3.7 64 signatures", head(*[put(stranger, 1, bytes(31) + bytes([i])) for i in range(63)], signature), OK
    yield "F-3.7 65 signatures", head(*[put(stranger, 1, bytes(31) + bytes([i])) for i in range(64)], signature), BAD
    yield "F-6.5 shorter signature", head(put(signature, 2, own[:-1])), FORGED
    yield "F-6.5 longer signature", head(put(signature, 2, own + b"\0")), FORGED
    yield "F-6.5 empty signature", head(put(signature, 2)), FORGED
    order = reader.ED25519_ORDER if isinstance(editor.key, reader.ed25519.Ed25519PrivateKey) else None
    if order:
        high = int.from_bytes(own[32:], "little") + order
        yield "F-6.5.2 S above the order", head(put(signature, 2, own[:32] + high.to_bytes(32, "little"))), FORGED
        yield "F-6.5.2 R of small order", head(put(signature, 2, b"\1" + bytes(31) + own[32:])), FORGED
    else:
        high = reader.CURVES["p256"][3] - int.from_bytes(own[32:], "big")
        yield "F-6.5.3 high s", head(put(signature, 2, own[:32] + high.to_bytes(32, "big"))), FORGED
        yield "F-6.5.3 r of 0", head(put(signature, 2, bytes(32) + own[32:])), FORGED
    for kind, expected in ((b"application/vnd.sealpack.release.v2", NEW), (b"application/vnd.sealpack.release.v11", NEW),
                           (b"application/vnd.sealpack.release.v", NEW), (b"application/vnd.sealpack.release.v01", NEW),
                           (b"application/vnd.sealpack.release.v1 ", NEW), (b"application/vnd.sealpack.grant.v1", BAD), (b"", BAD),
                           (b"application/vnd.sealpack.release.v" + b"1" * 250, BAD)):
        yield f"F-1.1.3 payload type {kind[:40]}", head(signature, kind=kind), expected
    yield "F-2.1.1 tag of 6 bytes", editor.head + varint(2**35 + 2) + b"\0", BAD


def container_cases(editor):
    """(name, bytes, expected) for what surrounds the messages."""
    data = editor.data
    copy = (editor.head_size - 4096) // 8192 * 4096

    def put_at(at, value, base=data):
        return base[:at] + value + base[at + len(value):]
    live = data[8192:8192 + copy]
    in_b = put_at(8192 + copy, live, put_at(8192, bytes(copy)))
    yield "F-3.5 A, updating", put_at(4120, b"\x33"), OK
    yield "F-3.5 A, updating, with rubbish in B", put_at(8192 + copy, b"rubbish", put_at(4120, b"\x33")), OK
    yield "F-3.6.1 A with rubbish in B", put_at(8192 + copy, b"rubbish"), BAD
    yield "F-3.5 B", put_at(4120, b"\x69", in_b), OK
    yield "F-3.5 B, updating", put_at(4120, b"\x55", in_b), OK
    yield "F-3.5 B, updating, with A still there", put_at(4120, b"\x55", put_at(8192 + copy, live)), OK
    yield "F-3.6.1 B with A still there", put_at(4120, b"\x69", put_at(8192 + copy, live)), BAD
    yield "F-3.5 state B over an empty copy", put_at(4120, b"\x69"), BAD | FORGED
    yield "F-3.6.1 end of the head", put_at(4096 + editor.head_size - 1, b"\1", put_at(4120, b"\x33")), BAD
    yield "F-3.6 padding of the live copy", put_at(8192 + copy - 1, b"\1", put_at(4120, b"\x33")), BAD
    yield "F-3.6 message size", put_at(8192, (copy - 35).to_bytes(4, "little")), BAD
    yield "F-3.5.1 state 0", put_at(4120, b"\0"), BAD
    yield "F-1.1.2 format 2", put_at(4112, b"\2"), NEW
    yield "F-1.1.2 format 2^32 - 1 and nothing known behind it", put_at(4112, b"\xff" * 100), NEW
    yield "F-1.1.2 format 0", put_at(4112, b"\0"), BAD
    yield "F-3.3.2 head size 32 KiB", put_at(4116, (2**15).to_bytes(4, "little")), BAD
    yield "F-3.3.2 head size 128 KiB", put_at(4116, (2**17).to_bytes(4, "little")), BAD
    yield "F-3.2.3 a byte more", data + b"\0", BAD
    yield "F-3.2.3 a block more", data + bytes(512), BAD
    yield "F-3.2.3 a block less", data[:-512], BAD
    yield "F-3.2.1 time in a tar header", put_at(136, b"00000000001"), BAD
    yield "F-12 nothing", b"", BAD
    yield "F-12 only a head", data[:4096 + editor.head_size], BAD


def own_slot(head, recipient):
    return next(s for s in get(head, 2) if get(s, 1) == [recipient.kind])


def unwrap_cases(head, recipient):
    """(name, message of the head, codes that the document allows) for opening with `recipient`, whose slot is one of those in `head`."""
    slot = own_slot(head, recipient)
    shut = {reader.KEY_UNAVAILABLE}

    def flip(number, at=0):
        old = get(slot, number)[0]
        at %= len(old)
        return put(slot, number, old[:at] + bytes([old[at] ^ 1]) + old[at + 1:])
    yield "no change", head, OK
    yield "no slots", put(head, 2), shut
    attested = put(slot, 2, 2)  # a program may leave attested slots alone, as refused
    yield "class attested, which it is not bound to", put(head, 2, attested), shut | NO
    yield "class attested, before one that opens", put(head, 2, attested, slot), OK
    for number, name in ((3, "salt"), (4, "hint"), (6, "wrapped")):
        allowed = shut if number == 6 else shut | OK  # a reader may try slots whose hint does not fit
        yield f"{name} flipped", put(head, 2, flip(number)), allowed
        yield f"end of {name} flipped", put(head, 2, flip(number, -1)), allowed
    if recipient.kind in (1, 2):
        yield "enc flipped", put(head, 2, flip(5, -1)), shut
        yield "enc of zeros", put(head, 2, put(slot, 5, bytes(len(get(slot, 5)[0])))), shut
    if recipient.kind == 1:
        yield "enc of order 1", put(head, 2, put(slot, 5, b"\1" + bytes(31))), shut
        yield "top bit of enc", put(head, 2, put(slot, 5, get(slot, 5)[0][:31] + bytes([get(slot, 5)[0][31] ^ 0x80]))), shut
    yield "15 that fail before it", put(head, 2, *[flip(6)] * 15, slot), OK
    yield "16 that fail before it", put(head, 2, *[flip(6)] * 16, slot), shut | OK | MUCH
    yield "60 with other hints before it", put(head, 2, *[flip(4)] * 60, slot), OK


def grant_file(uuid, content_digest, slot):
    body = message(f1=uuid, f2=content_digest, f3=slot)
    return b"sealpack grant\0\0" + (1).to_bytes(4, "little") + reader.sha256(body) + body


def grant_cases(editor, other, recipient):
    """(name, bytes of a grant, expected) for a bundle without slots; `other` is another bundle."""
    names = get(editor.content, 3)[0], get(editor.payload, 1)[0]
    slot, others = own_slot(editor.head, recipient), own_slot(other.head, recipient)
    good = grant_file(*names, slot)
    yield "good", good, OK
    yield "of another bundle", grant_file(get(other.content, 3)[0], get(other.payload, 1)[0], others), {reader.KEY_UNAVAILABLE}
    yield "slot of another bundle", grant_file(*names, others), {reader.KEY_UNAVAILABLE}
    others_hint = put(slot, 4, b"h" * 8)
    yield "another hint", grant_file(*names, others_hint), {reader.KEY_UNAVAILABLE} | OK
    yield "another uuid", grant_file(bytes(16), names[1], slot), {reader.KEY_UNAVAILABLE}
    yield "format 2", good[:16] + b"\2" + good[17:], NEW
    yield "format 0", good[:16] + b"\0" + good[17:], BAD
    yield "magic", b"S" + good[1:], BAD
    yield "checksum", good[:20] + bytes([good[20] ^ 1]) + good[21:], FORGED
    yield "cut short", good[:-1], FORGED
    yield "cut in its checksum", good[:40], BAD
    yield "a byte more", good + b"\0", FORGED
    yield "2049 bytes", good + bytes(2049 - len(good)), MUCH
    yield "empty", b"", BAD
    body = good[52:] + b"\x20\1"
    yield "unknown field", good[:20] + reader.sha256(body) + body, BAD


def signing_key(path):
    return serialization.load_pem_private_key(reader.load_key(path), None)


def cases(bundle, private_key):
    editor = Editor(bundle, signing_key(private_key))
    for name, payload, expected in release_cases(editor.payload):
        yield f"release: {name}", editor.with_payload(payload), expected
    for name, content, expected in content_cases(editor.content):
        yield f"manifest: {name}", editor.with_content(content), expected
    for name, head, expected in slot_cases(editor.head):
        yield f"head: {name}", editor.with_head(head), expected
    for name, head, expected in signature_cases(editor):
        yield f"head: {name}", editor.with_head(head), expected
    for name, data, expected in container_cases(editor):
        yield f"file: {name}", data, expected
