# SPDX-License-Identifier: Apache-2.0
"""A broker as its operator meets it: the end under load, a disk that is full or read-only, few
descriptors, certificates that are not the right ones."""

import contextlib
import http.client
import json
import os
import pathlib
import resource
import select
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest

import broker_load
from broker_case import BrokerCase, configure
from sealpack_case import (IO, LIMIT, MALFORMED, NOT_AUTHENTIC, OK, TOOL, TRY_AGAIN, UNSUPPORTED,
                           USAGE)

# For `openssl ca`, which alone makes certificates of other days.
OLD_AUTHORITY = """
[ca]
default_ca = old
[old]
database = index
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = server
[any]
commonName = supplied
[server]
subjectAltName = IP:127.0.0.1
"""


def grants_in_log(case):
    return case.broker("log verify", "--json").json()["grants"]


class Relay:
    """Between a client and the broker: ends the client before its nth piece goes on, of either side."""

    def __init__(self, server, nth):
        self.broker, self.nth = ("127.0.0.1", server.port), nth
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"

    def end(self, client):
        """Passes pieces on until the nth; whether the client came so far."""
        other, all_of_them = {}, [self.listener]
        while self.nth > 0 and client.poll() is None:
            for one in select.select([self.listener, *other], [], [], 0.1)[0]:
                if one is self.listener:
                    ours, theirs = self.listener.accept()[0], socket.create_connection(self.broker)
                    other |= {ours: theirs, theirs: ours}
                    all_of_them += [ours, theirs]
                elif not self.pass_on(one, other[one]):
                    other.pop(one)
                if self.nth == 0:
                    client.kill()
                    break
        client.wait()
        for one in all_of_them:
            one.close()
        return self.nth == 0

    def pass_on(self, one, other):
        """Whether more may come from there."""
        with contextlib.suppress(OSError):  # who has ended takes nothing and sends nothing
            piece = one.recv(65536)
            self.nth -= 1
            if self.nth > 0 and piece:
                other.sendall(piece)
                return True
            if self.nth > 0:
                other.shutdown(socket.SHUT_WR)
        return False


