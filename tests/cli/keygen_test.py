# SPDX-License-Identifier: Apache-2.0
import stat
import unittest

from sealpack_case import IO, REFUSED, USAGE, SealpackCase


class Keygen(SealpackCase):
    def test_makes_a_private_key_for_its_owner_alone_and_a_public_one(self):
        self.succeed("keygen", "publisher", "--out", "k", "--no-passphrase", "--name", "CI")
        self.assertEqual(stat.S_IMODE((self.folder / "k.key").stat().st_mode), 0o600)
        self.assertIn("role=publisher name=CI", (self.folder / "k.pub").read_text())

    def test_json_has_files_and_digest(self):
        made = self.succeed("keygen", "broker", "--out", "k", "--no-passphrase", "--type", "p256",
                            "--json").json()
        self.assertEqual(made["role"], "broker")
        self.assertEqual(made["type"], "p256")
        self.assertEqual((made["private_key"], made["public_key"]), ("k.key", "k.pub"))
        self.assertRegex(made["digest"], "^sha256:[0-9a-f]{64}$")
        self.assertFalse(made["encrypted"])

    def test_a_symmetric_key_has_no_public_file(self):
        made = self.succeed("keygen", "recipient", "--out", "s", "--no-passphrase", "--type",
                            "aes256", "--json").json()
        self.assertIsNone(made["public_key"])
        self.assertFalse((self.folder / "s.pub").exists())

    def test_says_how_to_care_for_an_authority_or_escrow_key(self):
        for role in ("authority", "escrow"):
            run = self.succeed("keygen", role, "--out", role + "2", "--no-passphrase")
            self.assertIn("offline", run.err)

    def test_encrypts_under_a_passphrase_file_that_its_owner_alone_can_read(self):
        secret = self.folder / "secret"
        secret.write_text("correct horse\n")
        secret.chmod(0o644)
        self.fail_with(REFUSED, "chmod", "keygen", "recipient", "--out", "k", "--passphrase-file",
                       "secret")
        secret.chmod(0o600)
        self.succeed("keygen", "recipient", "--out", "k", "--passphrase-file", "secret")
        self.assertIn("ENCRYPTED", (self.folder / "k.key").read_text())

    def test_does_not_prompt_without_a_terminal(self):
        self.fail_with(USAGE, "terminal", "keygen", "recipient", "--out", "k")

    def test_replaces_nothing_unless_forced(self):
        before = (self.folder / "vendor.key").read_bytes()
        run = self.run_tool("keygen", "authority", "--out", "vendor", "--no-passphrase")
        self.assertIn(run.status, (USAGE, IO))
        self.assertEqual((self.folder / "vendor.key").read_bytes(), before)
        self.succeed("keygen", "authority", "--out", "vendor", "--no-passphrase", "--force")
        self.assertNotEqual((self.folder / "vendor.key").read_bytes(), before)

    def test_refuses_roles_and_types_that_are_not_there(self):
        self.fail_with(USAGE, "no role", "keygen", "king", "--out", "k", "--no-passphrase")
        self.fail_with(USAGE, "no key type", "keygen", "broker", "--out", "k", "--no-passphrase",
                       "--type", "rot13")
        self.fail_with(USAGE, "authority", "keygen", "authority", "--out", "k", "--no-passphrase",
                       "--type", "x25519")

    def test_errors_come_as_json_too_also_those_of_the_command_line(self):
        run = self.run_tool("keygen", "king", "--out", "k", "--json")
        self.assertEqual(run.json()["error"]["exit_status"], USAGE)
        run = self.run_tool("keygen", "--json")
        self.assertEqual(run.json()["error"]["code"], "usage")
        self.assertEqual(set(run.json()["error"]), {"code", "exit_status", "message", "hint"})

    def test_help_ends_with_the_exit_codes(self):
        for verb in ("keygen", "build", "inspect", "verify", "extract", "unseal", "diff", "grant",
                     "reseal"):
            self.assertIn("Exit status:", self.succeed(verb, "--help").out)


if __name__ == "__main__":
    unittest.main()
