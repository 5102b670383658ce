# SPDX-License-Identifier: Apache-2.0
"""`sealpack attest fetch` against a server of its own: what is asked for, and what is made of bad answers."""

import http.server
import os
import pathlib
import shutil
import threading
import unittest
import urllib.parse

from evidence_maker import Authority, Laboratory, snp_report
from sealpack_case import IO, MALFORMED, USAGE, SealpackCase

TRY_AGAIN, LIMIT = 15, 16
VECTORS = pathlib.Path(os.environ.get("SEALPACK_VECTORS", "/nonexistent")) / "attest"


class Service(http.server.BaseHTTPRequestHandler):
    """Answers as the test says: {path: [(status, headers, body), …]}, the last one for good."""

    answers = {}
    asked = []

    def do_GET(self):
        Service.asked.append(self.path)
        answers = Service.answers.get(self.path) or Service.answers.get(self.path.split("?")[0], [(404, {}, b"")])
        status, headers, body = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def log_message(self, *_):
        pass


class FetchCase(SealpackCase):
    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        Service.asked.clear()
        self.authority = Authority()
        self.vcek = "/vcek/v1/Genoa/" + "11" * 64
        Service.answers = {self.vcek: [(200, {}, self.authority.der)],
                           "/vcek/v1/Genoa/cert_chain": [(200, {}, self.authority.pem * 2)],
                           "/vcek/v1/Genoa/crl": [(200, {}, self.authority.crl)]}
        (self.folder / "report.bin").write_bytes(snp_report())

    def fetch(self, *more, evidence="report.bin"):
        return ("attest", "fetch", evidence, "--out", "got", "--base-url", self.url, *more)


class Fetch(FetchCase):
    def test_asks_for_the_key_of_the_chip_and_its_firmware(self):
        result = self.succeed(*self.fetch("--json")).json()
        self.assertEqual(Service.asked, [self.vcek + "?blSPL=7&teeSPL=2&snpSPL=21&ucodeSPL=209",
                                         "/vcek/v1/Genoa/cert_chain", "/vcek/v1/Genoa/crl"])
        self.assertEqual([file["name"] for file in result["files"]], ["vcek.der", "cert_chain.pem", "revoked.crl"])
        self.assertEqual((self.folder / "got/vcek.der").read_bytes(), self.authority.der)

    def test_what_it_makes_is_a_folder_of_endorsements(self):
        self.succeed(*self.fetch())
        lab = Laboratory()
        (self.folder / "e.bin").write_bytes(lab.evidence(bytes(32), b"x"))
        (self.folder / "roots.toml").write_text(lab.roots())
        self.succeed("attest", "show", "e.bin", "--roots", "roots.toml", "--endorsements", "got")

    def test_gets_one_document_alone(self):
        self.succeed(*self.fetch("--only", "revoked.crl", "--only", "revoked.crl"))
        self.assertEqual(Service.asked, ["/vcek/v1/Genoa/crl"])
        self.assertEqual([path.name for path in (self.folder / "got").iterdir()], ["revoked.crl"])
        self.fail_with(USAGE, "'crl'.*\n.*vcek.der, cert_chain.pem, revoked.crl",
                       *self.fetch("--only", "revoked.crl", "--only", "crl"))

    def test_turin_has_short_names_and_one_level_more(self):
        (self.folder / "report.bin").write_bytes(snp_report("Turin", chip=b"\x22" * 8))
        self.run_tool(*self.fetch())
        self.assertEqual(Service.asked[0], "/vcek/v1/Turin/" + "22" * 8
                         + "?fmcSPL=1&blSPL=2&teeSPL=3&snpSPL=4&ucodeSPL=80")

    def test_waits_as_long_as_the_service_asks(self):
        Service.answers[self.vcek] = [(429, {"Retry-After": "1"}, b"slow down"), (200, {}, self.authority.der)]
        self.succeed(*self.fetch())
        self.assertEqual(len(Service.asked), 4)

    def test_waits_no_longer_than_it_may(self):
        Service.answers[self.vcek] = [(429, {"Retry-After": "3600"}, b"")]
        self.fail_with(TRY_AGAIN, "3600 s", *self.fetch())
        Service.answers[self.vcek] = [(503, {}, b"")]
        self.fail_with(TRY_AGAIN, "503", *self.fetch("--longest-wait", "0"))

    def test_stores_no_error_page(self):
        Service.answers[self.vcek] = [(200, {}, b"<!DOCTYPE html>" + b"\0")]
        self.fail_with(MALFORMED, "vcek", *self.fetch())
        Service.answers[self.vcek] = [(200, {}, b"")]
        self.fail_with(MALFORMED, "empty", *self.fetch())

    def test_follows_no_redirection(self):
        Service.answers[self.vcek] = [(302, {"Location": self.url + "/vcek/v1/Genoa/crl"}, b"")]
        self.fail_with(IO, "302", *self.fetch())
        self.assertEqual(len(Service.asked), 1)

    def test_refuses_other_answers_and_none(self):
        Service.answers[self.vcek] = [(404, {}, self.authority.der)]
        self.fail_with(IO, "404", *self.fetch())
        self.fail_with(IO, "cannot get", "attest", "fetch", "report.bin", "--out", "got", "--base-url",
                       "http://127.0.0.1:9", "--timeout", "5")

    def test_bounds_what_it_takes(self):
        Service.answers[self.vcek] = [(200, {}, b"x" * (5 << 20))]
        self.fail_with(LIMIT, "4.0 MiB", *self.fetch())

    def test_goes_without_tls_to_a_mirror_alone(self):
        for url in ("ftp://127.0.0.1", "file:///etc", "gopher://x", "HTTP://127.0.0.1:1"):
            run = self.run_tool("attest", "fetch", "report.bin", "--out", "got", "--base-url", url)
            self.assertEqual(run.status, USAGE, run.err)

    def test_keeps_a_folder_that_is_there(self):
        (self.folder / "got").mkdir()
        (self.folder / "got/mine").write_text("mine")
        self.fail_with(IO, "got", *self.fetch())

    def test_says_what_cannot_be_fetched(self):
        (self.folder / "report.bin").write_bytes(snp_report(masked=True))
        self.fail_with(USAGE, "hides its chip", *self.fetch())
        (self.folder / "e.bin").write_bytes(Laboratory().evidence(bytes(32), b"x"))
        self.fail_with(USAGE, "nothing is fetched", *self.fetch(evidence="e.bin"))
        self.assertEqual(Service.asked, [])


