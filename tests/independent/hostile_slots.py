#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Slots are not signed: whoever can write a bundle's file can add some. What the tool does with such bundles."""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

try:
    from cryptography.hazmat.primitives import serialization
    from edited_bundle import Editor, get, message, put
    from messages import KEY_UNAVAILABLE, LIMIT, REFUSED, lp, sha256
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

DIRECT, HPKE_X25519 = 1, 1


def forged_slot(public_key):
    """A slot that seems to be for this recipient and opens for nobody."""
    salt = os.urandom(16)
    hint = sha256(lp(b"sealpack/v1/slot-hint"), lp(salt), lp(sha256(public_key)))[:8]
    return message(f1=HPKE_X25519, f2=DIRECT, f3=salt, f4=hint, f5=os.urandom(32), f6=os.urandom(80))


class HostileSlots(unittest.TestCase):
    tool = None

    def sealpack(self, *arguments, expect=0):
        done = subprocess.run([self.tool, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=600)
        self.assertEqual(done.returncode, expect, done.stderr)
        return done

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        for role, name in (("authority", "vendor"), ("recipient", "device"), ("recipient", "other")):
            self.sealpack("keygen", role, "--out", name, "--no-passphrase", "-q")
        (self.folder / "model.bin").write_bytes(os.urandom(5000))
        self.sealpack("build", "model.bin", "--opaque", "--out", "m.seal", "--signer", "vendor.key", "--to", "other.pub",
                      "--to", "device.pub", "-q")
        key = serialization.load_pem_public_key((self.folder / "device.pub").read_bytes())
        self.device = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    def rewrite(self, change):
        """m.seal with change(slots) in place of its slots."""
        editor = Editor(str(self.folder / "m.seal"), None)
        (self.folder / "m.seal").write_bytes(editor.with_head(put(editor.head, 2, *change(get(editor.head, 2)))))

    def unseal(self, expect=0):
        return self.sealpack("unseal", "m.seal", "--trust", "vendor.pub", "--key", "device.key", "--out", "opened",
                             expect=expect)

    def test_a_few_forged_slots_before_the_real_one_do_not_keep_the_device_out(self):
        self.rewrite(lambda slots: [forged_slot(self.device) for _ in range(15)] + slots)
        self.unseal()
        self.assertEqual((self.folder / "opened/model.bin").read_bytes(), (self.folder / "model.bin").read_bytes())

    def test_the_search_ends_after_sixteen_slots_that_seem_to_fit(self):
        self.rewrite(lambda slots: [forged_slot(self.device) for _ in range(16)] + slots)
        self.unseal(expect=KEY_UNAVAILABLE)
        self.assertFalse((self.folder / "opened").exists())

    def test_reseal_makes_the_slot_of_a_recipient_that_a_forged_one_stands_in_for(self):
        """The device's own slot is gone and a forged one claims its place: adding the device must add a real slot."""
        own = lambda slot: sha256(lp(b"sealpack/v1/slot-hint"), lp(get(slot, 3)[0]), lp(sha256(self.device)))[:8] == get(slot, 4)[0]
        self.rewrite(lambda slots: [forged_slot(self.device)] + [slot for slot in slots if not own(slot)])
        self.unseal(expect=KEY_UNAVAILABLE)
        self.sealpack("reseal", "m.seal", "--in-place", "--signer", "vendor.key", "--trust", "vendor.pub", "--key", "other.key",
                      "--add-to", "device.pub", "-q")
        self.unseal()

    def test_a_list_of_recipients_has_an_end(self):
        (self.folder / "list").write_text("device.pub\n" * 65537)
        done = self.sealpack("build", "model.bin", "--opaque", "--out", "n.seal", "--signer", "vendor.key", "--to-file", "list",
                             expect=LIMIT)
        self.assertIn("more than 65536 recipients", done.stderr)

    def test_the_hint_about_a_readable_key_file_cannot_steer_the_terminal(self):
        name = "dev\x1b[31mice.key"
        (self.folder / "device.key").rename(self.folder / name)
        (self.folder / name).chmod(0o644)
        done = self.sealpack("unseal", "m.seal", "--trust", "vendor.pub", "--key", name, "--out", "opened", expect=REFUSED)
        self.assertIn("chmod 600", done.stderr)
        self.assertNotIn("\x1b", done.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sealpack", required=True, type=pathlib.Path)
    options = parser.parse_args()
    HostileSlots.tool = options.sealpack.resolve()
    unittest.main(argv=sys.argv[:1], verbosity=2)
