#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`sealpack run` before a second broker (broker_stand_in.py), an honest one and hostile ones: whatever comes, it ends soon, says
why with a code of docs/ERRORS.md, and answers nothing."""

import contextlib
import socket
import ssl
import subprocess
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

from broker_stand_in_case import ONE, HostileBroker

import broker_client as client
import broker_messages as m
import broker_stand_in as stand_in
import sealpack_reader as reader
from broker_stand_in import http, refusal
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from edited_bundle import get, join, put
from run_case import read_npy
from sealpack_case import (IO, KEY_UNAVAILABLE, LIMIT, MALFORMED, NOT_AUTHENTIC, OK, REFUSED, TOOL, TRY_AGAIN,
                           UNSUPPORTED)


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
            busy = 503, refusal(TRY_AGAIN, ("broker.busy", ""), retry_after=2)
            return self.broker.answer(path, body) if len(times) > 1 else busy

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


class StandInChecks(HostileBroker):
    """The second broker judges as docs/PROTOCOL.md says: the reasons are those that sealpack's gives in broker_client_test.py."""

    def test_it_refuses_what_does_not_prove_itself(self):
        laboratory = serialization.load_pem_private_key(reader.load_key(self.folder / "sim.key"), None)
        pinned = m.public_key(m.spki(self.broker.signs.public_key()))
        good = client.Tee(self.broker.bundle, pinned, laboratory, bytes.fromhex(self.measurement))
        cases = (
            (None, {}, {}), ("broker.nonce-forged", {"nonce": ONE * 32}, {}), ("broker.nonce-forged", {"tee": "sev-snp"}, {}),
            ("broker.key", {"broker": ONE * 32}, {}), ("simulated.report-data", {}, {"role": "adapter"}),
            ("simulated.report-data", {}, {"renews": ONE * 16}),
            ("simulated.report-data", {}, {"public_key": m.X25519_PREFIX + ONE * 32}),
            ("broker.evidence", {}, {"evidence": ONE}), ("simulated.signature", {}, {"evidence": None}))
        for reason, before, after in cases:
            with self.subTest(reason=reason, before=before, after=after):
                exchange = good.exchange(self.broker.challenge(good.challenge_request()))
                vars(exchange.request).update(before)
                evidence = exchange.evidence()
                broken = evidence[:-1] + bytes([evidence[-1] ^ 1])
                vars(exchange.request).update({"evidence": evidence, **{name: value or broken for name, value in after.items()}})
                status, answer = self.broker.answer("/v1/release", exchange.release_request())
                if reason:
                    self.assertEqual([one.code for one in m.parse(m.REFUSAL, answer).reasons], [reason])
                else:
                    self.assertEqual((status, exchange.open(answer).key), (200, self.broker.content_key))

    def test_it_prolongs_the_lease_of_a_run_and_no_other(self):
        """A run that lasts beyond half of its lease asks again by itself; the grant has to be for its own instance."""
        def prolong(what, renewed, status):
            asked = []

            def lease(path, body):
                if path == "/v1/challenge":
                    return self.broker.answer(path, body)
                asked.append(self.request_in(body))
                instance = renewed if asked[-1].renews else ONE * 16
                return 200, self.broker.grant(asked[-1], lease_until=int(time.time()) + 60, instance=instance)

            command = [part if part != "x.npy" else "-" for part in self.asking(self.serve(lease), output=what + ".npy")]
            run = subprocess.Popen([TOOL, *command], cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE)
            self.addCleanup(run.kill)
            deadline = time.monotonic() + 300
            with contextlib.suppress(BrokenPipeError):  # It was refused.
                while len(asked) < 2 and run.poll() is None and time.monotonic() < deadline:
                    run.stdin.write((self.folder / "x.npy").read_bytes())
                    run.stdin.flush()
                    time.sleep(0.5)
            _, errors = run.communicate(timeout=300)
            self.assertEqual(run.returncode, status, errors)
            self.assertEqual([one.renews for one in asked[:2]], [b"", ONE * 16])

        self.all_at_once(prolong, (("own", ONE * 16, OK), ("another", ONE * 15 + bytes(1), REFUSED)))


