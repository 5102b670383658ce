# SPDX-License-Identifier: Apache-2.0
"""What the tests of the second client (broker_client.py) share. Skips all of them, aloud, where python3-cryptography is missing."""

import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
try:
    import broker_client as client
    import sealpack_reader as reader
    from cryptography.hazmat.primitives import serialization
except ImportError as error:
    print(f"SKIPPED: {error}; install python3-cryptography", file=sys.stderr)
    sys.exit(77)

from broker_case import BrokerCase


def flip(data, bit):
    return data[:bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1:]


class SecondClient(BrokerCase):
    """A broker of this build, and a TEE that is a few lines of Python and states the measurement of the policy."""

    def setUp(self):
        super().setUp()
        self.bundle = reader.open_verified(self.folder / "a.seal", None)
        self.addCleanup(self.bundle.file.close)
        self.laboratory = self.private("sim.key")
        self.broker_key = reader.load_public(self.folder / "broker/grants.pub")
        self.tee = client.Tee(self.bundle, self.broker_key, self.laboratory, bytes.fromhex(self.measurement))
        # What the broker opens the bundle's slot with; every grant has to be this.
        recipient = reader.Recipient.private(self.folder / "broker/broker.key")
        self.content_key = reader.find_content_key(self.bundle, recipient, None)

    def private(self, name):
        return serialization.load_pem_private_key(reader.load_key(self.folder / name), None)

    def connect(self, server):
        network = client.Network(server.port, self.folder / "broker/tls.crt")
        self.addCleanup(network.close)
        return network

    def audit(self, server):
        log = client.Log(server.admin_port, reader.load_public(self.folder / "broker/log.pub"))
        self.addCleanup(log.close)
        return log

    def answer(self, data, *more):
        """One file carried to the broker and back."""
        (self.folder / "asked").write_bytes(data)
        run = self.run_tool("broker", "answer", "asked", "--out", "answered", "--lab", "--force", "--dir", "broker", *more)
        self.assertTrue((self.folder / "answered").exists(), run.err)
        return (self.folder / "answered").read_bytes()

    def refuse(self, code, reasons, ask, status=None):
        """Expects a Refusal message of this code with exactly these reasons."""
        with self.assertRaises(client.Refused) as caught:
            ask()
        refused = caught.exception
        self.assertEqual((refused.code, refused.codes), (code, reasons), refused)
        if status:
            self.assertEqual(refused.status, status, refused)
        return refused.refusal
