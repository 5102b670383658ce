# SPDX-License-Identifier: Apache-2.0
"""What an operator tells a broker, verb by verb: what each takes, and what it refuses."""

import hashlib
import os
import shutil
import subprocess
import unittest

from broker_case import BrokerCase
from sealpack_case import (IO, KEY_UNAVAILABLE, MALFORMED, NOT_AUTHENTIC, REFUSED, UNSUPPORTED,
                           USAGE)

VERBS = ("init", "serve", "add", "list", "revoke", "licence", "policy", "enrol", "rotate", "end-key",
         "log show", "log verify", "checkpoint", "backup", "restore", "reconcile", "answer")
NAME = "000b" + "ab" * 32


class RuleCase(BrokerCase):
    def refused(self, status, pattern, verb, *arguments):
        self.fail_with(status, pattern, "broker", *verb.split(), *arguments, "--dir", "broker")

    def listed(self, what):
        return self.broker("list", "--json").json()[what]

    def last_entry(self):
        return self.broker("log show", "--json").json()[-1]["what"]


class Folders(RuleCase):
    def test_addresses_are_checked_when_a_broker_is_made(self):
        for option in ("--listen", "--admin"):
            for text in ("localhost:8443", "8443", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:",
                         "[::1:80"):
                self.fail_with(USAGE, f"{option}: .* is not ADDRESS:PORT", "broker", "init", "--dir",
                               "new", option, text)
        self.fail_with(USAGE, "--admin is given, and its value is empty", "broker", "init", "--dir",
                       "new", "--admin", "")
        self.fail_with(USAGE, "--listen: '' is not|ADDRESS:PORT|requires", "broker", "init", "--dir",
                       "new", "--listen", "x")
        self.succeed("broker", "init", "--dir", "new", "--listen", "[::1]:8443", "--admin", "none")
        text = (self.folder / "new/broker.toml").read_text()
        self.assertIn('address = "[::1]:8443"', text)
        self.assertIn('admin = ""', text)

    def test_a_line_of_the_configuration_that_is_wrong_is_named(self):
        path = self.folder / "broker/broker.toml"
        text = path.read_text()
        number = next(at for at, line in enumerate(text.splitlines(), 1) if line.startswith("address"))
        path.write_text(text.replace('address = "127.0.0.1:8443"', 'address = "localhost:8443"'))
        self.refused(MALFORMED, rf"broker.toml:{number}:\d+: .*address.* is not ADDRESS:PORT", "list")
        path.write_text(text.replace("threads = 2", "threads = 2000"))
        self.refused(MALFORMED, r"broker.toml:\d+:\d+: threads is from 1 to 64", "list")
        path.write_text(text + "[surprise]\n")
        self.refused(MALFORMED, r"broker.toml:\d+:\d+: .*surprise", "serve")

    def test_a_certificate_that_is_given_is_checked_when_a_broker_is_made(self):
        self.fail_with(USAGE, "--tls-key", "broker", "init", "--dir", "new", "--tls-cert",
                       "broker/tls.crt")
        self.fail_with(IO, "none.crt", "broker", "init", "--dir", "new", "--tls-cert", "none.crt",
                       "--tls-key", "broker/tls.key")
        self.succeed("broker", "init", "--dir", "other", "-q")
        self.fail_with(MALFORMED, "sealpack: error", "broker", "init", "--dir", "new", "--tls-cert",
                       "broker/tls.crt", "--tls-key", "other/tls.key")
        os.chmod(self.folder / "other/tls.key", 0o644)
        self.fail_with(REFUSED, "tls.key", "broker", "init", "--dir", "new", "--tls-cert",
                       "other/tls.crt", "--tls-key", "other/tls.key")
        os.chmod(self.folder / "other/tls.key", 0o600)
        made = self.succeed("broker", "init", "--dir", "new", "--tls-cert", "other/tls.crt",
                            "--tls-key", "other/tls.key", "--json").json()
        self.assertEqual(made["certificate"], str(self.folder / "other/tls.crt"))
        self.assertFalse((self.folder / "new/tls.key").exists())

    def test_keys_that_are_given_are_checked_when_a_broker_is_made(self):
        for arguments, status, pattern in (
                (("--recipient-key", "vendor.key"), USAGE, "recipient key: .*role"),
                (("--grant-key", "vendor.key"), USAGE, "grants key: .*role"),
                (("--log-key", "none.key"), IO, "log key: .*none.key"),
                (("--recipient-key", "broker.pub"), USAGE, "public key")):
            self.fail_with(status, pattern, "broker", "init", "--dir", "new", *arguments)
        self.succeed("keygen", "log", "--type", "p256", "--out", "p256", "--no-passphrase")
        self.fail_with(UNSUPPORTED, "log key: .*Ed25519", "broker", "init", "--dir", "new",
                       "--log-key", "p256.key")
        os.chmod(self.folder / "broker.key", 0o644)
        self.fail_with(REFUSED, "broker.key", "broker", "init", "--dir", "new", "--recipient-key",
                       "broker.key")

    def test_keys_under_a_passphrase_open_with_its_file_alone(self):
        (self.folder / "pass").write_text("a long passphrase\n")
        os.chmod(self.folder / "pass", 0o600)
        self.succeed("broker", "init", "--dir", "new", "--passphrase-file", "pass")
        self.assertIn("ENCRYPTED", (self.folder / "new/grants.key").read_text())
        self.succeed("broker", "checkpoint", "--dir", "new")
        (self.folder / "pass").write_text("another one\n")
        run = self.fail_with(KEY_UNAVAILABLE, "log key", "broker", "checkpoint", "--dir", "new")
        self.assertNotIn("another", run.err)
        os.chmod(self.folder / "pass", 0o644)
        self.fail_with(REFUSED, "pass", "broker", "checkpoint", "--dir", "new")
        path = self.folder / "new/broker.toml"
        path.write_text("".join(line for line in path.read_text().splitlines(True)
                                if not line.startswith("passphrase_file")))
        self.fail_with(USAGE, "passphrase_file in broker.toml", "broker", "checkpoint", "--dir", "new")

    def test_a_folder_that_is_none_is_named(self):
        for verb in ("list", "serve", "checkpoint", "log verify", "log show"):
            self.fail_with(IO, "no 'none/broker.toml'|none/broker.toml", "broker", *verb.split(),
                           "--dir", "none")

    def test_a_store_that_is_none_is_named(self):
        path = self.folder / "broker/store.db"
        path.write_bytes(b"x" * 8192)
        self.refused(MALFORMED, "store.db.* is not a store", "list")
        path.unlink()
        self.refused(IO, "store.db", "list")


