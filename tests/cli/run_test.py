# SPDX-License-Identifier: Apache-2.0
import json
import os
import subprocess
import tarfile
import unittest

from onnx_file import gemm, model, node, value_info, weight
from run_case import LIMIT, RunCase, images, npy, read_npy
from sealpack_case import (IO, KEY_UNAVAILABLE, MALFORMED, NOT_AUTHENTIC, REFUSED, TOOL, USAGE)

UNSUPPORTED = 11


class Run(RunCase):
    def test_answers_every_row_and_says_what_it_took(self):
        run = self.succeed(*self.arguments("--counters", "c.json"))
        descr, shape, scores = read_npy((self.folder / "y.npy").read_bytes())[0]
        self.assertEqual((descr, shape), ("<f4", (7, 10)))
        self.assertGreater(len(set(scores)), 60)
        self.assertIn("SIMULATED", run.err)
        self.assertRegex(run.out, "secure memory +peak")
        counters = json.loads((self.folder / "c.json").read_text())
        self.assertEqual((counters["rows"], counters["runs"]), (7, 7))
        self.assertTrue(counters["tee"]["simulated"])
        self.assertEqual(counters["tee"]["platform"], "SIMULATED")
        self.assertGreaterEqual(counters["switches"], 7)
        self.assertGreater(counters["seconds"]["total"], counters["seconds"]["first_answer"])

    def test_batches_threads_and_caps_change_no_bit_of_the_answer(self):
        plain = self.answer()
        for more in (("--batch", 1), ("--threads", 1), ("--threads", 3),
                     ("--tee-memory", "5MiB"), ("--tee-memory", "64MiB", "--threads", 2)):
            self.assertEqual(self.answer(*more), plain, more)
        for batch in (2, 3, 7, 100):  # 7 rows: with a rest and without
            batched = self.answer("--batch", batch)
            self.assertEqual(batched[:2], plain[:2])
            for one, other in zip(batched[2], plain[2]):
                self.assertAlmostEqual(one, other, delta=1e-4)
            self.assertEqual(self.answer("--batch", batch, "--tee-memory", "5MiB"), batched)

    def test_a_cap_that_is_too_small_says_what_is_needed(self):
        for cap in ("1MiB", "2500KiB"):
            run = self.fail_with(LIMIT, "needs? |needed", *self.arguments("--tee-memory", cap))
            self.assertIn("sealpack plan", run.err)

    def test_narrows_the_answer(self):
        _, _, scores = self.answer()
        descr, shape, rounded = self.answer("--rounded", 1)
        self.assertEqual((descr, shape), ("<f4", (7, 10)))
        for one, other in zip(rounded, scores):
            self.assertAlmostEqual(one * 10, round(one * 10), delta=1e-4)
            self.assertAlmostEqual(one, other, delta=0.0501)
        descr, shape, top = self.answer("--top1", "--batch", 3)
        self.assertEqual((descr, shape), ("<i8", (7,)))
        for row, index in enumerate(top):
            of_row = scores[row * 10:row * 10 + 10]
            self.assertEqual(of_row.index(max(of_row)), index)

    def test_never_widens_what_the_release_allows(self):
        self.build_with_answer('form = "top-1"\nquery_budget = 5')
        self.fail_with(REFUSED, "release", *self.arguments("--rounded", 2, bundle="a.seal"))
        self.fail_with(REFUSED, "release",
                       *self.arguments("--query-budget", 6, bundle="a.seal"))
        self.fail_with(REFUSED, "7 answers are wanted, 5", *self.arguments(bundle="a.seal"))
        (self.folder / "few.npy").write_bytes(images(5))
        descr, shape, _ = self.answer(bundle="a.seal", inputs=("few.npy",))
        self.assertEqual((descr, shape), ("<i8", (5,)))
        self.fail_with(REFUSED, "5 answers are wanted, 4",
                       *self.arguments("--query-budget", 4, "--force", bundle="a.seal",
                                       inputs=("few.npy",)))

    def test_a_batch_in_the_last_dimension_buys_no_more_answers(self):
        (self.folder / "net.onnx").write_bytes(model(
            [gemm("x", "w", "h"), node("Transpose", ["h"], ["y"])], [weight("w", [1, 4], 1)],
            [value_info("x", ["n", 4])], [value_info("y", [1, "n"])]))
        self.build_with_answer('query_budget = 5\nform = "scores"')
        for rows, status in ((5, 0), (6, REFUSED)):
            (self.folder / "x.npy").write_bytes(npy((rows, 4), [0.5] * (4 * rows)))
            done = self.run_tool("run", "a.seal", "--trust", "vendor.pub", "--key", "device.key", "--input", "x=x.npy",
                                 "--output", "y=y.npy", "--batch", rows)
            self.assertEqual(done.status, status, done.err)
            self.assertEqual((self.folder / "y.npy").exists(), status == 0)
            (self.folder / "y.npy").unlink(missing_ok=True)

    def test_refuses_keys_signers_and_products_that_are_not_right(self):
        self.fail_with(KEY_UNAVAILABLE, "opens none", *self.arguments(key="other.key"))
        self.fail_with(NOT_AUTHENTIC, "signature", *self.arguments(trust="stranger.pub"))
        for line, why in (('product = "acme/ranker"', "product"),
                          ('product = "acme/clothes"\ncounter_floor = 18', "counter")):
            (self.folder / "t.toml").write_text(line + '\n[authority]\nkeys = ["vendor.pub"]\n')
            self.fail_with(REFUSED, why, *self.arguments(trust="t.toml"))

    def test_a_broker_releases_nothing_to_a_simulated_tee_here(self):
        self.succeed("build", "net.onnx", "--out", "a.seal", "--signer", "vendor.key",
                     "--to", "broker.pub", "--policy", "attested.toml")
        self.fail_with(REFUSED, "attested", *self.arguments(bundle="a.seal", key="broker.key"))

    def test_refuses_bytes_that_were_changed(self):
        bundle = self.folder / "b.seal"
        with tarfile.open(bundle) as archive:
            sealed = [m for m in archive.getmembers() if m.name.startswith("sealed/")]
        for member in sealed:
            for offset in (member.offset_data, member.offset_data + member.size // 2,
                           member.offset_data + member.size - 1):
                self.flip(bundle, offset)
                self.fail_with(NOT_AUTHENTIC, "b.seal", *self.arguments())
                self.flip(bundle, offset)
        os.truncate(bundle, bundle.stat().st_size - 1)
        run = self.run_tool(*self.arguments())
        self.assertIn(run.status, (IO, MALFORMED))

    def test_names_arrays_that_do_not_fit(self):
        cases = (
            ("wide", npy((1, 1, 28, 29), [0.0] * 812), MALFORMED, r"float32\[1,1,28,29\].*takes"),
            ("flat", npy((784,), [0.0] * 784), MALFORMED, r"float32\[784\].*float32\[1,1,28,28\]"),
            ("double", npy((1, 1, 28, 28), [0.0] * 784, "<f8"), MALFORMED, "float64.*float32"),
            ("empty", npy((0, 1, 28, 28), []), MALFORMED, r"float32\[0,1,28,28\]"),
            ("nan", npy((1, 1, 28, 28), [float("nan")] * 784), REFUSED, "input"),
            ("cut", images(2)[:-5], MALFORMED, "ends"),
            ("more", images(1) + b"x", MALFORMED, "npy"),
            ("none", b"", MALFORMED, "no array"),
            ("text", b"hello, this is not an array", MALFORMED, "npy"),
            ("fortran", npy((1, 1, 28, 28), [0.0] * 784, fortran=True), UNSUPPORTED, "Fortran"),
        )
        for name, content, status, why in cases:
            (self.folder / f"{name}.npy").write_bytes(content)
            with self.subTest(name):
                self.fail_with(status, why, *self.arguments(inputs=(f"{name}.npy",)))
        self.fail_with(IO, "missing.npy", *self.arguments(inputs=("missing.npy",)))

    def test_names_inputs_and_outputs(self):
        scores = self.answer()
        self.assertEqual(self.answer(inputs=("image=x.npy",), outputs=("logits=y.npy",)), scores)
        (self.folder / "y.npy").unlink()
        self.fail_with(USAGE, "no input 'picture'.*'image'",
                       *self.arguments(inputs=("picture=x.npy",)))
        self.fail_with(USAGE, "given once", *self.arguments(inputs=("image=x.npy", "image=x.npy")))
        self.fail_with(USAGE, "need names", *self.arguments(outputs=("y.npy", "z.npy")))
        run = self.run_tool(*self.arguments(outputs=("weights=y.npy",)))
        self.assertNotEqual(run.status, 0)
        self.assertFalse((self.folder / "y.npy").exists())

    def test_replaces_files_only_when_told(self):
        (self.folder / "y.npy").write_bytes(b"mine")
        self.fail_with(IO, "y.npy", *self.arguments())

    def test_refuses_command_lines_that_contradict_themselves(self):
        for more, how in ((("--top1", "--rounded", "1"), {}), (("--tee", "sgx"), {}),
                          (("--json",), {"outputs": ("-",)}),
                          ((), {"inputs": ("a=-", "b=x.npy")}),
                          (("--tee-user", "root"), {}), (("--tee-user", "no-such-user"), {}),
                          (("--batch", "0"), {}), (("--model", "other.onnx"), {})):
            with self.subTest(more=more, how=how):
                self.fail_with(USAGE, ".", *self.arguments(*more, **how))