@unittest.skipUnless(VECTORS.is_dir(), "no samples of other projects here")
class FetchForIntel(FetchCase):
    def test_asks_for_the_collateral_of_the_platform(self):
        chain = urllib.parse.quote(self.authority.pem.decode())
        signed = b'{"tcbInfo":{},"signature":"' + b"0" * 128 + b'"}'
        identity = signed.replace(b"tcbInfo", b"enclaveIdentity")
        Service.answers = {
            "/sgx/certification/v4/tcb": [(200, {"TCB-Info-Issuer-Chain": chain}, signed)],
            "/sgx/certification/v4/qe/identity": [(200, {"SGX-Enclave-Identity-Issuer-Chain": chain}, identity)],
            "/sgx/certification/v4/pckcrl": [(200, {"SGX-PCK-CRL-Issuer-Chain": chain}, self.authority.crl)],
            "/IntelSGXRootCA.der": [(200, {}, self.authority.crl)]}
        result = self.succeed(*self.fetch("--json", evidence=VECTORS / "sgx/phala-sgx_quote")).json()
        self.assertIn("/sgx/certification/v4/tcb?fmspc=00a067110000", Service.asked)
        self.assertEqual({file["name"] for file in result["files"]},
                         {"tcb_info.json", "tcb_info.json.chain.pem", "qe_identity.json", "qe_identity.json.chain.pem",
                          "pck.crl", "pck.crl.chain.pem", "root.crl"})
        self.assertEqual((self.folder / "got/pck.crl.chain.pem").read_bytes(), self.authority.pem)

    def test_asks_a_pccs_by_the_url_that_its_users_have(self):
        chain = urllib.parse.quote(self.authority.pem.decode())
        signed = b'{"tcbInfo":{},"signature":"' + b"0" * 128 + b'"}'
        Service.answers = {
            "/sgx/certification/v4/tcb": [(200, {"TCB-Info-Issuer-Chain": chain}, signed)],
            "/sgx/certification/v4/qe/identity": [(200, {"SGX-Enclave-Identity-Issuer-Chain": chain},
                                                   signed.replace(b"tcbInfo", b"enclaveIdentity"))],
            "/sgx/certification/v4/pckcrl": [(200, {"SGX-PCK-CRL-Issuer-Chain": chain}, self.authority.crl)],
            "/sgx/certification/v4/rootcacrl": [(200, {}, self.authority.crl.hex().encode())]}
        for url in (self.url, self.url + "/sgx/certification/v4/"):
            self.succeed("attest", "fetch", VECTORS / "sgx/phala-sgx_quote", "--pccs", url, "--out", "got")
            self.assertEqual(len(list((self.folder / "got").iterdir())), 7)
            shutil.rmtree(self.folder / "got")

    def test_wants_the_chain_beside_what_is_signed(self):
        Service.answers = {"/sgx/certification/v4/tcb": [
            (200, {}, b'{"tcbInfo":{},"signature":"' + b"0" * 128 + b'"}')]}
        self.fail_with(MALFORMED, "issuer-chain", *self.fetch(evidence=VECTORS / "sgx/phala-sgx_quote"))


if __name__ == "__main__":
    unittest.main()
