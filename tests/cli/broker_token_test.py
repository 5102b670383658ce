# SPDX-License-Identifier: Apache-2.0
"""A broker whose keys lie in a PKCS#11 token (SoftHSM) or in a TPM (swtpm)."""

import os
import pathlib
import shutil
import time
import unittest

import soft_token
import software_tpm
from broker_case import PATIENCE, BrokerCase, configure
from sealpack_case import (IO, KEY_UNAVAILABLE, NOT_AUTHENTIC, OK, REFUSED, TRY_AGAIN, UNSUPPORTED,
                           USAGE)


class DeviceCase(BrokerCase):
    """Folders beside that of the test, for devices that stay when the broker's folder is copied."""

    def beside(self, name):
        path = self.folder.parent / f"{self.folder.name}-{name}"
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    def begin_again(self, *arguments):
        """A broker of other keys, with the release that it gives out."""
        shutil.rmtree(self.folder / "broker")
        self.succeed("broker", "init", "--dir", "broker", *arguments)
        configure(self.folder / "broker", **PATIENCE)
        self.take_release("device.seal", 200)

    def take_release(self, name, counter, to="broker/broker.pub"):
        """A release for a key of the broker and for the TEE that pins its key for grants."""
        measurement = self.measure(self.succeed)
        text = (self.folder / "sim.toml").read_text().replace(type(self).measurement, measurement)
        (self.folder / "device.toml").write_text(text)
        self.succeed("build", "net.onnx", "--out", name, "--signer", "vendor.key", "--to", to,
                     "--product", "acme/clothes", "--counter", counter, "--policy", "device.toml")
        self.succeed("broker", "add", name, "--dir", "broker", "--trust", "vendor.pub")

    def answers(self, server, bundle="device.seal"):
        self.succeed(*self.asking(server, bundle=bundle))

    def assert_nowhere(self, secret):
        """Not in what the broker wrote, nor on its command line."""
        for path in self.folder.rglob("*"):
            if path.is_file():
                self.assertNotIn(secret.encode(), path.read_bytes(), str(path))
        for server in self.servers:
            text = pathlib.Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
            self.assertNotIn(secret.encode(), text)


