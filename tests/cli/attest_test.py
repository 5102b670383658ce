# SPDX-License-Identifier: Apache-2.0
"""`sealpack attest`: evidence proven, shown and collected, as its users run it."""

import base64
import hashlib
import json
import os
import pathlib
import re
import shutil
import struct
import unittest

from evidence_maker import Authority, Laboratory, envelope, sigstruct, snp_report
from software_tpm import PROGRAM, SoftwareTpm
from sealpack_case import IO, MALFORMED, NOT_AUTHENTIC, OK, REFUSED, USAGE, SealpackCase

UNSUPPORTED = 11
MEASUREMENT = bytes([0xab]) * 32
BOUND = bytes(range(64))
VECTORS = pathlib.Path(os.environ.get("SEALPACK_VECTORS", "/nonexistent")) / "attest"


def reasons_of(run):
    return {reason["code"] for reason in json.loads(run.out)["error"]["reasons"]}


class AttestCase(SealpackCase):
    def setUp(self):
        super().setUp()
        self.lab = Laboratory()
        self.put("e.bin", self.lab.evidence(MEASUREMENT, BOUND))
        self.put("roots.toml", self.lab.roots())
        self.put("policy.toml", self.lab.policy(MEASUREMENT))

    def put(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def decide(self, name):
        """What an author does where it says CAUTION: the rule for what the sample says, with a reason."""
        text = (self.folder / name).read_text()
        rule = re.compile(r"# CAUTION: .*\n# (\w+) = (.*)\n(\1 = .*\n)?")
        self.put(name, rule.sub(lambda found: f"{found[1]} = {found[2]}\n".replace('""', '"a test"'), text))

    verify_simulated = ("attest", "verify", "e.bin", "--roots", "roots.toml", "--policy", "policy.toml")


class Verify(AttestCase):
    def test_accepts_and_says_what_is_proven(self):
        run = self.succeed(*self.verify_simulated, "--lab", "--report-data", BOUND.hex())
        self.assertRegex(run.out, r"^OK simulated \(SIMULATED: protects nothing\)")
        self.assertIn("ab" * 32, run.out)
        self.assertEqual(run.err, "")

    def test_json_has_the_claims(self):
        result = self.succeed(*self.verify_simulated, "--lab", "--json").json()
        self.assertTrue(result["accepted"])
        self.assertTrue(result["simulated"])
        self.assertFalse(result["report_data_compared"])
        self.assertEqual(result["report_data"], BOUND.hex())
        self.assertEqual(result["claims"], {"measurement": "ab" * 32, "root": self.lab.digest})

    def test_says_that_freshness_is_not_proven(self):
        self.assertIn("--report-data", self.succeed(*self.verify_simulated, "--lab").err)

    def test_simulated_evidence_needs_a_laboratory(self):
        self.fail_with(REFUSED, r"reason: policy\.simulated: ", *self.verify_simulated)

    def test_simulated_evidence_needs_a_root_that_is_named(self):
        self.fail_with(NOT_AUTHENTIC, r"reason: simulated\.root: ", "attest", "verify", "e.bin", "--policy",
                       "policy.toml", "--lab")
        self.put("roots.toml", Laboratory().roots())
        self.fail_with(NOT_AUTHENTIC, r"reason: simulated\.root: ", *self.verify_simulated, "--lab")

    def test_refuses_evidence_that_is_bound_to_something_else(self):
        other = bytes(64).hex()
        self.fail_with(NOT_AUTHENTIC, r"simulated\.report-data", *self.verify_simulated, "--lab", "--report-data", other)
        short = BOUND[:63].hex()
        self.fail_with(NOT_AUTHENTIC, r"simulated\.report-data", *self.verify_simulated, "--lab", "--report-data", short)

    def test_refuses_a_signature_that_does_not_hold(self):
        self.flip(self.folder / "e.bin", -1)
        self.fail_with(NOT_AUTHENTIC, r"simulated\.signature", *self.verify_simulated, "--lab")

    def test_gives_all_reasons_of_the_policy(self):
        self.put("policy.toml", Laboratory().policy(bytes(32)))
        run = self.run_tool(*self.verify_simulated, "--json")
        self.assertEqual(run.status, REFUSED)
        self.assertEqual(reasons_of(run), {"policy.not-accepted", "policy.simulated"})
        self.assertEqual(len(json.loads(run.out)["error"]["reasons"]), 3)
        self.assertEqual(run.err.count("reason: policy.not-accepted"), 2)

    def test_refuses_a_tee_that_the_policy_does_not_admit(self):
        self.put("policy.toml", self.lab.policy(MEASUREMENT).replace("simulated", "sgx", 1).split("measurement")[0]
                 + "".join(f'{claim} = {{ ignore = "a test" }}\n' for claim in
                           ("debug", "isv_prod_id", "isv_svn", "mrenclave", "mrsigner", "tcb_status")))
        self.fail_with(REFUSED, r"policy\.tee: .*'sgx'", *self.verify_simulated, "--lab")

    def test_reads_the_same_evidence_as_hex_and_base64(self):
        evidence = self.lab.evidence(MEASUREMENT, BOUND)
        for text in (evidence.hex(), base64.b64encode(evidence), base64.urlsafe_b64encode(evidence).rstrip(b"=")):
            self.put("e.bin", text)
            self.succeed(*self.verify_simulated, "--lab")

    def test_refuses_what_is_no_evidence(self):
        for content in (b"", b"hello", b"{}", bytes(1184), self.lab.evidence(MEASUREMENT, BOUND)[:-1]):
            self.put("e.bin", content)
            self.fail_with(MALFORMED, r"e\.bin", *self.verify_simulated, "--lab")

    def test_refuses_evidence_that_breaks_its_format(self):
        garbage = bytes(200)
        quote = {"tpm_quote": garbage, "tpm_signature": garbage, "tpm_pcrs": garbage}
        for code, tee, items in (("dcap.quote-malformed", "sgx", {"quote": b"\x03\0\x02\0" + bytes(100)}),
                                 ("dcap.quote-malformed", "tdx", {"quote": garbage}),
                                 ("evidence.item-missing", "tdx", {"report": b"x"}),
                                 ("snp.malformed", "sev-snp", {"report": bytes(1184)}),
                                 ("snp.size", "sev-snp", {"report": garbage}),
                                 ("tpm.ak-public", "tpm", {**quote, "ak_public": garbage}),
                                 ("azure.report", "azure-sev-snp", {"hcl_report": garbage, **quote}),
                                 ("nvidia.report", "nvidia-gpu", {"gpu_request": garbage, "gpu_report": garbage,
                                                                  "gpu_certificates": garbage}),
                                 ("nitro.malformed|cose.malformed", "nitro", {"document": garbage}),
                                 ("cose.malformed", "psa", {"token": garbage}),
                                 ("cca.malformed", "cca", {"token": garbage}),
                                 ("simulated.report", "simulated", {"report": garbage})):
            self.put("e.bin", envelope(tee, **items))
            self.fail_with(MALFORMED, f"reason: ({code}): ", "attest", "verify", "e.bin", "--policy", "policy.toml")

    def test_refuses_what_newer_hardware_may_say_as_not_proven(self):
        self.put("e.bin", envelope("sev-snp", report=b"\x06" + bytes(1183)))
        self.fail_with(NOT_AUTHENTIC, r"snp\.version: ", "attest", "verify", "e.bin", "--policy", "policy.toml")

    def test_refuses_a_tee_that_it_does_not_know(self):
        self.put("e.bin", envelope("quantum", report=b"x"))
        self.fail_with(NOT_AUTHENTIC, r"evidence\.tee: .*'quantum'", "attest", "verify", "e.bin", "--policy",
                       "policy.toml")

    def test_refuses_a_bad_command_line(self):
        for extra in (("--report-data", "xyz"), ("--report-data", "ab" * 65), ("--now", "yesterday"),
                      ("--item", "report"), ("--item", "letter=e.bin"), ("--gpu-nonce", "q")):
            self.fail_with(USAGE, "error: ", *self.verify_simulated, "--lab", *extra)
        self.fail_with(USAGE, "subcommand", "attest")
        self.fail_with(IO, "absent", "attest", "verify", "absent", "--policy", "policy.toml")

    def test_refuses_endorsements_that_are_none_and_names_them(self):
        self.put("endorsements/notes.txt", "hello")
        self.fail_with(MALFORMED, r"notes\.txt", *self.verify_simulated, "--lab", "--endorsements", "endorsements")
        self.put("endorsements/notes.txt", "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n")
        self.fail_with(MALFORMED, "private key", *self.verify_simulated, "--lab", "--endorsements", "endorsements")

    def test_refuses_roots_that_are_none(self):
        self.put("roots.toml", 'simulated = ["sha256:ab"]\n')
        self.fail_with(USAGE, r"roots\.toml:1:", *self.verify_simulated, "--lab")
        self.put("roots.toml", "anybody = true\n")
        self.fail_with(USAGE, "'anybody'", *self.verify_simulated, "--lab")

    def test_a_policy_that_is_none_is_the_callers_fault(self):
        self.put("policy.toml", "environment = 3\n")
        self.fail_with(USAGE, r"policy\.toml:1:", *self.verify_simulated, "--lab")
        self.fail_with(USAGE, r"policy\.toml:1:", "policy", "test", "policy.toml", "--evidence", "e.bin")

    def test_an_item_can_come_from_a_file_of_its_own(self):
        self.put("more.bin", b"more")
        self.fail_with(MALFORMED, r"evidence\.item-unknown", *self.verify_simulated, "--lab", "--item", "quote=more.bin")


@unittest.skipUnless(VECTORS.is_dir(), "no samples of other projects here")
class RealEvidence(AttestCase):
    genoa = (VECTORS / "snp/ms-genoa_attestation_report.bin", "--endorsements", VECTORS / "snp/ms-genoa_vcek.pem",
             "--endorsements", VECTORS / "snp/genoa_ask_ark_asvk.pem", "--now", "2026-06-01T00:00:00Z")
    phala = (VECTORS / "sgx/phala-sgx_quote", "--endorsements", VECTORS / "sgx/phala-sgx_quote_collateral.json",
             "--now", "2025-07-01T00:00:00Z")

    def test_shows_a_verified_report(self):
        for arguments in (self.genoa, self.phala):
            result = self.succeed("attest", "show", *arguments, "--json").json()
            self.assertTrue(result["verified"], result.get("reasons"))
            self.assertFalse(result["claims"]["debug"])

    def test_a_policy_made_of_evidence_accepts_it_and_nothing_else(self):
        for arguments in (self.genoa, self.phala):
            evidence, proof = arguments[0], arguments[1:]
            made = self.succeed("policy", "init", "--from", evidence, *proof, "--out", "made.toml", "--force", "--json")
            # Both have bad news: nobody accepts it by not looking.
            self.assertEqual(len(reasons_of(self.run_tool("attest", "verify", evidence, *proof, "--policy", "made.toml",
                                                          "--json")) - {"policy.not-stated", "policy.not-accepted"}), 0)
            self.decide("made.toml")
            relaxed = self.succeed("policy", "check", "made.toml", "--json").json()["relaxed"]
            for name in made.json()["undecided"]:
                self.assertTrue(any(f": {name} may " in line for line in relaxed), name)
            self.succeed("policy", "test", "made.toml", "--evidence", evidence, *proof)
            self.succeed("attest", "verify", evidence, *proof, "--policy", "made.toml")
            self.fail_with(REFUSED, "accepts what it was to refuse", "policy", "test", "made.toml", "--evidence",
                           evidence, *proof, "--expect", "refuse")

    def test_an_event_log_comes_with_the_memory_set_aside_for_it(self):
        quote, log = VECTORS / "tdx/gotdx-ccel-cos-113-tdx-quote.dat", VECTORS / "tdx/gotdx-ccel-ccel_data.dat"
        self.assertEqual(log.stat().st_size, 256 << 10)
        for name, content in (("tee", b"tdx"), ("quote", quote.read_bytes()), ("event-log", log.read_bytes())):
            self.put(f"items/{name}", content)
        for arguments in ((quote, "--item", f"event-log={log}"), ("items",)):
            shown = self.succeed("attest", "show", *arguments).out
            self.assertIn("\n  event 1 ", shown)  # counted as reasons count them
            self.assertNotIn("\n  event 0 ", shown)

    def test_collateral_that_expired_proves_nothing(self):
        self.put("p.toml", self.lab.policy(MEASUREMENT))
        self.fail_with(NOT_AUTHENTIC, "reason: ", "attest", "verify", *self.phala[:-1], "2026-07-01T00:00:00Z",
                       "--policy", "p.toml")

    def test_a_platform_out_of_date_is_refused_with_its_advisories(self):
        run = self.succeed("policy", "init", "--from", self.phala[0], *self.phala[1:], "--out", "made.toml")
        self.assertIn("undecided    advisories\nundecided    tcb_status\n", run.out)
        self.assertIn("refuses the sample until you decide", run.err)
        run = self.run_tool("attest", "verify", *self.phala, "--policy", "made.toml", "--json")
        self.assertEqual(run.status, REFUSED)
        self.assertEqual(reasons_of(run), {"policy.not-stated", "policy.not-accepted"})


class Show(AttestCase):
    def test_says_that_nothing_is_verified(self):
        run = self.succeed("attest", "show", "e.bin")
        self.assertIn("UNVERIFIED", run.out)
        self.assertIn("SIMULATED", run.out)
        self.assertIn("ab" * 32, run.out)
        result = self.succeed("attest", "show", "e.bin", "--json").json()
        self.assertFalse(result["verified"])
        self.assertNotIn("claims", result)
        self.assertEqual([item["kind"] for item in result["items"]], ["report"])

    def test_shows_claims_once_they_are_proven(self):
        run = self.succeed("attest", "show", "e.bin", "--roots", "roots.toml")
        self.assertIn("VERIFIED: these claims are proven", run.out)
        self.put("roots.toml", Laboratory().roots())
        run = self.succeed("attest", "show", "e.bin", "--roots", "roots.toml")
        self.assertIn("NOT VERIFIED", run.out)
        self.assertIn("simulated.root", run.out)

    def test_shows_every_field_of_a_report(self):
        self.put("report.bin", snp_report())
        run = self.succeed("attest", "show", "report.bin")
        for name in ("measurement", "host_data", "chip_id", "reported_tcb", "report_data", "vmpl"):
            self.assertRegex(run.out, rf"\n  {name} ")
        self.assertIn("11" * 64, run.out)

    def test_shows_what_it_can_of_broken_items(self):
        self.put("e.bin", envelope("tdx", quote=b"x"))
        self.assertIn("cannot be read further", self.succeed("attest", "show", "e.bin").out)

    def test_reads_the_host_s_table_of_certificates_on_azure_too(self):
        der = Authority().der
        vcek = bytes.fromhex("63da758de6644564adc5f4b93be8accd")
        table = vcek + struct.pack("<II", 48, len(der)) + bytes(24) + der
        for tee in ("sev-snp", "azure-sev-snp"):
            self.put("e.bin", envelope(tee, certificates=table))
            run = self.succeed("attest", "show", "e.bin")
            self.assertIn("certificate 0: subject", run.out)
            self.assertNotIn("cannot be read further", run.out)

    def test_no_byte_of_evidence_steers_the_terminal(self):
        self.put("e.bin", envelope("a\x1b[31m", report=b"x"))
        self.assertNotIn("\x1b", self.succeed("attest", "show", "e.bin").out)

    def test_refuses_what_is_no_evidence(self):
        self.put("x", b"hello")
        self.fail_with(MALFORMED, "'x'", "attest", "show", "x")


class Collect(AttestCase):
    def record(self, **files):
        for name, content in files.items():
            self.put(f"recorded/{name}", content)

    def collect(self, *more):
        return ("attest", "collect", "--report-data", BOUND.hex(), "--out", "out.bin", "--source", "recorded", *more)

    def test_a_recorded_report_becomes_an_envelope(self):
        self.record(provider="sev_guest\n", outblob=snp_report(), auxblob=b"table", inblob=BOUND, generation="3\n")
        run = self.succeed(*self.collect("--tee", "sev-snp"))
        self.assertIn("report, 1.2 KiB", run.out)
        self.assertEqual((self.folder / "out.bin").read_bytes(),
                         envelope("sev-snp", report=snp_report(), certificates=b"table"))
        shown = self.succeed("attest", "show", "out.bin", "--json").json()
        self.assertEqual(shown["tee"], "sev-snp")

    def test_a_recorded_folder_is_evidence_itself(self):
        self.record(provider="sev_guest\n", outblob=snp_report())
        self.assertEqual(self.succeed("attest", "show", "recorded", "--json").json()["tee"], "sev-snp")

    def test_refuses_a_recording_of_another_question(self):
        self.record(provider="sev_guest\n", outblob=snp_report(), inblob=bytes(64))
        self.fail_with(REFUSED, "inblob", *self.collect("--tee", "sev-snp"))

    def test_refuses_a_recording_of_another_tee(self):
        self.record(provider="tdx_guest\n", outblob=b"quote")
        self.fail_with(UNSUPPORTED, "'tdx_guest'", *self.collect("--tee", "sev-snp"))

    def test_reads_gramine_and_nitro(self):
        self.record(attestation_type="dcap\n", quote=b"a quote", user_report_data=BOUND)
        self.succeed(*self.collect("--tee", "sgx"))
        self.record(response=bytes.fromhex("a16b4174746573746174696f6ea168646f63756d656e74420102"))
        self.succeed(*self.collect("--tee", "nitro", "--force"))
        self.assertEqual((self.folder / "out.bin").read_bytes(), envelope("nitro", document=b"\1\2"))

    def test_never_pads_or_cuts_report_data(self):
        self.record(provider="sev_guest\n", outblob=snp_report())
        for size in (1, 32, 63, 65):
            self.fail_with(USAGE, "64", "attest", "collect", "--tee", "sev-snp", "--report-data", "ab" * size, "--out",
                           "out.bin", "--source", "recorded")

    def test_collects_nothing_simulated(self):
        self.record(provider="sev_guest\n", outblob=b"x")
        self.fail_with(USAGE, "'simulated' is not collected", *self.collect("--tee", "simulated"))

    def test_keeps_a_file_that_is_there(self):
        self.record(provider="sev_guest\n", outblob=snp_report())
        self.put("out.bin", b"mine")
        self.fail_with(IO, "out.bin", *self.collect("--tee", "sev-snp"))

    def test_options_of_a_tpm_go_with_a_tpm(self):
        self.fail_with(USAGE, "--tee tpm", *self.collect("--tee", "sev-snp", "--pcrs", "0,1"))
        self.fail_with(USAGE, "--event-log", *self.collect("--tee", "tpm"))
        self.fail_with(USAGE, "no PCR", "attest", "collect", "--tee", "tpm", "--report-data", "ab", "--out", "x")


@unittest.skipUnless(PROGRAM, "swtpm is not installed")
class CollectFromTpm(AttestCase):
    def setUp(self):
        super().setUp()
        tpm = SoftwareTpm(self.folder.parent / (self.folder.name + "-tpm"))
        self.addCleanup(lambda: (tpm.stop(), shutil.rmtree(tpm.folder)))
        self.tcti = tpm.tcti
        for pcr in (0, 1, 7):  # what firmware does: PCRs that nobody measured into are refused
            extended = struct.pack(">IH", 1, 0x0b) + bytes([pcr + 1]) * 32
            self.assertEqual(tpm.command(0x182, pcr, extended), 0)

    def test_a_quote_is_believed_once_its_key_is_enrolled(self):
        self.succeed("attest", "collect", "--tee", "tpm", "--tcti", self.tcti, "--pcrs", "0,1,7", "--nonce", BOUND.hex(),
                     "--out", "quote.bin")
        shown = self.succeed("attest", "show", "quote.bin", "--json").json()
        fields = {(item["kind"], field["name"]): field["value"] for item in shown["items"] for field in item["fields"]}
        self.assertEqual(fields["tpm-quote", "extra_data"], BOUND.hex())
        key = hashlib.sha256(bytes.fromhex(fields["ak-public", "key"])).hexdigest()
        proof = ("--report-data", BOUND.hex(), "--roots", "tpm.toml")
        self.put("tpm.toml", 'tpm_attestation_keys = []\n')
        self.put("p.toml", self.lab.policy(MEASUREMENT))
        self.fail_with(NOT_AUTHENTIC, "reason: ", "attest", "verify", "quote.bin", *proof, "--policy", "p.toml")
        # A key alone says nothing about the TPM that it lives in.
        self.put("tpm.toml", f'tpm_attestation_keys = ["sha256:{key}"]\n')
        made = self.succeed("policy", "init", "--from", "quote.bin", *proof, "--out", "made.toml", "--json").json()
        self.assertEqual(made["undecided"], ["ek_name"])
        self.fail_with(USAGE, "ek_name", "attest", "verify", "quote.bin", *proof, "--policy", "made.toml")
        self.decide("made.toml")
        self.succeed("attest", "verify", "quote.bin", *proof, "--policy", "made.toml")
        ek_name = "000b" + "22" * 32
        self.put("tpm.toml", f'[[tpm_enrolments]]\nattestation_key = "sha256:{key}"\n'
                 f'ak_name = "{fields["ak-public", "name"]}"\nek_name = "{ek_name}"\n')
        self.succeed("policy", "init", "--from", "quote.bin", *proof, "--out", "made.toml", "--force")
        self.assertIn(f'ek_name = {{ accept = ["{ek_name}"] }}\n', (self.folder / "made.toml").read_text())
        result = self.succeed("attest", "verify", "quote.bin", *proof, "--policy", "made.toml", "--json").json()
        self.assertEqual(result["claims"]["ek_name"], ek_name)
        self.succeed("policy", "test", "made.toml", "--evidence", "quote.bin", *proof)
        self.assertEqual(self.succeed("attest", "show", "quote.bin", *proof, "--json").json()["claims"]["ek_name"], ek_name)
        self.put("tpm.toml", (self.folder / "tpm.toml").read_text().replace(ek_name, "000b" + "33" * 32))
        self.fail_with(REFUSED, r"policy\.not-accepted: ek_name", "attest", "verify", "quote.bin", *proof, "--policy",
                       "made.toml")
        self.fail_with(NOT_AUTHENTIC, "reason: ", "attest", "verify", "quote.bin", "--report-data", "00" * 64, "--roots",
                       "tpm.toml", "--policy", "made.toml")


class Measure(AttestCase):
    def test_sgx(self):
        content, mrsigner = sigstruct(MEASUREMENT)
        self.put("enclave.sig", content)
        run = self.succeed("attest", "measure", "sgx", "enclave.sig")
        self.assertIn(f'mrenclave = {{ accept = ["{"ab" * 32}"] }}\n', run.out)
        self.assertIn(f'mrsigner = {{ accept = ["{mrsigner}"] }}\n', run.out)
        result = self.succeed("attest", "measure", "sgx", "enclave.sig", "--json").json()
        self.assertEqual((result["claims"]["isv_prod_id"], result["claims"]["isv_svn"]), (5, 7))

    def test_sgx_enclaves_for_debugging(self):
        self.put("enclave.sig", sigstruct(MEASUREMENT, debug=True)[0])
        self.assertIn("debugged", self.succeed("attest", "measure", "sgx", "enclave.sig").err)

    def test_sgx_refuses_what_is_not_signed(self):
        content = sigstruct(MEASUREMENT)[0]
        for offset, status in ((0, MALFORMED), (512, MALFORMED), (600, NOT_AUTHENTIC), (960, NOT_AUTHENTIC),
                               (1026, NOT_AUTHENTIC), (20, NOT_AUTHENTIC)):
            self.put("enclave.sig", content)
            self.flip(self.folder / "enclave.sig", offset)
            self.fail_with(status, "SIGSTRUCT", "attest", "measure", "sgx", "enclave.sig")
        self.put("enclave.sig", content[:-1])
        self.fail_with(MALFORMED, "1807", "attest", "measure", "sgx", "enclave.sig")

    def test_launch(self):
        first = self.succeed("attest", "measure", "launch", "--trust", "vendor.pub", "--json").json()
        self.assertEqual(first["mrconfigid"], first["host_data"] + "00" * 16)
        other = self.succeed("attest", "measure", "launch", "--trust", "stranger.pub", "--json").json()
        self.assertNotEqual(first["launch"], other["launch"])
        narrowed = self.succeed("attest", "measure", "launch", "--trust", "vendor.pub", "--top-1", "--json").json()
        self.assertNotEqual(first["launch"], narrowed["launch"])
        self.fail_with(USAGE, "contradict", "attest", "measure", "launch", "--trust", "vendor.pub", "--top-1",
                       "--rounded", "2")
        self.fail_with(USAGE, "role", "attest", "measure", "launch", "--trust", "vendor.pub", "--broker-key",
                       "device.pub")

    def test_snp_needs_its_files(self):
        self.fail_with(USAGE, "--kernel", "attest", "measure", "snp", "--firmware", "e.bin", "--cpu", "EPYC-Milan",
                       "--append", "quiet")
        self.fail_with(IO, "absent", "attest", "measure", "snp", "--firmware", "absent", "--cpu", "EPYC-Milan")
        self.fail_with(MALFORMED, "e.bin", "attest", "measure", "snp", "--firmware", "e.bin", "--cpu", "EPYC-Milan-v2")
        self.fail_with(USAGE, "8086", "attest", "measure", "snp", "--firmware", "e.bin", "--cpu", "8086")

    def test_snp_takes_a_processor_by_its_model_or_its_signature(self):
        snp = ("attest", "measure", "snp", "--firmware", "e.bin")
        for processor in (("--cpu", "EPYC-Turin-v3"), ("--cpu-signature", "25,1,1"), ("--cpu-signature", "0x1a,0x11,0")):
            self.fail_with(MALFORMED, "e.bin", *snp, *processor)
        for processor in ((), ("--cpu", "EPYC-Milan", "--cpu-signature", "25,1,1"), ("--cpu-signature", "25,1"),
                          ("--cpu-signature", "25,1,16"), ("--cpu-signature", "271,1,1"), ("--cpu-signature", "x")):
            self.fail_with(USAGE, "cpu", *snp, *processor)

    def test_wants_a_subject(self):
        self.assertEqual(self.run_tool("attest", "measure").status, USAGE)


if __name__ == "__main__":
    unittest.main()
