# SPDX-License-Identifier: Apache-2.0
"""What `sealpack run` says before it runs, and how little it says when told to be quiet."""

import os
import subprocess
import sys
import unittest

from onnx_file import model, node, value_info, weight
from run_case import LIMIT, RunCase, images, npy, read_npy
from sealpack_case import MALFORMED, USAGE


class Quiet(RunCase):
    def test_quiet_leaves_the_answer_alone_on_standard_output(self):
        self.succeed(*self.arguments())
        expected = (self.folder / "y.npy").read_bytes()
        run = self.succeed(*self.arguments("-q", "--force"))
        self.assertEqual(run.out, "")
        self.assertEqual((self.folder / "y.npy").read_bytes(), expected)
        for line in run.err.splitlines():
            self.assertRegex(line, "^sealpack: warning: ")
        clear = self.succeed("run", "net.onnx", "--tee", "none", "--input", "x.npy", "--output",
                             "z.npy", "-q")
        self.assertEqual((clear.out, clear.err), ("", ""))

    def test_quiet_keeps_what_was_asked_for_as_json(self):
        run = self.succeed(*self.arguments("-q", "--json"))
        self.assertEqual(run.json()["rows"], 7)

    def test_a_machine_opens_by_exactly_one_source(self):
        broker = ("--broker-files", "x", "--broker-key", "grants.pub")
        for sources in ((), ("--tpm-key", "d.tpmkey", *broker)):
            self.fail_with(USAGE, "exactly one of --tpm-key and --broker / --broker-files", "run",
                           "b.seal", "--trust", "vendor.pub", "--tee", "vm", *sources,
                           "--input", "x.npy", "--output", "y.npy")

    def test_quiet_silences_the_accounts_of_other_verbs(self):
        (self.folder / "open.toml").write_text('[anyone]\nbecause = "a test"\n')
        for verb in (("build", "net.onnx", "--out", "q.seal", "--signer", "vendor.key", "--to",
                      "device.pub", "--policy", "open.toml"),
                     ("grant", "q.seal", "--key", "device.key", "--to", "other.pub", "--trust",
                      "vendor.pub", "--out", "o.grant"),
                     ("extract", "q.seal", "--trust", "vendor.pub", "--out", "public"),
                     ("unseal", "q.seal", "--trust", "vendor.pub", "--key", "device.key", "--out",
                      "un"),
                     ("reseal", "q.seal", "--out", "r.seal", "--signer", "vendor.key",
                      "--version", "2"),
                     ("keygen", "device", "--out", "quiet", "--no-passphrase"),
                     ("broker", "init", "--dir", "quiet-broker"),
                     ("broker", "revoke", "device", "c0c1", "--because", "sold", "--dir",
                      "quiet-broker")):
            run = self.succeed(*verb, "-q")
            self.assertEqual(run.out, "", verb)
            self.assertNotIn("note:", run.err)
        # An answer is not an account.
        self.assertNotEqual(self.succeed("inspect", "q.seal", "-q").out, "")
        self.assertIn("sealed", self.succeed("build", "net.onnx", "--dry-run", "-q").out)