@unittest.skipUnless(soft_token.INSTALLED, "SoftHSM 2 or OpenSC is not installed")
class KeysInAToken(DeviceCase):
    def setUp(self):
        super().setUp()
        before = os.environ.get("SOFTHSM2_CONF")
        self.token = soft_token.SoftToken(self.beside("token"))
        self.addCleanup(self.restore_environment, before)

    @staticmethod
    def restore_environment(before):
        os.environ.pop("SOFTHSM2_CONF")
        if before is not None:
            os.environ["SOFTHSM2_CONF"] = before

    def make_all_keys(self):
        self.token.make_key("opens", 1)
        self.token.make_key("signs", 2, "EC:edwards25519", "sign")
        self.token.make_key("logs", 3, "EC:edwards25519", "sign")
        return ("--recipient-key", self.token.uri("opens"), "--grant-key", self.token.uri("signs"),
                "--log-key", self.token.uri("logs"))

    def test_all_of_them_serve_and_are_in_no_file(self):
        self.begin_again(*self.make_all_keys())
        self.assertEqual([path.name for path in (self.folder / "broker").glob("*.key")], ["tls.key"])
        for _ in range(2):
            server = self.serve()
            self.answers(server)
            self.assert_nowhere(soft_token.PIN)
            self.assertEqual(self.stop(server), OK)
        self.broker("checkpoint", "--out", "kept")
        self.broker("log verify", "--checkpoint", "kept", "--log-key", "broker/log.pub")

    def test_an_rsa_key_opens_too(self):
        self.token.make_key("rsa", 1, "RSA:3072", "decrypt")
        self.begin_again("--recipient-key", self.token.uri("rsa"))
        self.answers(self.serve())

    def test_a_broker_goes_from_files_to_a_token_without_a_release_lost(self):
        self.token.make_key("opens", 1)
        self.token.make_key("signs", 2, "EC:edwards25519", "sign")
        self.broker("rotate recipient", "--key", self.token.uri("opens"))
        self.broker("rotate grants", "--key", self.token.uri("signs"))
        server = self.serve()
        # The old release and TEEs that pin the old key, then the new ones.
        self.succeed(*self.asking(server))
        self.assertEqual(self.stop(server), OK)
        shutil.copy(self.folder / "broker/grants-2.pub", self.folder / "broker/grants.pub")
        self.take_release("device.seal", 200, to="broker/broker-2.pub")
        server = self.serve()
        self.answers(server)
        self.assertEqual(self.stop(server), OK)
        self.broker("log verify")

    def test_what_a_token_does_not_have_begins_no_broker(self):
        keys = self.make_all_keys()
        self.token.make_key("curve", 4, "EC:prime256v1", "sign")
        self.fail_with(UNSUPPORTED, "log key.*Ed25519", "broker", "init", "--dir", "new",
                       "--log-key", self.token.uri("curve"))
        self.fail_with(USAGE, "one key cannot be for grants and for log", "broker", "init", "--dir",
                       "new", "--grant-key", self.token.uri("signs"), "--log-key",
                       self.token.uri("signs"))
        self.fail_with(KEY_UNAVAILABLE, "no private key", "broker", "init", "--dir", "new",
                       "--recipient-key", self.token.uri("nothing"))
        self.fail_with(REFUSED, "is listed already", "broker", "rotate", "recipient", "--dir",
                       "broker", "--key", "broker/broker.key")
        self.token.put_pin("00000000")
        run = self.fail_with(KEY_UNAVAILABLE, "recipient key: token 'broker': the PIN is wrong",
                             "broker", "init", "--dir", "new", *keys)
        self.assertNotIn("00000000", run.err)
        run = self.fail_with(USAGE, "pin-source", "broker", "init", "--dir", "new",
                             "--recipient-key", self.token.uri("opens") + "&pin-value=73914682")
        self.assertNotIn("73914682", run.err)

    def test_a_wrong_pin_or_an_absent_token_is_said_at_the_start(self):
        self.begin_again(*self.make_all_keys())
        serve = ("broker", "serve", "--dir", "broker", "--listen", "127.0.0.1:0", "--admin", "none")
        self.token.put_pin("00000000")
        run = self.fail_with(KEY_UNAVAILABLE, "recipient key: token 'broker': the PIN is wrong", *serve)
        self.assertNotIn("00000000", run.err)
        self.token.put_pin(soft_token.PIN)
        away = self.token.folder / "away"
        self.token.tokens.rename(away)
        self.token.tokens.mkdir()
        self.fail_with(KEY_UNAVAILABLE, "recipient key: no PKCS#11 token matches", *serve)
        # What asks for no key is served all the same.
        self.broker("list")
        self.token.tokens.rmdir()
        away.rename(self.token.tokens)
        self.answers(self.serve())

    def test_a_pin_may_lie_in_the_passphrase_file_of_the_broker(self):
        self.token.make_key("opens", 1)
        uri = self.token.uri("opens").partition("&pin-source")[0]
        self.fail_with(USAGE, "passphrase_file", "broker", "init", "--dir", "new",
                       "--recipient-key", uri)
        self.begin_again("--recipient-key", uri, "--passphrase-file", self.token.folder / "pin")
        self.answers(self.serve())