class Divided(RunCase):
    """Only some layers in the TEE: the others run here, and no bit of the answer differs."""

    def divided(self, protect):
        listed = self.succeed("plan", "net.onnx", "--protect", protect, "--json").json()["choices"]
        choice = next(one["id"] for one in listed if one["label"] != "all")
        self.succeed("plan", "net.onnx", "--protect", protect, "--choose", choice,
                     "--out", "net.plan", "--force")
        self.succeed("build", "net.onnx", "--out", "d.seal", "--signer", "vendor.key",
                     "--to", "device.pub", "--plan", "net.plan", "--accept-oracle", "--force")

    def test_last_layers_are_fed_by_the_public_ones(self):
        whole = self.answer("--batch", 3)
        self.divided("last:2")
        for more in ((), ("--tee-memory", "6MiB")):
            self.assertEqual(self.answer("--batch", 3, *more, bundle="d.seal"), whole)
        top = self.answer("--top1", "--batch", 7, bundle="d.seal", inputs=("image=x.npy",),
                          outputs=("logits=y.npy",))
        self.assertEqual(top[:2], ("<i8", (7,)))

    def test_first_layers_feed_the_public_ones(self):
        whole = self.answer("--batch", 7)
        self.divided("first:1")
        self.assertEqual(self.answer("--batch", 7, bundle="d.seal"), whole)

    def test_a_public_layer_that_was_changed_is_refused(self):
        self.divided("last:2")
        bundle = self.folder / "d.seal"
        with tarfile.open(bundle) as archive:
            public = [m for m in archive.getmembers() if m.name.endswith(".onnx")
                      and m.name.startswith("public/")]
        self.assertTrue(public)
        self.flip(bundle, public[0].offset_data + public[0].size // 2)
        self.fail_with(NOT_AUTHENTIC, "d.seal", *self.arguments(bundle="d.seal"))


class Streams(RunCase):
    def test_answers_each_array_before_the_next_one_comes(self):
        whole = read_npy((self.folder / "x.npy").read_bytes())
        self.assertEqual(whole[0][1][0], 7)
        expected = self.answer()
        command = [TOOL, *self.arguments("-q", inputs=("-",), outputs=("-",))]
        with subprocess.Popen(command, cwd=self.folder, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tool:
            for rows, seed in ((7, 1), (1, 2), (3, 1)):
                tool.stdin.write(images(rows, seed))
                tool.stdin.flush()
                size = 128 + rows * 40
                answer = read_npy(tool.stdout.read(size))[0]
                self.assertEqual(answer[1], (rows, 10))
                if seed == 1:
                    self.assertEqual(answer[2], expected[2][:rows * 10])
            tool.stdin.close()
            self.assertEqual(tool.stdout.read(), b"")
            self.assertEqual(tool.wait(), 0)

    def test_half_an_array_is_an_error(self):
        done = subprocess.run([TOOL, *self.arguments(inputs=("-",))], cwd=self.folder,
                              input=images(2)[:-1], capture_output=True, timeout=120)
        self.assertEqual(done.returncode, MALFORMED)
        self.assertFalse((self.folder / "y.npy").exists())


if __name__ == "__main__":
    unittest.main()