class Arrays(RunCase):
    def test_an_array_of_another_type_is_told_how_to_become_the_right_one(self):
        (self.folder / "x.npy").write_bytes(npy((2, 1, 28, 28), [0.25] * (2 * 784), "<f8"))
        run = self.fail_with(MALFORMED, "x.npy' is an array of float64, but input 'image' of the "
                             "model takes float32", *self.arguments())
        self.assertNotIn("batches", run.err)
        line = next(line for line in run.err.splitlines() if "hint: convert it: " in line)
        command = line.split("convert it: ")[1]
        self.assertEqual(command, "python3 -c \"import numpy; numpy.save('float32.npy', "
                                  "numpy.load('x.npy').astype('float32'))\"")
        try:
            subprocess.run([sys.executable, "-c", "import numpy"], check=True, capture_output=True)
        except subprocess.CalledProcessError:
            return  # the sentence was compared; running it needs NumPy
        script = command.split('"')[1]
        subprocess.run([sys.executable, "-c", script], cwd=self.folder, check=True)
        self.succeed(*self.arguments(inputs=("float32.npy",)))

    def test_a_shape_that_does_not_fit_still_hints_at_batches(self):
        (self.folder / "x.npy").write_bytes(npy((2, 784), [0.25] * (2 * 784)))
        self.assertIn("batches", self.fail_with(MALFORMED, "takes", *self.arguments()).err)

    def test_a_name_that_a_shell_would_read_is_not_in_the_command(self):
        name = "x'$(touch made).npy"
        (self.folder / name).write_bytes(npy((1, 1, 28, 28), [0.0] * 784, "<f8"))
        run = self.fail_with(MALFORMED, "float64", *self.arguments(inputs=(name,)))
        self.assertNotIn("touch", run.err.split("hint:")[1])


class Models(RunCase):
    def test_a_model_that_is_not_sealed_is_named_as_one(self):
        for more in ((), ("--trust", "vendor.pub"),
                     ("--trust", "vendor.pub", "--key", "device.key")):
            run = self.fail_with(USAGE, r"'net.onnx' is a model \(ONNX\), not a bundle", "run",
                                 "net.onnx", "--input", "x.npy", "--output", "y.npy", *more)
            self.assertIn("sealpack build 'net.onnx'", run.err)
            self.assertIn("--tee none", run.err)

    def test_only_onnx_is_said_to_run_in_the_clear(self):
        (self.folder / "m.safetensors").write_bytes(b"x" * 10000)
        run = self.fail_with(USAGE, "safetensors", "run", "m.safetensors", "--input", "x.npy",
                             "--output", "y.npy")
        self.assertNotIn("--tee none", run.err)

    def test_a_bundle_is_a_bundle_whatever_its_name(self):
        os.rename(self.folder / "b.seal", self.folder / "b.onnx")
        self.succeed(*self.arguments(bundle="b.onnx"))
        self.fail_with(USAGE, "is a bundle", "run", "b.onnx", "--tee", "none", "--input", "x.npy",
                       "--output", "z.npy")

    def test_other_files_are_no_bundles(self):
        self.fail_with(MALFORMED, "not a sealpack bundle", *self.arguments(bundle="x.npy",
                                                                           inputs=("net.onnx",)))


class Memory(RunCase):
    def test_a_cap_is_a_size_or_none(self):
        for cap in ("0", "-1", "0MiB", "-16MiB", "16MB", "lots", "", "99999999TiB"):
            run = self.fail_with(USAGE, "--tee-memory", *self.arguments(f"--tee-memory={cap}"))
            self.assertIn("hint:", run.err)
        self.assertIn("none", self.run_tool(*self.arguments("--tee-memory", "0")).err)
        run = self.succeed(*self.arguments("--tee-memory", "none", "--json"))
        self.assertIsNone(run.json()["secure_memory"]["cap"])

    def test_plan_and_measure_read_it_the_same_way(self):
        for verb in (("plan", "net.onnx"), ("attest", "measure", "process", "--trust",
                                            "vendor.pub")):
            for cap in ("0", "-1"):
                self.fail_with(USAGE, "--tee-memory", *verb, f"--tee-memory={cap}")
        measure = ("attest", "measure", "process", "--trust", "vendor.pub")
        self.assertEqual(self.succeed(*measure, "--tee-memory", "none").out,
                         self.succeed(*measure).out)


