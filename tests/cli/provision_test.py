# SPDX-License-Identifier: Apache-2.0
"""`sealpack provision`: a vendor and a device with a TPM, from enrolment to a model that runs offline."""

import base64
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import textwrap
import time
import unittest

from run_case import RunCase, read_npy
from sealpack_case import IO, NOT_AUTHENTIC, OK, REFUSED, TOOL, UNSUPPORTED, USAGE
from software_tpm import PROGRAM, SoftwareTpm

POLICY = """
[[environment]]
tee = "tpm"
[environment.claims]
ek_name = { ignore = "every device of the product" }
pcr_digest = { ignore = "boot policies say which" }
pcr_selection = { ignore = "boot policies say which" }
"""


class MeasuredTpm(SoftwareTpm):
    """Of a machine whose firmware measures what it boots, into PCR 4."""

    def start(self):
        super().start()
        assert self.command(0x182, 4, struct.pack(">IH", 1, 0x000b) + b"\x5a" * 32) == 0


@unittest.skipUnless(PROGRAM, "swtpm is not installed")
class Provision(RunCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        made = cls.folder
        for role, name in (("grantor", "grantor"), ("grantor", "forger"), ("device", "product")):
            cls.run_in(made, "keygen", role, "--type", "p256", "--out", name, "--no-passphrase")
        (made / "tpm.toml").write_text(POLICY)
        for name, counter in (("old.seal", 5), ("new.seal", 6)):
            run = cls.run_in(made, "build", "net.onnx", "--out", name, "--signer", "vendor.key",
                             "--to", "product.pub", "--policy", "tpm.toml",
                             "--product", "camera", "--counter", counter)
            assert run.status == OK, run.err

    def setUp(self):
        super().setUp()
        self.tpm = self.make_tpm("tpm")

    def make_tpm(self, name):
        made = MeasuredTpm(self.folder.parent / (self.folder.name + "-" + name))
        self.addCleanup(lambda: (made.stop(), shutil.rmtree(made.folder)))
        return made

    def vendor(self, verb, *arguments, grantor="grantor.key"):
        return self.succeed("provision", verb, *arguments, "--grantor", grantor, "--authority",
                            "vendor.pub", "--product", "camera", "--force")

    def device(self, verb, *arguments, tpm=None):
        return self.succeed("provision", verb, *arguments, "--tpm", (tpm or self.tpm).tcti)

    def device_fails(self, status, pattern, verb, *arguments, tpm=None):
        return self.fail_with(status, pattern, "provision", verb, *arguments,
                              "--tpm", (tpm or self.tpm).tcti)

    def enrol(self, *arguments, verb="enrol", request=(), floor=0, minimum=0):
        self.device(verb, "--out", "dev.request", "--force", *request)
        name = self.succeed("provision", "show", "dev.request", "--json").json()["device"]
        self.vendor("answer", "dev.request", "--key", "product.key", "--ek-name", name,
                    "--out", "dev.answer", "--record", "dev.record", "--floor", floor,
                    "--minimum-policy", minimum, *arguments)
        self.device("install", "dev.answer", "--key", "dev.tpmkey", "--grantor", "grantor.pub",
                    "--proof", "dev.proof", "--force")

    def enrolment(self):
        return ("--proof", "dev.proof", "--record", "dev.record")

    def boot_policy(self, number):
        golden = self.device("pcrs", "--pcr", "4,9").out
        (self.folder / "golden").write_text(golden)
        self.vendor("policy", "--number", number, "--pcrs", "golden", "--out", f"boot-{number}")
        return f"boot-{number}"

    def ready(self):
        self.enrol()
        self.device("install", self.boot_policy(1), "--key", "dev.tpmkey")

    def run_arguments(self, bundle="new.seal", *more):
        return ("run", bundle, "--tee", "vm", "--tpm-key", "dev.tpmkey", "--tpm", self.tpm.tcti,
                "--trust", "vendor.pub", "--input", "x.npy", "--output", "y.npy", "--force", *more)

    def test_opens_offline_once_a_boot(self):
        self.ready()
        self.succeed("provision", "accept", "dev.proof", "--record", "dev.record")
        run = self.succeed(*self.run_arguments("new.seal", "--json"))
        self.assertNotIn("SIMULATED", run.out + run.err)
        self.assertEqual(run.json()["tee"]["platform"], "tpm")
        offline = read_npy((self.folder / "y.npy").read_bytes())
        (self.folder / "y.npy").unlink()
        self.fail_with(REFUSED, "PCR 15", *self.run_arguments())
        self.tpm.restart()
        self.succeed(*self.run_arguments())
        self.assertEqual(read_npy((self.folder / "y.npy").read_bytes()), offline)
        if not os.environ.get("SEALPACK_SANITIZE"):  # with which no program for the process backend is built
            self.succeed(*self.arguments("--force"))  # the same network, with a key in hand
            self.assertEqual(read_npy((self.folder / "y.npy").read_bytes()), offline)

    def test_a_host_that_spoils_the_files_of_a_run_ends_the_boot_for_the_key(self):
        self.ready()
        (self.folder / "y.npy").symlink_to("x.npy")
        self.fail_with(USAGE, "y.npy", *self.run_arguments())
        (self.folder / "y.npy").unlink()
        self.fail_with(REFUSED, "PCR 15", *self.run_arguments())

    def test_a_changed_machine_is_refused_and_told_why(self):
        self.ready()
        self.tpm.restart()
        golden = (self.folder / "golden").read_text().replace("9 00", "9 01")
        (self.folder / "golden").write_text(golden)
        self.vendor("policy", "--number", 1, "--pcrs", "golden", "--out", "boot-1")
        self.device("install", "boot-1", "--key", "dev.tpmkey")
        (self.folder / "dev.tpmkey.policy").write_bytes((self.folder / "boot-1").read_bytes())
        self.fail_with(REFUSED, "PCR 9 is 0000", *self.run_arguments())

    def test_a_key_in_hand_does_not_open_it(self):
        self.fail_with(REFUSED, "attested", "unseal", "new.seal", "--trust", "vendor.pub",
                       "--key", "product.key", "--out", "plain")
        self.ready()
        self.fail_with(REFUSED, "measured machine", "unseal", "new.seal", "--trust", "vendor.pub",
                       "--key", f"tpm:dev.tpmkey?tcti={self.tpm.tcti}", "--out", "plain")

    def test_firmware_updates_go_forward_when_they_are_confirmed(self):
        self.ready()
        self.device("install", self.boot_policy(2), "--key", "dev.tpmkey")
        self.succeed(*self.run_arguments())
        self.device("confirm", "--key", "dev.tpmkey")
        for file in ("dev.record", "dev.proof"):
            shown = self.succeed("provision", "show", file, "--json").json()
            self.assertTrue(shown["attestation_key"].startswith("000b"), shown)
        state = self.device("status", "--key", "dev.tpmkey", "--json").json()
        self.assertEqual((state["confirmed"], state["alive"]), (2, True))
        self.device_fails(REFUSED, "older than number 2", "install", "boot-1", "--key", "dev.tpmkey")
        self.tpm.restart()
        (self.folder / "dev.tpmkey.policy").write_bytes((self.folder / "boot-1").read_bytes())
        self.fail_with(REFUSED, "older than number 2", *self.run_arguments())

    def test_bundles_roll_back_until_a_run_is_confirmed(self):
        self.ready()
        for bundle, more in (("new.seal", ()), ("old.seal", ()), ("new.seal", ("--confirm",))):
            self.succeed(*self.run_arguments(bundle, *more))
            self.tpm.restart()
        self.fail_with(REFUSED, "older|counter|rolled", *self.run_arguments("old.seal"))
        self.tpm.restart()
        self.succeed(*self.run_arguments("new.seal"))

    def test_a_vendor_sets_a_floor_back_once(self):
        self.ready()
        self.succeed(*self.run_arguments("new.seal", "--confirm"))
        self.device("status", "--key", "dev.tpmkey", "--out", "dev.request", "--force")
        self.vendor("floors", "dev.request", *self.enrolment(), "--floor", 5, "--out", "floors")
        self.device("install", "floors", "--key", "dev.tpmkey")
        self.tpm.restart()
        self.succeed(*self.run_arguments("old.seal", "--confirm"))
        self.device_fails(REFUSED, "counter", "install", "floors", "--key", "dev.tpmkey")

    def test_a_vendor_sets_floors_for_devices_that_it_accepted_and_their_product(self):
        self.ready()
        stranger = self.make_tpm("stranger")
        self.device("enrol", "--out", "other.request", tpm=stranger)
        floors = ("provision", "floors", "--floor", 5, "--out", "f", "--grantor", "grantor.key",
                  "--authority", "vendor.pub", "--product")
        self.fail_with(NOT_AUTHENTIC, "another device", *floors, "camera", "other.request",
                       *self.enrolment())
        self.fail_with(USAGE, "enrolled for product 'camera'", *floors, "lidar", "dev.request",
                       *self.enrolment())
        self.fail_with(USAGE, "--record is required", *floors, "camera", "dev.request",
                       "--proof", "dev.proof")
        self.fail_with(USAGE, "--proof is required", *floors, "camera", "dev.request",
                       "--record", "dev.record")

    def test_a_removed_floor_file_opens_nothing(self):
        self.ready()
        (self.folder / "dev.tpmkey.floors").unlink()
        self.fail_with(REFUSED, "floors", *self.run_arguments())

    def test_revocation_is_for_good_and_said_twice(self):
        self.ready()
        self.device_fails(USAGE, "never", "revoke", "--key", "dev.tpmkey")
        self.device("revoke", "--key", "dev.tpmkey", "--irrevocably")
        self.fail_with(REFUSED, "epoch", *self.run_arguments())
        self.enrol(minimum=1, verb="re-enrol")
        self.device("install", "boot-1", "--key", "dev.tpmkey")
        self.tpm.restart()
        self.succeed(*self.run_arguments())

    def test_enrolling_again_says_what_was_good_before(self):
        self.ready()
        self.succeed(*self.run_arguments("new.seal", "--confirm"))
        self.device("re-enrol", "--out", "dev.request", "--force")
        answer = ("provision", "answer", "dev.request", "--key", "product.key", "--grantor",
                  "grantor.key", "--authority", "vendor.pub", "--product", "camera", "--out", "a",
                  "--record", "r")
        self.fail_with(USAGE, "--floor|--minimum-policy", *answer, "--floor", 6)
        self.fail_with(USAGE, "--floor|--minimum-policy", *answer, "--minimum-policy", 1)
        self.enrol(floor=6, minimum=1)
        self.device("install", "boot-1", "--key", "dev.tpmkey")
        self.tpm.restart()
        self.fail_with(REFUSED, "older|counter|rolled", *self.run_arguments("old.seal"))

    def test_a_key_whose_place_another_takes_is_ended(self):
        self.ready()
        for name in ("dev.tpmkey", "dev.tpmkey.floors", "dev.tpmkey.policy"):
            shutil.copy(self.folder / name, self.folder / name.replace("dev", "old"))
        golden = (self.folder / "golden").read_text()
        self.enrol(request=("--index", "0x01805eb1", "--floor-index", "0x01805eb2"))
        (self.folder / "golden").write_text(golden)
        arguments = [str(argument) for argument in self.run_arguments()]
        arguments[arguments.index("dev.tpmkey")] = "old.tpmkey"
        self.fail_with(REFUSED, "epoch", *arguments)

    def test_however_a_run_fails_the_key_is_not_used_in_this_boot(self):
        self.ready()
        for arguments in (self.run_arguments("none.seal"),
                          [str(a).replace("x.npy", "none.npy") for a in self.run_arguments()]):
            self.assertNotEqual(self.run_tool(*arguments).status, OK)
            self.fail_with(REFUSED, "PCR 15", *self.run_arguments())
            self.tpm.restart()
            self.succeed(*self.run_arguments())
            self.tpm.restart()

    def test_a_run_that_is_killed_leaves_no_key_behind(self):
        self.ready()
        os.mkfifo(self.folder / "pipe.npy")
        arguments = [str(a).replace("x.npy", "pipe.npy") for a in self.run_arguments()]
        process = subprocess.Popen([TOOL, *arguments], cwd=self.folder, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 300
        while not (inside := children.read_text().split()) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(int(inside[0]), signal.SIGKILL)
        self.assertEqual(process.wait(600), -signal.SIGKILL)
        self.fail_with(REFUSED, "PCR 15", *self.run_arguments())

    def test_passwords_of_the_tpm_come_from_files(self):
        for name, hierarchy in (("owner", 0x40000001), ("endorsement", 0x4000000b)):
            self.assertEqual(self.tpm.set_password(hierarchy, name.encode() + b" secret"), 0)
            path = self.folder / f"{name}.password"
            path.write_text(f"{name} secret\n")
            path.chmod(0o600)
        self.device_fails(USAGE, "terminal", "enrol", "--out", "dev.request")
        files = ("--endorsement-password-file", "endorsement.password")
        self.device_fails(USAGE, "terminal", "enrol", "--out", "dev.request", *files)
        self.device("enrol", "--out", "dev.request", *files, "--owner-password-file",
                    "owner.password")
        name = self.succeed("provision", "show", "dev.request", "--json").json()["device"]
        self.vendor("answer", "dev.request", "--key", "product.key", "--ek-name", name, "--out",
                    "dev.answer", "--record", "dev.record", "--floor", 0, "--minimum-policy", 0)
        self.device("install", "dev.answer", "--key", "dev.tpmkey", "--grantor", "grantor.pub",
                    "--proof", "dev.proof", *files)
        (self.folder / "golden").write_text(self.device("pcrs", "--pcr", "4,9", *files).out)
        self.vendor("policy", "--number", 1, "--pcrs", "golden", "--out", "boot-1")
        self.device("install", "boot-1", "--key", "dev.tpmkey", *files)
        self.fail_with(REFUSED, "has a password\n.*read: --tpm-password-file", *self.run_arguments())
        self.tpm.restart()
        self.succeed(*self.run_arguments(), "--tpm-password-file", "endorsement.password")
        (self.folder / "owner.password").chmod(0o644)
        self.device_fails(REFUSED, "open to other users", "enrol", "--out", "again", *files,
                          "--index", "0x01805ec1", "--owner-password-file", "owner.password")

    def test_a_grantor_in_a_tpm_and_a_product_key_in_a_file(self):
        vendor = self.make_tpm("vendor")
        self.succeed("keygen", "grantor", "--tpm", vendor.tcti, "--out", "hard")
        hard = f"tpm:hard.tpmkey?tcti={vendor.tcti}"
        self.device("enrol", "--out", "dev.request")
        name = self.succeed("provision", "show", "dev.request", "--json").json()["device"]
        self.vendor("answer", "dev.request", "--key", "product.key", "--ek-name", name, "--out",
                    "dev.answer", "--record", "dev.record", "--floor", 0, "--minimum-policy", 0,
                    grantor=hard)
        self.device("install", "dev.answer", "--key", "dev.tpmkey", "--grantor", "hard.pub",
                    "--proof", "dev.proof")
        (self.folder / "golden").write_text(self.device("pcrs", "--pcr", "4,9").out)
        self.vendor("policy", "--number", 1, "--pcrs", "golden", "--out", "boot-1", grantor=hard)
        self.device("install", "boot-1", "--key", "dev.tpmkey")
        self.fail_with(USAGE, "not with --key", *self.run_arguments(), "--key", "product.key")
        self.succeed(*self.run_arguments())

    def test_other_caps_hold_where_key_and_policy_agree(self):
        self.enrol("--cap", 14)
        self.device_fails(REFUSED, "the key PCR 14", "install", self.boot_policy(1), "--key",
                          "dev.tpmkey")
        self.vendor("policy", "--number", 1, "--pcrs", "golden", "--cap", 14, "--out", "boot-1")
        self.device("install", "boot-1", "--key", "dev.tpmkey")
        self.succeed(*self.run_arguments())
        self.fail_with(REFUSED, "PCR 14", *self.run_arguments())

    def test_counters_that_the_tpm_does_not_state_get_no_answer(self):
        self.ready()
        self.device("status", "--key", "dev.tpmkey", "--out", "dev.request", "--force")
        text = (self.folder / "dev.request").read_text()
        content = bytearray(base64.b64decode("".join(text.splitlines()[1:-1])))
        at = content.index(bytes.fromhex("ff5443478014")) + 100
        content[at] ^= 1
        body = textwrap.fill(base64.b64encode(content).decode(), 64)
        (self.folder / "dev.request").write_text(
            "\n".join([text.splitlines()[0], body, text.splitlines()[-1], ""]))
        run = self.fail_with(REFUSED, "provision.counter", "provision", "floors", "dev.request",
                             *self.enrolment(), "--floor", 1, "--out", "f", "--grantor",
                             "grantor.key", "--authority", "vendor.pub", "--product", "camera")
        self.assertIn("not signed", run.err)

    def test_quotes_are_collected_with_the_kernels_log(self):
        kernel = self.folder / "tpm0"
        kernel.mkdir()
        (kernel / "binary_bios_measurements").write_bytes(b"what the firmware measured")
        collect = ("attest", "collect", "--tee", "tpm", "--tcti", self.tpm.tcti, "--pcrs", "0,7",
                   "--report-data", "5e" * 32)
        made = self.succeed(*collect, "--out", "e.bin", "--event-log", "--source", "tpm0", "--json")
        self.assertEqual([item["kind"] for item in made.json()["items"]],
                         ["tpm-quote", "tpm-signature", "tpm-pcrs", "ak-public", "event-log"])
        self.assertIn(b"what the firmware measured", (self.folder / "e.bin").read_bytes())
        made = self.succeed(*collect, "--out", "f.bin", "--json")
        self.assertEqual(len(made.json()["items"]), 4)
        self.fail_with(USAGE, "nothing but the event log", *collect, "--out", "g", "--source", "tpm0")
        self.fail_with(USAGE, "are needed", *collect)
        azure = [argument.replace("tpm", "azure-tdx") if argument == "tpm" else argument
                 for argument in collect]
        self.fail_with(UNSUPPORTED, "0x01400001", *azure, "--out", "g")
        self.fail_with(UNSUPPORTED, "0x01400001", "attest", "collect", "--tee", "azure-tdx", "--tcti",
                       self.tpm.tcti, "--td-report", "td.bin")
        self.fail_with(USAGE, "go with azure", *collect, "--out", "g", "--td-quote", "x")
        self.fail_with(USAGE, "no way to a TPM", "attest", "collect", "--tee", "tpm", "--tcti",
                       "libevil.so", "--pcrs", "0", "--report-data", "00", "--out", "g")

    def test_only_known_tpms_get_keys(self):
        self.device("enrol", "--out", "dev.request")
        run = self.fail_with(REFUSED, "provision.unknown-tpm", "provision", "answer", "dev.request",
                             "--key", "product.key", "--grantor", "grantor.key", "--authority",
                             "vendor.pub", "--product", "camera", "--out", "a", "--record", "r",
                             "--floor", 0, "--minimum-policy", 0)
        self.assertIn("--ek-root", run.err)

    def test_answers_and_policies_of_others_are_refused(self):
        self.ready()
        golden = self.vendor("policy", "--number", 3, "--pcrs", "golden", "--out", "forged",
                             grantor="forger.key")
        self.assertIn("refuse all lower", golden.err)
        self.device_fails(NOT_AUTHENTIC, "not by the grantor", "install", "forged", "--key",
                          "dev.tpmkey")
        self.device_fails(NOT_AUTHENTIC, "not by the grantor", "install", "dev.answer", "--key",
                          "other.tpmkey", "--grantor", "forger.pub", "--proof", "p")
        other = self.make_tpm("other")
        self.device_fails(REFUSED, "another device", "install", "dev.answer", "--key",
                          "other.tpmkey", "--grantor", "grantor.pub", "--proof", "p", tpm=other)
        self.device_fails(NOT_AUTHENTIC, "another TPM", "status", "--key", "dev.tpmkey", tpm=other)

    def test_enrolling_twice_says_so(self):
        self.ready()
        self.device("install", self.boot_policy(2), "--key", "dev.tpmkey")
        self.device("confirm", "--key", "dev.tpmkey")
        self.device_fails(REFUSED, "is enrolled", "enrol", "--out", "again")

    def test_an_armored_file_that_was_changed_is_refused(self):
        self.ready()
        path = self.folder / "boot-1"
        text = path.read_text()
        for at in range(0, len(text), 97):
            changed = text[:at] + ("B" if text[at] == "A" else "A") + text[at + 1:]
            if changed == text:
                continue
            path.write_text(changed)
            run = self.run_tool("provision", "install", "boot-1", "--key", "dev.tpmkey",
                                "--tpm", self.tpm.tcti)
            self.assertNotEqual(run.status, OK, f"byte {at}")

    def test_the_tpm_that_is_not_there_is_named(self):
        self.fail_with(IO, "cannot reach the TPM", "provision", "enrol", "--out", "r",
                       "--tpm", "swtpm:path=/none")

    def test_keys_made_in_the_tpm_serve_commands(self):
        self.succeed("keygen", "recipient", "--tpm", self.tpm.tcti, "--out", "hard")
        self.build("hard.seal", to="hard.pub")
        key = f"tpm:hard.tpmkey?tcti={self.tpm.tcti}"
        self.succeed("unseal", "hard.seal", "--trust", "vendor.pub", "--key", key, "--out", "plain")
        self.assert_same_model(self.folder / "plain")
        other = self.make_tpm("other")
        self.fail_with(NOT_AUTHENTIC, "another TPM", "unseal", "hard.seal", "--trust", "vendor.pub",
                       "--key", f"tpm:hard.tpmkey?tcti={other.tcti}", "--out", "again")


if __name__ == "__main__":
    unittest.main()
