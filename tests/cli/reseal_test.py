# SPDX-License-Identifier: Apache-2.0
import unittest

from sealpack_case import (IO, KEY_UNAVAILABLE, NOT_AUTHENTIC, REFUSED, USAGE, SealpackCase)

HEAD_STATE = 4096 + 24  # FORMAT.md: the byte that says which copy of the head counts


class ResealCase(SealpackCase):
    def counter(self, name):
        return self.succeed("inspect", name, "--json").json()["release"]["counter"]

    def opens(self, name, key, *arguments):
        out = f"{name}-{key}"
        run = self.run_tool("unseal", name, "--trust", "vendor.pub", "--key", key, "--out", out,
                            *arguments)
        if run.status == 0:
            self.assert_same_model(self.folder / out)
        return run.status == 0


class Reseal(ResealCase):
    def test_a_new_release_is_signed_and_its_counter_grows(self):
        bundle = self.build("b.seal", "--counter", "7")
        before = bundle.read_bytes()
        self.succeed("reseal", "b.seal", "--in-place", "--signer", "vendor.key", "--not-after",
                     "2100-01-01", "--counter", "8")
        self.succeed("verify", "b.seal", "--trust", "vendor.pub")
        self.assertEqual(self.counter("b.seal"), 8)
        head = 4096 + 65536
        self.assertEqual(bundle.read_bytes()[head:], before[head:])
        self.assertTrue(self.opens("b.seal", "device.key"))
        self.succeed("reseal", "b.seal", "--in-place", "--signer", "vendor.key", "--not-after",
                     "never")
        self.assertGreater(self.counter("b.seal"), 1_700_000_000)

    def test_an_old_release_put_back_is_not_signed_again_unnoticed(self):
        self.build("old.seal", "--counter", "7")
        self.succeed("reseal", "old.seal", "--out", "new.seal", "--signer", "vendor.key", "--counter", "9")
        old, new = ((self.folder / name).read_bytes() for name in ("old.seal", "new.seal"))
        head = slice(4096, 4096 + 65536)
        (self.folder / "mixed.seal").write_bytes(new[:4096] + old[head] + new[4096 + 65536:])
        (self.folder / "trust.toml").write_text(
            'product = "%s"\ncounter_floor = 9\n[authority]\nkeys = ["vendor.pub"]\n'
            % self.succeed("inspect", "new.seal", "--json").json()["release"]["product"])
        self.fail_with(REFUSED, "below the floor 9", "reseal", "mixed.seal", "--in-place", "--signer",
                       "vendor.key", "--trust", "trust.toml", "--not-after", "2100-01-01")
        run = self.succeed("reseal", "mixed.seal", "--in-place", "--signer", "vendor.key",
                           "--not-after", "2100-01-01")
        self.assertIn("counter 7, which may be an old one", run.err)
        self.assertIn("opens", run.out)

    def test_the_counter_never_falls_or_stays(self):
        self.build("b.seal", "--counter", "7")
        for counter in ("7", "6", "0"):
            self.fail_with(USAGE, "counter", "reseal", "b.seal", "--in-place", "--signer",
                           "vendor.key", "--counter", counter)
        self.build("far.seal", "--counter", "9000000000")
        self.succeed("reseal", "far.seal", "--in-place", "--signer", "vendor.key")
        self.assertEqual(self.counter("far.seal"), 9_000_000_001)

    def test_an_expired_release_can_be_renewed(self):
        self.build("b.seal", "--not-after", "2021-01-01")
        for trust in ((), ("--trust", "vendor.pub")):
            self.succeed("reseal", "b.seal", "--out", f"c{len(trust)}.seal", "--signer",
                         "vendor.key", "--not-after", "2100-01-01", *trust)
            self.succeed("verify", f"c{len(trust)}.seal", "--trust", "vendor.pub")

    def test_what_others_signed_is_not_signed_again(self):
        self.build()
        self.fail_with(NOT_AUTHENTIC, "signer", "reseal", "b.seal", "--in-place", "--signer",
                       "stranger.key", "--version", "2")
        self.fail_with(NOT_AUTHENTIC, "signature", "reseal", "b.seal", "--out", "c.seal",
                       "--signer", "vendor.key", "--trust", "stranger.pub", "--version", "2")

    def test_a_head_that_was_tampered_with_is_not_signed_again(self):
        bundle = self.build("b.seal", "--version", "1.0-marked")
        content = bundle.read_bytes()
        self.flip(bundle, content.index(b"1.0-marked"))
        run = self.run_tool("reseal", "b.seal", "--in-place", "--signer", "vendor.key")
        self.assertNotEqual(run.status, 0)

    def test_recipients_change_without_a_signer(self):
        self.build()
        self.succeed("reseal", "b.seal", "--in-place", "--key", "device.key", "--add-to",
                     "other.pub")
        self.assertTrue(self.opens("b.seal", "other.key"))
        run = self.succeed("reseal", "b.seal", "--out", "c.seal", "--drop-to", "device.pub")
        self.assertIn("older copy", run.err)
        self.assertFalse(self.opens("c.seal", "device.key"))
        self.assertTrue(self.opens("c.seal", "other.key"))
        self.assertTrue(self.opens("b.seal", "device.key", "--threads", "1"))

    def test_dropping_is_honest_about_who_is_not_there_and_who_is_left(self):
        self.build()
        self.fail_with(USAGE, "no slot", "reseal", "b.seal", "--in-place", "--drop-to", "other.pub")
        self.fail_with(USAGE, "nobody could open", "reseal", "b.seal", "--in-place", "--drop-to",
                       "device.pub")

    def test_adding_needs_a_key_that_opens(self):
        self.build()
        self.fail_with(USAGE, "--key", "reseal", "b.seal", "--in-place", "--add-to", "other.pub")
        self.fail_with(KEY_UNAVAILABLE, "slots", "reseal", "b.seal", "--in-place", "--add-to",
                       "other.pub", "--key", "other.key")

    def test_a_policy_with_measurements_admits_no_direct_slot(self):
        self.build()
        self.fail_with(REFUSED, "demands attestation", "reseal", "b.seal", "--in-place", "--signer",
                       "vendor.key", "--policy", "attested.toml")
        self.build_attested("c.seal")
        self.fail_with(REFUSED, "demands attestation", "reseal", "c.seal", "--in-place", "--key",
                       "escrow.key", "--add-to", "device.pub")
        self.succeed("reseal", "b.seal", "--in-place", "--signer", "vendor.key", "--policy",
                     "attested.toml", "--key", "device.key", "--add-to", "broker.pub", "--drop-to",
                     "device.pub", "--escrow", "escrow.pub", "--escrow-reason", "recovery")
        self.assertTrue(self.opens("b.seal", "escrow.key"))

    def test_options_that_contradict_each_other(self):
        self.build()
        self.fail_with(USAGE, "--signer", "reseal", "b.seal", "--in-place", "--version", "2")
        self.fail_with(USAGE, "--in-place and --out", "reseal", "b.seal", "--signer", "vendor.key")
        self.fail_with(USAGE, "itself", "reseal", "b.seal", "--out", "./b.seal", "--signer",
                       "vendor.key")
        self.fail_with(USAGE, "nothing to change", "reseal", "b.seal", "--in-place")
        self.fail_with(USAGE, "--escrow-reason without --escrow", "reseal", "b.seal", "--in-place",
                       "--signer", "vendor.key", "--escrow-reason", "none")
        self.fail_with(IO, "exists", "reseal", "b.seal", "--out", "vendor.pub", "--signer",
                       "vendor.key")

    def test_in_place_finishes_an_update_that_was_interrupted(self):
        bundle = self.build()
        content = bytearray(bundle.read_bytes())
        content[HEAD_STATE] = 0x33  # copy A counts, B was being written
        copy_b = 4096 + 4096 + (65536 - 4096) // 8192 * 4096
        content[copy_b + 100] = 0x5A
        bundle.write_bytes(bytes(content))
        self.assertIn("interrupted", self.succeed("inspect", "b.seal").out)
        self.assertIn("interrupted", self.succeed("verify", "b.seal", "--trust", "vendor.pub").err)
        self.assertIn("finished", self.succeed("reseal", "b.seal", "--in-place").err)
        self.assertFalse(self.succeed("inspect", "b.seal", "--json").json()["update_interrupted"])
        self.assertEqual(bundle.read_bytes()[copy_b + 100], 0)


