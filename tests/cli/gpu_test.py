# SPDX-License-Identifier: Apache-2.0
"""`sealpack attest` with NVIDIA's GPUs: manifests made into rules, reports collected, a responder asked."""

import base64
import datetime
import hashlib
import http.server
import json
import os
import threading
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from evidence_maker import envelope
from sealpack_case import MALFORMED, NOT_AUTHENTIC, USAGE, SealpackCase

UNSUPPORTED = 11
DSIG = "http://www.w3.org/2000/09/xmldsig#"
SWID = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd"
BEGIN = datetime.datetime(2024, 1, 1)
END = datetime.datetime(2034, 1, 1)
NOW = "2025-06-01T00:00:00Z"


class Signer:
    """A certificate and its key."""

    def __init__(self, name, issuer=None, usage=None):
        self.key = ec.generate_private_key(ec.SECP384R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        authority = usage is None
        builder = (x509.CertificateBuilder().subject_name(self.name).public_key(self.key.public_key())
                   .issuer_name(issuer.name if issuer else self.name).serial_number(x509.random_serial_number())
                   .not_valid_before(BEGIN).not_valid_after(END)
                   .add_extension(x509.BasicConstraints(authority, None), True))
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
        self.certificate = builder.sign(issuer.key if issuer else self.key, hashes.SHA384())

    def der(self):
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def manifest(version, measurements, root, leaf):
    """A signed manifest in its canonical form, so that it is hashed as it stands."""
    spaces = f'xmlns="{SWID}" xmlns:h="http://www.w3.org/2001/04/xmlenc#sha384"'
    rows = ""
    for index, values in measurements.items():
        stated = "".join(f' h:Hash{i}="{value}"' for i, value in enumerate(values))
        rows += (f'<Resource active="True" alternatives="{len(values)}" index="{index}" size="48" '
                 f'type="Measurement"{stated}></Resource>')
    head = (f'<SoftwareIdentity {spaces} tagId="1"><Meta colloquialVersion="{version}" product="GH100"></Meta>'
            f'<Payload>{rows}</Payload>')
    digest = base64.b64encode(hashlib.sha384((head + "</SoftwareIdentity>").encode()).digest()).decode()

    def algorithm(name, value):
        return f'<ds:{name} Algorithm="{value}"></ds:{name}>'
    c14n = "http://www.w3.org/2006/12/xml-c14n11"
    more = "http://www.w3.org/2001/04/xmldsig-more#"
    info = (algorithm("CanonicalizationMethod", c14n) + algorithm("SignatureMethod", more + "ecdsa-sha384")
            + '<ds:Reference URI=""><ds:Transforms>' + algorithm("Transform", DSIG + "enveloped-signature")
            + algorithm("Transform", c14n) + "</ds:Transforms>" + algorithm("DigestMethod", more + "sha384")
            + f"<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>")
    canonical = f'<ds:SignedInfo xmlns="{SWID}" xmlns:ds="{DSIG}" {spaces.split(" ", 1)[1]}>' + info
    r, s = utils.decode_dss_signature(leaf.key.sign(canonical.encode(), ec.ECDSA(hashes.SHA384())))
    value = base64.b64encode(r.to_bytes(48, "big") + s.to_bytes(48, "big")).decode()
    chain = "".join(f"<ds:X509Certificate>{base64.b64encode(one.der()).decode()}</ds:X509Certificate>"
                    for one in (leaf, root))
    return (head + f'<ds:Signature xmlns:ds="{DSIG}"><ds:SignedInfo>' + info
            + f"<ds:SignatureValue>{value}</ds:SignatureValue><ds:KeyInfo><ds:X509Data>{chain}"
            "</ds:X509Data></ds:KeyInfo></ds:Signature></SoftwareIdentity>")


class Manifests(SealpackCase):
    def setUp(self):
        super().setUp()
        self.root = Signer("Manifest Root")
        self.leaf = Signer("Signer", self.root, ExtendedKeyUsageOID.CODE_SIGNING)
        (self.folder / "root.pem").write_bytes(self.root.pem())
        (self.folder / "roots.toml").write_text('nvidia_rim = ["root.pem"]\n')
        self.put("driver.swidtag", "580.95.05", {7: ["07" * 48, "a7" * 48]})
        self.put("decoder.swidtag", "580.95.05", {35: ["35" * 48]})
        self.put("vbios.swidtag", "96.00.5E.00.01", {0: ["00" * 48], 9: ["09" * 48]})

    def put(self, name, version, measurements):
        (self.folder / name).write_text(manifest(version, measurements, self.root, self.leaf))

    def measure(self, *more):
        return ("attest", "measure", "nvidia-rim", *more, "--roots", "roots.toml", "--now", NOW)

    def test_prints_rules_that_a_policy_takes(self):
        run = self.succeed(*self.measure("driver.swidtag", "vbios.swidtag"))
        self.assertIn(f'measurement07 = {{ accept = ["{"07" * 48}", "{"a7" * 48}"] }}\n', run.out)
        self.assertIn('driver_version = { accept = ["580.95.05"] }\n', run.out)
        self.assertIn('vbios_version = { accept = ["96.00.5E.00.01"] }\n', run.out)
        self.assertNotIn("measurement01", run.out)
        self.assertIn("--endorsements", run.err)
        (self.folder / "p.toml").write_text(
            '[[environment]]\ntee = "nvidia-gpu"\n[environment.claims]\n'
            'count = { accept = [1] }\nmode = { accept = ["single-gpu"] }\n' + run.out)
        self.succeed("policy", "check", "p.toml")

    def test_prints_them_for_a_gpu_beside_a_tee_and_as_json(self):
        run = self.succeed(*self.measure("vbios.swidtag", "--tee", "sev-snp"))
        self.assertIn('gpu_measurement09 = { accept = ["', run.out)
        self.assertIn("driver measures has no rule", run.err)
        result = self.succeed(*self.measure("driver.swidtag", "--json")).json()
        self.assertEqual(result["accept"]["measurement07"], ["07" * 48, "a7" * 48])
        self.assertEqual(result["manifests"][0]["kind"], "driver")

    def test_says_which_measurement_is_the_video_decoders(self):
        self.assertIn("gpu_nvdec 'enabled'", self.succeed(*self.measure("decoder.swidtag", "--tee", "tdx")).err)
        self.assertNotIn("nvdec", self.succeed(*self.measure("driver.swidtag")).err)

    def test_reads_what_the_service_answers(self):
        xml = (self.folder / "driver.swidtag").read_bytes()
        (self.folder / "driver.json").write_text(json.dumps({"id": "X", "rim": base64.b64encode(xml).decode()}))
        self.succeed(*self.measure("driver.json"))

    def test_refuses_what_is_not_proven(self):
        path = self.folder / "driver.swidtag"
        path.write_text(path.read_text().replace("07" * 48, "08" * 48))
        self.fail_with(NOT_AUTHENTIC, "rim.signature", *self.measure("driver.swidtag"))
        self.fail_with(NOT_AUTHENTIC, "chain.root", "attest", "measure", "nvidia-rim", "vbios.swidtag", "--now", NOW)
        self.fail_with(NOT_AUTHENTIC, "chain.expired", "attest", "measure", "nvidia-rim", "vbios.swidtag", "--roots",
                       "roots.toml", "--now", "2035-01-01T00:00:00Z")
        path.write_text("<!DOCTYPE a>" + path.read_text())
        self.fail_with(MALFORMED, "document type", *self.measure("driver.swidtag"))

    def test_asks_for_revocation_where_endorsements_are_given(self):
        (self.folder / "none").mkdir()
        self.fail_with(NOT_AUTHENTIC, "chain.revocation-unknown",
                       *self.measure("vbios.swidtag", "--endorsements", "none"))

    def test_refuses_manifests_that_do_not_belong_together(self):
        self.put("other.swidtag", "580.95.06", {8: ["08" * 48]})
        self.fail_with(USAGE, "two manifests of a driver", *self.measure("driver.swidtag", "other.swidtag"))
        self.put("other.swidtag", "96.00.5E.00.02", {7: ["08" * 48]})
        self.fail_with(MALFORMED, "measurement 7", *self.measure("driver.swidtag", "other.swidtag"))
        self.fail_with(USAGE, "no claims about a GPU", *self.measure("driver.swidtag", "--tee", "sgx"))


class Collect(SealpackCase):
    nonce = (b"\0" + (4141).to_bytes(2, "big") + bytes(29)).hex()

    def collect(self, *more):
        return ("attest", "collect", "--tee", "nvidia-gpu", "--nvml", os.environ["SEALPACK_FAKE_NVML"], "--out",
                "e.bin", *more)

    def test_collects_a_report_and_says_what_the_host_says(self):
        run = self.succeed(*self.collect("--nonce", self.nonce))
        self.assertIn("developer tools on", run.err)
        self.assertIn("nobody signed it", run.err)
        self.assertIn("gpu-report", run.out)
        self.assertIn(self.nonce, self.succeed("attest", "show", "e.bin").out)

    def test_collects_all_gpus_or_those_that_are_named(self):
        run = self.succeed(*self.collect("--nonce", self.nonce, "--json")).json()
        self.assertEqual([item["kind"] for item in run["items"]],
                         ["gpu-request", "gpu-report", "gpu-certificates",
                          "gpu2-request", "gpu2-report", "gpu2-certificates"])
        self.assertEqual(self.succeed("attest", "show", "e.bin").out.count(self.nonce), 2)
        run = self.succeed(*self.collect("--nonce", self.nonce, "--gpu", "1", "--force", "--json")).json()
        self.assertEqual(len(run["items"]), 3)

    def test_asks_beside_a_tee_for_what_binds_it(self):
        (self.folder / "cpu.bin").write_bytes(envelope("sev-snp", report=bytes(64)))
        # The nonce is a hash, and what the stand-in answers depends on it: a transcript whose hash begins well.
        for attempt in range(4096):
            (self.folder / "t").write_bytes(str(attempt).encode())
            inner = hashlib.sha256((self.folder / "cpu.bin").read_bytes()).digest()
            nonce = hashlib.sha256(b"gpu" + str(attempt).encode() + inner).digest()
            if nonce[0] == 0 and 37 < int.from_bytes(nonce[1:3], "big") <= 0x2000:
                break
        run = self.succeed(*self.collect("--beside", "cpu.bin", "--transcript", "t"))
        self.assertIn(nonce.hex(), run.err)
        self.assertIn("sev-snp", run.out)
        self.fail_with(USAGE, "has a GPU already", *self.collect("--beside", "e.bin", "--transcript", "t", "--force"))

    def test_says_what_does_not_go_together(self):
        self.fail_with(USAGE, "32 bytes", *self.collect("--nonce", "00"))
        self.fail_with(USAGE, "go together", *self.collect("--nonce", self.nonce, "--beside", "cpu.bin"))
        self.fail_with(USAGE, "there is no GPU 2", *self.collect("--nonce", self.nonce, "--gpu", "0,2"))
        self.fail_with(USAGE, "go with nvidia-gpu", "attest", "collect", "--tee", "tdx", "--gpu", "1", "--out", "x",
                       "--nonce", "00" * 64)
        self.fail_with(UNSUPPORTED, "cannot load", "attest", "collect", "--tee", "nvidia-gpu", "--nvml",
                       "/nonexistent.so", "--out", "x", "--nonce", self.nonce)


class Responder(http.server.BaseHTTPRequestHandler):
    asked = []
    answer = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = ocsp.load_der_ocsp_request(body)
        Responder.asked.append((self.headers["Content-Type"], request.serial_number))
        reply = Responder.answer(request.serial_number)
        self.send_response(200)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_):
        pass


