# SPDX-License-Identifier: Apache-2.0
"""A second client of brokers, written from docs/PROTOCOL.md and the documents it names alone: the TEE's side of an exchange,
HTTPS and files, and an auditor of the release log."""

import base64
import hmac
import http.client
import json
import ssl
from types import SimpleNamespace

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import broker_messages as m
from messages import IO, KEY_UNAVAILABLE, MALFORMED, NOT_AUTHENTIC, REFUSED, Refusal, demand, sha256
from sealpack_reader import key_fits, signature_holds

MESSAGE_TYPE = "application/x-protobuf"


class Refused(Refusal):
    """What a broker said instead of a challenge or a grant."""

    def __init__(self, refusal, status=None):
        super().__init__(refusal.code, "; ".join(f"{r.code}: {r.text}" for r in refusal.reasons))
        self.codes = [reason.code for reason in refusal.reasons]
        self.refusal, self.status = refusal, status


# ---- PROTOCOL §6: over HTTPS ---------------------------------------------------------------------------------------

class Network:
    """One connection that is kept alive. TLS is 1.3, and the certificate the one that is given."""

    def __init__(self, port, certificate, host="127.0.0.1"):
        context = ssl.create_default_context(cafile=str(certificate))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.connection = http.client.HTTPSConnection(host, port, context=context, timeout=300)

    def exchange(self, method, path, body=None, kind=MESSAGE_TYPE):
        """(status, headers, body)"""
        try:
            self.connection.request(method, path, body, {} if body is None else {"Content-Type": kind})
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            pass  # A body that is too long is refused by its Content-Length, before it is sent.
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def post(self, path, message):
        status, headers, body = self.exchange("POST", path, message)
        if status == 200:
            demand(headers["Content-Type"] == MESSAGE_TYPE, f"the answer is {headers['Content-Type']}")
            return body
        demand(headers["Content-Type"] == MESSAGE_TYPE, f"no refusal: {status} {body[:200]}", IO)
        raise Refused(m.read(m.REFUSAL, body, m.REFUSAL_MOST), status)

    def challenge(self, request):
        return self.post("/v1/challenge", request)

    def release(self, request):
        return self.post("/v1/release", request)

    def close(self):
        self.connection.close()


# ---- PROTOCOL §7: in files -----------------------------------------------------------------------------------------

class Files:
    """The same through files that somebody carries: `carry(bytes of the request's file)` gives those of the answer's."""

    def __init__(self, carry):
        self.carry = carry

    def post(self, asked, wanted, message):
        kind, answer = m.from_file(self.carry(m.to_file(asked, message)))
        if kind == "refusal":
            raise Refused(m.read(m.REFUSAL, answer, m.REFUSAL_MOST))
        demand(kind == wanted, f"a {kind} came instead of a {wanted}")
        return answer

    def challenge(self, request):
        return self.post("challenge-request", "challenge", request)

    def release(self, request):
        return self.post("release-request", "grant", request)


# ---- the TEE -------------------------------------------------------------------------------------------------------

class Tee:
    """Whoever holds a laboratory's key may state any measurement; that is what SIMULATED means."""

    def __init__(self, bundle, broker, laboratory, measurement, role="model"):
        self.bundle, self.broker, self.laboratory = bundle, broker, laboratory
        self.measurement, self.role, self.tee = measurement, role, "simulated"

    def challenge_request(self):
        return m.write(m.CHALLENGE_REQUEST, version=1, authority=self.bundle.content.authority,
                       content=self.bundle.release.content_digest, release=self.bundle.release_digest, tee=self.tee)

    def exchange(self, challenge, renews=None):
        return Exchange(self, m.read(m.CHALLENGE_REPLY, challenge, m.CHALLENGE_MOST), renews)

    def ask(self, way, renews=None):
        """A grant by way of a Network or Files, opened."""
        exchange = self.exchange(way.challenge(self.challenge_request()), renews)
        return exchange.open(way.release(exchange.release_request()))


class Exchange:
    """From one challenge to one grant. Tests change `request` before it is sent."""

    def __init__(self, tee, challenge, renews=None):
        self.tee, self.private = tee, X25519PrivateKey.generate()
        self.request = SimpleNamespace(
            version=1, nonce=challenge.nonce, challenge_id=challenge.id, broker=tee.broker.digest,
            authority=tee.bundle.content.authority, content=tee.bundle.release.content_digest,
            release=tee.bundle.release_digest, tee=tee.tee, public_key=m.spki(self.private.public_key()), role=tee.role,
            evidence=b"", renews=renews or b"")

    def evidence(self):
        return m.simulated_evidence(self.tee.laboratory, self.tee.measurement, m.sha512(m.transcript(self.request)))

    def release_request(self, endorsements=b""):
        self.request.evidence = self.request.evidence or self.evidence()
        return m.write(m.RELEASE_REQUEST, version=1, key_request=m.write(m.KEY_REQUEST, **vars(self.request)),
                       endorsements=endorsements)

    def open(self, grant):
        """Signature, then payload, then the seal, then the commitment, then the floor: [L-2.3.1], [L-2.3.3], [L-2.3.6]."""
        grant = m.read(m.KEY_GRANT, grant, m.KEY_GRANT_MOST)
        demand(signature_holds(self.tee.broker, grant.signature, m.pre_authentication(grant.payload)),
               "the grant is not signed by the pinned broker", NOT_AUTHENTIC)
        payload = m.parse(m.GRANT_PAYLOAD, grant.payload)
        demand(payload.unix_seconds and payload.floor_counter, "a broker's grant has a time and a floor", REFUSED)
        key = m.hpke_open(self.private, payload.enc, m.transcript(self.request), m.facts(payload), payload.wrapped)
        demand(key_fits(self.tee.bundle, key), "another key than the release commits to", KEY_UNAVAILABLE)
        release = self.tee.bundle.release
        demand(release.counter >= payload.floor_counter, "the release is below the floor", REFUSED)
        demand(release.counter > payload.floor_counter or payload.floor_release in (b"", self.tee.bundle.release_digest),
               "the floor is another release of this counter", REFUSED)
        return SimpleNamespace(key=key, **vars(payload))