class TheEnd(BrokerCase):
    def test_under_load_answers_what_is_under_way_and_takes_no_more(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            before = grants_in_log(self)
            server = self.serve()
            load = broker_load.Load(self, server.url)
            server.wait_for("released", 11)
            self.assertEqual(self.stop(server, how), OK)
            asked = load.finish()
            results = broker_load.outcomes(asked)
            self.assertGreater(results.count("grant"), 10)
            # What was decided was said: nothing is in the log that no client heard of.
            self.assertEqual(grants_in_log(self) - before, results.count("grant"))
            self.assertEqual(results.count("not-opened"), 0)

    def test_killed_under_load_loses_no_entry_and_no_nonce(self):
        configure(self.folder / "broker", public_log="true")
        asked = []
        for _ in range(3):
            server = self.serve()
            load = broker_load.Load(self, server.url)
            server.wait_for("released", 11)
            self.stop(server, signal.SIGKILL)
            asked += load.finish()
            self.broker("log verify")
        self.assertGreater(broker_load.outcomes(asked).count("grant"), 3 * 8)
        log = broker_load.LogReader(self.folder, self.serve().url)
        broker_load.check_against_log(self, asked, log.entries())

    def test_a_client_that_is_killed_wherever_it_is_leaves_the_broker_as_it_was(self):
        self.broker("licence", "acme/clothes", "--instances", "100", "--lease", "3600")
        server = self.serve()
        killed = 0
        while True:
            relay = Relay(server, killed + 1)
            client = subprocess.Popen([TOOL, *self.asking(relay)], cwd=self.folder,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if not relay.end(client):
                break
            killed += 1
        self.assertEqual(client.returncode, OK)
        self.assertGreater(killed, 5)
        self.assertEqual(self.stop(server), OK)
        self.assertEqual(len(self.broker("list", "--json").json()["leases"]), grants_in_log(self))

    def test_a_second_signal_does_no_harm_and_idle_connections_do_not_delay_it(self):
        configure(self.folder / "broker", handshake_seconds=1)
        server = self.serve()
        context = ssl.create_default_context(cafile=str(self.folder / "broker/tls.crt"))
        with socket.create_connection(("127.0.0.1", server.port)) as silent, \
                context.wrap_socket(socket.create_connection(("127.0.0.1", server.port)),
                                    server_hostname="127.0.0.1") as idle:
            server.process.send_signal(signal.SIGTERM)
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(self.stop(server), OK)
            del silent, idle
        self.assertEqual([event["event"] for event in self.last_events()][-2:], ["stopping", "stopped"])

    def last_events(self):
        return [json.loads(line) for line in (self.folder / "serve.log").read_text().splitlines()
                if line.startswith("{")]

    def test_a_reload_that_fails_keeps_what_was_there(self):
        server = self.serve()
        kept = (self.folder / "broker/tls.crt").read_bytes()
        (self.folder / "broker/tls.crt").write_text("no certificate")
        server.process.send_signal(signal.SIGHUP)
        self.assertIn("tls.crt", server.wait_for("reload-failed")["message"])
        (self.folder / "broker/tls.crt").write_bytes(kept)
        self.succeed(*self.asking(server))
        self.assertIn('sealpack_broker_reloads_total{result="failed"} 1', self.metrics(server))
        # Endorsements are read with it, and a broken one is named.
        path = self.folder / "broker/broker.toml"
        path.write_text('endorsements = "endorsements"\n' + path.read_text())
        self.stop(server)
        self.fail_with(IO, "endorsements", "broker", "serve", "--dir", "broker", "--listen",
                       "127.0.0.1:0", "--admin", "none")
        (self.folder / "broker/endorsements").mkdir()
        server = self.serve()
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("reloaded")
        self.succeed(*self.asking(server))

    @staticmethod
    def metrics(server):
        connection = http.client.HTTPConnection("127.0.0.1", server.admin_port, timeout=120)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return text


class TheOperatorsPort(BrokerCase):
    def ask(self, server, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", server.admin_port, timeout=120)
        connection.request(method, path)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def test_tells_health_and_figures_and_nothing_else(self):
        server = self.serve()
        self.succeed(*self.asking(server))
        self.assertEqual(self.ask(server, "GET", "/healthz"), (200, "ok\n"))
        status, text = self.ask(server, "GET", "/metrics")
        self.assertEqual(status, 200)
        for line in ('sealpack_broker_answers_total{route="/v1/release",status="200"} 1',
                     "# TYPE sealpack_broker_grants_total counter", "sealpack_broker_grants_total 1",
                     "sealpack_broker_refusals_total 0", "# TYPE sealpack_broker_waiting gauge",
                     'sealpack_broker_turned_away_total{why="in-flight"} 0'):
            self.assertIn(line + "\n", text)
        for method, path, wanted in (("GET", "/v1/keys", 404), ("POST", "/metrics", 405),
                                     ("POST", "/v1/challenge", 405), ("GET", "/", 404)):
            self.assertEqual(self.ask(server, method, path)[0], wanted, path)

    def test_is_not_there_when_it_is_not_wanted(self):
        server = self.serve(admin=None)
        self.assertEqual(server.admin_port, 0)
        self.succeed(*self.asking(server))


class TheMachine(BrokerCase):
    def test_a_full_disk_gives_no_key_and_a_freed_one_does(self):
        server = self.serve()
        self.succeed(*self.asking(server))
        granted = grants_in_log(self)
        pid = server.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        # As if the disk ended here: no file grows.
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, before[1]))
        run = self.run_tool(*self.asking(server))
        self.assertEqual(run.status, TRY_AGAIN, run.err)
        self.assertIn("broker.store", run.err)
        self.assertIn("store.db", server.wait_for("store")["message"])
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        self.succeed(*self.asking(server))
        self.assertEqual(self.stop(server), OK)
        self.assertEqual(grants_in_log(self), granted + 1)

    def namespace(self, script):
        """A shell with mounts of its own; a server in it is told of by its log."""
        return subprocess.run(["unshare", "--mount", *(() if os.geteuid() == 0 else ("-r",)), "sh",
                               "-ec", script], cwd=self.folder, capture_output=True, text=True,
                              timeout=120, env={**os.environ, "TOOL": TOOL})

    def can_mount(self):
        probe = self.namespace("mount -t tmpfs -o size=64k tmpfs broker")
        if probe.returncode != 0:
            self.skipTest(f"nothing can be mounted here: {probe.stderr}")

    def test_a_store_that_is_read_only_is_said_and_not_served(self):
        self.can_mount()
        self.broker("list")
        run = self.namespace('mount --bind broker broker; mount -o remount,bind,ro broker;'
                             '"$TOOL" broker add a.seal --dir broker; echo "status $?";'
                             '"$TOOL" broker serve --dir broker --listen 127.0.0.1:0 --admin none'.
                             replace("; echo", " || echo"))
        self.assertEqual(run.returncode, IO, run.stderr)
        self.assertIn("status 3", run.stdout)
        self.assertIn("store.db", run.stderr)
        self.assertNotIn("ready", run.stderr)

    def test_init_on_a_full_disk_leaves_nothing(self):
        self.can_mount()
        run = self.namespace('mkdir small; mount -t tmpfs -o size=16k tmpfs small;'
                             '"$TOOL" broker init --dir small/new || echo "status $?"; ls small')
        self.assertEqual(run.stdout, f"status {IO}\n", run.stderr)

    def test_a_shell_that_gives_few_descriptors_does_not_limit_connections(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        try:
            server = self.serve()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        given, _ = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        self.assertEqual(given, min(hard, 4096 + 256))

    def test_a_system_that_gives_few_descriptors_is_said_to_limit_connections(self):
        run = subprocess.Popen(
            ["sh", "-c", 'ulimit -n 300; exec "$0" broker serve --dir broker --listen 127.0.0.1:0 '
             '--admin none --lab', TOOL], cwd=self.folder, stderr=subprocess.PIPE, text=True)
        try:
            said = run.stderr.readline() + run.stderr.readline()
            self.assertIn("no more than 44 connections at once, not the 4096 of broker.toml", said)
        finally:
            run.terminate()
            run.wait()
            run.stderr.close()

    @unittest.skipUnless(os.geteuid() == 0, "what a hardened process has open is shown to root alone")
    def test_few_descriptors_turn_some_away_and_it_goes_on(self):
        server = self.serve()
        pid = server.process.pid
        used = len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 6, before[1]))
        taken = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(40)]
        deadline = time.monotonic() + 120
        while len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir())) < used + 5:
            self.assertLess(time.monotonic(), deadline, "the descriptors are not used up")
            time.sleep(0.05)
        for one in taken:
            one.close()
        self.succeed(*self.asking(server))
        self.assertEqual(self.stop(server), OK)

    def test_a_port_that_is_taken_is_said(self):
        server = self.serve()
        self.fail_with(IO, f"cannot listen on 127.0.0.1:{server.port}", "broker", "serve", "--dir",
                       "broker", "--listen", f"127.0.0.1:{server.port}", "--admin", "none")


