# SPDX-License-Identifier: Apache-2.0
"""A second broker, as far as a client can see one: the checks of docs/PROTOCOL.md for SIMULATED evidence, one bundle, and no
store but this process. What a hostile broker would say instead is said by the tests, in a method's place."""

import os
import socket
import ssl
import threading
import time
from types import SimpleNamespace

import broker_messages as m
from messages import LIMIT, MALFORMED, REFUSED, UNSUPPORTED, Refusal, lp, sha256
from sealpack_reader import find_content_key, hmac_sha256, signature_holds

TRY_AGAIN = 15
STATUS = {MALFORMED: 400, UNSUPPORTED: 400, REFUSED: 403, LIMIT: 413, TRY_AGAIN: 503}


class No(Refusal):
    """A refusal with a reason that travels."""

    def __init__(self, reason, code=REFUSED):
        super().__init__(code, reason)
        self.reason = reason


def refuse_unless(condition, reason):
    if not condition:
        raise No(reason)


def refusal(code, *reasons, **more):
    return m.write(m.REFUSAL, version=1, code=code, reasons=[m.write(m.REASON, code=c, text=t) for c, t in reasons], **more)


class Broker:
    """Challenges and grants for one bundle; `opens` is the Recipient that its slot is for, `signs` the key for grants."""

    def __init__(self, bundle, opens, signs):
        self.bundle, self.signs = bundle, signs
        self.content_key = find_content_key(bundle, opens, None)
        self.digest = sha256(m.spki(signs.public_key()))
        self.secret, self.spent = os.urandom(32), set()

    # PROTOCOL §3. The id binds nonce, subject and expiry under a key of this process.
    def tag(self, nonce, subject, expires):
        return hmac_sha256(self.secret, lp(nonce) + lp(subject) + lp(expires))

    def challenge(self, body):
        request = m.read(m.CHALLENGE_REQUEST, body, m.CHALLENGE_MOST)
        refuse_unless(request.content == self.bundle.release.content_digest, "broker.unknown-bundle")
        refuse_unless(request.authority == self.bundle.content.authority, "broker.authority")
        refuse_unless(request.release == self.bundle.release_digest, "broker.unknown-release")
        nonce, expires = os.urandom(32), int(time.time()) + 3600
        identity = expires.to_bytes(8, "little") + self.tag(nonce, m.write(m.CHALLENGE_REQUEST, **vars(request)), expires)
        return m.write(m.CHALLENGE_REPLY, version=1, nonce=nonce, id=identity, expires=expires)

    def check_challenge(self, request):
        expires = int.from_bytes(request.challenge_id[:8], "little")
        subject = m.write(m.CHALLENGE_REQUEST, version=1, authority=request.authority, content=request.content,
                          release=request.release, tee=request.tee)
        refuse_unless(request.challenge_id[8:] == self.tag(request.nonce, subject, expires), "broker.nonce-forged")
        refuse_unless(time.time() <= expires, "broker.nonce-expired")
        refuse_unless(request.nonce not in self.spent, "broker.nonce-used")
        self.spent.add(request.nonce)

    # PROTOCOL §4, attestation/simulated.md.
    def check_evidence(self, request):
        try:
            envelope = m.read(m.ENVELOPE, request.evidence, 2**17)
        except Refusal as error:
            raise No("broker.evidence") from error
        refuse_unless(envelope.tee == request.tee == "simulated", "broker.evidence")
        refuse_unless([item.kind for item in envelope.items] == ["report"], "evidence.item-missing")
        try:
            statement = m.parse(m.STATEMENT, envelope.items[0].bytes)
            root = m.public_key(statement.root)
        except Refusal as error:
            raise No("simulated.report") from error
        signed = m.stated(statement.measurement, statement.report_data, statement.root)
        refuse_unless(signature_holds(root, statement.signature, signed), "simulated.signature")
        refuse_unless(statement.report_data == m.sha512(m.transcript(request)), "simulated.report-data")
        self.check_policy({"measurement": statement.measurement, "root": root.digest})

    def check_policy(self, claims):
        """FORMAT §6.3 for claims that occur once, of rules that list values; every other rule is refused."""
        for environment in self.bundle.release.policy.environments:
            if environment.tee == "simulated" and {rule.claim for rule in environment.rules} >= set(claims) and all(
                    claims.get(rule.claim) in rule.accepted + rule.required for rule in environment.rules):
                return
        raise No("policy.not-accepted")

    def release(self, body):
        request = m.read(m.RELEASE_REQUEST, body, m.RELEASE_MOST)
        request = m.read(m.KEY_REQUEST, request.key_request, m.KEY_REQUEST_MOST)
        self.check_challenge(request)
        refuse_unless(request.broker == self.digest, "broker.key")
        self.check_evidence(request)
        return self.grant(request)

    # LOADER-FORMATS §2.3. What is not said is what an honest broker says.
    def grant(self, request, key=None, seal_facts=None, signs=None, **facts):
        facts = {"unix_seconds": int(time.time()), "floor_counter": 1, "floor_release": b"", "lease_until": 0, "instance": b"",
                 **facts}
        public = request.public_key[len(m.X25519_PREFIX):]
        refuse_unless(request.public_key.startswith(m.X25519_PREFIX) and len(public) == 32, "broker.grant")
        sealed_facts = m.facts(SimpleNamespace(**{**facts, **(seal_facts or {})}))
        enc, wrapped = m.hpke_seal(public, m.transcript(request), sealed_facts, self.content_key if key is None else key)
        return self.sign(m.write(m.GRANT_PAYLOAD, version=1, enc=enc, wrapped=wrapped, **facts), signs)

    def sign(self, payload, signs=None):
        signature = (signs or self.signs).sign(m.pre_authentication(payload))
        return m.write(m.KEY_GRANT, payload=payload, signature=signature)

    def answer(self, path, body):
        """(status, message)"""
        try:
            return 200, {"/v1/challenge": self.challenge, "/v1/release": self.release}[path](body)
        except No as no:
            return STATUS[no.code], refusal(no.code, (no.reason, "said by the stand-in"))
        except Refusal as error:
            return STATUS[error.code], refusal(error.code, ("broker.request", str(error)))


