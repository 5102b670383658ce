# SPDX-License-Identifier: Apache-2.0
"""Two brokers on one PostgreSQL behind a load balancer (HAProxy), each killed in turn under load."""

import base64
import contextlib
import glob
import hashlib
import json
import os
import pathlib
import pwd
import random
import shutil
import signal
import socket
import subprocess
import time
import unittest

import broker_load
from broker_case import PATIENCE, BrokerCase, configure
from sealpack_case import OK, REFUSED, TRY_AGAIN, USAGE

# Debian puts the server on nobody's path.
POSTGRES = max(map(os.path.dirname, glob.glob("/usr/lib/postgresql/*/bin/initdb")), default=None)
BALANCER = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin")
INSTANCES = 30
KILLS = 8
CONFIGURATION = """
defaults
  mode tcp
  timeout connect 10s
  timeout client 30s
  timeout server 30s
  timeout check 30s
  option redispatch
frontend brokers
  bind fd@%d
  default_backend replicas
backend replicas
  balance roundrobin
  option httpchk GET /healthz
  default-server check check-ssl verify none inter 100ms fall 1 rise 1
  server a %s
  server b %s
"""


def own_address():
    """A place that stays free while nobody listens: addresses of this machine that nobody else uses."""
    while True:
        address = "127." + ".".join(str(random.randrange(2, 255)) for _ in range(3))
        with contextlib.suppress(OSError), socket.create_server((address, 8443)):
            return f"{address}:8443"


