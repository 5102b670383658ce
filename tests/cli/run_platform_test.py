# SPDX-License-Identifier: Apache-2.0
"""`sealpack run --tee vm --platform`: a machine that its processor proves, without a TPM."""

import hashlib
import os
import pathlib
import subprocess
import time
import unittest

from broker_case import BrokerCase
from run_case import read_npy
from sealpack_case import IO, MALFORMED, OK, REFUSED, TOOL, UNSUPPORTED, USAGE
from snp_machine import Guest, Processor

SAMPLES = pathlib.Path(os.environ["SEALPACK_VECTORS"]) / "attest/tdx"
TDX_POLICY = """
[[environment]]
tee = "tdx"
[environment.claims]
""" + "".join(f'{claim} = {{ ignore = "a test" }}\n' for claim in (
    "debug", "migratable", "mrconfigid", "mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "sept_ve_disable",
    "tcb_status", "tee_tcb_svn"))


class PlatformCase(BrokerCase):
    """`snp.seal`, which opens in one guest, and a broker that believes its processor."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        made = cls.folder
        cls.processor = Processor()
        (made / "snp.toml").write_text(cls.processor.policy())
        (made / "broker/roots.toml").write_text(cls.processor.roots())
        cls.processor.write_endorsements(made / "broker/endorsements")
        config = made / "broker/broker.toml"
        kept = [line for line in config.read_text().splitlines(True)
                if not line.startswith(("roots", "endorsements"))]
        config.write_text('roots = "roots.toml"\nendorsements = "endorsements"\n' + "".join(kept))
        for arguments in (("build", "net.onnx", "--out", "snp.seal", "--signer", "vendor.key", "--to",
                           "broker/broker.pub", "--product", "guests", "--counter", "1", "--policy",
                           "snp.toml", "-q"),
                          ("broker", "add", "snp.seal", "--dir", "broker", "--trust", "vendor.pub", "-q")):
            run = cls.run_in(made, *arguments)
            assert run.status == OK, run.err

    @staticmethod
    def command(server, *more, platform="sev-snp"):
        return ("run", "snp.seal", "--trust", "vendor.pub", "--tee", "vm", "--platform", platform, "--broker",
                server.url, "--broker-key", "broker/grants.pub", "--broker-ca", "broker/tls.crt", "--input",
                "x.npy", "--output", "y.npy", "--force", *more)


class InAGuest(PlatformCase):
    def setUp(self):
        super().setUp()
        self.processor = Processor()
        self.processor.__dict__.update(type(self).processor.__dict__)  # a test changes its own
        self.guest = Guest(self.processor, self.folder.parent / (self.folder.name + "-tsm"))
        self.addCleanup(self.end_guest)

    def end_guest(self):
        self.guest.stop()
        (self.guest.folder / "processor").unlink()
        self.guest.folder.rmdir()  # no entry is left

    def run_inside(self, server, *more, **how):
        return self.run_in(self.folder, *self.command(server, *more, **how), env=self.guest.environment())

    def test_the_processors_report_brings_the_key(self):
        run = self.run_inside(self.serve(), "--json")
        self.assertEqual(run.status, OK, run.err)
        self.assertIs(run.json()["tee"]["simulated"], False)
        self.assertEqual(run.json()["tee"]["platform"], "sev-snp")
        self.succeed("run", "net.onnx", "--tee", "none", "--input", "x.npy", "--output", "clear.npy")
        inside, clear = (read_npy((self.folder / name).read_bytes())[0] for name in ("y.npy", "clear.npy"))
        self.assertEqual(inside[1], clear[1])
        for one, other in zip(inside[2], clear[2]):
            self.assertAlmostEqual(one, other, delta=1e-4)

    def test_receipts_have_the_hash_of_what_booted_whatever_was_asked(self):
        run = self.run_inside(self.serve(), "--json")
        self.assertEqual(run.status, OK, run.err)
        self.assertEqual(run.json()["tee"]["measurement"],
                         "sha256:" + hashlib.sha256(self.processor.measurement).hexdigest())
        self.assertEqual(self.guest.asked[0], bytes(64))
        self.assertEqual(len(set(self.guest.asked)), len(self.guest.asked))
        self.assertGreater(len(self.guest.asked), 1)

    def test_another_image_gets_no_key(self):
        self.processor.measurement = b"\x3f" * 48
        run = self.run_inside(self.serve())
        self.assertEqual(run.status, REFUSED, run.err)
        self.assertIn("policy.not-accepted", run.err)
        self.assertFalse((self.folder / "y.npy").exists())

    def test_another_processor_gets_no_key(self):
        self.processor.vcek = Processor().vcek
        run = self.run_inside(self.serve())
        self.assertEqual(run.status, REFUSED, run.err)
        self.assertIn("snp.signature", run.err)

    def test_gpus_that_cannot_be_asked_bring_no_key(self):
        server = self.serve()
        run = self.run_inside(server, "--gpus", "--nvml", "none.so")
        self.assertEqual(run.status, UNSUPPORTED, run.err)
        self.assertIn("collecting nvidia-gpu evidence", run.err)
        self.assertFalse((self.folder / "y.npy").exists())

    def test_another_platform_than_it_is_says_so(self):
        for platform in ("tdx", "cca"):
            run = self.run_inside(self.serve(), platform=platform)
            self.assertEqual(run.status, UNSUPPORTED, run.err)
            self.assertIn("'sev_guest', and not of", run.err)


class Recordings(PlatformCase):
    def record(self, **attributes):
        (self.folder / "recorded").mkdir()
        for name, content in attributes.items():
            (self.folder / "recorded" / name).write_bytes(content)

    def test_lead_nowhere(self):
        self.record(provider=b"sev_guest\n", outblob=self.processor.report(b"\xda" * 64))
        server = self.serve()
        run = self.run_tool(*self.command(server, "--source", "recorded"))
        self.assertEqual(run.status, REFUSED, run.err)
        self.assertIn("snp.report-data", run.err)
        self.assertFalse((self.folder / "y.npy").exists())

    def test_of_a_question_are_no_answer_to_another(self):
        self.record(provider=b"sev_guest\n", outblob=self.processor.report(b"\xda" * 64), inblob=b"\xda" * 64)
        self.fail_with(REFUSED, "recorded for something else",
                       *self.command(self.serve(), "--source", "recorded"))

    def test_that_are_none_are_named(self):
        self.fail_with(IO, "'recorded' is no folder", *self.command(self.serve(), "--source", "recorded"))
        self.record(provider=b"sev_guest\n", outblob=b"report")
        self.fail_with(MALFORMED, "what this machine booted", *self.command(self.serve(), "--source", "recorded"))


@unittest.skipUnless(SAMPLES.is_dir(), f"no samples in {SAMPLES}")
class RecordedTrustDomain(BrokerCase):
    """A real quote and the log of the firmware behind it, as if they were of now."""

    def setUp(self):
        super().setUp()
        for folder in ("recorded", "usb"):
            (self.folder / folder).mkdir()
        self.quote = (SAMPLES / "gotdx-ccel-cos-113-tdx-quote.dat").read_bytes()
        self.log = (SAMPLES / "gotdx-ccel-ccel_data.dat").read_bytes()
        for name, content in (("provider", b"tdx_guest\n"), ("outblob", self.quote), ("event_log", self.log)):
            (self.folder / "recorded" / name).write_bytes(content)
        (self.folder / "tdx.toml").write_text(TDX_POLICY)
        self.succeed("build", "net.onnx", "--out", "tdx.seal", "--signer", "vendor.key", "--to",
                     "broker/broker.pub", "--product", "domains", "--counter", "1", "--policy", "tdx.toml")
        self.broker("add", "tdx.seal", "--trust", "vendor.pub")

    def run_over_files(self, *more):
        """What the run says at its end, and what it sent."""
        command = [TOOL, "run", "tdx.seal", "--trust", "vendor.pub", "--tee", "vm", "--platform", "tdx", "--source",
                   "recorded", "--broker-files", "usb", "--broker-key", "broker/grants.pub", "--input", "x.npy",
                   "--output", "y.npy", *more]
        with subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True) as run:
            for asked, given in (("challenge-request", "challenge"), ("release-request", "grant")):
                path = self.folder / f"usb/exchange-1.{asked}"
                deadline = time.monotonic() + 300
                while not path.exists() and run.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.05)
                self.run_tool("broker", "answer", path, "--out", f"usb/exchange-1.{given}", "--dir", "broker")
            try:
                said = run.communicate(timeout=600)[1]
            finally:
                run.kill()
        self.assertEqual(run.returncode, REFUSED, said)
        self.assertFalse((self.folder / "y.npy").exists())
        return said, (self.folder / "usb/exchange-1.release-request").read_bytes()

    def test_goes_to_the_broker_which_asks_for_more_than_a_quote(self):
        said, sent = self.run_over_files()
        self.assertIn("dcap.tcb-info-missing", said)
        self.assertIn(self.quote[:4096], sent)
        self.assertNotIn(self.log[:4096], sent)

    def test_has_its_event_log_beside_it_where_that_is_asked_for(self):
        _, sent = self.run_over_files("--platform-event-log")
        self.assertIn(self.quote[:4096], sent)
        self.assertIn(self.log[:4096], sent)


class Options(PlatformCase):
    def refused(self, pattern, *more):
        self.fail_with(USAGE, pattern, "run", "snp.seal", "--trust", "vendor.pub", "--broker-key",
                       "broker/grants.pub", "--input", "x.npy", "--output", "y.npy", *more)

    def test_of_a_tpm_do_not_go_with_another_platform(self):
        for option in (("--tpm", "device:/dev/tpmrm0"), ("--tpm-key", "d.tpmkey"), ("--tpm-pcrs", "0"),
                       ("--tpm-event-log", "log"), ("--tpm-password-file", "password"), ("--confirm",)):
            for platform in ("cca", "nitro", "sev-snp", "tdx"):
                self.refused(f"are of a TPM, and --platform is {platform}", "--tee", "vm", "--platform", platform,
                             "--broker-files", ".", *option)

    def test_of_another_platform_do_not_go_with_a_tpm(self):
        for platform in ((), ("--platform", "tpm")):
            self.refused("--source goes with --platform cca, nitro, sev-snp or tdx", "--tee", "vm", *platform,
                         "--broker-files", ".", "--source", ".")
            self.refused("--platform-event-log goes with --platform tdx", "--tee", "vm", *platform,
                         "--broker-files", ".", "--platform-event-log")
        self.refused("--platform-event-log goes with --platform tdx", "--tee", "vm", "--platform", "sev-snp",
                     "--broker-files", ".", "--platform-event-log")

    def test_of_gpus_go_with_what_may_have_some(self):
        for platform in ("cca", "nitro", "tpm"):
            self.refused("--gpus goes with --platform sev-snp or tdx", "--tee", "vm", "--platform", platform,
                         "--broker-files", ".", "--gpus")
        self.refused("--nvml requires --gpus", "--tee", "vm", "--platform", "tdx", "--broker-files", ".", "--nvml", "x")

    def test_of_a_machine_do_not_go_with_a_process(self):
        for option in (("--platform", "tdx"), ("--source", "."), ("--platform-event-log",), ("--gpus",),
                       ("--tpm-pcrs", "0")):
            self.refused("go with --tee vm", "--broker-files", ".", "--evidence-key", "sim.key", *option)

    def test_name_a_platform_that_machines_have_and_a_broker(self):
        for platform in ("sgx", "simulated", "SEV-SNP", "azure-sev-snp", ""):
            self.refused("--platform", "--tee", "vm", "--broker-files", ".", "--platform", platform)
        self.fail_with(USAGE, "exactly one of --tpm-key and --broker", "run", "snp.seal", "--trust", "vendor.pub",
                       "--tee", "vm", "--platform", "sev-snp", "--input", "x.npy", "--output", "y.npy")


if __name__ == "__main__":
    unittest.main()
