# SPDX-License-Identifier: Apache-2.0
"""sealpack plan, and sealpack build with what it wrote."""

import json
import os
import pathlib
import random
import re
import subprocess
import unittest
import xml.etree.ElementTree as ElementTree

import onnx_file
from build_case import (IO, MALFORMED, REFUSED, UNSUPPORTED, USAGE, BuildCase, main)

LIMIT = 16
ROOT = pathlib.Path(__file__).resolve().parents[2]
CALIBRATION = """sealpack_calibration = 1
machine = "a test"
run = 1000000000
decrypt_byte = 400000
read = 20000000000
spill_byte = 400000
copy_byte = 100000
process_switch = 10000000000
[kind.other]
step = 1000000000
multiply_add = 10000
moved_byte = 100000
weight_byte = 100000
streamed_byte = 100000
"""


class PlanCase(BuildCase):
    def setUp(self):
        super().setUp()
        self.put("cal.toml", CALIBRATION)
        self.put("net.onnx", onnx_file.three_layers())

    def plan(self, *arguments, model="net.onnx"):
        return self.run_tool("plan", model, "--calibration", "cal.toml", *arguments)

    def choices(self, *arguments):
        return json.loads(self.succeeds(self.plan("--json", *arguments)).stdout)["choices"]

    def refuses(self, result, status, *words):
        errors = result.stderr.decode()
        self.assertEqual(result.returncode, status, errors)
        for word in words:
            self.assertIn(word, errors)

    def write_plan(self, protect, name="p.plan"):
        """The choice that --protect asks for, at full memory."""
        choices = self.choices("--protect", protect)
        chosen = next(choice["id"] for choice in choices
                      if (choice["label"] == "all") == (protect == "all"))
        self.succeeds(self.plan("--protect", protect, "--choose", chosen, "--out", name))
        return name


