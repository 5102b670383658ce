# SPDX-License-Identifier: Apache-2.0
import unittest

from sealpack_case import IO, NOT_AUTHENTIC, USAGE, SealpackCase


class Extract(SealpackCase):
    def test_writes_the_public_files_alone(self):
        self.build()
        done = self.succeed("extract", "b.seal", "--trust", "vendor.pub", "--out", "ex",
                            "--json").json()
        self.assertEqual(done["files"], 1)
        self.assertEqual((self.folder / "ex" / "config.json").read_text(), '{"width": 50}\n')
        self.assertEqual([path.name for path in (self.folder / "ex").iterdir()], ["config.json"])

    def test_a_changed_public_file_leaves_no_folder(self):
        bundle = self.build()
        content = bundle.read_bytes()
        self.flip(bundle, content.index(b'{"width": 50}'))
        self.fail_with(NOT_AUTHENTIC, "signed", "extract", "b.seal", "--trust", "vendor.pub",
                       "--out", "ex")

    def test_needs_trust_and_an_unused_name(self):
        self.build()
        self.fail_with(USAGE, "--trust", "extract", "b.seal", "--out", "ex")
        self.fail_with(NOT_AUTHENTIC, "signature", "extract", "b.seal", "--trust", "stranger.pub",
                       "--out", "ex")
        self.fail_with(IO, "exists", "extract", "b.seal", "--trust", "vendor.pub", "--out", "model")


if __name__ == "__main__":
    unittest.main()