# ---- PROTOCOL §9: the log ------------------------------------------------------------------------------------------

def leaf_hash(entry):
    return sha256(b"\0", entry)


def node_hash(left, right):
    return sha256(b"\1", left, right)


def tree_root(leaves):
    """MTH of RFC 6962 §2.1."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"")
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(tree_root(leaves[:split]), tree_root(leaves[split:]))


def root_by_inclusion(leaf, index, size, proof):
    """The root that a proof leads to (RFC 9162 §2.1.3.2)."""
    demand(index < size, "the entry lies behind the tree", NOT_AUTHENTIC)
    at, last, root = index, size - 1, leaf
    for step in proof:
        demand(last, "the proof is too long", NOT_AUTHENTIC)
        if at & 1 or at == last:
            root = node_hash(step, root)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            root = node_hash(root, step)
        at, last = at >> 1, last >> 1
    demand(not last, "the proof is too short", NOT_AUTHENTIC)
    return root


def check_consistency(first, first_root, second, second_root, proof):
    """RFC 9162 §2.1.4.2, for 0 < first < second."""
    steps = list(proof) if first & (first - 1) else [first_root, *proof]
    demand(steps, "the proof is empty", NOT_AUTHENTIC)
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        demand(last, "the proof is too long", NOT_AUTHENTIC)
        if at & 1 or at == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, step)
        at, last = at >> 1, last >> 1
    demand(not last and old == first_root and new == second_root, "the log was rewritten", NOT_AUTHENTIC)


def read_checkpoint(note, key):
    """(origin, size, root) of a signed note; `key` as of m.public_key."""
    body, blank, signatures = note.partition("\n\n")
    origin, size, root = (body.split("\n") + ["", "", ""])[:3]
    demand(blank and body.count("\n") == 2 and size == str(int(size)), "this is no checkpoint")
    hint = sha256(origin.encode(), b"\n\1", key.point)[:4]
    for line in signatures.splitlines():
        dash, name, encoded = line.split(" ")
        blob = base64.b64decode(encoded, validate=True)
        if dash == "\u2014" and name == origin and blob[:4] == hint:
            demand(signature_holds(key, blob[4:], (body + "\n").encode()), "the checkpoint is forged", NOT_AUTHENTIC)
            return origin, int(size), base64.b64decode(root, validate=True)
    raise Refusal(NOT_AUTHENTIC, "the checkpoint is not signed by the key of the log")


class Log:
    """The log as an auditor sees it, at the operator's address."""

    def __init__(self, port, key, host="127.0.0.1"):
        self.connection, self.key = http.client.HTTPConnection(host, port, timeout=300), key

    def get(self, path):
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        body = answer.read()
        demand(answer.status == 200, f"{path}: {answer.status}")
        return body.decode()

    def close(self):
        self.connection.close()

    def checkpoint(self):
        return read_checkpoint(self.get("/v1/log/checkpoint"), self.key)

    def entries(self, start, end):
        """All of them, in as many pieces as the broker gives them in."""
        out = []
        while start + len(out) < end:
            answer = json.loads(self.get(f"/v1/log/entries?start={start + len(out)}&end={end}"))
            demand(answer["start"] == start + len(out) and answer["entries"], "the broker gives other entries than asked for")
            out += map(bytes.fromhex, answer["entries"])
        return out

    def proof(self, what):
        return [bytes.fromhex(step) for step in json.loads(self.get(f"/v1/log/{what}"))["proof"]]

    def check_inclusion(self, entry, index, size, root):
        found = root_by_inclusion(leaf_hash(entry), index, size, self.proof(f"inclusion?index={index}&size={size}"))
        demand(hmac.compare_digest(found, root), "the entry is not in the log", NOT_AUTHENTIC)

    def check_growth(self, first, first_root, second, second_root):
        proof = self.proof(f"consistency?first={first}&second={second}")
        check_consistency(first, first_root, second, second_root, proof)


def check_chain(entries):
    """What must hold of entries besides the tree: each well-formed, no challenge answered twice, epochs ascending."""
    read = [m.read(m.LOG_ENTRY, entry, 2**16) for entry in entries]
    nonces = [entry.nonce for entry in read if entry.kind in (m.GRANTED, m.REFUSED_ENTRY)]
    demand(len(set(nonces)) == len(nonces) and all(nonces), "a challenge was answered twice", NOT_AUTHENTIC)
    epoch = 0
    for entry in read:
        demand(entry.kind != m.EPOCH_OPENED or (entry.epoch == epoch + 1 and entry.epoch_id), "an epoch is missing", MALFORMED)
        epoch = entry.epoch if entry.kind == m.EPOCH_OPENED else epoch
        demand(entry.epoch == epoch, "an entry of another epoch", MALFORMED)
    return read
