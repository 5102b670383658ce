# SPDX-License-Identifier: Apache-2.0
"""`sealpack policy`: policies written, checked, shown and tried, as its users run it."""

import unittest

from evidence_maker import Laboratory
from sealpack_case import IO, MALFORMED, NOT_AUTHENTIC, REFUSED, USAGE, SealpackCase

MEASUREMENT = bytes([0xab]) * 32
PROOF = ("--roots", "roots.toml")


class PolicyCase(SealpackCase):
    def setUp(self):
        super().setUp()
        self.lab = Laboratory()
        (self.folder / "e.bin").write_bytes(self.lab.evidence(MEASUREMENT, b"bound"))
        (self.folder / "other.bin").write_bytes(self.lab.evidence(bytes(32), b"bound"))
        (self.folder / "roots.toml").write_text(self.lab.roots())
        (self.folder / "p.toml").write_text(self.lab.policy(MEASUREMENT))

    def write(self, text, name="p.toml"):
        (self.folder / name).write_text(text)


class Init(PolicyCase):
    def test_accepts_exactly_what_the_sample_proves(self):
        run = self.succeed("policy", "init", "--from", "e.bin", *PROOF, "--out", "made.toml")
        self.assertIn("SIMULATED", run.out)
        text = (self.folder / "made.toml").read_text()
        self.assertIn(f'measurement = {{ accept = ["{"ab" * 32}"] }}', text)
        self.assertIn("# As proven by 'e.bin'", text)
        self.succeed("policy", "check", "made.toml")
        self.succeed("policy", "test", "made.toml", "--evidence", "e.bin", *PROOF, "--lab")
        self.succeed("policy", "test", "made.toml", "--evidence", "other.bin", *PROOF, "--lab", "--expect", "refuse")

    def test_takes_several_samples(self):
        self.succeed("policy", "init", "--from", "e.bin", "--from", "other.bin", *PROOF, "--out", "made.toml")
        for evidence in ("e.bin", "other.bin"):
            self.succeed("policy", "test", "made.toml", "--evidence", evidence, *PROOF, "--lab")

    def test_makes_no_policy_of_what_is_not_proven(self):
        self.fail_with(NOT_AUTHENTIC, r"simulated\.root", "policy", "init", "--from", "e.bin", "--out", "made.toml")

    def test_a_template_has_to_be_filled_in(self):
        for tee in ("sev-snp", "tdx", "sgx", "nitro", "psa", "cca", "tpm", "nvidia-gpu", "azure-sev-snp", "azure-tdx",
                    "simulated"):
            run = self.succeed("policy", "init", "--tee", tee, "--out", "made.toml", "--force")
            self.assertIn("fill in", run.err)
            self.assertEqual(self.run_tool("policy", "check", "made.toml").status, MALFORMED, tee)
        text = (self.folder / "made.toml").read_text()
        self.assertIn('measurement = { accept = [""] }  # hex, 32 bytes', text)

    def test_a_template_has_what_everybody_wants(self):
        self.succeed("policy", "init", "--tee", "sgx", "--out", "made.toml")
        text = (self.folder / "made.toml").read_text()
        self.assertIn("debug = { accept = [false] }", text)
        self.assertIn('tcb_status = { accept = ["UpToDate"] }', text)
        filled = (text.replace('mrenclave = { accept = [""]', f'mrenclave = {{ accept = ["{"ab" * 32}"]')
                  .replace('mrsigner = { accept = [""]', f'mrsigner = {{ accept = ["{"cd" * 32}"]')
                  .replace("isv_prod_id = { accept = []", "isv_prod_id = { accept = [1]")
                  .replace("isv_svn = { minimum = 0", "isv_svn = { minimum = 3"))
        self.write(filled)
        self.assertIn("0 relaxed", self.succeed("policy", "check", "p.toml").out)

    def test_refuses_a_bad_command_line(self):
        self.fail_with(USAGE, "--from", "policy", "init", "--out", "made.toml")
        self.fail_with(USAGE, "'quantum'", "policy", "init", "--tee", "quantum", "--out", "made.toml")
        self.fail_with(IO, "p.toml", "policy", "init", "--tee", "sgx", "--out", "p.toml")


