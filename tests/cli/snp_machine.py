# SPDX-License-Identifier: Apache-2.0
"""A guest on SEV-SNP without the hardware: a processor under roots of its own, and configfs-tsm that asks it
(fake_tsm.cc)."""

import datetime
import hashlib
import os
import socket
import struct
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import NameOID, ObjectIdentifier

from evidence_maker import spki_of

SIGNED = 0x2a0
REPORT_DATA = 0x50
MEASUREMENT = 0x90
CHIP = bytes(range(0xc0, 0x100))
TCB = bytes([10, 1, 0, 0, 0, 0, 23, 219])
# DER of what the VCEK's certificate says of the product and of the TCB above.
EXTENSIONS = {"1": b"\x02\x01\x00", "2": b"\x16\x08Milan-B0", "3.1": b"\x02\x01\x0a", "3.2": b"\x02\x01\x01",
              "3.3": b"\x02\x01\x17", "3.8": b"\x02\x02\x00\xdb", "4": CHIP}
POLICY = """
[[environment]]
tee = "sev-snp"
[environment.claims]
measurement = { accept = ["%s"] }
product = { accept = ["Milan"] }
debug = { accept = [false] }
migrate_ma = { accept = [false] }
host_data = { ignore = "a test" }
vmpl = { accept = [0] }
tcb_bootloader = { minimum = 10 }
tcb_tee = { minimum = 1 }
tcb_snp = { minimum = 23 }
tcb_microcode = { minimum = 219 }
revocation_unchecked = { ignore = "a test" }
"""


class Processor:
    """ARK, ASK and the VCEK of a Milan that nobody made, and the reports of one guest on it."""

    def __init__(self):
        self.measurement = b"\x3e" * 48
        self.ark, self.ask, self.vcek = (ec.generate_private_key(ec.SECP384R1()) for _ in range(3))

    def roots(self):
        return f'amd = ["sha256:{hashlib.sha256(spki_of(self.ark)).hexdigest()}"]\n'

    def policy(self):
        return POLICY % self.measurement.hex()

    def write_endorsements(self, folder):
        folder.mkdir()
        for name, key, issuer, issuer_key in (("ARK-Milan", self.ark, "ARK-Milan", self.ark),
                                              ("SEV-Milan", self.ask, "ARK-Milan", self.ark),
                                              ("SEV-VCEK", self.vcek, "SEV-Milan", self.ask)):
            certificate = self.certificate(name, key, issuer, issuer_key)
            (folder / f"{name}.der").write_bytes(certificate.public_bytes(serialization.Encoding.DER))

    def certificate(self, name, key, issuer, issuer_key):
        def named(common):
            return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Advanced Micro Devices"),
                              x509.NameAttribute(NameOID.COMMON_NAME, common)])
        builder = (x509.CertificateBuilder().subject_name(named(name)).issuer_name(named(issuer))
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(datetime.datetime(2024, 1, 1)).not_valid_after(datetime.datetime(2044, 1, 1)))
        if key is self.vcek:
            for oid, value in EXTENSIONS.items():
                builder = builder.add_extension(
                    x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.3704.1." + oid), value), False)
        else:
            builder = builder.add_extension(x509.BasicConstraints(True, None), True).add_extension(
                x509.KeyUsage(False, False, False, False, False, True, True, False, False), True)
        return builder.sign(issuer_key, hashes.SHA384())

    def report(self, report_data):
        report = bytearray(1184)
        struct.pack_into("<IIQ", report, 0, 3, 7, 0x3001f)
        struct.pack_into("<I", report, 0x34, 1)
        struct.pack_into("<Q", report, 0x40, 0x25)
        report[REPORT_DATA:REPORT_DATA + 64] = report_data
        report[MEASUREMENT:MEASUREMENT + 48] = self.measurement
        report[0x188:0x18b] = bytes([0x19, 0x01, 0x01])
        report[0x1a0:0x1e0] = CHIP
        for place in (0x38, 0x180, 0x1e0, 0x1f0):
            report[place:place + 8] = TCB
        report[0x1e8:0x1f0] = bytes([29, 55, 1, 0] * 2)
        pair = utils.decode_dss_signature(self.vcek.sign(bytes(report[:SIGNED]), ec.ECDSA(hashes.SHA384())))
        for place, number in zip((SIGNED, SIGNED + 72), pair):
            report[place:place + 72] = number.to_bytes(72, "little")
        return bytes(report)


class Guest:
    """What a program under environment() sees as its machine: reports of `processor`, over what it asks."""

    def __init__(self, processor, folder):
        self.processor, self.folder, self.asked = processor, folder, []
        folder.mkdir()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(folder / "processor"))
        self.listener.listen()
        self.thread = threading.Thread(target=self.answer)
        self.thread.start()

    def environment(self):
        return {**os.environ, "LD_PRELOAD": os.environ["SEALPACK_FAKE_TSM"], "FAKE_TSM": str(self.folder)}

    def answer(self):
        while True:
            line, _ = self.listener.accept()
            with line:
                report_data = line.recv(64)
                if not report_data:
                    return
                self.asked.append(report_data)
                line.sendall(self.processor.report(report_data))

    def stop(self):
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.folder / "processor"))
        self.thread.join()
        self.listener.close()
