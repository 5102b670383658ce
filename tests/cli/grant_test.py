# SPDX-License-Identifier: Apache-2.0
import unittest

from sealpack_case import (IO, KEY_UNAVAILABLE, NOT_AUTHENTIC, REFUSED, USAGE, SealpackCase)


class Grant(SealpackCase):
    def test_opens_the_bundle_for_one_more_and_leaves_it_as_it_was(self):
        bundle = self.build()
        before = bundle.read_bytes()
        made = self.succeed("grant", "b.seal", "--key", "device.key", "--to", "other.pub",
                            "--trust", "vendor.pub", "--json").json()
        self.assertEqual((made["grant"], made["class"]), ("other.grant", "direct"))
        self.assertTrue(made["verified"])
        self.assertEqual(bundle.read_bytes(), before)
        self.succeed("unseal", "b.seal", "--trust", "vendor.pub", "--key", "other.key", "--grant",
                     "other.grant", "--out", "un")
        self.assert_same_model(self.folder / "un")

    def test_is_for_one_key_and_one_bundle(self):
        self.build()
        self.build("c.seal")
        self.succeed("keygen", "recipient", "--out", "third", "--no-passphrase")
        self.succeed("grant", "b.seal", "--key", "device.key", "--to", "other.pub")
        self.fail_with(KEY_UNAVAILABLE, "slots", "unseal", "b.seal", "--trust", "vendor.pub",
                       "--key", "third.key", "--grant", "other.grant", "--out", "un")
        self.fail_with(KEY_UNAVAILABLE, "another bundle", "unseal", "c.seal", "--trust",
                       "vendor.pub", "--key", "other.key", "--grant", "other.grant", "--out", "un")

    def test_a_direct_grant_is_refused_when_the_release_demands_attestation(self):
        self.build_attested()
        self.fail_with(REFUSED, "demands attestation", "grant", "b.seal", "--key", "escrow.key",
                       "--to", "device.pub")
        self.succeed("keygen", "broker", "--out", "second", "--no-passphrase")
        made = self.succeed("grant", "b.seal", "--key", "escrow.key", "--to", "second.pub",
                            "--json").json()
        self.assertEqual(made["class"], "attested")

    def test_needs_a_key_that_opens_and_a_recipient_that_can(self):
        self.build()
        self.fail_with(KEY_UNAVAILABLE, "slots", "grant", "b.seal", "--key", "other.key", "--to",
                       "other.pub")
        self.fail_with(USAGE, "signs", "grant", "b.seal", "--key", "device.key", "--to",
                       "vendor.pub")
        self.fail_with(NOT_AUTHENTIC, "signature", "grant", "b.seal", "--key", "device.key", "--to",
                       "other.pub", "--trust", "stranger.pub")

    def test_replaces_no_file(self):
        self.build()
        (self.folder / "other.grant").write_text("precious")
        self.fail_with(IO, "exists", "grant", "b.seal", "--key", "device.key", "--to", "other.pub")
        self.assertEqual((self.folder / "other.grant").read_text(), "precious")
        self.succeed("grant", "b.seal", "--key", "device.key", "--to", "other.pub", "--force")


if __name__ == "__main__":
    unittest.main()
