# SPDX-License-Identifier: Apache-2.0
"""Evidence that tests make themselves: SIMULATED statements, and what fetching and measuring need of others."""

import datetime
import hashlib
import struct

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import NameOID

SIMULATED_LABEL = b"sealpack/v1/simulated-evidence"


def varint(value):
    out = b""
    while value > 0x7f:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    """A field of the canonical protobuf subset."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def envelope(tee, **items):
    """Items by kind, with '_' for '-', in the order that is given."""
    out = field(1, 1) + field(2, tee.encode())
    for kind, content in items.items():
        out += field(3, field(1, kind.replace("_", "-").encode()) + field(2, content))
    return out


def spki_of(key):
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


class Laboratory:
    """The root of a SIMULATED TEE."""

    def __init__(self):
        self.key = ed25519.Ed25519PrivateKey.generate()
        self.spki = spki_of(self.key)
        self.digest = hashlib.sha256(self.spki).hexdigest()

    def evidence(self, measurement, report_data):
        parts = (SIMULATED_LABEL, measurement, report_data, self.spki)
        transcript = b"".join(struct.pack("<Q", len(part)) + part for part in parts)
        report = (field(1, 1) + field(2, measurement) + field(3, report_data) + field(4, self.spki)
                  + field(5, self.key.sign(transcript)))
        return envelope("simulated", report=report)

    def roots(self):
        return f'simulated = ["sha256:{self.digest}"]\n'

    def policy(self, measurement):
        return ('[[environment]]\ntee = "simulated"\n[environment.claims]\n'
                f'measurement = {{ accept = ["{measurement.hex()}"] }}\nroot = {{ accept = ["{self.digest}"] }}\n')


def snp_report(product="Genoa", chip=b"\x11" * 64, masked=False):
    """A report as fetching reads it; nobody signed it."""
    report = bytearray(1184)
    struct.pack_into("<I", report, 0, 3)
    struct.pack_into("<Q", report, 8, 1 << 17)  # reserved, must be 1
    struct.pack_into("<I", report, 0x34, 1)
    family, model = {"Milan": (0x19, 0x01), "Genoa": (0x19, 0x11), "Turin": (0x1a, 0x02)}[product]
    report[0x188], report[0x189] = family, model
    report[0x180:0x188] = bytes([7, 2, 0, 0, 0, 0, 21, 209]) if product != "Turin" else bytes([1, 2, 3, 4, 0, 0, 0, 80])
    if not masked:
        report[0x1a0:0x1a0 + len(chip)] = chip
    report[0x2a0] = report[0x2a0 + 72] = 1
    return bytes(report)


class Authority:
    """A certificate and a revocation list of nobody's."""

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
        self.begin = datetime.datetime(2024, 1, 1)
        self.end = datetime.datetime(2034, 1, 1)
        self.certificate = (x509.CertificateBuilder().subject_name(self.name).issuer_name(self.name)
                            .public_key(self.key.public_key()).serial_number(1).not_valid_before(self.begin)
                            .not_valid_after(self.end).sign(self.key, hashes.SHA256()))
        self.der = self.certificate.public_bytes(serialization.Encoding.DER)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM)
        crl = (x509.CertificateRevocationListBuilder().issuer_name(self.name).last_update(self.begin)
               .next_update(self.end).sign(self.key, hashes.SHA256()))
        self.crl = crl.public_bytes(serialization.Encoding.DER)


def sigstruct(mrenclave, debug=False):
    """SIGSTRUCT of an enclave (SDM volume 3D), signed; with its MRSIGNER."""
    key = rsa.generate_private_key(public_exponent=3, key_size=3072)
    out = bytearray(1808)
    out[0:16] = bytes.fromhex("06000000e10000000000010000000000")
    out[24:40] = bytes.fromhex("01010000600000006000000001000000")
    modulus = key.public_key().public_numbers().n.to_bytes(384, "little")
    out[128:512] = modulus
    struct.pack_into("<I", out, 512, 3)
    struct.pack_into("<Q", out, 928, 4 | (2 if debug else 0))
    struct.pack_into("<Q", out, 944, 0xffffffffffffffff)
    out[960:992] = mrenclave
    struct.pack_into("<HH", out, 1024, 5, 7)
    signed = bytes(out[:128] + out[900:1028])
    out[516:900] = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())[::-1]
    return bytes(out), hashlib.sha256(modulus).hexdigest()
