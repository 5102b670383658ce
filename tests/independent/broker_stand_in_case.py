# SPDX-License-Identifier: Apache-2.0
"""What the tests of `sealpack run` before a second broker share. Skips all of them, aloud, where python3-cryptography is missing."""

import itertools
import pathlib
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
try:
    import broker_messages as m
    import broker_stand_in as stand_in
    import sealpack_reader as reader
    from cryptography.hazmat.primitives import serialization
except ImportError as error:
    print(f"SKIPPED: {error}; install python3-cryptography", file=sys.stderr)
    sys.exit(77)

from broker_case import BrokerCase
from sealpack_case import OK

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
        return lambda path, body: (change(self.broker.challenge(body)) if path == "/v1/challenge"
                                   else self.broker.answer(path, body))

    def granting(self, change):
        return lambda path, body: (change(self.broker.release(body)) if path == "/v1/release"
                                   else self.broker.answer(path, body))

    def sealing(self, **how):
        def answer(path, body):
            if path == "/v1/challenge":
                return self.broker.answer(path, body)
            return 200, self.broker.grant(self.request_in(body), **how)
        return answer

    @staticmethod
    def request_in(body):
        return m.parse(m.KEY_REQUEST, m.parse(m.RELEASE_REQUEST, body).key_request)
