#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`sealpack run` before a second broker (broker_stand_in.py), an honest one and hostile ones: whatever comes, it ends soon, says
why with a code of docs/ERRORS.md, and answers nothing."""

import itertools
import os
import pathlib
import subprocess
import sys
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
try:
    import broker_messages as m
    import broker_stand_in as stand_in
    import sealpack_reader as reader
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
except ImportError as error:
    print(f"SKIPPED: {error}; install python3-cryptography", file=sys.stderr)
    sys.exit(77)

from broker_case import BrokerCase
from broker_stand_in import http, refusal
from edited_bundle import get, join, put
from run_case import read_npy
from sealpack_case import IO, KEY_UNAVAILABLE, LIMIT, MALFORMED, NOT_AUTHENTIC, OK, REFUSED, TOOL, TRY_AGAIN, UNSUPPORTED, Run

ONE = bytes([1])


class HostileBroker(BrokerCase):
    def setUp(self):
        super().setUp()
        bundle = reader.open_verified(self.folder / "a.seal", None)
        self.addCleanup(bundle.file.close)
        opens = reader.Recipient.private(self.folder / "broker/broker.key")
        signs = serialization.load_pem_private_key(reader.load_key(self.folder / "broker/grants.key"), None)
        self.broker = stand_in.Broker(bundle, opens, signs)
        self.numbers = itertools.count()

    def serve(self, answer):
        server = stand_in.Server(self.folder / "broker/tls.crt", self.folder / "broker/tls.key", answer)
        self.addCleanup(server.stop)
        return server

    def ask(self, answer, **options):
        """One run against this broker; gives (run, requests that it made, the file that it was to write)."""
        server = self.serve(answer)
        output = self.folder / f"y{next(self.numbers)}.npy"
        run = self.run_tool(*self.asking(server, output=output.name, **options))
        self.assertEqual(output.exists(), run.status == OK, run.err)
        return run, server.asked, output

    def refuse(self, status, pattern, answer):
        run, asked, _ = self.ask(answer)
        self.assertIn(run.status, status if isinstance(status, tuple) else (status,), run.err)
        self.assertRegex(run.err, pattern)
        return asked

    def all_at_once(self, check, cases):
        """check(*case) for each case, its name the first of it; most of the time these wait."""
        with ThreadPoolExecutor(8) as pool:
            for case, done in [(case, pool.submit(check, *case)) for case in cases]:
                with self.subTest(case[0]):
                    done.result()

    # What a broker says: all of it as an honest one, but for one message.
    def challenging(self, change):
        return lambda path, body: change(self.broker.challenge(body)) if path == "/v1/challenge" else self.broker.answer(path, body)

    def granting(self, change):
        return lambda path, body: change(self.broker.release(body)) if path == "/v1/release" else self.broker.answer(path, body)

    def sealing(self, **how):
        def answer(path, body):
            if path == "/v1/challenge":
                return self.broker.answer(path, body)
            return 200, self.broker.grant(self.request_in(body), **how)
        return answer

    @staticmethod
    def request_in(body):
        return m.parse(m.KEY_REQUEST, m.parse(m.RELEASE_REQUEST, body).key_request)


class HonestStandIn(HostileBroker):
    def test_a_grant_of_a_second_broker_opens_the_bundle(self):
        run, asked, output = self.ask(self.broker.answer)
        self.assertEqual(run.status, OK, run.err)
        self.assertEqual(read_npy(output.read_bytes()), [self.answer()])
        self.assertEqual([path for path, _ in asked], ["/v1/challenge", "/v1/release"])

    def test_its_refusal_is_told_with_its_reasons(self):
        run, _, _ = self.ask(self.broker.answer, memory="17MiB")
        self.assertEqual(run.status, REFUSED)
        self.assertIn("policy.not-accepted", run.err)

    def test_a_lease_that_outlives_everybody_is_asked_for_once(self):
        for until in (2**40, 2**63, 2**64 - 1):
            run, asked, _ = self.ask(self.sealing(lease_until=until, instance=ONE * 16))
            self.assertEqual((run.status, len(asked)), (OK, 2), run.err)

    def test_a_broker_that_is_busy_is_asked_again_when_it_said(self):
        """By the field of the message, whether or not a header says the same."""
        times = []

        def busy_once(path, body):
            times.append(time.monotonic())
            return self.broker.answer(path, body) if len(times) > 1 else (503, refusal(TRY_AGAIN, ("broker.busy", ""), retry_after=2))

        run, _, _ = self.ask(busy_once)
        self.assertEqual(run.status, OK, run.err)
        self.assertGreaterEqual(times[1] - times[0], 2)

    def test_a_broker_that_is_away_for_an_hour_is_asked_once(self):
        for retry_after in (3600, 2**32 - 1):
            later = 503, refusal(TRY_AGAIN, ("broker.clock", "look"), retry_after=retry_after)
            self.assertEqual(len(self.refuse(TRY_AGAIN, "broker.clock", lambda path, body: later)), 1)

    def test_the_longest_refusal_is_read_to_its_end(self):
        reasons = [("policy." + "x" * 57, "y" * 1024)] * 63 + [("broker.last", "z")]
        self.refuse(REFUSED, "broker.last", lambda path, body: (403, refusal(REFUSED, *reasons)))


class HostileMessages(HostileBroker):
    def test_challenges_that_are_none(self):
        cases = (
            ("noise", lambda c: ONE * 80, MALFORMED), ("nothing", lambda c: b"", UNSUPPORTED),
            ("another version", lambda c: put(c, 1, 2), UNSUPPORTED), ("a short nonce", lambda c: put(c, 2, bytes(31)), MALFORMED),
            ("a long nonce", lambda c: put(c, 2, bytes(33)), MALFORMED), ("no id", lambda c: put(c, 3), MALFORMED),
            ("a long id", lambda c: put(c, 3, ONE * 257), MALFORMED), ("a byte too many", lambda c: c + b"\0", MALFORMED),
            ("an unknown field", lambda c: c + join([[5, ONE * 32]]), MALFORMED), ("cut short", lambda c: c[:-1], MALFORMED),
            ("a grant", lambda c: self.broker.sign(b"x"), MALFORMED), ("too long", lambda c: c + bytes(1024), LIMIT),
            ("endless", lambda c: bytes(2**24), LIMIT), ("a refusal as a challenge", lambda c: refusal(13, ("broker.key", "")), MALFORMED))
        self.all_at_once(lambda what, change, status: self.refuse(
            status, "sealpack: error", self.challenging(lambda c: (200, change(c)))), cases)

    def test_grants_that_are_none(self):
        cases = (
            ("noise", lambda g: ONE * 80, MALFORMED), ("nothing", lambda g: b"", MALFORMED), ("cut short", lambda g: g[:-1], MALFORMED),
            ("a byte too many", lambda g: g + b"\0", MALFORMED), ("too long", lambda g: g + bytes(2**14), LIMIT),
            ("a challenge", lambda g: m.write(m.CHALLENGE_REPLY, version=1, nonce=ONE * 32, id=ONE, expires=1), MALFORMED),
            ("without signature", lambda g: put(g, 2), NOT_AUTHENTIC), ("another signature", lambda g: put(g, 2, ONE * 64), NOT_AUTHENTIC),
            ("a long signature", lambda g: put(g, 2, ONE * 1025), MALFORMED),
            ("another version", lambda g: self.broker.sign(put(get(g, 1)[0], 1, 2)), UNSUPPORTED),
            ("an unknown field", lambda g: self.broker.sign(get(g, 1)[0] + join([[9, 1]])), MALFORMED),
            ("no key in it", lambda g: self.broker.sign(put(get(g, 1)[0], 3)), KEY_UNAVAILABLE))
        self.all_at_once(lambda what, change, status: self.refuse(
            status, "sealpack: error", self.granting(lambda g: (200, change(g)))), cases)

    def test_no_flipped_bit_of_a_grant_opens_anything(self):
        def flipped(bit):
            return self.granting(lambda grant: (200, grant[:bit // 8] + bytes([grant[bit // 8] ^ 1 << bit % 8]) + grant[bit // 8 + 1:]))

        taken = []
        self.ask(self.granting(lambda grant: taken.append(grant) or (200, grant)))
        self.all_at_once(lambda bit: self.refuse((MALFORMED, UNSUPPORTED, NOT_AUTHENTIC), "sealpack: error", flipped(bit)),
                         [(bit,) for bit in range(0, 8 * len(taken[0]), 37)])

    def test_refusals_never_mean_success(self):
        plain = refusal(REFUSED, ("broker.key", "x"))
        cases = (
            ("no code", put(plain, 2)), ("a code that exits with 0", put(plain, 2, 256)), ("a code nobody knows", put(plain, 2, 99)),
            ("the largest code", put(plain, 2, 2**32 - 1)), ("no reason", put(plain, 3)),
            ("too many reasons", refusal(REFUSED, *[("broker.key", "x")] * 65)), ("a reason in capitals", refusal(REFUSED, ("Broker", "x"))),
            ("a reason without a code", refusal(REFUSED, ("", "x"))), ("a long text", refusal(REFUSED, ("broker.key", "x" * 1025))),
            ("noise", ONE * 99), ("nothing", b""))
        self.all_at_once(lambda what, message: self.refuse(
            MALFORMED, "HTTP status 403 and what is no message", lambda path, body: (403, message)), cases)

    def test_words_of_a_broker_do_not_steer_the_terminal(self):
        run, _, _ = self.ask(lambda path, body: (403, refusal(REFUSED, ("broker.key", "\x1b[31mall is well\r\nsealpack: done"))))
        self.assertEqual(run.status, REFUSED)
        self.assertNotRegex(run.err, "\x1b|\r|(?m:^sealpack: done)")

    def test_http_that_is_none(self):
        good = []
        self.ask(self.challenging(lambda c: good.append(c) or (200, c)))
        cases = (
            ("another protocol", [b"SSH-2.0-x\r\n", None], IO), ("nothing", [None], TRY_AGAIN),
            ("a body cut short", [http(200, good[0])[:-5], None], TRY_AGAIN), ("an endless head", [b"X: " + b"a" * 60000] * 20 + [None], IO),
            ("endless fields", [b"HTTP/1.1 200 OK\r\n"] + [b"X: " + b"a" * 60000 + b"\r\n"] * 20 + [None], (IO, TRY_AGAIN)),
            ("a redirection", [http(302, b"", more="Location: https://127.0.0.1:1/v1/challenge\r\n")], MALFORMED),
            ("no content", [http(204, b"")], MALFORMED), ("a page", [http(500, b"<html>", "text/html")], MALFORMED),
            ("a page of a balancer", [http(503, b"<html>", "text/html")], TRY_AGAIN),
            ("a second answer behind the first", [http(200, good[0]) + http(200, good[0]), None], (MALFORMED, IO, TRY_AGAIN)))
        self.all_at_once(lambda what, pieces, status: self.refuse(status, "sealpack: error", lambda path, body: pieces), cases)

    def test_slow_answers_are_given_up(self):
        """Once for each way to be slow, all at once: the client gives up after its own time, then is refused."""
        def slow(first):
            answered = []
            return lambda path, body: (403, refusal(REFUSED, ("broker.late", ""))) if answered else answered.append(1) or first

        cases = (("nothing", [60.0]), ("a byte a second", [piece for byte in http(200, bytes(80)) for piece in (bytes([byte]), 1.0)]),
                 ("a body that never ends", [http(200, bytes(80))[:-1], 60.0]))
        self.all_at_once(lambda what, pieces: self.refuse(REFUSED, "broker.late", slow(pieces)), cases)


class HostileGrants(HostileBroker):
    """Well-formed and well signed, and still not for this exchange."""

    def test_a_grant_of_an_earlier_exchange_is_refused(self):
        earlier = []
        run, _, _ = self.ask(self.granting(lambda grant: earlier.append(grant) or (200, grant)))
        self.assertEqual(run.status, OK, run.err)
        self.refuse(KEY_UNAVAILABLE, "key-unavailable", self.granting(lambda grant: (200, earlier[0])))

    def test_grants_that_changed_places_are_refused(self):
        both, grants, runs = threading.Barrier(2, timeout=30), {}, []

        def exchanged(path, body):
            if path == "/v1/challenge":
                return self.broker.answer(path, body)
            own = self.request_in(body).nonce
            grants[own] = self.broker.release(body)
            both.wait()
            return 200, next(grant for nonce, grant in grants.items() if nonce != own)

        server = self.serve(exchanged)
        threads = [threading.Thread(target=lambda name=name: runs.append(self.run_in(self.folder, *self.asking(server, output=name))))
                   for name in ("first", "second")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([run.status for run in runs], [KEY_UNAVAILABLE] * 2, [run.err for run in runs])

    def test_a_challenge_that_was_answered_before_brings_nothing(self):
        old = []

        def stale(path, body):
            if path == "/v1/challenge":
                old.append(self.broker.challenge(body))
                return 200, old[0]
            return self.broker.answer(path, body)

        self.assertEqual(self.ask(stale)[0].status, OK)
        # The broker refuses it; the client takes that for an answer that was lost, and asks a second time, no more.
        asked = self.refuse(TRY_AGAIN, "answered before", stale)
        self.assertLessEqual(len(asked), 4)

    def test_a_challenge_of_another_broker_is_refused_there(self):
        other = stand_in.Broker(self.broker.bundle, reader.Recipient.private(self.folder / "broker/broker.key"), Ed25519PrivateKey.generate())
        self.refuse(REFUSED, "broker.key", other.answer)
        self.refuse(REFUSED, "broker.nonce-forged",
                    lambda path, body: (other if path == "/v1/challenge" else self.broker).answer(path, body))

    def test_a_grant_by_another_key_is_refused(self):
        for stranger in (Ed25519PrivateKey.generate(), Ed25519PrivateKey.from_private_bytes(bytes(32))):
            self.refuse(NOT_AUTHENTIC, "not-authentic", self.sealing(signs=stranger))

    def test_a_grant_to_another_key_or_over_other_facts_does_not_open(self):
        def to_myself(path, body):
            if path == "/v1/challenge":
                return self.broker.answer(path, body)
            request = self.request_in(body)
            request.public_key = m.X25519_PREFIX + b"\x09" + bytes(31)
            return 200, self.broker.grant(request)

        self.refuse(KEY_UNAVAILABLE, "key-unavailable", to_myself)
        for told in ({"unix_seconds": 5}, {"floor_counter": 2}, {"floor_counter": 1, "floor_release": ONE * 32},
                     {"lease_until": 2**40, "instance": ONE * 16}):
            self.refuse(KEY_UNAVAILABLE, "key-unavailable", self.sealing(seal_facts=told))
        weak = self.granting(lambda grant: (200, self.broker.sign(put(get(grant, 1)[0], 2, bytes(32)))))
        self.refuse(KEY_UNAVAILABLE, "key-unavailable", weak)

    def test_another_content_key_does_not_meet_the_commitment(self):
        for key in (ONE * 32, ONE * 31, b"", self.broker.content_key + b"\0"):
            self.refuse(KEY_UNAVAILABLE, "key-unavailable", self.sealing(key=key))

    def test_floors_hold(self):
        self.refuse(REFUSED, "stage counter", self.sealing(floor_counter=101))
        self.refuse(REFUSED, "stage counter", self.sealing(floor_counter=100, floor_release=ONE * 32))
        self.refuse(MALFORMED, "floor", self.sealing(floor_counter=0, floor_release=ONE * 32))

    def test_leases_have_time_to_run_and_a_name(self):
        now = int(time.time())
        for times in ({"lease_until": now}, {"lease_until": 1}, {"unix_seconds": 0, "lease_until": now + 100}):
            self.refuse(REFUSED, "stage key", self.sealing(instance=ONE * 16, **times))
        self.refuse(MALFORMED, "instance", self.sealing(lease_until=now + 100))
        self.refuse(MALFORMED, "field 8", self.sealing(instance=ONE * 16))


class HostileFiles(HostileBroker):
    """`run --broker-files`: what lies in the folder instead of an answer."""

    def exchange(self, challenge, grant):
        """A run whose requests are answered by challenge(path, request) and grant(path, request), which write the file."""
        number = next(self.numbers)
        usb, output = self.folder / f"usb{number}", self.folder / f"y{number}.npy"
        usb.mkdir()
        command = [TOOL, "run", "a.seal", "--trust", "vendor.pub", "--broker-files", usb.name, "--broker-key", "broker/grants.pub",
                   "--evidence-key", "sim.key", "--tee-memory", "16MiB", "--input", "x.npy", "--output", output.name]
        site = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            for kind, answer, wanted in (("challenge-request", challenge, "challenge"), ("release-request", grant, "grant")):
                request = self.wait_for(site, usb, kind)
                if request:
                    answer(request.with_suffix("." + wanted), m.from_file(request.read_bytes())[1])
            _, err = site.communicate(timeout=60)
        finally:
            site.kill()
            site.wait()
        self.assertEqual(output.exists(), site.returncode == OK, err)
        return Run(subprocess.CompletedProcess(command, site.returncode, "", err))

    @staticmethod
    def wait_for(site, usb, kind):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and site.poll() is None:
            found = list(usb.glob(f"exchange-*.{kind}"))
            if found:
                return found[0]
            time.sleep(0.01)
        return None

    @staticmethod
    def writing(content):
        """content(request) appears as a whole, as somebody's copy does."""
        def write(path, request):
            path.with_suffix(".part").write_bytes(content(request))
            path.with_suffix(".part").rename(path)
        return write

    def honest(self):
        return (self.writing(lambda request: m.to_file("challenge", self.broker.challenge(request))),
                self.writing(lambda request: m.to_file("grant", self.broker.release(request))))

    def refuse_files(self, status, pattern, challenge=None, grant=None):
        honest = self.honest()
        run = self.exchange(challenge or honest[0], grant or honest[1])
        self.assertEqual(run.status, status, run.err)
        self.assertRegex(run.err, pattern)

    def test_a_second_broker_answers_in_files(self):
        run = self.exchange(*self.honest())
        self.assertEqual(run.status, OK, run.err)

    def test_files_that_are_no_answer(self):
        cases = (("nothing", b"", MALFORMED), ("noise", ONE * 99, MALFORMED), ("a word cut short", b"sealpack broker chal", MALFORMED),
                 ("an unknown kind", m.to_file("gift", ONE), MALFORMED), ("another kind", m.to_file("grant", ONE), MALFORMED),
                 ("a request", m.to_file("challenge-request", ONE), MALFORMED), ("a refusal that is none", m.to_file("refusal", ONE * 9), MALFORMED))
        self.all_at_once(lambda what, data, status: self.refuse_files(
            status, "sealpack: error", challenge=self.writing(lambda request: data)), cases)

    def test_things_that_are_no_files(self):
        cases = (("a folder", lambda path, request: path.mkdir(), IO), ("a pipe", lambda path, request: os.mkfifo(path), IO),
                 ("a device", lambda path, request: path.symlink_to("/dev/zero"), IO),
                 ("too large", lambda path, request: (path.touch(), os.truncate(path, 2**34)), LIMIT))
        self.all_at_once(lambda what, make, status: self.refuse_files(status, "sealpack: error", challenge=make), cases)

    def test_grants_in_files_are_judged_as_over_the_network(self):
        def changed(change):
            return self.writing(lambda request: m.to_file("grant", change(self.broker.release(request))))

        self.refuse_files(MALFORMED, "signature", grant=changed(lambda grant: grant[:-1]))
        self.refuse_files(NOT_AUTHENTIC, "not-authentic", grant=changed(lambda grant: put(grant, 2)))
        self.refuse_files(REFUSED, "broker.tee", grant=self.writing(lambda request: m.to_file("refusal", refusal(REFUSED, ("broker.tee", "no")))))
        earlier = []
        honest = self.honest()
        keep = changed(lambda grant: earlier.append(grant) or grant)
        self.assertEqual(self.exchange(honest[0], keep).status, OK)
        self.refuse_files(KEY_UNAVAILABLE, "key-unavailable", grant=changed(lambda grant: earlier[0]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