def http(status, body, kind="application/x-protobuf", more=""):
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


class Server:
    """HTTPS around `answer(path, body)`, which gives (status, message), or the bytes of the whole answer in pieces: one that
    is None ends the connection, a number is a pause of so many seconds."""

    def __init__(self, certificate, key, answer):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.answer, self.asked, self.stopping = answer, [], threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self):
        while not self.stopping.is_set():
            connection, _ = self.listener.accept()
            self.threads.append(threading.Thread(target=self.serve, args=(connection,)))
            self.threads[-1].start()

    def stop(self):
        self.stopping.set()
        socket.create_connection(self.listener.getsockname()).close()  # wakes accept()
        for thread in self.threads:
            thread.join()
        self.listener.close()

    def serve(self, connection):
        connection.settimeout(300)
        try:
            with self.context.wrap_socket(connection, server_side=True) as stream:
                stream.settimeout(0.2)
                while request := self.read(stream):
                    self.asked.append(request)
                    given = self.answer(*request)
                    for piece in [http(*given)] if isinstance(given, tuple) else given:
                        if piece is None:
                            return
                        if isinstance(piece, bytes):
                            stream.settimeout(300)
                            stream.sendall(piece)
                            stream.settimeout(0.2)
                        elif self.stopping.wait(piece):
                            return
        except (OSError, ssl.SSLError):
            pass  # The client went away.
        finally:
            connection.close()

    def read(self, stream):
        """(path, body), or None at the end."""
        data = b""
        while not self.stopping.is_set():
            head, end, body = data.partition(b"\r\n\r\n")
            fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:]) if end else {}
            if end and len(body) >= int(fields.get(b"content-length", 0)):
                return head.split(b" ")[1].decode(), body
            try:
                data += (piece := stream.recv(65536))
            except TimeoutError:
                continue
            if not piece:
                return None
        return None
