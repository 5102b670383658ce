# SPDX-License-Identifier: Apache-2.0
import unittest

from sealpack_case import NOT_AUTHENTIC, SealpackCase, safetensors


class Diff(SealpackCase):
    def changes(self, *arguments):
        found = self.succeed("diff", "a.seal", "b.seal", "--json", *arguments).json()
        return {(one["what"], one["name"]): one["change"] for one in found["differences"]}

    def test_a_copy_is_identical(self):
        (self.folder / "b.seal").write_bytes(self.build("a.seal").read_bytes())
        self.assertIn("identical", self.succeed("diff", "a.seal", "b.seal").out)
        self.assertTrue(self.succeed("diff", "a.seal", "b.seal", "--json").json()["identical"])

    def test_a_new_release_of_the_same_content(self):
        self.build("a.seal")
        self.succeed("reseal", "a.seal", "--out", "b.seal", "--signer", "vendor.key", "--version",
                     "2")
        self.assertEqual(set(self.changes()), {("version", ""), ("counter", "")})

    def test_another_build_of_the_same_model_is_encrypted_anew(self):
        self.build("a.seal")
        self.build("b.seal")
        changes = self.changes("--trust", "vendor.pub")
        self.assertEqual(changes[("sealed file", "net.safetensors")], "re-encrypted")
        self.assertEqual(changes[("content digest", "")], "changed")
        self.assertNotIn(("public file", "config.json"), changes)

    def test_another_model_differs_in_files_and_tensors(self):
        self.build("a.seal")
        (self.folder / "model" / "net.safetensors").write_bytes(
            safetensors({"a.weight": [50, 40], "c": [1]}))
        (self.folder / "model" / "config.json").write_text("{}")
        (self.folder / "model" / "README.md").write_text("new\n")
        self.build("b.seal")
        changes = self.changes()
        self.assertEqual(changes[("tensor", "net.safetensors: a.weight")], "changed")
        self.assertEqual(changes[("tensor", "net.safetensors: a.bias")], "removed")
        self.assertEqual(changes[("tensor", "net.safetensors: c")], "added")
        self.assertEqual(changes[("public file", "config.json")], "changed")
        self.assertEqual(changes[("public file", "README.md")], "added")

    def test_trust_covers_both(self):
        self.build("a.seal")
        self.build("b.seal", signer="stranger.key")
        self.assertIn("CLAIMED", self.succeed("diff", "a.seal", "b.seal").out)
        self.fail_with(NOT_AUTHENTIC, "b.seal", "diff", "a.seal", "b.seal", "--trust", "vendor.pub")


if __name__ == "__main__":
    unittest.main()