class Revocations(RuleCase):
    def test_take_values_in_hex_of_what_is_here_and_of_what_is_not(self):
        release = self.listed("releases")[0]
        self.broker("revoke release", release["release"], "--because", "bad")
        self.assertIn("release " + release["release"].removeprefix("sha256:"), self.last_entry())
        for kind, value in (("release", "ab" * 32), ("bundle", "ab" * 32), ("signer", "stranger.pub")):
            self.broker(f"revoke {kind}", value, "--because", "perhaps")
        for kind, value in (("device", "c0c1"), ("measurement", "aa" * 48)):
            self.broker(f"revoke {kind}", value, "--because", "x")
        self.assertEqual(len(self.listed("revocations")), 6)

    def test_refuse_what_is_none(self):
        for arguments, status, pattern in (
                (("device", "xyz", "--because", "x"), USAGE, "not written in hex"),
                (("device", "", "--because", "x"), USAGE, "hex"),
                (("device", "aa"), USAGE, "--because is required"),
                (("release", "aabb", "--because", "x"), USAGE, "32 bytes, not 2"),
                (("signer", "none.pub", "--because", "x"), IO, "none.pub"),
                (("signer", "x.npy", "--because", "x"), USAGE, "hex"),
                (("counter", "acme/clothes"), USAGE, "--below"),
                (("counter", "nothing", "--below", "5"), USAGE, "no release of product"),
                (("counter", "acme/clothes", "--below", "5", "--authority", "ab"), USAGE,
                 "--authority: a digest has 32 bytes, not 1"),
                (("counter", "acme/clothes", "--below", "5", "--end"), USAGE, "never lowered"),
                (("lease", "aa"), USAGE, "16 bytes, not 1"),
                (("lease", "aa" * 16), REFUSED, "no running instance"),
                (("lease", "aa" * 16, "--end"), USAGE, "asked for anew"),
                (("device", "aa", "--end"), REFUSED, "no revocation of device aa"),
                (("device", "aa" * 4096, "--because", "x"), USAGE, "bytes"),
                (("device", "aa", "--because", "x" * 2000), USAGE, "1024 bytes"),
                (("device", "aa", "--because", "two\nlines"), USAGE, "none of a line of text")):
            self.refused(status, pattern, "revoke", *arguments)