@unittest.skipUnless(software_tpm.PROGRAM, "swtpm is not installed")
class KeysInATpm(DeviceCase):
    """swtpm takes one connection at a time, so each key has a TPM of its own, and what `add` asks
    for is asked before the broker serves. The kernel's /dev/tpmrm0 takes many."""

    def setUp(self):
        super().setUp()
        self.tpm = self.make_tpm("tpm")

    def make_tpm(self, name):
        made = software_tpm.SoftwareTpm(self.beside(name))
        self.addCleanup(made.stop)
        return made

    def make_key(self, role, name, tpm=None):
        tcti = (tpm or self.tpm).tcti
        self.succeed("keygen", role, "--tpm", tcti, "--out", name)
        return f"tpm:{name}.tpmkey?tcti={tcti}"

    def test_it_opens_and_signs_across_restarts_of_broker_and_machine(self):
        self.begin_again("--recipient-key", self.make_key("broker", "hard"), "--grant-key",
                         self.make_key("grant-signer", "signs", self.make_tpm("second")))
        self.assertEqual(sorted(path.name for path in (self.folder / "broker").glob("*.key")),
                         ["log.key", "tls.key"])
        for _ in range(2):
            server = self.serve()
            self.answers(server)
            self.assertEqual(self.stop(server), OK)
            self.tpm.restart()
        # Where the broker is started from does not matter: paths of keys are whole.
        (self.folder / "elsewhere").mkdir()
        run = self.run_in(self.folder / "elsewhere", "broker", "answer", "none", "--out", "out",
                          "--dir", "../broker")
        self.assertEqual(run.status, IO, run.err)
        self.assertIn("none", run.err)

    def test_a_broker_goes_from_a_file_to_the_tpm(self):
        self.broker("rotate recipient", "--key", self.make_key("broker", "hard"), "--end-old",
                    "1000000000")
        self.take_release("device.seal", 200, to="broker/broker-2.pub")
        server = self.serve()
        self.answers(server)
        self.assertEqual(self.run_tool(*self.asking(server)).status, REFUSED)

    def test_keys_of_another_role_or_for_the_log_are_refused(self):
        self.fail_with(USAGE, "has the role recipient", "broker", "init", "--dir", "new",
                       "--recipient-key", self.make_key("recipient", "theirs"))
        self.fail_with(UNSUPPORTED, "Ed25519", "broker", "init", "--dir", "new", "--log-key",
                       self.make_key("log", "logs"))

    def test_a_tpm_that_is_reset_while_the_broker_serves_is_opened_anew(self):
        self.begin_again("--recipient-key", self.make_key("broker", "hard"))
        server = self.serve()
        self.answers(server)
        self.tpm.restart()
        self.answers(server)
        self.assertIn("opened anew", server.wait_for("key", 2)["message"])

    def test_a_tpm_that_is_away_is_no_key_and_is_one_again_when_it_is_back(self):
        self.begin_again("--recipient-key", self.make_key("broker", "hard"))
        server = self.serve()
        self.tpm.stop()
        run = self.run_tool(*self.asking(server, bundle="device.seal"))
        self.assertEqual(run.status, TRY_AGAIN, run.err)
        self.assertIn("broker.recipient: the broker's key does not answer", run.err)
        self.assertIn("cannot reach the TPM", server.wait_for("key", 2)["message"])
        self.tpm.start()
        # A device that was away a moment ago is not asked again at once.
        server.wait_for("refused")
        time.sleep(1)
        self.answers(server)
        self.assertEqual(self.stop(server), OK)
        self.tpm.stop()
        self.fail_with(IO, "recipient key: .*cannot reach the TPM", "broker", "serve", "--dir",
                       "broker", "--listen", "127.0.0.1:0", "--admin", "none")
        self.tpm.start()

    def test_another_tpm_in_its_place_is_refused(self):
        self.begin_again("--recipient-key", self.make_key("broker", "hard"))
        other = self.make_tpm("other")
        path = self.folder / "broker/broker.toml"
        path.write_text(path.read_text().replace(self.tpm.tcti, other.tcti))
        self.fail_with(NOT_AUTHENTIC, "recipient key: .*another TPM", "broker", "serve", "--dir",
                       "broker", "--listen", "127.0.0.1:0", "--admin", "none")


if __name__ == "__main__":
    unittest.main()