class PlanTest(PlanCase):
    def test_lists_all_of_the_model_first_as_the_default_and_the_only_black_box(self):
        choices = self.choices()
        self.assertTrue(choices[0]["default"])
        self.assertEqual(choices[0]["label"], "all")
        self.assertEqual(choices[0]["parameter_share"], 1)
        for choice in choices:
            self.assertEqual(choice["worth"] == "black-box", choice["label"] == "all")

    def test_says_what_a_choice_costs(self):
        last = self.choices("--protect", "last:2")[-1]
        self.assertEqual(last["layers"], 2)
        self.assertEqual(last["taps"], ["r1"])
        self.assertAlmostEqual(last["parameter_share"], (256 + 64) / (128 + 256 + 64))
        self.assertAlmostEqual(last["multiply_add_share"], (256 + 64) / (128 + 256 + 64))
        self.assertEqual(last["crossing"], 16 * 4 + 4 * 4)
        self.assertFalse(last["oracle"])
        self.assertGreater(last["seconds"], 1e-5)

    def test_calls_one_layer_an_oracle_and_first_layers_worthless(self):
        self.assertTrue(self.choices("--protect", "last:1")[-1]["oracle"])
        first = self.choices("--protect", "first:2")[-1]
        self.assertTrue(first["goes_back"])
        self.assertEqual(first["worth"], "none")

    def test_takes_a_glob_over_nodes_and_weights(self):
        for glob in ("w[23]", "{h2,r2,y}*"):
            chosen = self.choices("--protect", glob)[-1]
            self.assertEqual(chosen["layers"], 2, glob)
        self.refuses(self.plan("--protect", "nothing*"), USAGE, "matches no node")

    def test_refuses_layers_that_are_not_there(self):
        self.refuses(self.plan("--protect", "last:4"), USAGE, "3 layers")
        self.refuses(self.plan("--protect", "last:0"), USAGE)
        self.refuses(self.plan("--protect", "last:x"), USAGE)

    def test_takes_what_lies_between_as_well(self):
        self.assertEqual(self.choices("--protect", "w[13]")[-1]["layers"], 3)

    def test_knows_its_targets_and_says_where_the_numbers_come_from(self):
        for target in ("process", "op-tee", "sgx", "cvm"):
            text = self.succeeds(self.plan("--target", target)).stdout.decode()
            self.assertIn("switch:", text)
        self.assertIn("OP-TEE", self.plan("--target", "op-tee").stdout.decode())
        self.refuses(self.plan("--target", "abacus"), USAGE, "op-tee")

    def test_keeps_within_the_memory(self):
        unlimited = self.choices("--protect", "all")[0]["secure_peak"]
        limit = unlimited - 512
        for choice in self.choices("--tee-memory", limit):
            self.assertLessEqual(choice["secure_peak"], limit)

    def test_says_what_is_needed_where_nothing_fits(self):
        self.refuses(self.plan("--tee-memory", "1MiB"), LIMIT, "no division runs")
        self.refuses(self.plan("--tee-memory", "much"), USAGE, "not a size")

    def test_draws_the_choices(self):
        self.succeeds(self.plan("--svg", "plan.svg"))
        root = ElementTree.parse(self.home / "plan.svg").getroot()
        space = "{http://www.w3.org/2000/svg}"
        titles = [item.text for item in root.iter(space + "title")]
        self.assertEqual(len(titles), len(self.choices()))
        words = " ".join(item.text or "" for item in root.iter(space + "text"))
        self.assertIn("share of the computation", words)
        self.assertIn("ms", words)
        self.refuses(self.plan("--svg", "plan.svg"), IO, "exists")

    def test_adds_columns_from_a_file(self):
        one = self.choices("--protect", "last:2")[-1]
        whole = self.choices("--protect", "last:2")[0]["id"]
        self.put("scores.csv", f"choice,accuracy,stolen\n{whole},91.5,23\n{one['id']},91.5,80\n")
        scored = self.choices("--protect", "last:2", "--score", "scores.csv")
        self.assertEqual(scored[0]["scores"], {"accuracy": "91.5", "stolen": "23"})
        self.assertEqual(scored[-1]["scores"]["stolen"], "80")
        text = self.plan("--score", "scores.csv").stdout.decode()
        self.assertIn("stolen", text)

    def test_refuses_scores_that_are_none(self):
        for text in ("accuracy\n1\n", "choice,a\n1\n", "choice,a\n1,2\n1,3\n"):
            self.put("scores.csv", text)
            self.refuses(self.plan("--score", "scores.csv"), MALFORMED, "scores.csv")

    def test_plans_for_the_size_that_is_asked(self):
        one = self.choices("--protect", "all")[0]["crossing"]
        eight = self.choices("--protect", "all", "--size", "n=8")[0]["crossing"]
        self.assertEqual(eight, 8 * one)
        self.refuses(self.plan("--size", "m=8"), USAGE, "'n'")
        self.refuses(self.plan("--size", "n=0"), USAGE)

    def test_measures_the_machine_and_keeps_it(self):
        self.succeeds(self.run_tool("plan", "--calibrate", "--calibration", "mine.toml"))
        text = (self.home / "mine.toml").read_text()
        self.assertIn("[kind.gemm]", text)
        self.succeeds(self.run_tool("plan", "net.onnx", "--calibration", "mine.toml"))

    def test_refuses_a_calibration_that_is_none(self):
        self.put("cal.toml", CALIBRATION.replace("[kind.other]", "[kind.gemm]"))
        self.refuses(self.plan(), MALFORMED, "other")
        self.put("cal.toml", CALIBRATION.replace("run = ", "walk = "))
        self.refuses(self.plan(), MALFORMED, "run")

    def test_refuses_what_is_no_model(self):
        self.put("not.onnx", b"\x08\x08nonsense")
        self.refuses(self.plan(model="not.onnx"), MALFORMED, "not.onnx")
        self.refuses(self.plan(model="ranker.safetensors"), USAGE, ".onnx")
        self.refuses(self.plan(model="missing.onnx"), IO)

    def test_names_operators_it_cannot_run(self):
        self.put("odd.onnx", onnx_file.model(
            [onnx_file.node("Conjure", ["x"], ["y"])], [],
            [onnx_file.value_info("x", [4])], [onnx_file.value_info("y", [4])]))
        self.refuses(self.plan(model="odd.onnx"), UNSUPPORTED, "Conjure")

    def test_wants_both_a_choice_and_a_place_for_it(self):
        self.refuses(self.plan("--choose", "1"), USAGE, "--out")
        self.refuses(self.plan("--out", "p.plan"), USAGE, "--choose")
        for choice in ("99", "1", "0badf00d", ""):
            self.refuses(self.plan("--choose", choice, "--out", "p.plan"), USAGE)
        self.refuses(self.plan("--choose", "1", "--out", "p.plan"), USAGE, "no such choice")

    def test_ids_are_unique_and_survive_another_calibration(self):
        # Large enough to run in half of what it takes.
        self.put("net.onnx", onnx_file.model(
            [onnx_file.gemm("x", "w1", "h"), onnx_file.node("Relu", ["h"], ["r"]),
             onnx_file.gemm("r", "w2", "s"), onnx_file.node("Relu", ["s"], ["t"]),
             onnx_file.gemm("t", "w3", "y")],
            [onnx_file.weight("w1", [2048, 1024], 1), onnx_file.weight("w2", [64, 2048], 2),
             onnx_file.weight("w3", [4, 64], 3)],
            [onnx_file.value_info("x", [1, 1024])], [onnx_file.value_info("y", [1, 4])]))
        fast = self.choices()
        ids = [choice["id"] for choice in fast]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertGreater(sum(choice["label"] == "all" for choice in fast), 1)
        # Where computing costs much more and moving bytes nothing, other choices are the best.
        self.put("other.toml", CALIBRATION.replace("copy_byte = 100000", "copy_byte = 1")
                 .replace("decrypt_byte = 400000", "decrypt_byte = 1")
                 .replace("multiply_add = 10000", "multiply_add = 90000000"))
        inside = {}
        for calibration in ("cal.toml", "other.toml"):
            for one in ids:  # also those that are no longer listed
                self.succeeds(self.run_tool("plan", "net.onnx", "--calibration", calibration,
                                            "--choose", one, "--out", "p.plan", "--force"))
                secure = (self.home / "p.plan").read_text().split("[secure]")[1].split("[estimate]")[0]
                self.assertEqual(inside.setdefault(one, secure), secure)
        self.assertEqual(len(set(inside.values())), len(ids))