class Check(PolicyCase):
    def test_names_what_is_relaxed(self):
        result = self.succeed("policy", "check", "p.toml", "--json").json()
        self.assertEqual((result["valid"], result["environments"]), (True, 1))
        self.assertEqual(len(result["relaxed"]), 1)
        self.write('[anyone]\nbecause = "a test"\n')
        self.assertIn("nothing is attested, because 'a test'", self.succeed("policy", "check", "p.toml").out)

    def test_refuses_with_the_place(self):
        self.write(self.lab.policy(MEASUREMENT) + 'debug = { accept = [false] }\n')
        self.fail_with(MALFORMED, r"p\.toml:6:1: ", "policy", "check", "p.toml")
        self.write('[[environment]]\ntee = "simulated"\n')
        self.fail_with(USAGE, "measurement, root", "policy", "check", "p.toml")
        self.write("")
        self.fail_with(USAGE, "nobody", "policy", "check", "p.toml")
        self.fail_with(IO, "absent", "policy", "check", "absent")

    def test_takes_a_maximum_of_a_number_alone(self):
        nitro = '[[environment]]\ntee = "nitro"\n[environment.claims]\ndebug = { accept = [false] }\n' + "".join(
            f'pcr{i} = {{ ignore = "a test" }}\n' for i in range(3))
        self.write(nitro + "age = { maximum = 300 }\n")
        self.succeed("policy", "check", "p.toml")
        self.assertIn("age: at most 300", self.succeed("policy", "show", "p.toml").out)
        self.write(nitro + "age = { maximum = 0 }\n")
        self.fail_with(MALFORMED, r"accept = \[0\]", "policy", "check", "p.toml")
        self.write(nitro + 'module_id = { maximum = 3 }\n')
        self.fail_with(MALFORMED, "no number", "policy", "check", "p.toml")


class Show(PolicyCase):
    def test_says_it_in_lines_for_people(self):
        run = self.succeed("policy", "show", "p.toml")
        self.assertIn("whoever proves an environment of type 'simulated' (SIMULATED: protects nothing)", run.out)
        self.assertIn("relaxed      simulated: SIMULATED environments protect nothing", run.out)

    def test_names_debug_migration_and_what_is_ignored(self):
        claims = {"debug": "{ accept = [false, true] }", "migratable": "{ accept = [true] }",
                  "sept_ve_disable": "{ accept = [false] }", "tcb_status": '{ accept = ["OutOfDate", "UpToDate"] }',
                  "tee_tcb_svn": "{ minimum = 3 }", "advisories": '{ accept = ["INTEL-SA-00289"] }'}
        for name in ("mrconfigid", "mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3"):
            claims[name] = '{ ignore = "a test" }'
        self.write('[[environment]]\ntee = "tdx"\n[environment.claims]\n'
                   + "".join(f"{name} = {rule}\n" for name, rule in claims.items()))
        relaxed = self.succeed("policy", "show", "p.toml", "--json").json()["relaxed"]
        self.assertEqual(len(relaxed), 11)
        text = "\n".join(relaxed)
        for part in ("debug may be true", "migratable may be true", "sept_ve_disable may be false",
                     "tcb_status may be 'OutOfDate':", "advisories may say 'INTEL-SA-00289'",
                     "mrtd may be anything, because 'a test'"):
            self.assertIn(part, text)

    def test_says_bits_and_what_must_occur(self):
        psa = ('[[environment]]\ntee = "psa"\n[environment.claims]\nclient_id = { accept = ["5"] }\n'
               'implementation_id = { ignore = "a test" }\n'
               'security_lifecycle = { accept = ["secured"] }\n')
        self.write(psa + f'measurement = {{ require = ["{"ab" * 32}"], accept = ["{"cd" * 32}"] }}\n')
        self.assertIn(f'measurement: "{"ab" * 32}", besides only "{"cd" * 32}"',
                      self.succeed("policy", "show", "p.toml").out)
        tdx = "".join(f'{name} = {{ ignore = "a test" }}\n' for name in (
            "debug", "migratable", "mrconfigid", "mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "sept_ve_disable",
            "tcb_status", "tee_tcb_svn"))
        tdx = '[[environment]]\ntee = "tdx"\n[environment.claims]\n' + tdx
        self.write(tdx + 'xfam = { allow_bits = "e700060000000000" }\ntd_attributes = { require_bits = "0000001000000000" }\n')
        shown = self.succeed("policy", "show", "p.toml").out
        self.assertIn("xfam: no bits but e700060000000000", shown)
        self.assertIn("td_attributes: the bits 0000001000000000 are set", shown)
        self.write(tdx + 'xfam = { allow_bits = "e7" }\n')
        self.fail_with(MALFORMED, "8 bytes", "policy", "check", "p.toml")
        self.write(tdx + 'service_td = { accept = [true] }\n')
        self.fail_with(MALFORMED, "leave the rule out", "policy", "check", "p.toml")
        self.write(tdx + 'service_td = { ignore = "our own migration TD" }\n')
        self.assertIn("service_td may be anything, because 'our own migration TD'",
                      self.succeed("policy", "check", "p.toml").out)

    def test_shows_the_policy_of_a_bundle(self):
        self.build_attested()
        run = self.succeed("policy", "show", "b.seal")
        self.assertIn("CLAIMED", run.out)
        self.assertIn("cd" * 32, run.out)
        self.assertIn("signed by whom --trust names",
                      self.succeed("policy", "show", "b.seal", "--trust", "vendor.pub").out)
        self.fail_with(NOT_AUTHENTIC, "b.seal", "policy", "show", "b.seal", "--trust", "stranger.pub")
        self.build("anyone.seal")
        self.assertIn("nothing is attested", self.succeed("policy", "show", "anyone.seal").out)


