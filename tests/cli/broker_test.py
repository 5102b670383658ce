# SPDX-License-Identifier: Apache-2.0
import contextlib
import json
import os
import shutil
import signal
import ssl
import subprocess
import time
import unittest
import urllib.error
import urllib.request

from broker_case import BrokerCase, configure
from run_case import read_npy
from sealpack_case import (KEY_UNAVAILABLE, MALFORMED, NOT_AUTHENTIC, OK, REFUSED, TOOL, TRY_AGAIN,
                           USAGE)


class BrokerFolder(BrokerCase):
    def test_init_makes_private_keys_and_says_who_needs_what(self):
        self.succeed("broker", "init", "--dir", "other", "--name", "broker.example.org")
        self.assertEqual((self.folder / "other").stat().st_mode & 0o777, 0o700)
        for name in ("broker.key", "grants.key", "log.key", "tls.key", "store.db", "broker.toml"):
            self.assertEqual((self.folder / "other" / name).stat().st_mode & 0o777, 0o600, name)
        for name, role in (("broker", "broker"), ("grants", "grant-signer"), ("log", "log")):
            self.assertIn(f"role={role}", (self.folder / "other" / f"{name}.pub").read_text())

    def test_init_replaces_nothing_and_leaves_nothing_when_it_fails(self):
        self.fail_with(USAGE, "there already", "broker", "init", "--dir", "broker")
        self.fail_with(USAGE, "neither a DNS name", "broker", "init", "--dir", "new", "--name", "a b")
        self.assertFalse((self.folder / "new").exists())

    def test_init_takes_a_recipient_key_that_is_there(self):
        made = self.succeed("broker", "init", "--dir", "other", "--recipient-key", "broker.key",
                            "--json").json()
        self.assertEqual(self.digest_of(self.folder / "other/broker.pub"),
                         self.digest_of(self.folder / "broker.pub"))
        self.assertFalse((self.folder / "other/broker.key").exists())
        self.assertEqual(made["folder"], "other")

    def test_a_folder_or_key_that_others_may_read_is_refused(self):
        os.chmod(self.folder / "broker", 0o755)
        self.fail_with(REFUSED, "chmod 700", "broker", "list", "--dir", "broker")
        os.chmod(self.folder / "broker", 0o700)
        for name in ("grants.key", "tls.key", "broker.key", "store.db"):
            path = self.folder / "broker" / name
            os.chmod(path, 0o644)
            self.assertEqual(self.run_tool("broker", "serve", "--dir", "broker", "--listen",
                                           "127.0.0.1:0").status, REFUSED, name)
            os.chmod(path, 0o600)

    def test_the_configuration_is_a_closed_schema(self):
        path = self.folder / "broker" / "broker.toml"
        text = path.read_text()
        for line in ("surprise = 1\n", "store = 5\n", "grant_keys = []\n"):
            path.write_text(line + "\n".join(
                kept for kept in text.splitlines() if kept.split(" ")[0] != line.split(" ")[0]))
            self.assertEqual(self.run_tool("broker", "list", "--dir", "broker").status, MALFORMED,
                             line)
        path.write_text(text)
        configure(self.folder / "broker", network_seconds=121)
        self.fail_with(MALFORMED, "120", "broker", "list", "--dir", "broker")
        path.write_text(text)
        self.broker("list")

    def test_add_takes_only_what_is_verified_attested_and_newer(self):
        self.fail_with(USAGE, "--trust", "broker", "add", "a.seal", "--dir", "broker", "--vendor",
                       "stranger")
        self.fail_with(NOT_AUTHENTIC, "sealpack: error", "broker", "add", "a.seal", "--dir", "broker", "--vendor",
                       "stranger", "--trust", "stranger.pub")
        self.fail_with(REFUSED, "anybody", "broker", "add", "b.seal", "--dir", "broker")
        self.build_release(self.succeed, "old.seal", 99)
        self.fail_with(REFUSED, "sealpack: error", "broker", "add", "old.seal", "--dir", "broker")
        self.build_release(self.succeed, "same.seal", 100)
        self.fail_with(REFUSED, "sealpack: error", "broker", "add", "same.seal", "--dir", "broker")
        self.build_release(self.succeed, "new.seal", 101)
        self.assertEqual(self.broker("add", "new.seal", "--json").json()["counter"], 101)
        self.succeed("build", "net.onnx", "--out", "c.seal", "--signer", "vendor.key", "--to",
                     "broker.pub", "--product", "acme/clothes", "--counter", "102", "--policy",
                     "sim.toml")
        self.fail_with(KEY_UNAVAILABLE, "slot", "broker", "add", "c.seal", "--dir", "broker")

    def test_list_tells_what_is_there(self):
        listed = self.broker("list", "--json").json()
        self.assertEqual([one["product"] for one in listed["releases"]], ["acme/clothes"])
        self.assertEqual(sorted(key["use"] for key in listed["keys"]),
                         ["grants", "log", "recipient"])
        self.assertTrue(listed["reconciled"])
        self.assertIn("acme/clothes", self.broker("list").out)

    def test_rotate_puts_a_new_key_first(self):
        self.broker("rotate", "grants", "--end-old", "2099-01-01")
        text = (self.folder / "broker/broker.toml").read_text()
        self.assertIn('grant_keys = ["grants-2.key", "grants.key"]', text)
        keys = [key for key in self.broker("list", "--json").json()["keys"]
                if key["use"] == "grants"]
        self.assertEqual(sorted(key["not_after"] for key in keys), [0, 4070908800])