class Licences(RuleCase):
    def test_are_put_replaced_and_removed(self):
        self.broker("licence acme/clothes", "--instances", "3", "--lease", "60", "--not-after",
                    "2040-01-01", "--device", "ff", "--device", "aa")
        one, = self.listed("licences")
        self.assertEqual((one["max_instances"], one["lease_seconds"], one["devices"]),
                         (3, 60, ["aa", "ff"]))
        self.broker("licence acme/clothes", "--lease", "90")
        one, = self.listed("licences")
        self.assertEqual((one["max_instances"], one["devices"], one["not_after"]), (0, [], 0))
        self.broker("licence acme/clothes", "--remove")
        self.assertEqual(self.listed("licences"), [])

    def test_refuse_what_is_none(self):
        for arguments, status, pattern in (
                (("--instances", "3"), USAGE, "lease time"),
                (("--not-before", "2040-01-01", "--not-after", "2030-01-01"), USAGE, "ends before"),
                (("--not-after", "tomorrow"), USAGE, "--not-after"),
                (("--not-after", "0"), USAGE, "--not-after: nothing began or ended in 1970"),
                (("--not-before", "1970-01-01"), USAGE, "--not-before"),
                (("--lease", "9000000000000000000"), USAGE, "ten years"),
                (("--device", "xyz"), USAGE, "--device"),
                (("--device", "aa", "--device", "aa"), USAGE, "distinct"),
                (("--remove",), REFUSED, "no licence")):
            self.refused(status, pattern, "licence", "acme/clothes", *arguments)
        self.refused(USAGE, "no release of product", "licence", "other", "--lease", "5")


class Policies(RuleCase):
    def test_are_put_shown_and_removed(self):
        self.broker("policy acme/clothes", "sim.toml")
        one, = self.listed("policies")
        self.assertEqual(one["text"], (self.folder / "sim.toml").read_text())
        self.broker("policy acme/clothes", "--remove")
        self.assertEqual(self.listed("policies"), [])

    def test_refuse_what_is_none(self):
        (self.folder / "broken.toml").write_text('[[environment]]\ntee = "toaster"\n')
        (self.folder / "no.toml").write_text("not = [toml\n")
        (self.folder / "large.toml").write_text("#" + "x" * (2 << 20))
        for arguments, status, pattern in (
                ((), USAGE, "takes a file, or --remove"),
                (("sim.toml", "--remove"), USAGE, "takes a file, or --remove"),
                (("none.toml",), IO, "none.toml"),
                (("broken.toml",), MALFORMED, "broken.toml:2"),
                (("no.toml",), MALFORMED, "no.toml:1"),
                (("large.toml",), 16, "large.toml"),
                (("--remove",), REFUSED, "no policy")):
            self.refused(status, pattern, "policy", "acme/clothes", *arguments)


@unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
class EnrolledTpms(RuleCase):
    def make_key(self, name):
        """The public key of a TPM, in PEM and DER."""
        for command in (("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
                         f"{name}.secret"),
                        ("pkey", "-in", f"{name}.secret", "-pubout", "-out", f"{name}.pem"),
                        ("pkey", "-in", f"{name}.secret", "-pubout", "-outform", "DER", "-out",
                         f"{name}.der")):
            subprocess.run(["openssl", *command], cwd=self.folder, check=True, capture_output=True)
        return hashlib.sha256((self.folder / f"{name}.der").read_bytes()).hexdigest()

    def test_are_known_to_licences_as_others_are_not(self):
        self.make_key("ak")
        device = "000b" + "cd" * 32
        self.broker("enrol ak.pem", "--ak-name", NAME, "--ek-name", device)
        devices = ("--device", device, "--device", "c0de")
        for _ in range(2):  # that it is licensed tells nothing of it
            run = self.broker("licence acme/clothes", *devices, "--json")
            self.assertEqual(run.json()["unknown_devices"], ["c0de"])
            self.assertIn("warning: device c0de is not known here", run.err)
            self.assertNotIn(device, run.err)
        run = self.broker("licence acme/clothes", "--lease", "5", "--json")
        self.assertEqual((run.json()["unknown_devices"], run.err), ([], ""))
        for revoked, known in ((device, True), ("c0de", False)):
            run = self.broker(f"revoke device {revoked}", "--because", "x", "--json")
            self.assertIs(run.json()["known"], known)

    def test_are_listed_by_the_digest_of_their_key_until_they_are_removed(self):
        digest = self.make_key("ak")
        self.broker("enrol ak.pem", "--ak-name", NAME, "--ek-name", "000b" + "cd" * 32, "--name",
                    "rack 4")
        self.assertEqual(self.listed("tpms"),
                         [{"attestation_key": "sha256:" + digest, "ek_name": "000b" + "cd" * 32,
                           "name": "rack 4"}])
        self.assertIn(f"enrol tpm {digest}", self.last_entry())
        # The same key in DER: another name for the same device.
        self.broker("enrol ak.der", "--ak-name", NAME, "--ek-name", "000b" + "cd" * 32, "--name",
                    "rack 5")
        self.assertEqual([one["name"] for one in self.listed("tpms")], ["rack 5"])
        self.broker("enrol ak.pem", "--remove")
        self.assertEqual(self.listed("tpms"), [])
        self.assertIn(f"remove tpm {digest}", self.last_entry())

    def test_refuse_what_is_none(self):
        self.make_key("ak")
        (self.folder / "two.pem").write_text((self.folder / "ak.pem").read_text() * 2)
        names = ("--ak-name", NAME, "--ek-name", NAME)
        for key, arguments, status, pattern in (
                ("ak.pem", (), USAGE, "--ak-name and --ek-name"),
                ("ak.pem", ("--ak-name", NAME), USAGE, "--ak-name and --ek-name"),
                ("ak.pem", ("--ak-name", NAME[:-2], "--ek-name", NAME), USAGE, "--ak-name: .* no name"),
                ("ak.pem", ("--ak-name", NAME, "--ek-name", "000c" + NAME[4:]), USAGE, "--ek-name"),
                ("ak.pem", ("--ak-name", "zz", "--ek-name", NAME), USAGE, "hex"),
                ("none.pem", names, IO, "none.pem"),
                ("two.pem", names, MALFORMED, "not one public key"),
                ("broker/tls.crt", names, MALFORMED, "not one public key"),
                ("x.npy", names, MALFORMED, "x.npy"),
                ("ak.pem", ("--remove",), REFUSED, "no enrolled attestation key"),
                ("ak.pem", (*names, "--name", "x" * 300), USAGE, "256 bytes")):
            self.refused(status, pattern, "enrol", key, *arguments)