class Fetch(SealpackCase):
    def setUp(self):
        super().setUp()
        Responder.asked.clear()
        self.chain = [Signer("Root")]
        for name in ("Identity", "Provisioner", "BROM"):
            self.chain.append(Signer(name, self.chain[-1]))
        self.chain.append(Signer("Leaf", self.chain[-1], ExtendedKeyUsageOID.CODE_SIGNING))
        pem = b"".join(one.pem() for one in reversed(self.chain))
        (self.folder / "e.bin").write_bytes(envelope(
            "nvidia-gpu", gpu_request=bytes(37), gpu_report=bytes(64), gpu_certificates=pem))
        Responder.answer = self.good
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Responder)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        for step in (thread.join, server.server_close, server.shutdown):
            self.addCleanup(step)
        self.url = f"http://127.0.0.1:{server.server_address[1]}"

    def good(self, serial):
        index = [one.certificate.serial_number for one in self.chain].index(serial)
        return self.answer_of(self.chain[index], self.chain[index - 1])

    @staticmethod
    def answer_of(subject, issuer):
        builder = ocsp.OCSPResponseBuilder().add_response(
            subject.certificate, issuer.certificate, hashes.SHA384(), ocsp.OCSPCertStatus.GOOD, BEGIN, END, None, None)
        signed = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, issuer.certificate).sign(
            issuer.key, hashes.SHA384())
        return signed.public_bytes(serialization.Encoding.DER)

    def test_asks_about_all_that_nvidia_issued(self):
        run = self.succeed("attest", "fetch", "e.bin", "--out", "got", "--base-url", self.url, "--json").json()
        self.assertEqual([file["name"] for file in run["files"]],
                         ["gpu-ocsp-1.der", "gpu-ocsp-2.der", "gpu-ocsp-3.der"])
        self.assertEqual(Responder.asked, [("application/ocsp-request", one.certificate.serial_number)
                                           for one in (self.chain[3], self.chain[2], self.chain[1])])

    def test_asks_once_about_what_several_gpus_share(self):
        other = Signer("BROM", self.chain[2])
        second = self.chain[:3] + [other, Signer("Leaf", other, ExtendedKeyUsageOID.CODE_SIGNING)]
        issued = {one.certificate.serial_number: (one, issuer)
                  for chain in (self.chain, second) for issuer, one in zip(chain, chain[1:])}
        pems = [b"".join(one.pem() for one in reversed(chain)) for chain in (self.chain, second)]
        (self.folder / "e.bin").write_bytes(envelope(
            "nvidia-gpu", gpu_request=bytes(37), gpu_report=bytes(64), gpu_certificates=pems[0],
            gpu2_request=bytes(37), gpu2_report=bytes(64), gpu2_certificates=pems[1]))
        Responder.answer = lambda serial: self.answer_of(*issued[serial])
        run = self.succeed("attest", "fetch", "e.bin", "--out", "got", "--base-url", self.url, "--json").json()
        self.assertEqual([file["name"] for file in run["files"]],
                         ["gpu-ocsp-1.der", "gpu-ocsp-2.der", "gpu-ocsp-3.der", "gpu2-ocsp-1.der"])

    def test_stores_no_refusal_of_the_responder(self):
        refusal = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        Responder.answer = lambda _: refusal.public_bytes(serialization.Encoding.DER)
        self.fail_with(MALFORMED, "unauthorized", "attest", "fetch", "e.bin", "--out", "got", "--base-url", self.url)
        self.assertFalse((self.folder / "got").exists())


if __name__ == "__main__":
    unittest.main()