class Database:
    """PostgreSQL on a socket in a folder of its own; as another user, since it does not run as root."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.user = {}
        if os.geteuid() == 0:
            try:
                entry = pwd.getpwnam("postgres")
            except KeyError:
                entry = pwd.getpwnam("nobody")
            self.user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        subprocess.run([f"{POSTGRES}/initdb", "--username=postgres", "--auth=trust", "--no-sync",
                        "--no-locale", "-E", "UTF8", f"--pgdata={folder}/data"], check=True, capture_output=True,
                       cwd="/", timeout=600, **self.user)
        self.uri = f"postgresql://postgres@/postgres?host={folder}"
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [f"{POSTGRES}/postgres", "-D", f"{self.folder}/data", "-k", self.folder, "-c",
             "listen_addresses="], cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            **self.user)
        deadline = time.monotonic() + 300
        while subprocess.run([f"{POSTGRES}/pg_isready", "-h", self.folder, "-U", "postgres"],
                             capture_output=True, check=False).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("PostgreSQL does not start")
            time.sleep(0.1)

    def stop(self, how=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(timeout=600)


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def proves_consistency(first, second, first_root, second_root, proof):
    """RFC 9162, section 2.1.4.2."""
    if first & (first - 1) == 0:
        proof = [first_root, *proof]
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = proof[0]
    for one in proof[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(one, fr), node(one, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, one)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and (fr, sr) == (first_root, second_root)


@unittest.skipUnless(POSTGRES, "PostgreSQL is not installed: nothing of replicas is tested")
class Replicas(BrokerCase):
    def setUp(self):
        super().setUp()
        place = pathlib.Path("/tmp") / f"sealpack-{os.getpid()}-{time.monotonic_ns()}"
        self.addCleanup(shutil.rmtree, place, ignore_errors=True)
        self.database = Database(place)
        self.addCleanup(self.database.stop)
        shutil.rmtree(self.folder / "broker")
        (self.folder / "a.seal").unlink()

    def begin(self):
        """A broker on the database, with the release that it gives out."""
        self.succeed("broker", "init", "--dir", "broker", "--store", self.database.uri)
        # To the brokers, all who come through the balancer are one address. The log is read through
        # the balancer, as an auditor would.
        configure(self.folder / "broker", **PATIENCE, requests_per_second=100000, request_burst=100000,
                  handshakes_per_second=100000, handshake_burst=100000, public_log="true")
        measurement = self.measure(self.succeed)
        (self.folder / "sim.toml").write_text(
            (self.folder / "sim.toml").read_text().replace(type(self).measurement, measurement))
        self.measurement = measurement
        self.build_release(self.succeed, "a.seal", 100)
        self.broker("add", "a.seal", "--trust", "vendor.pub")

    def balance(self, addresses):
        """HAProxy in front of two brokers; gives its URL."""
        with socket.create_server(("127.0.0.1", 0)) as front:
            (self.folder / "haproxy.cfg").write_text(CONFIGURATION % (front.fileno(), *addresses))
            process = subprocess.Popen([BALANCER, "-f", "haproxy.cfg", "-db"], cwd=self.folder,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       pass_fds=[front.fileno()])
            url = f"https://127.0.0.1:{front.getsockname()[1]}"
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(broker_load.LogReader(self.folder, url).get("/healthz"), "ok\n")
        return url

    @unittest.skipUnless(BALANCER, "HAProxy is not installed")
    @unittest.skipUnless(broker_load.CLIENTS, "BROKER_CLIENTS does not name the load")
    def test_killed_in_turn_behind_a_balancer_lose_nothing_and_do_nothing_twice(self):
        self.begin()
        self.broker("licence", "acme/clothes", "--instances", INSTANCES, "--lease", "100000")
        addresses = [own_address(), own_address()]

        def start(number):
            return self.serve(listen=addresses[number], log=f"serve-{number}.log")
        replicas = [start(0), start(1)]
        url = self.balance(addresses)
        log = broker_load.LogReader(self.folder, url)
        kept = log.get("/v1/log/checkpoint")
        (self.folder / "kept").write_text(kept)

        load = broker_load.Load(self, url)
        for kill in range(KILLS):
            log.wait_for_more(8 + kill % 3)
            self.stop(replicas[kill % 2], signal.SIGKILL)
            log.wait_for_more(3)
            replicas[kill % 2] = start(kill % 2)
        log.wait_for_more(8)
        asked = load.finish()
        results = broker_load.outcomes(asked)
        # It did what it is for: both served, requests were cut off and the licence was used up.
        self.assertEqual(results.count("not-opened"), 0)
        self.assertIn("broker.licence-instances", results)
        self.assertIn("broker.nonce-used", results)
        self.assertIn("none", results)
        self.assertGreater(len(asked), 2 * INSTANCES)
        allowed = {"grant", "none", "broker.licence-instances", "broker.nonce-used", "broker.store"}
        self.assertLessEqual(set(results), allowed)

        broker_load.check_against_log(self, asked, log.entries())
        granted = [entry["instance"] for entry in
                   self.broker("log show", "--json", "--count", "1000000").json()
                   if entry["kind"] == "grant"]
        self.assertEqual(len(granted), INSTANCES)
        self.assertEqual(len(set(granted)), INSTANCES)
        self.assertEqual(len(self.broker("list", "--json").json()["leases"]), INSTANCES)
        self.check_history(log, kept)
        for replica in replicas:
            self.assertEqual(self.stop(replica), OK)
        self.broker("log verify", "--checkpoint", "kept", "--log-key", "broker/log.pub")

    def check_history(self, log, kept):
        """The log of now begins with the log of then, by the proof that everybody may ask for."""
        now = log.get("/v1/log/checkpoint")
        (size_then, root_then), (size, root) = (
            (int(text.splitlines()[1]), base64.b64decode(text.splitlines()[2])) for text in (kept, now))
        self.assertGreater(size, size_then)
        path = f"/v1/log/consistency?first={size_then}&second={size}"
        proof = [bytes.fromhex(one) for one in json.loads(log.get(path))["proof"]]
        self.assertTrue(proves_consistency(size_then, size, root_then, root, proof))
        forged = bytes([root_then[0] ^ 1]) + root_then[1:]
        self.assertFalse(proves_consistency(size_then, size, forged, root, proof))

    def test_an_operator_at_one_is_heard_by_the_other(self):
        self.begin()
        first = self.serve(log="first.log")
        shutil.copytree(self.folder / "broker", self.folder / "copy")
        second = self.serve(broker="copy", log="second.log")
        self.succeed(*self.asking(first))
        self.succeed(*self.asking(second))
        self.broker("revoke measurement", self.measurement, "--because", "a test")
        for server in (first, second):
            run = self.run_tool(*self.asking(server))
            self.assertEqual(run.status, REFUSED, run.err)
        self.succeed("broker", "revoke", "measurement", self.measurement, "--end", "--dir", "copy")
        self.succeed(*self.asking(first))

    def test_a_database_that_is_away_is_waited_for(self):
        self.begin()
        server = self.serve()
        self.succeed(*self.asking(server))
        self.database.stop()
        run = self.run_tool(*self.asking(server))
        self.assertEqual(run.status, TRY_AGAIN, run.err)
        self.assertEqual(self.run_tool("broker", "list", "--dir", "broker").status, TRY_AGAIN)
        self.database.start()
        self.succeed(*self.asking(server))
        self.assertEqual(self.stop(server), OK)
        self.broker("log verify")

    def test_backup_restore_and_reconcile_go_through_a_file(self):
        self.begin()
        server = self.serve()
        self.succeed(*self.asking(server))
        self.assertEqual(self.stop(server), OK)
        self.broker("backup", "--out", "backup.db")
        self.fail_with(REFUSED, "a store of a broker already", "broker", "restore", "backup.db",
                       "--dir", "broker")
        path = self.folder / "broker/broker.toml"
        path.write_text(path.read_text().replace(
            f'store = "{self.database.uri}"', 'store = "sqlite:store.db"'))
        self.broker("restore", "backup.db")
        self.broker("reconcile", "--no-lease-is-missing", "--floors-unchanged")
        self.succeed(*self.asking(self.serve()))
        self.broker("log verify")

    def test_init_says_what_is_wrong_with_a_database(self):
        self.begin()
        self.fail_with(REFUSED, "a store of a broker already", "broker", "init", "--dir", "other",
                       "--store", self.database.uri)
        run = self.fail_with(USAGE, "password", "broker", "init", "--dir", "other", "--store",
                             "postgresql://broker:hunter2@/postgres?host=/tmp")
        self.assertNotIn("hunter2", run.out + run.err)
        self.fail_with(USAGE, "verify-full", "broker", "init", "--dir", "other", "--store",
                       "postgresql://broker@db.example.org/broker")
        self.fail_with(TRY_AGAIN, "store", "broker", "init", "--dir", "other", "--store",
                       f"postgresql://postgres@/postgres?host={self.folder}")

    def test_an_init_that_fails_takes_no_place_in_the_database(self):
        self.fail_with(USAGE, "no role|role", "broker", "init", "--dir", "other", "--store",
                       self.database.uri, "--recipient-key", "vendor.key")
        self.begin()


if __name__ == "__main__":
    unittest.main()