class Impostor:
    """Something that speaks TLS and answers every request with the same bytes."""

    def __init__(self, folder, answer, certificate="broker/tls.crt", key="broker/tls.key"):
        self.answer = answer
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / certificate, folder / key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            try:
                with self.context.wrap_socket(plain, server_side=True) as connection:
                    connection.settimeout(120)
                    self.take_request(connection)
                    connection.sendall(self.answer)
            except OSError:
                pass

    @staticmethod
    def take_request(connection):
        """All of it: who answers sooner and leaves cuts off a client that is still sending."""
        with connection.makefile("rb") as lines:
            size = 0
            while (line := lines.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    size = int(line.split(b":")[1])
            lines.read(size)

    def stop(self):
        self.listener.close()


def http_answer(body, status="200 OK", size=None):
    return (f"HTTP/1.1 {status}\r\nContent-Type: application/x-protobuf\r\n"
            f"Content-Length: {len(body) if size is None else size}\r\n"
            f"Connection: close\r\n\r\n").encode() + body


class WhatAClientMeets(BrokerCase):
    def impostor(self, answer, **how):
        made = Impostor(self.folder, answer, **how)
        self.addCleanup(made.stop)
        return made

    def asking_fails(self, status, pattern, server):
        self.fail_with(status, pattern, *self.asking(server))

    def test_nobody(self):
        class Nobody:
            url = "https://127.0.0.1:1"
        self.asking_fails(TRY_AGAIN, "broker 'https://127.0.0.1:1'", Nobody)

    def test_a_certificate_for_another_name_or_of_another_day(self):
        self.succeed("broker", "init", "--dir", "named", "--name", "broker.example.org")
        shutil.copy(self.folder / "named/tls.crt", self.folder / "broker/tls.crt")
        shutil.copy(self.folder / "named/tls.key", self.folder / "broker/tls.key")
        self.asking_fails(NOT_AUTHENTIC, "--broker-ca names", self.serve())

    @unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
    def test_a_certificate_that_has_ended(self):
        (self.folder / "ca.cnf").write_text(OLD_AUTHORITY)
        (self.folder / "index").touch()
        for command in (("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                         "-keyout", "broker/tls.key", "-subj", "/CN=b", "-out", "csr"),
                        ("ca", "-batch", "-selfsign", "-config", "ca.cnf", "-keyfile", "broker/tls.key",
                         "-in", "csr", "-out", "broker/tls.crt", "-notext", "-outdir", ".",
                         "-startdate", "20200101000000Z", "-enddate", "20200201000000Z")):
            subprocess.run(["openssl", *command], cwd=self.folder, check=True, capture_output=True)
        self.asking_fails(NOT_AUTHENTIC, "certificate has expired", self.serve())

    def test_an_answer_that_is_too_large(self):
        self.asking_fails(LIMIT, "answers more than 81920 bytes",
                          self.impostor(http_answer(b"x" * 81921)))

    def test_answers_that_no_broker_gives(self):
        for body, status in ((b"", UNSUPPORTED), (b"<html>a proxy</html>", UNSUPPORTED),
                             (b"\x08\x01", MALFORMED), (b"\x08\x01" + b"\xff" * 50, MALFORMED)):
            self.asking_fails(status, "broker 'https", self.impostor(http_answer(body)))
        self.asking_fails(MALFORMED, "HTTP status 404", self.impostor(http_answer(b"", "404 Not Found")))
        self.asking_fails(MALFORMED, "HTTP status 302", self.impostor(
            b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"))

    def test_an_answer_that_breaks_off(self):
        self.asking_fails(TRY_AGAIN, "broker 'https", self.impostor(http_answer(b"half", size=100)))

    def test_old_tls(self):
        server = self.impostor(http_answer(b""))
        server.context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.asking_fails(IO, "broker 'https", server)

    def test_a_ca_file_that_is_none(self):
        server = self.serve()
        for content, status in ((None, IO), (b"no certificate", NOT_AUTHENTIC)):
            path = self.folder / "ca"
            if content is not None:
                path.write_bytes(content)
            command = ["ca" if part == "broker/tls.crt" else part for part in self.asking(server)]
            self.fail_with(status, "ca|certificate", *command)

    def test_a_url_that_is_none(self):
        for url in ("http://127.0.0.1:1", "https://127.0.0.1:1/v1", "broker", "https://", ""):
            class There:
                pass
            There.url = url
            self.asking_fails(USAGE, "broker|https", There)


if __name__ == "__main__":
    unittest.main()
