# SPDX-License-Identifier: Apache-2.0
"""What `sealpack attest` and `sealpack policy` say to mistakes: each message names the next step."""

import os
import pathlib
import signal
import subprocess
import unittest

from evidence_maker import Authority, Laboratory, envelope, snp_report
from sealpack_case import IO, MALFORMED, NOT_AUTHENTIC, REFUSED, TOOL, UNSUPPORTED, USAGE, SealpackCase

MEASUREMENT = bytes([0xab]) * 32
BOUND = bytes(range(64))
VECTORS = pathlib.Path(os.environ.get("SEALPACK_VECTORS", "/nonexistent")) / "attest"


class MistakeCase(SealpackCase):
    def setUp(self):
        super().setUp()
        self.lab = Laboratory()
        self.put("e.bin", self.lab.evidence(MEASUREMENT, BOUND))
        self.put("report.bin", snp_report())
        self.put("roots.toml", self.lab.roots())
        self.put("policy.toml", self.lab.policy(MEASUREMENT))
        self.put("endorsements/ark.pem", Authority().pem)

    def put(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def hint(self, expected, status, *arguments):
        self.fail_with(status, rf"hint: .*{expected}", *arguments)

    def verify(self, evidence="e.bin", *more):
        return ("attest", "verify", evidence, "--policy", "policy.toml", *more)


class NotProven(MistakeCase):
    def test_what_the_manufacturer_publishes_is_to_be_fetched(self):
        for verb in (self.verify("report.bin"), ("policy", "init", "--from", "report.bin", "--out", "made.toml"),
                     ("policy", "test", "policy.toml", "--evidence", "report.bin")):
            self.hint("attest fetch .*--endorsements", NOT_AUTHENTIC, *verb)

    def test_whom_nobody_publishes_is_to_be_named(self):
        self.hint("--roots", NOT_AUTHENTIC, *self.verify())

    def test_an_item_that_is_missing_is_to_be_given(self):
        self.put("e.bin", envelope("azure-sev-snp", hcl_report=b"x"))
        self.hint("--item", MALFORMED, *self.verify())

    def test_a_question_of_another_length_is_told_by_its_length(self):
        self.put("report.bin", snp_report())
        self.fail_with(NOT_AUTHENTIC, r"64 bytes, and 63 were asked for", *self.verify("report.bin", "--report-data",
                                                                                      BOUND[:63].hex()))

    def test_show_names_the_step_too(self):
        run = self.succeed("attest", "show", "report.bin", "--now", "2026-11-20")
        self.assertIn("NOT VERIFIED", run.out)
        self.assertIn("attest fetch", run.err)
        self.assertNotIn("NOT VERIFIED", self.succeed("attest", "show", "report.bin").out)

    @unittest.skipUnless(VECTORS.is_dir(), "no samples of other projects here")
    def test_what_ended_is_to_be_had_anew_or_judged_at_its_time(self):
        quote, collateral = VECTORS / "sgx/phala-sgx_quote", VECTORS / "sgx/phala-sgx_quote_collateral.json"
        self.hint("--now", NOT_AUTHENTIC, *self.verify(quote, "--endorsements", collateral, "--now", "2026-11-20"))

    @unittest.skipUnless(VECTORS.is_dir(), "no samples of other projects here")
    def test_a_document_of_nitro_is_proven_with_nothing_but_a_time(self):
        run = self.succeed("attest", "show", VECTORS / "nitro/evervault-valid-attestation-doc-bytes", "--now",
                           "2022-10-13T09:00:00Z")
        self.assertIn("\nVERIFIED", run.out)

    @unittest.skipUnless(VECTORS.is_dir(), "no samples of other projects here")
    def test_a_policy_that_misses_lists_says_where_they_are(self):
        given = ["--now", "2026-11-20"]
        for part in ("ark", "ask", "vcek"):
            given += ["--endorsements", VECTORS / f"snp/ms-milan_{part}.pem"]
        report = VECTORS / "snp/ms-milan_attestation_report.bin"
        self.succeed("policy", "init", "--from", report, *given, "--out", "made.toml")
        self.assertRegex((self.folder / "made.toml").read_text(), "CAUTION: .*attest fetch.*\n# revocation_unchecked")
        self.hint("attest fetch", REFUSED, "attest", "verify", report, *given, "--policy", "made.toml")
        self.hint("attest fetch", REFUSED, "policy", "test", "made.toml", "--evidence", report, *given)


class WrongFile(MistakeCase):
    def test_evidence_is_no_endorsement(self):
        self.fail_with(MALFORMED, "report.bin': evidence, ", *self.verify("report.bin", "--endorsements", "report.bin"))

    def test_an_endorsement_is_no_evidence(self):
        self.hint("--endorsements", MALFORMED, *self.verify("endorsements/ark.pem"))
        self.hint("--endorsements", MALFORMED, *self.verify("endorsements"))

    def test_a_report_that_was_cut_has_its_length_told(self):
        self.put("cut.bin", snp_report()[:1000])
        self.fail_with(MALFORMED, "1000 bytes .*SEV-SNP.* 1184", *self.verify("cut.bin"))
        self.put("cut.hex", snp_report()[:1000].hex())
        self.fail_with(MALFORMED, "1000 bytes .*SEV-SNP.* 1184", *self.verify("cut.hex"))

    def test_a_quote_that_is_a_web_token_is_told_from_garbage(self):
        self.put("dice.bin", b"\xd8\x3d\xd2\x84" + bytes(300))
        self.hint("DCAP quote", UNSUPPORTED, *self.verify("dice.bin"))

    def test_a_folder_is_no_file(self):
        self.fail_with(IO, "endorsements' is a folder", "policy", "check", "endorsements")
        self.fail_with(IO, "endorsements' is a folder", "attest", "measure", "sgx", "endorsements")

    def test_a_pipe_is_to_be_written_to_a_file(self):
        os.mkfifo(self.folder / "pipe")
        self.hint("to a file first", IO, *self.verify("pipe"))

    def test_a_quote_is_no_signature_of_an_enclave(self):
        for size in (100, 4600):
            self.put("quote.bin", bytes(size))
            run = self.run_tool("attest", "measure", "sgx", "quote.bin")
            self.assertIn("hint: the .sig file", run.err)

    def test_a_recording_that_is_not_there_is_named(self):
        for source in ("absent", "e.bin"):
            self.fail_with(IO, f"'{source}' is no folder", "attest", "collect", "--tee", "sev-snp", "--report-data",
                           BOUND.hex(), "--out", "out.bin", "--source", source)


class WrongText(MistakeCase):
    def test_hex_has_no_prefix_and_is_no_base64(self):
        for text in ("0x" + BOUND.hex(), "AAEC+w==", BOUND.hex()[1:]):
            self.hint("no 0x", USAGE, *self.verify("e.bin", "--report-data", text))
            self.hint("no 0x", USAGE, "attest", "collect", "--tee", "sev-snp", "--out", "o", "--report-data", text)
        self.fail_with(USAGE, "not 65", *self.verify("e.bin", "--report-data", "ab" * 65))

    def test_windows_line_ends_change_nothing(self):
        for name in ("policy.toml", "roots.toml", "endorsements/ark.pem"):
            self.put(name, (self.folder / name).read_bytes().replace(b"\n", b"\r\n"))
        self.put("e.bin", "\r\n".join([self.lab.evidence(MEASUREMENT, BOUND).hex(), ""]))
        self.succeed(*self.verify("e.bin", "--roots", "roots.toml", "--endorsements", "endorsements", "--lab"))

    def test_a_claim_with_a_typo_gets_the_one_that_was_meant(self):
        self.put("policy.toml", self.lab.policy(MEASUREMENT).replace("measurement", "mesurement"))
        self.hint("'measurement'", MALFORMED, "policy", "check", "policy.toml")

    def test_a_rule_of_no_form_gets_the_forms(self):
        for rule in ("true", "{ acept = [1] }", "{ accept = 1 }"):
            self.put("policy.toml", f'[[environment]]\ntee = "sgx"\n[environment.claims]\ndebug = {rule}\n')
            self.hint("accept = ", MALFORMED, "policy", "check", "policy.toml")


class WrongCommandLine(MistakeCase):
    def test_the_help_of_the_verb_that_was_meant_is_named(self):
        for verb, given in (("attest measure snp", ("--vcpus", "2")), ("attest measure", ()), ("policy", ("chek", "x")),
                            ("attest verify", ("e.bin", "--polcy", "p.toml"))):
            self.hint(f"sealpack {verb} --help", USAGE, *verb.split(), *given)
        self.fail_with(USAGE, "--policy is required", "attest", "verify", "e.bin", "--lab")

    def test_an_option_without_a_value_is_not_one_that_was_left_out(self):
        """As of a script whose variable is empty: `--report-data "$NONCE"` that compares nothing."""
        proven = self.verify("e.bin", "--roots", "roots.toml", "--lab")
        self.succeed(*proven)
        for option in ("--report-data", "--gpu-nonce", "--now", "--endorsements", "--min-tcb-evaluation", "--item"):
            self.fail_with(USAGE, f"{option} .*empty", *proven, option, "")
        self.fail_with(USAGE, "--roots .*empty", *self.verify("e.bin", "--roots", ""))

    def test_a_verb_that_there_is_not_is_named(self):
        self.fail_with(USAGE, "there is no verb 'policy chek'", "policy", "chek", "policy.toml")
        self.fail_with(USAGE, "there is no verb 'attest measure snpp'", "attest", "measure", "snpp")


class Pipes(MistakeCase):
    def test_who_has_read_enough_hears_no_complaint(self):
        ours, theirs = os.pipe()
        os.close(ours)
        with os.fdopen(theirs, "wb") as unread:
            done = subprocess.run([TOOL, "attest", "show", "report.bin"], cwd=self.folder, stdout=unread,
                                  stderr=subprocess.PIPE, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (-signal.SIGPIPE, b""))


if __name__ == "__main__":
    unittest.main()