class Test(PolicyCase):
    def run_test(self, *more):
        return ("policy", "test", "p.toml", "--evidence", "e.bin", *PROOF, *more)

    def test_accepts_and_refuses_as_expected(self):
        self.assertIn("accepts 'e.bin'", self.succeed(*self.run_test("--lab")).out)
        self.succeed(*self.run_test("--lab", "--expect", "accept"))
        self.fail_with(REFUSED, "accepts what it was to refuse", *self.run_test("--lab", "--expect", "refuse"))
        self.write(self.lab.policy(bytes(32)))
        run = self.succeed(*self.run_test("--lab", "--expect", "refuse"))
        self.assertIn("policy.not-accepted: measurement is " + "ab" * 32, run.out)
        self.fail_with(REFUSED, r"reason: policy\.not-accepted", *self.run_test("--lab"))

    def test_says_which_environment_a_reason_is_about(self):
        self.write(self.lab.policy(bytes(32)) + "\n" + self.lab.policy(b"\1" * 32))
        run = self.run_tool(*self.run_test("--lab", "--json"))
        self.assertEqual(run.status, REFUSED)
        error = run.json()["error"]
        self.assertEqual([reason["text"][:15] for reason in error["reasons"]], ["environment 1: "])
        self.assertEqual([reason["text"][:15] for reason in error["other_reasons"]], ["environment 2: "])
        self.assertNotIn("environment 2", run.err)
        self.assertIn("2: whoever proves", self.succeed("policy", "show", "p.toml").out)

    def test_json_has_the_reasons(self):
        result = self.succeed(*self.run_test("--expect", "refuse", "--json")).json()
        self.assertEqual([reason["code"] for reason in result["reasons"]], ["policy.simulated"])

    def test_asks_no_policy_about_evidence_that_is_not_proven(self):
        self.flip(self.folder / "e.bin", -1)
        for expect in ("accept", "refuse"):
            self.fail_with(NOT_AUTHENTIC, r"simulated\.signature", *self.run_test("--lab", "--expect", expect))

    def test_refuses_a_bad_command_line(self):
        self.fail_with(USAGE, "expect", *self.run_test("--expect", "maybe"))
        self.fail_with(USAGE, "--evidence", "policy", "test", "p.toml")
        self.assertEqual(self.run_tool("policy").status, USAGE)


if __name__ == "__main__":
    unittest.main()
