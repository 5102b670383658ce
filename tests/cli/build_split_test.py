# SPDX-License-Identifier: Apache-2.0
"""sealpack build --split: models that were divided elsewhere."""

import json
import unittest

from build_case import (MALFORMED, REFUSED, UNSUPPORTED, USAGE, BuildCase, main)
from onnx_file import gemm, model, node, value_info, weight


def public(outputs=(("h", ["n", 16]),)):
    """x[n,8] -> h = relu(x w1)."""
    return model([gemm("x", "w1", "a"), node("Relu", ["a"], ["h"])], [weight("w1", [16, 8], 1)],
                 [value_info("x", ["n", 8])], [value_info(*item) for item in outputs])


def secure(tap="h", shape=("n", 16), answer="y", extra=()):
    """tap -> relu(tap w2) w3."""
    return model([gemm(tap, "w2", "b"), node("Relu", ["b"], ["c"]), gemm("c", "w3", answer)],
                 [weight("w2", [16, 16], 2), weight("w3", [4, 16], 3)],
                 [value_info(tap, list(shape))],
                 [value_info(answer, ["n", 4])] + [value_info(*item) for item in extra])


class SplitTest(BuildCase):
    def put_split(self, **files):
        for name, content in {"public": public(), "secure": secure(), **files}.items():
            if content is not None:
                suffix = ".toml" if name == "split" else ".onnx"
                self.put("split/" + name + suffix, content)

    def build_split(self, *arguments, **options):
        return self.build("--split", "split", *arguments, model="split", **options)

    def plan(self):
        run = self.run_tool("inspect", "out/b.seal", "--trust", "vendor.pub", "--json")
        return json.loads(self.succeeds(run).stdout)["content"]["plan"]

    def test_seals_the_secure_half_and_leaves_the_other_as_it_is(self):
        self.put_split()
        report = json.loads(self.succeeds(self.build_split("--json")).stdout)
        self.assertEqual(report["scheme"], "layers")
        bundle = (self.home / "out/b.seal").read_bytes()
        self.assertIn(public(), bundle)
        self.assertNotIn(weight("w2", [16, 16], 2)[-64:], bundle)
        plan = self.plan()
        self.assertEqual((plan["before"], plan["secure"], plan["after"]),
                         ("public.onnx", "secure.onnx", ""))
        self.assertEqual(plan["taps"], [{"name": "h", "source": "h", "dtype": "F32",
                                         "shape": ["n", 16]}])
        self.assertEqual([answer["name"] for answer in plan["answers"]], ["y"])
        self.assertEqual(plan["results"], ["y"])

    def test_takes_the_folder_as_the_model(self):
        self.put_split()
        result = self.run_tool("build", "--split", "split", "--out", "out/b.seal", "--signer",
                               "vendor.key", "--to", "r.pub")
        self.succeeds(result)
        self.assertEqual(self.plan()["secure"], "secure.onnx")

    def test_maps_names_that_differ(self):
        self.put_split(secure=secure(tap="features"),
                       split='answers = ["y"]\n[taps]\nfeatures = "h"\n')
        self.succeeds(self.build_split())
        tap = self.plan()["taps"][0]
        self.assertEqual((tap["name"], tap["source"]), ("features", "h"))

    def test_takes_an_input_of_the_model_inside(self):
        self.put_split(secure=model(
            [gemm("h", "w2", "b"), gemm("x", "w4", "d"), node("Add", ["b", "d"], ["s"]),
             node("Relu", ["s"], ["c"]), gemm("c", "w3", "y")],
            [weight("w2", [16, 16], 2), weight("w4", [16, 8], 4), weight("w3", [4, 16], 3)],
            [value_info("h", ["n", 16]), value_info("x", ["n", 8])],
            [value_info("y", ["n", 4])]))
        self.succeeds(self.build_split())
        self.assertEqual([tap["source"] for tap in self.plan()["taps"]], ["h", ""])

    def test_keeps_outputs_of_the_public_half_among_the_results(self):
        self.put_split(public=public((("h", ["n", 16]), ("a", ["n", 16]))))
        self.succeeds(self.build_split())
        self.assertEqual(self.plan()["results"], ["y", "a"])

    def test_refuses_shapes_and_types_that_do_not_fit(self):
        self.put_split(secure=secure(shape=("n", 32)))
        self.fails(self.build_split(), USAGE, "F32[n,32]", "F32[n,16]")
        self.put_split(secure=secure(shape=("n", 16, 1)))
        self.fails(self.build_split(), USAGE, "F32[n,16,1]")

    def test_refuses_names_that_are_not_there(self):
        for text, word in (('[taps]\nh = "nope"\n', "'nope'"), ('[taps]\nnope = "h"\n', "'nope'"),
                           ('answers = ["z"]\n', "'z'"), ('results = ["q"]\n', "'q'")):
            self.put_split(split=text)
            self.fails(self.build_split(), USAGE, word)

    def test_refuses_halves_that_do_not_meet(self):
        self.put_split(secure=secure(tap="features"))
        self.fails(self.build_split(), USAGE, "takes nothing", "[taps]")

    def test_refuses_a_split_file_with_unknown_keys(self):
        self.put_split(split='tap = ["h"]\n')
        self.fails(self.build_split(), MALFORMED, "split.toml:1:1", "tap")

    def test_refuses_an_output_that_goes_nowhere(self):
        self.put_split(secure=secure(extra=(("c", ["n", 16]),)), split='answers = ["y"]\n')
        self.fails(self.build_split(), USAGE, "'c'", "goes nowhere")

    def test_refuses_a_folder_without_the_two_files(self):
        self.put_split(secure=None)
        self.fails(self.build_split(), USAGE, "secure.onnx")
        self.put_split(public=None)
        (self.home / "split/public.onnx").unlink()
        self.fails(self.build_split(), USAGE, "public.onnx")

    def test_refuses_another_model_beside_it(self):
        self.put_split()
        self.fails(self.build("--split", "split", model="ranker.safetensors"), USAGE)

    def test_refuses_one_layer_unless_it_is_accepted(self):
        self.put_split(secure=model([gemm("h", "w2", "y")], [weight("w2", [4, 16], 2)],
                                    [value_info("h", ["n", 16])], [value_info("y", ["n", 4])]))
        self.fails(self.build_split(), REFUSED, "17 queries", "--accept-oracle")
        self.succeeds(self.build_split("--accept-oracle"))

    def test_refuses_what_goes_back_unless_it_is_accepted(self):
        after = model([node("Softmax", ["y"], ["p"])], [], [value_info("y", ["n", 4])],
                      [value_info("p", ["n", 4])])
        self.put_split(after=after)
        self.fails(self.build_split(), REFUSED, "'y'", "goes back", "--accept-oracle")
        self.succeeds(self.build_split("--accept-oracle"))
        plan = self.plan()
        self.assertEqual((plan["after"], plan["results"]), ("after.onnx", ["p"]))
        self.assertEqual(plan["returned"][0]["name"], "y")

    def test_takes_a_decision_that_goes_back(self):
        routed = model([gemm("h", "w2", "b"), node("Relu", ["b"], ["c"]), gemm("c", "w3", "s"),
                        node("ArgMax", ["s"], ["y"], axis=1, keepdims=0)],
                       [weight("w2", [16, 16], 2), weight("w3", [4, 16], 3)],
                       [value_info("h", ["n", 16])], [value_info("y", ["n"], 7)])
        after = model([node("Identity", ["y"], ["p"])], [], [value_info("y", ["n"], 7)],
                      [value_info("p", ["n"], 7)])
        self.put_split(secure=routed, after=after)
        self.succeeds(self.build_split())

    def test_runs_a_public_half_that_only_takes_behind(self):
        behind = model([node("Softmax", ["y"], ["p"])], [], [value_info("y", ["n", 4])],
                       [value_info("p", ["n", 4])])
        self.put_split(public=behind)
        self.succeeds(self.build_split("--accept-oracle"))
        plan = self.plan()
        self.assertEqual((plan["before"], plan["after"]), ("", "public.onnx"))
        self.assertEqual(plan["taps"][0]["source"], "")

    def test_refuses_a_public_half_that_would_run_twice(self):
        both = model([gemm("x", "w1", "a"), node("Relu", ["a"], ["h"]),
                      node("Softmax", ["y"], ["p"])],
                     [weight("w1", [16, 8], 1)],
                     [value_info("x", ["n", 8]), value_info("y", ["n", 4])],
                     [value_info("h", ["n", 16]), value_info("p", ["n", 4])])
        self.put_split(public=both)
        self.fails(self.build_split(), UNSUPPORTED, "after.onnx")

    def test_refuses_secure_weights_that_the_public_half_has_too(self):
        self.put_split(public=model(
            [gemm("x", "w1", "a"), node("Relu", ["a"], ["r"]), gemm("r", "copy", "h")],
            [weight("w1", [16, 8], 1), weight("copy", [16, 16], 2)],
            [value_info("x", ["n", 8])], [value_info("h", ["n", 16])]))
        self.fails(self.build_split(), REFUSED, "'w2'", "'copy'")

    def test_names_what_the_loader_cannot_run(self):
        self.put_split(secure=model(
            [node("Conjure", ["h"], ["b"]), node("Evoke", ["b"], ["y"])], [],
            [value_info("h", ["n", 16])], [value_info("y", ["n", 4])]))
        self.fails(self.build_split(), UNSUPPORTED, "Conjure", "Evoke")

    def test_seals_other_files_as_ever(self):
        self.put_split()
        self.put("split/README.md", "how to use it")
        self.put("split/secret.bin", b"0123456789abcdef" * 8)
        self.succeeds(self.build_split())
        self.assertIn("public/README.md", self.members())
        self.assertNotIn(b"0123456789abcdef", (self.home / "out/b.seal").read_bytes())


if __name__ == "__main__":
    main()
