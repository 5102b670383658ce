# SPDX-License-Identifier: Apache-2.0
import os
import shutil
import signal
import stat
import subprocess
import time
import unittest

from sealpack_case import (IO, KEY_UNAVAILABLE, NOT_AUTHENTIC, OK, REFUSED, TOOL, USAGE,
                           SealpackCase)


class Unseal(SealpackCase):
    def unseal(self, *arguments, key="device.key", trust="vendor.pub"):
        return ("unseal", "b.seal", "--trust", trust, "--key", key, "--out", "un", *arguments)

    def test_gives_back_every_byte_and_lets_nobody_else_read_it(self):
        self.build("b.seal", "--public", "*.bias")
        run = self.succeed(*self.unseal())
        self.assertIn("plaintext", run.err)
        self.assert_same_model(self.folder / "un")
        self.assertEqual(stat.S_IMODE((self.folder / "un").stat().st_mode), 0o700)
        for path in (self.folder / "un").iterdir():
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)

    def test_any_number_of_threads_gives_the_same(self):
        self.build()
        for threads in (1, 3):
            self.succeed("unseal", "b.seal", "--trust", "vendor.pub", "--key", "device.key",
                         "--out", f"un{threads}", "--threads", threads)
            self.assert_same_model(self.folder / f"un{threads}")

    def test_only_chooses_files_and_must_match(self):
        self.build()
        self.fail_with(USAGE, "matches no file", *self.unseal("--only", "*.onnx"))
        self.fail_with(USAGE, "--only", *self.unseal("--only", "[a"))
        done = self.succeed(*self.unseal("--only", "*.safetensors", "--json")).json()
        self.assertEqual(done["files"], 1)
        self.assertEqual([path.name for path in (self.folder / "un").iterdir()],
                         ["net.safetensors"])

    def test_a_key_that_does_not_fit_says_which_slots_there_are(self):
        self.build()
        self.fail_with(KEY_UNAVAILABLE, "1 direct hpke-x25519", *self.unseal(key="other.key"))
        self.fail_with(USAGE, "role", *self.unseal(key="vendor.key"))
        self.fail_with(IO, "nokey", *self.unseal(key="nokey.key"))

    def test_several_keys_are_tried(self):
        self.build()
        self.succeed(*self.unseal("--key", "device.key", key="other.key"))

    def test_trust_comes_before_keys(self):
        self.build()
        self.fail_with(NOT_AUTHENTIC, "signature", *self.unseal(trust="stranger.pub"))

    def interrupted(self, verb, number):
        """(status, stderr) of a verb that was interrupted while its hidden folder grew, or None."""
        # It steps back where there are fewer cores than there is to do: this process sees it in time.
        with subprocess.Popen([TOOL, *verb], cwd=self.folder, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, preexec_fn=lambda: os.nice(5)) as process:
            while process.poll() is None:
                if any(name.startswith(".un.partial-") for name in os.listdir(self.folder)):
                    process.send_signal(number)
                    break
            _, errors = process.communicate(timeout=600)
        return None if process.returncode == OK else (process.returncode, errors)

    def test_a_signal_leaves_no_plaintext_behind(self):
        (self.folder / "model/blob.bin").write_bytes(bytes(96 << 20))
        self.build("b.seal", "--public", "blob.bin")
        extract = ("extract", "b.seal", "--trust", "vendor.pub", "--out", "un", "--threads", "1")
        for verb in (self.unseal("--threads", "1"), extract):
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                deadline = time.monotonic() + 120
                while (ended := self.interrupted(verb, number)) is None:  # done before the signal was there
                    shutil.rmtree(self.folder / "un")
                    self.assertLess(time.monotonic(), deadline)
                self.assertEqual(ended[0], -number, ended[1])
                self.assertIn("interrupted", ended[1])
                self.assertEqual([name for name in os.listdir(self.folder) if "un" in name], [])

    def test_a_changed_byte_leaves_nothing(self):
        bundle = self.build()
        self.flip(bundle, bundle.stat().st_size - 8192)
        self.fail_with(NOT_AUTHENTIC, "b.seal", *self.unseal())

    def test_a_broker_key_does_not_open_here_and_the_escrow_key_does(self):
        self.build_attested()
        self.fail_with(REFUSED, "attested environment", *self.unseal(key="broker.key"))
        self.succeed(*self.unseal(key="escrow.key"))
        self.assert_same_model(self.folder / "un")

    def test_a_broker_key_does_not_open_here_whatever_the_policy(self):
        self.build(to="broker.pub")
        self.fail_with(REFUSED, "attested environment", *self.unseal(key="broker.key"))

    def test_passphrases_come_from_files(self):
        for name, text in (("right", "open sesame\n"), ("wrong", "open barley\n")):
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o600)
        self.succeed("build", "model", "--out", "b.seal", "--signer", "vendor.key",
                     "--to-passphrase", "right")
        self.fail_with(KEY_UNAVAILABLE, "passphrase", *self.unseal(key="passphrase:wrong"))
        self.fail_with(USAGE, "terminal", *self.unseal(key="passphrase:"))
        self.succeed(*self.unseal(key="passphrase:right"))

    def test_encrypted_key_files_take_their_passphrase_from_a_file(self):
        (self.folder / "secret").write_text("pw\n")
        (self.folder / "secret").chmod(0o600)
        self.succeed("keygen", "recipient", "--out", "locked", "--passphrase-file", "secret")
        self.build(to="locked.pub")
        self.fail_with(USAGE, "terminal", *self.unseal(key="locked.key"))
        self.succeed(*self.unseal("--passphrase-file", "secret", key="locked.key"))

    def test_symmetric_keys_open(self):
        self.succeed("keygen", "recipient", "--out", "s", "--type", "aes256", "--no-passphrase")
        self.build(to="s.key")
        self.succeed(*self.unseal(key="s.key"))


if __name__ == "__main__":
    unittest.main()
