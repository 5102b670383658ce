# SPDX-License-Identifier: Apache-2.0
import unittest

from sealpack_case import (MALFORMED, NOT_AUTHENTIC, REFUSED, USAGE, SealpackCase)


class Verify(SealpackCase):
    def test_one_line_says_what_was_verified(self):
        self.build("b.seal", "--version", "1.2", "--counter", "7")
        out = self.succeed("verify", "b.seal", "--trust", "vendor.pub").out
        self.assertRegex(out, r"^OK 'model' version '1.2' counter 7 release sha256:[0-9a-f]{64}\n$")

    def test_needs_trust(self):
        self.build()
        self.fail_with(USAGE, "--trust", "verify", "b.seal")

    def test_another_vendor_is_not_trusted(self):
        self.build()
        run = self.fail_with(NOT_AUTHENTIC, "0 valid signature", "verify", "b.seal", "--trust",
                             "stranger.pub")
        self.assertEqual(run.out, "")

    def test_finds_one_bit_anywhere(self):
        bundle = self.build()
        content = bundle.read_bytes()
        for offset in range(0, len(content), len(content) // 40):
            bundle.write_bytes(content)
            self.flip(bundle, offset)
            run = self.run_tool("verify", "b.seal", "--trust", "vendor.pub")
            self.assertIn(run.status, (MALFORMED, NOT_AUTHENTIC), f"byte {offset}: {run.out}")

    def test_finds_missing_and_added_bytes(self):
        bundle = self.build()
        content = bundle.read_bytes()
        for changed in (content[:-1], content[:-4096], content + b"\0"):
            bundle.write_bytes(changed)
            self.assertEqual(self.run_tool("verify", "b.seal", "--trust", "vendor.pub").status,
                             MALFORMED)

    def test_time_is_judged_and_may_be_given(self):
        self.build("b.seal", "--not-before", "2020-01-01", "--not-after", "2021-01-01")
        self.fail_with(REFUSED, "expired", "verify", "b.seal", "--trust", "vendor.pub")
        self.fail_with(REFUSED, "not valid before", "verify", "b.seal", "--trust", "vendor.pub",
                       "--at", "2019-12-31")
        self.succeed("verify", "b.seal", "--trust", "vendor.pub", "--at", "2020-06-01T12:00:00Z")
        self.fail_with(USAGE, "not a time", "verify", "b.seal", "--trust", "vendor.pub", "--at",
                       "yesterday")

    def test_a_trust_file_sets_product_and_counter_floor(self):
        self.build("b.seal", "--counter", "7")
        trust = self.folder / "trust.toml"
        trust.write_text('product = "model"\ncounter_floor = 8\n'
                         '[authority]\nkeys = ["vendor.pub"]\n')
        self.fail_with(REFUSED, "below the floor", "verify", "b.seal", "--trust", "trust.toml")
        trust.write_text('product = "other"\n[authority]\nkeys = ["vendor.pub"]\n')
        self.fail_with(REFUSED, "product", "verify", "b.seal", "--trust", "trust.toml")
        trust.write_text('product = "model"\ncounter_floor = 7\n'
                         '[authority]\nkeys = ["vendor.pub"]\n')
        self.succeed("verify", "b.seal", "--trust", "trust.toml")

    def test_explain_says_why_it_passed(self):
        self.build("b.seal", "--counter", "7")
        out = self.succeed("verify", "b.seal", "--trust", "vendor.pub", "--explain").out
        for word in ("authority: 1 of 1", "counter      7, floor 0", "host clock", "policy"):
            self.assertIn(word, out)
        why = self.succeed("verify", "b.seal", "--trust", "vendor.pub", "--explain", "--json",
                           "--at", "2027-01-01", "--threads", "2").json()["explanation"]
        self.assertEqual(why["signer_rules"],
                         [{"role": "authority", "valid": 1, "needed": 1, "keys": 1}])
        self.assertEqual(why["time_source"], "--at")
        self.assertGreater(why["bytes"], 70000)

    def test_failures_are_json_when_asked(self):
        self.build()
        error = self.run_tool("verify", "b.seal", "--trust", "stranger.pub", "--json").json()
        self.assertEqual(error["error"]["code"], "not-authentic")
        self.assertEqual(error["error"]["exit_status"], NOT_AUTHENTIC)


if __name__ == "__main__":
    unittest.main()
