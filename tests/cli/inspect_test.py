# SPDX-License-Identifier: Apache-2.0
import unittest

from sealpack_case import (IO, MALFORMED, NOT_AUTHENTIC, REFUSED, USAGE, SealpackCase, safetensors)


class Inspect(SealpackCase):
    def test_without_trust_everything_is_claimed(self):
        self.build()
        out = self.succeed("inspect", "b.seal").out
        self.assertTrue(out.startswith("CLAIMED"))
        self.assertIn("(CLAIMED)", out)
        self.assertIn("opens without attestation: yes", out)

    def test_with_trust_it_is_verified(self):
        self.build()
        out = self.succeed("inspect", "b.seal", "--trust", "vendor.pub").out
        self.assertTrue(out.startswith("VERIFIED"))
        self.assertNotIn("CLAIMED", out)

    def test_the_wrong_key_is_an_error_not_a_claim(self):
        self.build()
        run = self.fail_with(NOT_AUTHENTIC, "signature", "inspect", "b.seal", "--trust",
                             "stranger.pub")
        self.assertEqual(run.out, "")

    def test_an_expired_release_is_refused_with_trust_and_shown_as_of_an_earlier_time(self):
        self.build("b.seal", "--not-after", "2021-01-01")
        self.fail_with(REFUSED, "expired", "inspect", "b.seal", "--trust", "vendor.pub")
        self.succeed("inspect", "b.seal", "--trust", "vendor.pub", "--at", "2020-06-01")
        self.assertIn("until 2021-01-01", self.succeed("inspect", "b.seal").out)

    def test_json_says_what_programs_need(self):
        self.build("b.seal", "--public", "*.bias", "--version", "1.2", "--counter", "7")
        seen = self.succeed("inspect", "b.seal", "--json", "--tensors").json()
        self.assertFalse(seen["verified"])
        self.assertFalse(seen["update_interrupted"])
        self.assertEqual(seen["release"]["version"], "1.2")
        self.assertEqual(seen["release"]["counter"], 7)
        self.assertFalse(seen["release"]["requires_attestation"])
        self.assertEqual(seen["content"]["sealed_parameters"], 2003)
        self.assertEqual(seen["content"]["public_parameters"], 50)
        self.assertEqual(seen["content"]["dtypes"]["F32"], {"tensors": 3, "elements": 2053})
        self.assertEqual(seen["recipients"],
                         [{"class": "direct", "kind": "hpke-x25519", "count": 1}])
        places = {tensor["name"]: tensor["place"] for tensor in seen["tensors"]}
        self.assertEqual(places, {"a.bias": "public", "a.weight": "sealed", "b.weight": "sealed"})

    def test_tells_that_an_escrow_key_opens_without_attestation(self):
        self.build_attested()
        seen = self.succeed("inspect", "b.seal", "--json").json()
        self.assertTrue(seen["release"]["requires_attestation"])
        self.assertTrue(seen["release"]["escrow"]["slot"])
        self.assertIn("escrow", seen["opens_without_attestation"])
        self.assertIn("we keep a way back", self.succeed("inspect", "b.seal").out)

    def test_redaction_hides_names(self):
        self.build("b.seal", "--redact", "names")
        out = self.succeed("inspect", "b.seal", "--tensors").out
        self.assertNotIn("a.weight", out)
        self.assertIn("(redacted)", out)

    def test_a_model_needs_no_key(self):
        listed = self.succeed("inspect", "model", "--json").json()
        self.assertEqual([tensor["name"] for tensor in listed["tensors"]],
                         ["a.weight", "a.bias", "b.weight"])
        self.assertEqual(listed["parameters"], 2053)
        self.assertIn("a.weight", self.succeed("inspect", "model/net.safetensors").out)
        self.fail_with(USAGE, "not a bundle", "inspect", "model", "--trust", "vendor.pub")

    def test_names_cannot_steer_the_terminal(self):
        (self.folder / "evil.safetensors").write_bytes(safetensors({"a\x1b[2Jb": [2]}))
        out = self.succeed("inspect", "evil.safetensors").out
        self.assertNotIn("\x1b", out)
        self.assertIn("\\x1b", out)
        self.assertNotIn("\x1b", self.succeed("inspect", "evil.safetensors", "--json").out)

    def test_damage_and_absence_have_their_codes(self):
        bundle = self.build()
        (self.folder / "cut.seal").write_bytes(bundle.read_bytes()[:5000])
        self.assertIn(self.run_tool("inspect", "cut.seal").status, (IO, MALFORMED))
        self.fail_with(IO, "nowhere", "inspect", "nowhere.seal")


if __name__ == "__main__":
    unittest.main()
