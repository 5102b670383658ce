#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The second client of brokers (broker_client.py) against sealpack's: docs/PROTOCOL.md is right, and nothing more is needed."""

import base64
import hashlib
import json
import random
import re
import threading
import time
import unittest

from broker_client_case import SecondClient, flip

import broker_client as client
import broker_messages as m
import sealpack_reader as reader
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from edited_bundle import get, join, put, split
from messages import LIMIT, MALFORMED, REFUSED, UNSUPPORTED, sha256


class Releases(SecondClient):
    def test_a_grant_over_https_opens_the_bundle(self):
        before = int(time.time())
        grant = self.tee.ask(self.connect(self.serve()))
        self.assertEqual(grant.key, self.content_key)
        self.assertTrue(before <= grant.unix_seconds <= time.time())
        self.assertEqual((grant.floor_counter, grant.lease_until), (1, 0))

    def test_a_grant_in_files_opens_the_bundle(self):
        self.assertEqual(self.tee.ask(client.Files(self.answer)).key, self.content_key)

    def test_a_connection_is_kept_for_many_exchanges(self):
        network = self.connect(self.serve())
        self.tee.ask(network)
        first = network.connection.sock
        self.tee.ask(network)
        self.assertIs(network.connection.sock, first)

    def test_a_floor_comes_with_the_grant(self):
        server = self.serve()
        self.broker("revoke counter", "acme/clothes", "--below", "100")
        self.assertEqual(self.tee.ask(self.connect(server)).floor_counter, 100)

    def test_a_lease_is_prolonged_by_its_instance(self):
        self.broker("licence", "acme/clothes", "--instances", "1", "--lease", "600")
        network = self.connect(self.serve())
        first = self.tee.ask(network)
        self.assertEqual(first.lease_until, first.unix_seconds + 600)
        second = self.tee.ask(network, renews=first.instance)
        self.assertEqual((second.instance, second.key), (first.instance, self.content_key))
        self.assertGreaterEqual(second.lease_until, first.lease_until)
        self.refuse(REFUSED, ["broker.licence-instances"], lambda: self.tee.ask(network), 403)
        unheard_of = bytes(15) + b"x"
        self.refuse(REFUSED, ["broker.licence-instances"], lambda: self.tee.ask(network, renews=unheard_of), 403)
        self.broker("licence", "acme/clothes", "--instances", "2", "--lease", "600")
        self.assertEqual(self.tee.ask(network, renews=unheard_of).instance, unheard_of)

    def test_a_lease_that_is_not_limited_any_more_has_no_end(self):
        self.broker("licence", "acme/clothes", "--lease", "600")
        network = self.connect(self.serve())
        first = self.tee.ask(network)
        self.broker("licence", "acme/clothes", "--remove")
        self.assertEqual(self.tee.ask(network, renews=first.instance).lease_until, 0)

    def test_the_keys_are_those_of_the_folder(self):
        status, _, body = self.connect(self.serve()).exchange("GET", "/v1/keys")
        said = json.loads(body)
        self.assertEqual((status, said["protocol"], said["epoch"], said["lab"]), (200, 1, 1, True))
        for key in said["keys"]:
            self.assertEqual(sha256(bytes.fromhex(key["spki"])).hex(), key["digest"])
            self.assertTrue(key["in_use"])
        spki = {key["use"]: key["spki"] for key in said["keys"]}
        self.assertEqual(spki["grants"], self.broker_key.der.hex())
        log = next(key for key in said["keys"] if key["use"] == "log")
        name, hint, material = log["verifier_key"].split("+", 2)
        point = reader.load_public(self.folder / "broker/log.pub").point
        self.assertEqual(name, said["log"])
        self.assertEqual(hint, sha256(name.encode(), b"\n\1", point)[:4].hex())
        self.assertEqual(base64.b64decode(material), b"\1" + point)