class HostileMessages(HostileBroker):
    def test_challenges_that_are_none(self):
        cases = (
            ("noise", lambda c: ONE * 80, MALFORMED), ("nothing", lambda c: b"", UNSUPPORTED),
            ("another version", lambda c: put(c, 1, 2), UNSUPPORTED),
            ("a short nonce", lambda c: put(c, 2, bytes(31)), MALFORMED),
            ("a long nonce", lambda c: put(c, 2, bytes(33)), MALFORMED), ("no id", lambda c: put(c, 3), MALFORMED),
            ("a long id", lambda c: put(c, 3, ONE * 257), MALFORMED), ("a byte too many", lambda c: c + b"\0", MALFORMED),
            ("an unknown field", lambda c: c + join([[5, ONE * 32]]), MALFORMED), ("cut short", lambda c: c[:-1], MALFORMED),
            ("a grant", lambda c: self.broker.sign(b"x"), MALFORMED), ("too long", lambda c: c + bytes(1024), LIMIT),
            ("endless", lambda c: bytes(2**24), LIMIT),
            ("a refusal as a challenge", lambda c: refusal(13, ("broker.key", "")), MALFORMED))
        self.all_at_once(lambda what, change, status: self.refuse(
            status, "sealpack: error", self.challenging(lambda c: (200, change(c)))), cases)

    def test_grants_that_are_none(self):
        cases = (
            ("noise", lambda g: ONE * 80, MALFORMED),
            ("nothing", lambda g: b"", MALFORMED),
            ("cut short", lambda g: g[:-1], MALFORMED),
            ("a byte too many", lambda g: g + b"\0", MALFORMED), ("too long", lambda g: g + bytes(2**14), LIMIT),
            ("a challenge", lambda g: m.write(m.CHALLENGE_REPLY, version=1, nonce=ONE * 32, id=ONE, expires=1), MALFORMED),
            ("without signature", lambda g: put(g, 2), NOT_AUTHENTIC),
            ("another signature", lambda g: put(g, 2, ONE * 64), NOT_AUTHENTIC),
            ("a long signature", lambda g: put(g, 2, ONE * 1025), MALFORMED),
            ("another version", lambda g: self.broker.sign(put(get(g, 1)[0], 1, 2)), UNSUPPORTED),
            ("an unknown field", lambda g: self.broker.sign(get(g, 1)[0] + join([[9, 1]])), MALFORMED),
            ("no key in it", lambda g: self.broker.sign(put(get(g, 1)[0], 3)), KEY_UNAVAILABLE))
        self.all_at_once(lambda what, change, status: self.refuse(
            status, "sealpack: error", self.granting(lambda g: (200, change(g)))), cases)

    def test_no_flipped_bit_of_a_grant_opens_anything(self):
        def flipped(bit):
            at = bit // 8
            return self.granting(lambda grant: (200, grant[:at] + bytes([grant[at] ^ 1 << bit % 8]) + grant[at + 1:]))

        taken = []
        self.ask(self.granting(lambda grant: taken.append(grant) or (200, grant)))
        self.all_at_once(lambda bit: self.refuse((MALFORMED, UNSUPPORTED, NOT_AUTHENTIC), "sealpack: error", flipped(bit)),
                         [(bit,) for bit in range(0, 8 * len(taken[0]), 37)])

    def test_refusals_never_mean_success(self):
        plain = refusal(REFUSED, ("broker.key", "x"))
        cases = (
            ("no code", put(plain, 2)),
            ("a code that exits with 0", put(plain, 2, 256)),
            ("a code nobody knows", put(plain, 2, 99)),
            ("the largest code", put(plain, 2, 2**32 - 1)), ("no reason", put(plain, 3)),
            ("too many reasons", refusal(REFUSED, *[("broker.key", "x")] * 65)),
            ("a reason in capitals", refusal(REFUSED, ("Broker", "x"))),
            ("a reason without a code", refusal(REFUSED, ("", "x"))),
            ("a long text", refusal(REFUSED, ("broker.key", "x" * 1025))),
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
            ("a body cut short", [http(200, good[0])[:-5], None], TRY_AGAIN),
            ("an endless head", [b"X: " + b"a" * 60000] * 20 + [None], IO),
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

        cases = (("nothing", [60.0]),
                 ("a byte a second", [piece for byte in http(200, bytes(80)) for piece in (bytes([byte]), 1.0)]),
                 ("a body that never ends", [http(200, bytes(80))[:-1], 60.0]))
        self.all_at_once(lambda what, pieces: self.refuse(REFUSED, "broker.late", slow(pieces)), cases)


class HostileConnections(HostileBroker):
    def test_tls_is_1_3_and_of_the_certificate_that_was_given(self):
        older = self.serve(self.broker.answer)
        older.context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.assertEqual(self.run_tool(*self.asking(older)).status, IO)
        self.succeed("broker", "init", "--dir", "stranger", "-q")
        other = self.serve(self.broker.answer)
        other.context.load_cert_chain(self.folder / "stranger/tls.crt", self.folder / "stranger/tls.key")
        self.assertEqual(self.run_tool(*self.asking(other)).status, NOT_AUTHENTIC)
        self.assertEqual(older.asked + other.asked, [], "nothing was said to them")

    def test_ports_that_speak_no_tls_or_not_at_all(self):
        """What one says who was connected to: nothing for ever, nothing any more, something else."""
        cases = (("nothing", None, TRY_AGAIN), ("the end", b"", (IO, TRY_AGAIN)), ("http", b"HTTP/1.1 200 OK\r\n\r\n", IO),
                 ("noise", b"\x16\x03\x03" + bytes(99), IO), ("an alert", b"\x15\x03\x03\x00\x02\x02\x28", IO))

        def meet(what, said, status):
            with socket.create_server(("127.0.0.1", 0)) as listener:
                held = []

                def accept():
                    with contextlib.suppress(OSError):
                        while True:
                            held.append(listener.accept()[0])
                            if said is not None:
                                with contextlib.suppress(OSError), held.pop() as connection:  # It may have gone already.
                                    connection.sendall(said)

                thread = threading.Thread(target=accept)
                thread.start()
                port = SimpleNamespace(url=f"https://127.0.0.1:{listener.getsockname()[1]}")
                run = self.run_tool(*self.asking(port, output=what.replace(" ", "-")))
                listener.shutdown(socket.SHUT_RDWR)
                thread.join()
                for connection in held:
                    connection.close()
            self.assertIn(run.status, status if isinstance(status, tuple) else (status,), f"{what}: {run.err}")

        self.all_at_once(meet, cases)


class HostileGrants(HostileBroker):
    """Well-formed and well signed, and still not for this exchange."""

    def test_a_grant_of_an_earlier_exchange_is_refused(self):
        earlier = []
        run, _, _ = self.ask(self.granting(lambda grant: earlier.append(grant) or (200, grant)))
        self.assertEqual(run.status, OK, run.err)
        self.refuse(KEY_UNAVAILABLE, "key-unavailable", self.granting(lambda grant: (200, earlier[0])))

    def test_grants_that_changed_places_are_refused(self):
        grants, there = {}, threading.Condition()

        def exchanged(path, body):
            if path == "/v1/challenge":
                return self.broker.answer(path, body)
            own = self.request_in(body).nonce
            with there:
                if own not in grants:  # else the other is late, and this one asks again
                    grants[own] = self.broker.release(body)
                there.notify_all()
                there.wait_for(lambda: len(grants) == 2, timeout=300)
                return 200, next(grant for nonce, grant in grants.items() if nonce != own)

        server = self.serve(exchanged)
        with ThreadPoolExecutor(2) as pool:
            runs = list(pool.map(lambda name: self.run_tool(*self.asking(server, output=name)), ("first", "second")))
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
        opens = reader.Recipient.private(self.folder / "broker/broker.key")
        other = stand_in.Broker(self.broker.bundle, opens, Ed25519PrivateKey.generate())
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


if __name__ == "__main__":
    unittest.main(verbosity=2)