class BrokerReleases(BrokerCase):
    def test_a_key_goes_to_the_environment_that_the_policy_names(self):
        server = self.serve()
        run = self.succeed(*self.asking(server, "--json"))
        self.assertIn("SIMULATED", run.err)
        # The same answers as with a key of the host's own.
        self.assertEqual(read_npy((self.folder / "y.npy").read_bytes()), [self.answer()])
        self.assertEqual(self.stop(server), OK)
        self.broker("log verify")
        entries = self.broker("log show", "--json").json()
        self.assertEqual([entry["transport"] for entry in entries if entry["kind"] == "grant"],
                         ["network"])

    def test_tees_that_pin_the_old_key_go_on_during_a_rotation(self):
        self.broker("rotate", "grants")
        server = self.serve()
        self.succeed(*self.asking(server))
        self.assertEqual(self.stop(server), OK)

    def test_a_key_that_has_ended_does_not_keep_the_broker_from_starting(self):
        self.broker("rotate", "recipient", "--end-old", "1000000000")
        server = self.serve()
        self.assertEqual(self.run_tool(*self.asking(server)).status, REFUSED)
        self.assertEqual(self.stop(server), OK)

    def test_a_store_that_is_replaced_beside_a_running_broker_gives_no_keys(self):
        self.broker("backup", "--out", "backup.db")
        server = self.serve()
        store = self.folder / "broker/store.db"
        store.rename(self.folder / "moved.db")
        self.broker("restore", "backup.db")
        self.assertNotEqual(self.run_tool(*self.asking(server)).status, OK)
        self.stop(server)

    def test_a_tee_without_evidence_is_told_so_before_anybody_is_asked(self):
        server = self.serve()
        command = [part for part in self.asking(server) if part not in ("--evidence-key", "sim.key")]
        run = self.run_tool(*command)
        self.assertEqual(run.status, USAGE, run.err)
        self.assertIn("--evidence-key", run.err)

    def test_another_measurement_is_refused_with_the_reason(self):
        server = self.serve()
        run = self.run_tool(*self.asking(server, memory="17MiB"))
        self.assertEqual(run.status, REFUSED, run.err)
        self.assertRegex(run.err, "policy.not-accepted: measurement")
        self.assertFalse((self.folder / "y.npy").exists())
        self.assertIn("policy.not-accepted", server.wait_for("refused")["reasons"])

    def test_simulated_evidence_needs_the_root_and_the_lab(self):
        self.succeed("keygen", "simulated-root", "--out", "other-sim", "--no-passphrase")
        server = self.serve()
        command = [part if part != "sim.key" else "other-sim.key" for part in self.asking(server)]
        self.assertEqual(self.run_tool(*command).status, REFUSED)
        without = [part for part in self.asking(server) if part not in ("--evidence-key", "sim.key")]
        self.assertNotEqual(self.run_tool(*without).status, OK)
        self.stop(server)
        run = self.run_tool(*self.asking(self.serve(lab=False)))
        self.assertEqual(run.status, REFUSED, run.err)
        self.assertIn("lab", run.err)

    def test_the_tee_believes_the_pinned_broker_alone(self):
        self.succeed("broker", "init", "--dir", "stranger", "-q")
        server = self.serve()
        command = [part if part != "broker/grants.pub" else "stranger/grants.pub"
                   for part in self.asking(server)]
        run = self.run_tool(*command)
        self.assertEqual(run.status, REFUSED, run.err)
        self.assertIn("broker.key", run.err)
        wrong = [part if part != "broker/grants.pub" else "broker/log.pub"
                 for part in self.asking(server)]
        self.assertEqual(self.run_tool(*wrong).status, USAGE)

    def test_the_client_believes_the_certificate_it_was_given_alone(self):
        self.succeed("broker", "init", "--dir", "stranger", "-q")
        server = self.serve()
        command = [part if part != "broker/tls.crt" else "stranger/tls.crt"
                   for part in self.asking(server)]
        self.assertEqual(self.run_tool(*command).status, NOT_AUTHENTIC)

    def test_what_is_revoked_gets_no_key_from_the_next_request_on(self):
        server = self.serve()
        self.succeed(*self.asking(server))
        release = self.broker("list", "--json").json()["releases"][0]
        for kind, value in (("measurement", self.measurement), ("bundle", release["content"]),
                            ("release", release["release"]), ("signer", "vendor.pub")):
            self.broker("revoke", kind, value, "--because", "a test")
            run = self.run_tool(*self.asking(server))
            self.assertEqual(run.status, REFUSED, f"{kind}: {run.err}")
            self.broker("revoke", kind, value, "--end")
            self.succeed(*self.asking(server))
        self.broker("revoke", "counter", "acme/clothes", "--below", "101")
        self.assertEqual(self.run_tool(*self.asking(server)).status, REFUSED)
        self.assertEqual(self.run_tool("broker", "revoke", "counter", "acme/clothes", "--below",
                                       "100", "--dir", "broker").status, REFUSED)

    def test_the_brokers_own_policy_is_stricter_and_not_told(self):
        server = self.serve()
        (self.folder / "own.toml").write_text(
            (self.folder / "sim.toml").read_text().replace(self.measurement, "ab" * 32))
        self.broker("policy", "acme/clothes", "own.toml")
        run = self.run_tool(*self.asking(server))
        self.assertEqual(run.status, REFUSED)
        self.assertIn("broker.policy", run.err)
        self.assertNotIn("abab", run.err)
        self.broker("policy", "acme/clothes", "--remove")
        self.succeed(*self.asking(server))

    def test_a_licence_limits_instances_and_devices(self):
        server = self.serve()
        self.broker("licence", "acme/clothes", "--instances", "1", "--lease", "3600")
        self.succeed(*self.asking(server))
        self.assertEqual(len(self.broker("list", "--json").json()["leases"]), 1)
        run = self.run_tool(*self.asking(server))
        self.assertNotEqual(run.status, OK)
        instance = self.broker("list", "--json").json()["leases"][0]["instance"]
        self.fail_with(USAGE, "16 bytes", "broker", "revoke", "lease", "aa", "--dir", "broker")
        self.broker("revoke", "lease", instance)
        self.succeed(*self.asking(server))
        self.broker("licence", "acme/clothes", "--not-after", "2001-01-01")
        self.assertEqual(self.run_tool(*self.asking(server)).status, REFUSED)
        self.broker("licence", "acme/clothes", "--remove")
        self.succeed(*self.asking(server))

    def test_a_long_run_prolongs_its_lease_by_itself(self):
        # It asks when half of the lease is over; a slow machine has the other half for it.
        self.broker("licence", "acme/clothes", "--lease", "30")
        server = self.serve()
        command = [part if part != "x.npy" else "-" for part in self.asking(server)]
        run = subprocess.Popen([TOOL, *command], cwd=self.folder, stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 300
        renewals = []
        with contextlib.suppress(BrokenPipeError):  # then it says why
            while renewals in ([], [0]) and run.poll() is None and time.monotonic() < deadline:
                run.stdin.write((self.folder / "x.npy").read_bytes())
                run.stdin.flush()
                time.sleep(0.5)
                leases = self.broker("list", "--json").json()["leases"]
                renewals = [lease["renewals"] for lease in leases]
        _, errors = run.communicate(timeout=600)
        self.assertEqual(run.returncode, OK, errors)
        self.assertEqual(len(renewals), 1)
        self.assertGreater(renewals[0], 0)

    def test_without_a_network_files_do(self):
        (self.folder / "usb").mkdir()
        command = [TOOL, "run", "a.seal", "--trust", "vendor.pub", "--broker-files", "usb",
                   "--broker-key", "broker/grants.pub", "--evidence-key", "sim.key",
                   "--tee-memory", "16MiB", "--input", "x.npy", "--output", "y.npy"]
        site = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)
        try:
            for asked, given in (("challenge-request", "challenge"), ("release-request", "grant")):
                path = self.folder / f"usb/exchange-1.{asked}"
                deadline = time.monotonic() + 300
                while not path.exists() and time.monotonic() < deadline:
                    time.sleep(0.05)
                self.broker("answer", path, "--out", f"usb/exchange-1.{given}", "--lab")
            self.assertEqual(site.wait(timeout=600), OK)
        finally:
            site.kill()
            site.wait()
            site.stderr.close()
        # A nonce is good once, in files too.
        refused = self.run_tool("broker", "answer", "usb/exchange-1.release-request", "--out",
                                "again", "--lab", "--dir", "broker")
        self.assertEqual(refused.status, REFUSED, refused.err)
        self.assertIn("refusal", (self.folder / "again").read_bytes().decode("latin-1"))
        entries = self.broker("log show", "--json").json()
        self.assertIn("files", [entry.get("transport") for entry in entries])

    def test_the_server_tells_its_log_to_the_operator(self):
        server = self.serve()
        self.succeed(*self.asking(server))
        context = ssl.create_default_context(cafile=str(self.folder / "broker/tls.crt"))

        def get(path):
            with urllib.request.urlopen(server.url + path, context=context, timeout=120) as answer:
                return answer.read().decode()

        keys = json.loads(get("/v1/keys"))
        self.assertTrue(keys["lab"])
        with self.assertRaises(urllib.error.HTTPError) as hidden:
            get("/v1/log/checkpoint")
        self.assertEqual(hidden.exception.code, 404)
        hidden.exception.close()

        def get_as_operator(path):
            url = f"http://127.0.0.1:{server.admin_port}{path}"
            with urllib.request.urlopen(url, timeout=120) as answer:
                return answer.read().decode()

        (self.folder / "kept").write_text(get_as_operator("/v1/log/checkpoint"))
        self.broker("log verify", "--checkpoint", "kept", "--log-key", "broker/log.pub")
        size = int((self.folder / "kept").read_text().splitlines()[1])
        path = f"/v1/log/entries?start=0&end={size}"
        entries = json.loads(get_as_operator(path))["entries"]
        self.assertEqual(len(entries), size)
        for path in (f"/v1/log/inclusion?index=1&size={size}",
                     f"/v1/log/consistency?first=1&second={size}"):
            self.assertIn("proof", json.loads(get_as_operator(path)))
        self.assertEqual(get("/healthz"), "ok\n")
        self.assertIn("sealpack_broker_grants_total 1", get_as_operator("/metrics"))

    def test_a_new_certificate_is_taken_without_a_stop(self):
        server = self.serve()
        self.succeed("broker", "init", "--dir", "stranger", "-q")
        for name in ("tls.crt", "tls.key"):
            shutil.copy(self.folder / "stranger" / name, self.folder / "broker" / name)
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("reloaded")
        self.succeed(*self.asking(server))  # broker/tls.crt is the new one

    def test_the_log_holds_no_secrets(self):
        server = self.serve()
        self.succeed(*self.asking(server))
        self.run_tool(*self.asking(server, memory="17MiB"))
        self.stop(server)
        text = (self.folder / "serve.log").read_text()
        for line in text.splitlines():
            if line.startswith("{"):
                self.assertLess(len(line), 600)
        self.assertNotIn("PRIVATE", text)