class Rekey(ResealCase):
    def test_encrypts_everything_again_for_the_named_alone(self):
        self.build("b.seal", "--public", "*.bias")
        done = self.succeed("reseal", "b.seal", "--out", "c.seal", "--rekey", "--key", "device.key",
                            "--signer", "vendor.key", "--add-to", "other.pub", "--json").json()
        self.assertTrue(done["rekeyed"])
        self.succeed("verify", "c.seal", "--trust", "vendor.pub")
        self.assertTrue(self.opens("c.seal", "other.key"))
        self.assertFalse(self.opens("c.seal", "device.key"))
        old = self.succeed("inspect", "b.seal", "--json").json()
        new = self.succeed("inspect", "c.seal", "--json").json()
        self.assertNotEqual(old["content"]["uuid"], new["content"]["uuid"])
        self.assertEqual(old["content"]["files"], new["content"]["files"])
        self.assertEqual(old["content"]["originals"], new["content"]["originals"])
        self.assertGreater(new["release"]["counter"], old["release"]["counter"])

    def test_needs_all_that_a_new_bundle_needs(self):
        self.build()
        self.fail_with(USAGE, "--rekey needs", "reseal", "b.seal", "--out", "c.seal", "--rekey",
                       "--key", "device.key", "--signer", "vendor.key")
        self.fail_with(USAGE, "--out", "reseal", "b.seal", "--in-place", "--rekey", "--key",
                       "device.key", "--signer", "vendor.key", "--add-to", "other.pub")
        self.fail_with(NOT_AUTHENTIC, "signer", "reseal", "b.seal", "--out", "c.seal", "--rekey",
                       "--key", "device.key", "--signer", "stranger.key", "--add-to", "other.pub")

    def test_does_not_lose_the_escrow_key_silently(self):
        self.build("b.seal", "--escrow", "escrow.pub", "--escrow-reason", "recovery")
        rekey = ("reseal", "b.seal", "--out", "c.seal", "--rekey", "--key", "device.key",
                 "--signer", "vendor.key", "--add-to", "other.pub")
        self.fail_with(USAGE, "escrow", *rekey)
        self.succeed(*rekey, "--add-to", "escrow.pub")
        self.assertTrue(self.opens("c.seal", "escrow.key"))

    def test_does_not_carry_damage_into_the_new_bundle(self):
        bundle = self.build()
        self.flip(bundle, bundle.stat().st_size - 8192)
        self.fail_with(NOT_AUTHENTIC, "b.seal", "reseal", "b.seal", "--out", "c.seal", "--rekey",
                       "--key", "device.key", "--signer", "vendor.key", "--add-to", "other.pub")


if __name__ == "__main__":
    unittest.main()
