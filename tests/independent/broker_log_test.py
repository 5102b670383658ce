#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The release log as an auditor sees it who has docs/PROTOCOL.md §9 and log.pub alone."""

import time
import unittest

from broker_client_case import SecondClient, flip

import broker_client as client
import broker_messages as m
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from messages import NOT_AUTHENTIC, REFUSED, Refusal, sha256


class AuditedLog(SecondClient):
    def test_an_entry_says_what_was_decided_about_which_challenge(self):
        server = self.serve()
        network, log = self.connect(server), self.audit(server)
        exchange = self.tee.exchange(network.challenge(self.tee.challenge_request()))
        exchange.open(network.release(exchange.release_request()))
        _, size, _ = log.checkpoint()
        entry = client.check_chain(log.entries(0, size))[-1]
        request = exchange.request
        claims = [m.write(m.CLAIM, name="measurement", value=self.tee.measurement),
                  m.write(m.CLAIM, name="root", value=bytes.fromhex(self.root))]
        self.assertEqual((entry.kind, entry.transport, entry.epoch, entry.role), (m.GRANTED, 1, 1, "model"))
        self.assertEqual((entry.nonce, entry.exchange_key, entry.evidence, entry.claims),
                         tuple(map(sha256, (request.nonce, request.public_key, request.evidence,
                                            m.write(m.CLAIMS, tee="simulated", claims=claims)))))
        self.assertEqual((entry.authority, entry.content, entry.release), (request.authority, request.content, request.release))

    def test_every_entry_is_included_and_every_checkpoint_a_prefix(self):
        server = self.serve()
        network, log = self.connect(server), self.audit(server)
        states = []
        for asked in range(13):
            if asked:
                self.tee.ask(network)
            # That of the server may be a second old.
            states.append(client.read_checkpoint(self.broker("checkpoint").out, log.key))
        origin, size, root = states[-1]
        self.assertEqual([known for _, known, _ in states], list(range(size - 12, size + 1)))
        deadline = time.monotonic() + 300
        while log.checkpoint() != states[-1] and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(log.checkpoint(), states[-1])
        entries = log.entries(0, size)
        client.check_chain(entries)
        leaves = [client.leaf_hash(entry) for entry in entries]
        for known_origin, known, known_root in states:
            self.assertEqual((known_origin, client.tree_root(leaves[:known])), (origin, known_root))
        for second in range(1, size + 1):
            for index in range(second):
                log.check_inclusion(entries[index], index, second, client.tree_root(leaves[:second]))
            for first in range(1, second):
                log.check_growth(first, client.tree_root(leaves[:first]), second, client.tree_root(leaves[:second]))

    def test_the_auditor_notices_what_is_not_so(self):
        """Without this the test before could not fail."""
        server = self.serve()
        log = self.audit(server)
        _, size, root = log.checkpoint()
        entries = log.entries(0, size)
        for bad in ((flip(entries[2], 3), 2, size, root), (entries[2], 1, size, root), (entries[2], 2, size, flip(root, 1))):
            with self.assertRaises(Refusal):
                log.check_inclusion(*bad)
        old = client.tree_root([client.leaf_hash(entry) for entry in entries[:3]])
        for bad in ((3, flip(old, 0), size, root), (3, old, size, flip(root, 0)), (2, old, size, root)):
            with self.assertRaises(Refusal):
                log.check_growth(*bad)
        note = log.get("/v1/log/checkpoint")
        other = Ed25519PrivateKey.generate().public_key()
        for text, key in ((note.replace(f"\n{size}\n", f"\n{size + 1}\n"), log.key), (note, m.public_key(m.spki(other)))):
            with self.assertRaises(Refusal) as caught:
                client.read_checkpoint(text, key)
            self.assertEqual(caught.exception.code, NOT_AUTHENTIC)

    def test_a_restored_broker_goes_on_in_a_new_epoch(self):
        files = client.Files(self.answer)
        exchange = self.tee.exchange(files.challenge(self.tee.challenge_request()))
        self.broker("backup", "--out", "backup.db")
        for path in (self.folder / "broker").glob("store.db*"):
            path.unlink()
        self.broker("restore", "backup.db")
        self.broker("reconcile", "--no-lease-is-missing", "--floor", "acme/clothes=100")
        self.refuse(REFUSED, ["broker.nonce-forged"], lambda: files.release(exchange.release_request()))
        log = self.audit(self.serve())
        origin, size, _ = log.checkpoint()
        entries = client.check_chain(log.entries(0, size))
        opened = [entry for entry in entries if entry.kind == m.EPOCH_OPENED]
        self.assertEqual([entry.epoch for entry in opened], [1, 2])
        self.assertEqual(origin.split("/")[2:], ["2", opened[1].epoch_id.hex()])


if __name__ == "__main__":
    unittest.main(verbosity=2)