class BrokerEnds(BrokerCase):
    def test_a_restore_releases_nothing_until_it_is_reconciled(self):
        server = self.serve()
        self.succeed(*self.asking(server))
        self.broker("checkpoint", "--out", "kept")
        self.broker("backup", "--out", "backup.db")
        self.assertEqual((self.folder / "backup.db").stat().st_mode & 0o777, 0o600)
        self.stop(server)
        self.fail_with(REFUSED, "sealpack: error", "broker", "restore", "backup.db", "--dir", "broker")
        for path in (self.folder / "broker").glob("store.db*"):
            path.unlink()
        self.broker("restore", "backup.db")
        self.assertIn("NOT RECONCILED", self.broker("list").out)
        server = self.serve()
        run = self.run_tool(*self.asking(server))
        self.assertIn(run.status, (REFUSED, TRY_AGAIN), run.err)
        self.broker("reconcile", "--no-lease-is-missing", "--floor", "acme/clothes=100")
        self.succeed(*self.asking(server))
        self.broker("log verify", "--checkpoint", "kept")
        self.assertEqual(self.broker("list", "--json").json()["epoch"], 2)

    def test_a_log_that_was_changed_is_noticed(self):
        self.broker("checkpoint", "--out", "kept")
        text = (self.folder / "kept").read_text().splitlines(True)
        text[1] = str(int(text[1]) + 1) + "\n"
        (self.folder / "forged").write_text("".join(text))
        run = self.run_tool("broker", "log", "verify", "--dir", "broker", "--checkpoint", "forged")
        self.assertEqual(run.status, NOT_AUTHENTIC, run.err)
        # Another history under the same name of the log.
        path = self.folder / "broker/store.db"
        kept = path.read_bytes()
        self.broker("revoke", "device", "aa", "--because", "one history")
        self.broker("checkpoint", "--out", "first")
        path.write_bytes(kept)
        for extra in (self.folder / "broker").glob("store.db-*"):
            extra.unlink()
        self.broker("revoke", "device", "bb", "--because", "another")
        run = self.run_tool("broker", "log", "verify", "--dir", "broker", "--checkpoint", "first")
        self.assertEqual(run.status, NOT_AUTHENTIC, run.err)