class BuildWithPlanTest(PlanCase):
    def inspected(self):
        run = self.run_tool("inspect", "out/b.seal", "--trust", "vendor.pub", "--json", "--tensors")
        return json.loads(self.succeeds(run).stdout)

    def test_seals_the_choice_and_leaves_the_rest_readable(self):
        plan = self.write_plan("last:2")
        report = self.report("--plan", plan, model="net.onnx")
        self.assertEqual(report["scheme"], "layers")
        places = {entry["tensor"]: entry["place"] for entry in report["entries"]}
        self.assertEqual(places, {"w1": "public", "w2": "sealed", "w3": "sealed"})
        names = [name for name in self.members() if name.startswith("public/")]
        self.assertEqual(names, ["public/net.onnx"])
        bundle = (self.home / "out/b.seal").read_bytes()
        model = (self.home / "net.onnx").read_bytes()
        weights = {name: model.index(name.encode()) + 40 for name in ("w1", "w2", "w3")}
        self.assertNotIn(model[weights["w2"]:weights["w2"] + 32], bundle)
        self.assertIn(b"w1", bundle)

    def test_gives_the_original_back(self):
        plan = self.write_plan("last:2")
        key = self.succeeds(self.run_tool("keygen", "recipient", "--out", "mine",
                                          "--no-passphrase"))
        del key
        self.succeeds(self.build("--plan", plan, model="net.onnx", to="mine.pub"))
        self.succeeds(self.run_tool("unseal", "out/b.seal", "--trust", "vendor.pub", "--key",
                                    "mine.key", "--out", "back"))
        self.assertEqual((self.home / "back/net.onnx").read_bytes(),
                         (self.home / "net.onnx").read_bytes())

    def test_seals_everything_for_the_default(self):
        plan = self.write_plan("all")
        report = self.report("--plan", plan, model="net.onnx")
        self.assertEqual(report["scheme"], "whole")
        self.assertEqual({entry["place"] for entry in report["entries"]}, {"sealed"})

    def test_refuses_a_plan_for_another_model(self):
        plan = self.write_plan("last:2")
        changed = bytearray((self.home / "net.onnx").read_bytes())
        changed[-80] ^= 1
        self.put("net.onnx", bytes(changed))
        self.fails(self.build("--plan", plan, model="net.onnx"), USAGE, "another model")

    def test_refuses_a_node_that_is_not_there(self):
        plan = self.home / self.write_plan("last:2")
        plan.write_text(plan.read_text().replace('"h2"', '"h9"'))
        self.fails(self.build("--plan", plan, model="net.onnx"), USAGE, "'h9'")

    def test_refuses_one_layer_unless_it_is_accepted(self):
        plan = self.write_plan("last:1")
        self.fails(self.build("--plan", plan, model="net.onnx"), REFUSED, "17 queries",
                   "--accept-oracle")
        result = self.succeeds(self.build("--plan", plan, "--accept-oracle", model="net.onnx"))
        self.assertIn("warning: --accept-oracle", result.stderr.decode())

    def test_takes_one_layer_where_answers_are_top_1_and_a_budget_is_no_excuse(self):
        plan = self.write_plan("last:1")
        policy = (self.home / "policy.toml").read_text()
        for answer, status in (('form = "top-1"', 0), ('form = "scores"\nquery_budget = 16', REFUSED),
                               ('form = "rounded"\ndecimals = 2', REFUSED)):
            self.put("p.toml", policy + "\n[answer]\n" + answer + "\n")
            result = self.build("--plan", plan, "--policy", "p.toml", "--force",
                                model="net.onnx", to="broker.pub")
            self.assertEqual(result.returncode, status, answer + result.stderr.decode())

    def test_reseal_cannot_widen_the_answers_of_a_division(self):
        plan = self.write_plan("last:1")
        policy = (self.home / "policy.toml").read_text()
        self.put("p.toml", policy + '\n[answer]\nform = "top-1"\n')
        self.put("q.toml", policy + '\n[answer]\nform = "scores"\n')
        self.succeeds(self.build("--plan", plan, "--policy", "p.toml", model="net.onnx", to="broker.pub"))
        widened = self.run_tool("reseal", "out/b.seal", "--in-place", "--signer", "vendor.key", "--policy", "q.toml")
        self.assertEqual(widened.returncode, REFUSED)
        self.assertIn(b"divided by layers", widened.stderr)
        self.succeeds(self.run_tool("reseal", "out/b.seal", "--in-place", "--signer", "vendor.key", "--policy", "p.toml"))

    def test_refuses_first_layers_unless_they_are_accepted(self):
        plan = self.write_plan("first:2")
        self.fails(self.build("--plan", plan, model="net.onnx"), REFUSED, "goes back",
                   "--accept-oracle")
        self.succeeds(self.build("--plan", plan, "--accept-oracle", model="net.onnx"))
        names = [name for name in self.members() if name.startswith("public/")]
        self.assertEqual(names, ["public/net.after.onnx"])

    def test_refuses_options_that_contradict(self):
        plan = self.write_plan("last:2")
        self.fails(self.build("--plan", plan, "--split", ".", model="net.onnx"), USAGE)
        self.fails(self.build("--plan", plan, "--opaque", model="net.onnx"), USAGE)
        self.fails(self.build("--accept-oracle", model="net.onnx"), USAGE)

    def test_reads_the_plan_from_the_settings(self):
        plan = self.write_plan("last:2")
        self.put("sealpack.toml", f'[scheme.layers]\nplan = "{plan}"\n')
        self.assertEqual(self.report(model="net.onnx")["scheme"], "layers")
        self.put("sealpack.toml", f'[scheme.layers]\nplans = "{plan}"\n')
        self.assertEqual(self.build("--force", model="net.onnx").returncode, MALFORMED)

    def test_says_what_crosses(self):
        plan = self.write_plan("last:2")
        self.succeeds(self.build("--plan", plan, model="net.onnx"))
        text = self.succeeds(self.run_tool("inspect", "out/b.seal")).stdout.decode()
        self.assertRegex(text, r"tap +r1 F32\[n,16\]")
        self.assertRegex(text, r"answer of the secure part +y F32\[n,4\]")
        self.assertEqual(self.inspected()["content"]["scheme"], "layers")

    def extracted(self):
        plan = self.write_plan("last:2")
        self.succeeds(self.build("--plan", plan, model="net.onnx"))
        self.succeeds(self.run_tool("extract", "out/b.seal", "--trust", "vendor.pub", "--out",
                                    "open"))
        return str(self.home / "open/net.onnx")

    def python(self, interpreter, modules, script, *arguments):
        """Runs a script in a Python that has these modules, or skips aloud."""
        there = interpreter and subprocess.run(
            [interpreter, "-c", "import " + modules], capture_output=True, check=False,
        ).returncode == 0
        if not there:
            print(f"SKIPPED: no Python with {modules}")
            self.skipTest(f"no Python with {modules}")
        done = subprocess.run([interpreter, "-c", script, *arguments], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_the_public_half_is_valid_onnx(self):
        self.python("/usr/bin/python3", "onnx", """
import onnx, sys
model = onnx.load(sys.argv[1])
onnx.checker.check_model(model, full_check=True)
assert [v.name for v in model.graph.output] == ["r1"], model.graph.output
assert [t.name for t in model.graph.initializer] == ["w1"]
""", self.extracted())

    def test_the_public_half_runs_in_onnxruntime(self):
        text = self.python(os.environ.get("SEALPACK_ORT_PYTHON"), "onnxruntime, numpy", """
import numpy, onnxruntime, sys
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
print(*session.run(None, {"x": numpy.ones((2, 8), "f")})[0][1])
""", self.extracted())
        values = random.Random(1)
        rows = [[values.uniform(-0.3, 0.3) for _ in range(8)] for _ in range(16)]
        for got, row in zip(text.split(), rows, strict=True):
            self.assertAlmostEqual(float(got), max(0, sum(row)), places=5)

    def test_the_trained_example_can_be_divided(self):
        model = str(ROOT / "examples/fashion-mnist/fashion-cnn.onnx")
        choices = json.loads(self.succeeds(self.plan("--json", "--protect", "last:3",
                                                     model=model)).stdout)["choices"]
        self.assertTrue(re.fullmatch("[0-9a-f]{8}", choices[-1]["id"]))
        self.succeeds(self.plan("--protect", "last:3", "--choose", choices[-1]["id"], "--out",
                                "p.plan", model=model))
        report = self.report("--plan", "p.plan", model=model)
        self.assertEqual(sum(entry["place"] == "sealed" for entry in report["entries"]), 6)


class WholeBuildTest(PlanCase):
    def test_notes_what_the_loader_cannot_run(self):
        self.put("odd.onnx", onnx_file.model(
            [onnx_file.node("Conjure", ["x", "w"], ["y"])], [onnx_file.weight("w", [40], 1)],
            [onnx_file.value_info("x", [40])], [onnx_file.value_info("y", [40])]))
        result = self.succeeds(self.build(model="odd.onnx"))
        self.assertIn("Conjure", result.stderr.decode())


if __name__ == "__main__":
    main()