class LogsAndCopies(RuleCase):
    def test_a_log_is_shown_in_parts(self):
        self.broker("revoke device aa", "--because", "x")
        whole = self.broker("log show", "--json").json()
        part = self.broker("log show", "--from", "1", "--count", "2", "--json").json()
        self.assertEqual(part, whole[1:3])
        # Nobody takes a part for the whole.
        more = f"{len(whole) - 3} more follow: --from 3"
        self.assertIn(more, self.broker("log show", "--from", "1", "--count", "2", "--json").err)
        self.assertIn(more, self.broker("log show", "--from", "1", "--count", "2").err)
        self.assertNotIn("more follow", self.broker("log show", "--from", "1").err)
        self.assertEqual(self.broker("log show", "--from", "1000", "--json").json(), [])
        self.assertIn("revoke device aa: 'x'", self.broker("log show").out)
        self.refused(USAGE, "--count", "log show", "--count", "0")

    def test_checkpoints_are_not_overwritten_and_not_believed_of_others(self):
        self.broker("checkpoint", "--out", "kept")
        self.refused(IO, "'kept' already exists", "checkpoint", "--out", "kept")
        self.broker("checkpoint", "--out", "kept", "--force")
        self.succeed("broker", "init", "--dir", "other", "-q")
        self.succeed("broker", "checkpoint", "--dir", "other", "--out", "theirs")
        self.refused(NOT_AUTHENTIC, "sealpack: error", "log verify", "--checkpoint", "theirs")
        self.refused(NOT_AUTHENTIC, "sealpack: error", "log verify", "--checkpoint", "kept", "--log-key",
                     "other/log.pub")
        self.refused(USAGE, "no key of role log", "log verify", "--log-key", "vendor.pub")
        self.refused(IO, "none", "log verify", "--checkpoint", "none")
        self.refused(MALFORMED, "checkpoint", "log verify", "--checkpoint", "x.npy")

    def test_a_backup_replaces_nothing_and_is_no_store(self):
        self.broker("backup", "--out", "backup.db")
        self.refused(REFUSED, "backup.db' is there already", "backup", "--out", "backup.db")
        self.refused(IO, "none/b", "backup", "--out", "none/b")
        path = self.folder / "broker/store.db"
        for extra in self.folder.glob("broker/store.db*"):
            extra.unlink()
        self.refused(IO, "none", "restore", "none")
        os.chmod(self.folder / "x.npy", 0o644)
        self.refused(REFUSED, "x.npy' is open to other users", "restore", "x.npy")
        os.chmod(self.folder / "x.npy", 0o600)
        self.refused(MALFORMED, "x.npy", "restore", "x.npy")
        shutil.copy(self.folder / "backup.db", path)
        os.chmod(path, 0o600)
        self.refused(MALFORMED, "is a backup, not a store", "list")
        path.unlink()
        self.broker("restore", "backup.db")

    def test_reconcile_takes_what_the_backup_does_not_know(self):
        self.refused(REFUSED, "was not restored", "reconcile")
        self.broker("backup", "--out", "backup.db")
        for extra in self.folder.glob("broker/store.db*"):
            extra.unlink()
        self.broker("restore", "backup.db")
        for arguments, status, pattern in (
                (("--revoke", "device"), USAGE, "no '='"),
                (("--revoke", "=aa"), USAGE, "no '='"),
                (("--revoke", "king=aa"), USAGE, "nothing called"),
                (("--revoke", "device=xyz"), USAGE, "hex"),
                (("--revoke", "release=aa"), USAGE, "bytes"),
                (("--floor", "acme/clothes=many"), USAGE, "no number"),
                (("--floor", "other=5"), USAGE, "no release of product"),
                (("--ended", "aa"), USAGE, "16 bytes"),):
            self.refused(status, pattern, "reconcile", *arguments)
        self.broker("reconcile", "--revoke", "device=aa", "--revoke", "bundle=" + "ab" * 32, "--floor",
                    "acme/clothes=100")
        self.assertEqual({one["kind"] for one in self.listed("revocations")}, {"device", "content"})
        self.assertEqual(self.listed("floors")[0]["counter"], 100)
        self.refused(REFUSED, "reconciled already", "reconcile")

    def test_keys_are_rotated_one_use_at_a_time(self):
        for use in ("recipient", "grants", "log"):
            before = {key["digest"] for key in self.listed("keys") if key["use"] == use}
            made = self.broker(f"rotate {use}", "--json").json()
            after = {key["digest"] for key in self.listed("keys") if key["use"] == use}
            self.assertEqual(after - before, {made["digest"]})
        self.refused(USAGE, "USE", "rotate", "tls")
        self.refused(USAGE, "--end-old", "rotate", "log", "--end-old", "soon")
        self.refused(USAGE, "--end-old", "rotate", "log", "--end-old", "0")
        self.refused(IO, "none.key", "rotate", "log", "--key", "none.key")
        self.refused(USAGE, "role", "rotate", "log", "--key", "vendor.key")
        self.refused(REFUSED, "listed already", "rotate", "grants", "--key", "broker/grants.key")
        # Checkpoints of the old log key are believed as long as it is listed.
        self.broker("checkpoint", "--out", "kept")
        self.broker("rotate log")
        self.broker("log verify", "--checkpoint", "kept")


class Help(RuleCase):
    def test_has_an_example_files_and_exit_codes_for_every_verb(self):
        for verb in VERBS:
            text = self.succeed("broker", *verb.split(), "--help").out
            self.assertIn(f"Example:\n  sealpack broker {verb}", text)
            self.assertIn("Files:\n", text, verb)
            self.assertIn("Exit status:\n  0   done\n", text, verb)

    def test_lists_every_verb(self):
        text = self.succeed("broker", "--help").out
        for verb in VERBS:
            self.assertIn(verb.split()[0], text)


if __name__ == "__main__":
    unittest.main()