class BrokerUsage(BrokerCase):
    def test_wrong_command_lines(self):
        for arguments in (("broker",), ("broker", "serve", "--dir", "broker", "--listen", "nobody"),
                          ("broker", "revoke", "king", "aa", "--dir", "broker"),
                          ("broker", "revoke", "device", "xyz", "--because", "x", "--dir", "broker"),
                          ("broker", "revoke", "device", "aa", "--dir", "broker"),
                          ("broker", "revoke", "release", "aa", "--because", "x", "--dir", "broker"),
                          ("broker", "licence", "unknown", "--dir", "broker"),
                          ("broker", "policy", "acme/clothes", "--dir", "broker"),
                          ("run", "a.seal", "--trust", "vendor.pub", "--broker",
                           "https://127.0.0.1:1", "--input", "x.npy", "--output", "y.npy"),
                          ("run", "a.seal", "--trust", "vendor.pub", "--broker",
                           "http://127.0.0.1:1", "--broker-key", "broker/grants.pub", "--input",
                           "x.npy", "--output", "y.npy")):
            run = self.run_tool(*arguments)
            self.assertEqual(run.status, USAGE, f"{arguments}: {run.err}")

    def test_answer_takes_requests_alone(self):
        (self.folder / "x").write_bytes(b"sealpack broker grant\n123")
        self.fail_with(USAGE, "not what it is asked", "broker", "answer", "x", "--out", "y",
                       "--dir", "broker")
        (self.folder / "x").write_bytes(b"something else")
        self.fail_with(MALFORMED, "no file of an exchange", "broker", "answer", "x", "--out", "y",
                       "--dir", "broker")


if __name__ == "__main__":
    unittest.main()