class Refusals(SecondClient):
    """One server for all; every case has a challenge of its own."""

    def setUp(self):
        super().setUp()
        self.server = self.serve()
        self.network = self.connect(self.server)

    def challenged(self, **changes):
        """An exchange whose request was changed before evidence is made over it."""
        exchange = self.tee.exchange(self.network.challenge(self.tee.challenge_request()))
        for name, value in changes.items():
            setattr(exchange.request, name, value)
        return exchange

    def refuse_release(self, exchange, *reasons, code=REFUSED, status=403, endorsements=b""):
        return self.refuse(code, list(reasons), lambda: self.network.release(exchange.release_request(endorsements)), status)

    def test_messages_that_are_none(self):
        request = self.tee.challenge_request()
        fields = split(request)
        cases = {
            "noise": b"\x08\x01" + random.Random(1).randbytes(100), "cut short": request[:-1], "a byte too many": request + b"\0",
            "an unknown field": request + join([[6, 1]]), "out of order": join(fields[:1] + fields[:0:-1]),
            "a field twice": join(fields[:2] + fields[1:]), "an empty tee": put(request, 5),
            "a tee that is no label": put(request, 5, b"Simulated"), "a short digest": put(request, 2, bytes(31)),
            "a long varint": b"\x08\x81\x00" + request[2:], "another wire type": b"\x09" + request[1:]}
        for what, data in cases.items():
            for path in ("/v1/challenge", "/v1/release"):
                with self.subTest(what, path=path):
                    self.refuse(MALFORMED, ["broker.request"], lambda: self.network.post(path, data), 400)

    def test_another_version_is_unsupported_whatever_it_says_besides(self):
        exchange = self.challenged()
        release = exchange.release_request()
        for path, message in (("/v1/challenge", self.tee.challenge_request()), ("/v1/release", release)):
            for changed in (put(message, 1, 2), put(message, 1, 2) + join([[99, b"news"]]), put(message, 1), b""):
                self.refuse(UNSUPPORTED, ["broker.request"], lambda: self.network.post(path, changed), 400)
        request = split(release)[1][1]
        self.refuse(UNSUPPORTED, ["broker.request"], lambda: self.network.release(put(release, 2, put(request, 1, 2))), 400)
        self.assertEqual(exchange.open(self.network.release(release)).key, self.content_key, "none of it spent the challenge")

    def test_sizes_have_limits(self):
        # A ChallengeRequest of the right fields cannot be as long as its limit.
        long = self.tee.challenge_request() + bytes(1024)
        self.refuse(LIMIT, ["broker.request"], lambda: self.network.post("/v1/challenge", long), 413)
        big = m.write(m.RELEASE_REQUEST, version=1, key_request=bytes(512 * 1024))
        self.refuse(LIMIT, ["server.size"], lambda: self.connect(self.server).post("/v1/release", big), 413)
        self.refuse_release(self.challenged(evidence=bytes(2**17 + 1)), "broker.request", code=MALFORMED, status=400)

    def test_what_is_asked_for_must_be_registered(self):
        request = self.tee.challenge_request()
        other = hashlib.sha256(b"other").digest()
        neither = put(put(request, 3, other), 4, other)
        for asked, reason in ((put(request, 2, other), "broker.authority"), (put(request, 3, other), "broker.content"),
                              (put(request, 4, other), "broker.unknown-release"), (neither, "broker.unknown-bundle"),
                              (put(request, 5, b"sev-snp"), "broker.tee")):
            self.refuse(REFUSED, [reason], lambda: self.network.challenge(asked), 403)

    def test_a_challenge_is_of_this_broker_and_for_this_subject(self):
        for name in ("nonce", "challenge_id"):
            exchange = self.challenged()
            setattr(exchange.request, name, flip(getattr(exchange.request, name), 9))
            self.refuse_release(exchange, "broker.nonce-forged")
        for name in ("nonce", "challenge_id"):
            exchange = self.challenged()
            setattr(exchange.request, name, getattr(exchange.request, name)[:-1])
            self.refuse_release(exchange, "broker.nonce-forged")
        other = hashlib.sha256(b"other").digest()
        for name, value in (("authority", other), ("content", other), ("release", other), ("tee", "sev-snp")):
            self.refuse_release(self.challenged(**{name: value}), "broker.nonce-subject")

    def test_a_challenge_brings_one_decision(self):
        exchange = self.challenged()
        request = exchange.release_request()
        self.assertEqual(exchange.open(self.network.release(request)).key, self.content_key)
        self.refuse(REFUSED, ["broker.nonce-used"], lambda: self.network.release(request), 403)
        refused = self.challenged(broker=bytes(32))
        self.refuse_release(refused, "broker.key")
        refused.request.broker, refused.request.evidence = self.broker_key.digest, b""
        self.refuse_release(refused, "broker.nonce-used")

    def test_two_that_answer_one_challenge_at_once_get_one_key(self):
        exchange = self.challenged()
        request, answers = exchange.release_request(), []

        def ask(network):
            try:
                answers.append(exchange.open(network.release(request)).key)
            except client.Refused as refused:
                answers.append(refused.codes)

        threads = [threading.Thread(target=ask, args=(self.connect(self.server),)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(answers.count(self.content_key), 1)
        self.assertEqual(answers.count(["broker.nonce-used"]), 7)

    def test_network_and_files_do_not_mix(self):
        files = client.Files(self.answer)
        exchange = self.tee.exchange(files.challenge(self.tee.challenge_request()))
        self.refuse_release(exchange, "broker.nonce-transport")
        exchange = self.challenged()
        self.refuse(REFUSED, ["broker.nonce-transport"], lambda: files.release(exchange.release_request()))

    def test_a_challenge_ends(self):
        self.restart("network_seconds", 1)
        exchange = self.challenged()
        time.sleep(3)
        self.refuse_release(exchange, "broker.nonce-expired")

    def test_challenges_that_the_operator_voided_are_told_so_and_those_after_it_hold(self):
        exchange = self.challenged()
        other = self.serve()
        self.broker("reconcile", "--clock")
        self.refuse_release(exchange, "broker.nonce-epoch")
        # Another broker on the store, which has not looked since.
        after = self.challenged()
        self.assertEqual(after.open(self.connect(other).release(after.release_request())).key, self.content_key)
        self.broker("reconcile", "--clock")
        self.succeed(*self.asking(self.server))

    def restart(self, setting, value):
        """The broker again, with another line in its broker.toml."""
        path = self.folder / "broker/broker.toml"
        path.write_text(re.sub(f"(?m)^{setting} = .*$", f"{setting} = {value}", path.read_text()))
        self.stop(self.server)
        self.server = self.serve()
        self.network = self.connect(self.server)

    def test_no_flipped_bit_of_a_request_is_granted(self):
        self.restart("request_burst", 100000)
        size = 8 * len(self.challenged().release_request())
        seen = set()
        for bit in range(0, size, 13):
            request = self.challenged().release_request()
            with self.assertRaises(client.Refused, msg=f"bit {bit}") as caught:
                self.network.release(flip(request, bit % (8 * len(request))))
            self.assertIn(caught.exception.status, (400, 403, 413), f"bit {bit}: {caught.exception}")
            seen.update(caught.exception.codes)
        self.assertLessEqual({"broker.request", "broker.nonce-forged", "broker.nonce-subject", "simulated.signature"}, seen)
        self.assertEqual(self.tee.ask(self.network).key, self.content_key)
        self.broker("log verify")

    def test_the_whole_transcript_is_bound(self):
        """Each field that T has, changed after the evidence was made: evidence that was carried elsewhere is for nobody."""
        other = self.challenged()
        cases = {"public_key": other.request.public_key, "role": "adapter", "renews": bytes(range(16))}
        for name, value in cases.items():
            with self.subTest(name):
                exchange = self.challenged()
                exchange.request.evidence = exchange.evidence()
                setattr(exchange.request, name, value)
                self.refuse_release(exchange, "simulated.report-data")
        relayed = self.challenged()
        relayed.request.evidence = other.evidence()
        self.refuse_release(relayed, "simulated.report-data")

    def test_report_data_are_compared_whole(self):
        for change in (lambda data: data[:-1], lambda data: data[:32], lambda data: data[:48] + bytes(16),
                       lambda data: flip(data, 511)):
            exchange = self.challenged()
            bound = change(m.sha512(m.transcript(exchange.request)))
            exchange.request.evidence = m.simulated_evidence(self.laboratory, self.tee.measurement, bound)
            self.refuse_release(exchange, "simulated.report-data")

    def test_evidence_proves_the_laboratory_and_the_measurement(self):
        stranger = Ed25519PrivateKey.generate()
        for laboratory, measurement, reasons in ((stranger, self.tee.measurement, ["simulated.root"]),
                                                 (self.laboratory, bytes(32), ["policy.not-accepted"])):
            exchange = self.challenged()
            bound = m.sha512(m.transcript(exchange.request))
            exchange.request.evidence = m.simulated_evidence(laboratory, measurement, bound)
            self.refuse_release(exchange, *reasons)

    def test_evidence_has_one_form(self):
        def envelope(change):
            return lambda evidence: change(evidence)

        def item(change):
            return envelope(lambda evidence: put(evidence, 3, change(get(evidence, 3)[0])))

        def statement(change):
            return item(lambda one: put(one, 2, change(get(one, 2)[0])))

        cases = {
            "of another tee": (envelope(lambda e: put(e, 2, b"sev-snp")), ["broker.evidence"]),
            "a byte too many": (envelope(lambda e: e + b"\0"), ["broker.evidence"]),
            "of another version": (envelope(lambda e: put(e, 1, 2)), ["broker.evidence"]),
            "no item": (envelope(lambda e: put(e, 3)), ["evidence.item-missing"]),
            "an item twice": (envelope(lambda e: put(e, 3, *2 * get(e, 3))), ["broker.evidence"]),
            "another item": (item(lambda i: put(i, 1, b"quote")), ["evidence.item-missing", "evidence.item-unknown"]),
            "a statement that is cut short": (statement(lambda s: s[:-1]), ["simulated.report"]),
            "a statement of another version": (statement(lambda s: put(s, 1, 2)), ["simulated.report"]),
            "another signature": (statement(lambda s: put(s, 5, flip(get(s, 5)[0], 7))), ["simulated.signature"]),
            "another measurement": (statement(lambda s: put(s, 2, bytes(32))), ["simulated.signature"]),
            "a root that is no key": (statement(lambda s: put(s, 4, b"root")), ["simulated.root"])}
        for what, (change, reasons) in cases.items():
            with self.subTest(what):
                exchange = self.challenged()
                exchange.request.evidence = change(exchange.evidence())
                self.refuse_release(exchange, *reasons)
        exchange = self.challenged()
        request = exchange.release_request()
        without = put(request, 2, put(get(request, 2)[0], 11))
        self.refuse(REFUSED, ["broker.evidence"], lambda: self.network.release(without), 403)

    def test_the_key_of_an_exchange_is_x25519(self):
        p256 = generate_private_key(SECP256R1()).public_key()
        for key in (m.spki(p256), m.X25519_PREFIX + bytes(32), m.X25519_PREFIX + b"\1" + bytes(31), b"", bytes(44)):
            self.refuse_release(self.challenged(public_key=key), "broker.grant")

    def test_endorsements_are_a_message_of_endorsements(self):
        self.refuse_release(self.challenged(), "broker.endorsements", endorsements=b"\xff")
        exchange = self.challenged()
        self.assertEqual(exchange.open(self.network.release(exchange.release_request(join([[1, 1]])))).key, self.content_key)

    def test_a_broker_that_is_no_laboratory_says_so(self):
        files = client.Files(lambda data: self.answer_without_lab(data))
        self.refuse(REFUSED, ["broker.lab"], lambda: self.tee.ask(files))

    def answer_without_lab(self, data):
        (self.folder / "asked").write_bytes(data)
        self.run_tool("broker", "answer", "asked", "--out", "answered", "--force", "--dir", "broker")
        return (self.folder / "answered").read_bytes()

    def test_a_request_that_is_none_of_the_protocol_gets_json(self):
        message = self.tee.challenge_request()
        cases = (("GET", "/v1/challenge", None, None, 405), ("POST", "/v1/keys", message, client.MESSAGE_TYPE, 405),
                 ("GET", "/v1/nothing", None, None, 404), ("GET", "/v1/log/checkpoint", None, None, 404),
                 ("POST", "/v1/challenge", message, "application/json", 415))
        for method, path, body, kind, status in cases:
            got, headers, said = self.connect(self.server).exchange(method, path, body, kind)
            self.assertEqual((got, headers["Content-Type"]), (status, "application/json"), path)
            self.assertEqual(list(json.loads(said)), ["error"], path)
        # The answer to HEAD is a head alone: what follows on the connection is the answer to what follows.
        network = self.connect(self.server)
        self.assertEqual(network.exchange("HEAD", "/healthz")[0], 405)
        self.assertEqual(network.exchange("GET", "/healthz")[2], b"ok\n")

    def test_a_refusal_names_its_entry_in_the_log(self):
        refusal = self.refuse_release(self.challenged(broker=bytes(32)), "broker.key")
        log = self.audit(self.server)
        entry = m.parse(m.LOG_ENTRY, log.entries(refusal.log_index, refusal.log_index + 1)[0])
        self.assertEqual((entry.kind, entry.codes), (m.REFUSED_ENTRY, ["broker.key"]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