class LeastCap(RunCase):
    """The smallest cap of a model: one number, for the planner, under every cap, and for refusals."""

    def planned(self, model):
        listed = self.succeed("plan", model, "--protect", "all", "--json").json()["choices"]
        self.assertEqual(len({choice["least_memory"] for choice in listed}), 1)
        return listed[0]["least_memory"]

    def check(self, model, bundle, caps):
        least = self.planned(model)
        for cap in (*caps, least):
            run = self.succeed(*self.arguments("--force", "--json", "--threads", "1",
                                               "--tee-memory", cap, bundle=bundle)).json()
            self.assertEqual(run["secure_memory"]["least_cap"], least, cap)
            if cap != "none":
                self.assertLessEqual(run["secure_memory"]["peak"], run["secure_memory"]["cap"])
        self.fail_with(LIMIT, rf"it needs .*\({least} bytes\)", *self.arguments(
            "--force", "--threads", "1", "--tee-memory", least - 1, bundle=bundle))
        return least

    def test_of_a_small_model(self):
        self.assertLess(self.check("net.onnx", "b.seal", ("none", "4MiB", "8MiB", "12MiB", "64MiB")),
                        4 << 20)

    def test_of_a_model_that_needs_much(self):
        shape = (1, 1024, 1024)
        (self.folder / "wide.onnx").write_bytes(model(
            [node("Mul", ["x", "w"], ["y"])], [weight("w", [1], 1)],
            [value_info("x", shape)], [value_info("y", shape)]))
        (self.folder / "x.npy").write_bytes(npy(shape, [0.5] * (1 << 20)))
        self.succeed("build", "wide.onnx", "--out", "w.seal", "--signer", "vendor.key", "--to",
                     "device.pub")
        self.assertGreater(self.check("wide.onnx", "w.seal", ("none", "16MiB", "64MiB")), 8 << 20)

    def test_grows_with_threads_by_their_stacks(self):
        leasts = [self.succeed(*self.arguments("--force", "--json", "--threads", threads)).json()
                  ["secure_memory"]["least_cap"] for threads in (1, 2)]
        self.assertGreaterEqual(leasts[1] - leasts[0], 128 << 10)


class Places(RunCase):
    """Where things are written: settled before anything starts."""

    def test_two_outputs_are_not_one_file(self):
        os.mkdir(self.folder / "d")
        os.symlink("d", self.folder / "also-d")
        (self.folder / "there.npy").write_bytes(b"1")
        os.link(self.folder / "there.npy", self.folder / "linked.npy")
        for one, other in (("y.npy", "y.npy"), ("y.npy", "./y.npy"), ("d/y.npy", "also-d/y.npy"),
                           ("there.npy", "linked.npy")):
            with self.subTest(one=one, other=other):
                self.fail_with(USAGE, "same file", *self.arguments(
                    "--force", outputs=(f"logits={one}", f"b={other}")))
                self.fail_with(USAGE, "same file", *self.arguments(
                    "--force", "--counters", other, outputs=(one,)))

    def test_no_output_replaces_what_the_run_reads(self):
        os.link(self.folder / "b.seal", self.folder / "copy.seal")
        os.symlink("x.npy", self.folder / "also-x.npy")
        for output, of in (("b.seal", "the bundle"), ("copy.seal", "the bundle"),
                           ("./x.npy", "--input"), ("also-x.npy", "--input"),
                           ("vendor.pub", "--trust"), ("device.key", "--key")):
            with self.subTest(output):
                self.fail_with(USAGE, f"would replace what is read: {of}",
                               *self.arguments("--force", outputs=(output,)))
                self.fail_with(USAGE, "would replace", *self.arguments("--force", "--counters",
                                                                       output))

    def test_without_a_tee_too(self):
        for output in ("net.onnx", "x.npy"):
            self.fail_with(USAGE, "would replace", "run", "net.onnx", "--tee", "none", "--input",
                           "x.npy", "--output", output, "--force")

    def test_files_of_one_name_in_other_folders_are_others(self):
        os.mkdir(self.folder / "d")
        (self.folder / "x.npy").write_bytes(images(2))
        self.succeed(*self.arguments("--counters", "d/x.npy", outputs=("d/y.npy",)))
        self.assertEqual(read_npy((self.folder / "d/y.npy").read_bytes())[0][1], (2, 10))


if __name__ == "__main__":
    unittest.main()
