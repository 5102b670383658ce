#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make_graph_corpus.py FOLDER: seeds of nn_graph_fuzz, small models that reach every kind of operator.

Needs Python's onnx (Debian package python3-onnx). Whatever has only constants as inputs is also run.
"""

import pathlib
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def constant(name, value, dtype=np.float32):
    return numpy_helper.from_array(np.array(value, dtype=dtype), name)


def ints(name, *values):
    return constant(name, values, np.int64)


def model(nodes, tensors, opset=13, ir=8):
    """A model from x [N,3,4,4] to y, the output of the last node."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 4, 4])
    y = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.UNDEFINED, None)
    y.type.Clear()
    graph = helper.make_graph(nodes, "g", [x], [y], tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = ir
    made.producer_name = ""
    return made


def chain(*steps):
    """Nodes one after the other: (op, other inputs, attributes); the first takes the value named."""
    value, nodes = steps[0], []
    for number, (op, inputs, attributes) in enumerate(steps[1:]):
        nodes.append(helper.make_node(op, [value, *inputs], [f"v{number}"], **attributes))
        value = f"v{number}"
    return nodes


GRID = constant("c", np.arange(12).reshape(3, 4))


def seeds():
    yield "image", model(
        chain("x", ("Conv", ["w", "b"], {"pads": [1] * 4}), ("Relu", [], {}),
              ("MaxPool", [], {"kernel_shape": [2, 2], "strides": [2, 2]}),
              ("GlobalAveragePool", [], {}), ("Flatten", [], {}), ("Gemm", ["f"], {}),
              ("Softmax", [], {})),
        [constant("w", np.ones((2, 3, 3, 3))), constant("b", [0, 1]), constant("f", np.ones((2, 5)))])
    yield "shapes", model(
        chain("c", ("Reshape", ["s"], {}), ("Transpose", [], {"perm": [1, 0, 2]}),
              ("Slice", ["a", "e", "i", "n"], {}), ("Unsqueeze", ["i"], {}), ("Squeeze", ["i"], {}),
              ("Expand", ["g"], {}), ("Tile", ["t"], {}), ("Flatten", [], {"axis": 2})),
        [GRID, ints("s", 2, -1, 3), ints("a", -1), ints("e", -9), ints("i", 0), ints("n", -1),
         ints("g", 2, 1, 2, 3), ints("t", 1, 2, 1, 1)])
    yield "gather", model(
        chain("c", ("Gather", ["i"], {"axis": 1}), ("GatherElements", ["j"], {"axis": 1}),
              ("ScatterElements", ["j", "u"], {"axis": 1, "reduction": "add"}), ("GatherND", ["k"], {}),
              ("ScatterND", ["p", "q"], {})),
        [GRID, ints("i", 0, -1), constant("j", [[1, 0]], np.int64), constant("u", [[5, 6]]),
         constant("k", [[0], [-1]], np.int64), constant("p", [[1]], np.int64),
         constant("q", [[7, 8]])], opset=16)
    yield "choose", model(
        chain("c", ("CumSum", ["o"], {}), ("TopK", ["k"], {}), ("ArgMax", [], {"axis": 1}),
              ("OneHot", ["d", "v"], {}), ("NonZero", [], {}), ("Cast", [], {"to": 10}),
              ("Pad", ["p"], {"mode": "reflect"}), ("Trilu", [], {})),
        [GRID, ints("o", 1), ints("k", 2), constant("d", 4, np.int64), constant("v", [0, 1]),
         ints("p", 1, 1, 1, 1)], opset=14)
    yield "resize", model(
        chain("c", ("Resize", ["", "s"], {"mode": "cubic"}), ("Resize", ["r", "", "z"], {
            "mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize"})),
        [GRID, constant("s", [0.6, 1.7]), constant("r", [0, 0.1, 1, 1.2]), ints("z", 4, 2)])
    yield "old", model(
        chain("c", ("Slice", [], {"starts": [0], "ends": [2], "axes": [1]}),
              ("Pad", [], {"pads": [1, 0, 0, -1]}), ("Upsample", ["s"], {"mode": "linear"}),
              ("TopK", [], {"k": 1}), ("Split", [], {"axis": 0, "split": [8]})),
        [GRID, constant("s", [2, 2])], opset=9, ir=3)
    yield "reduce", model(
        chain("c", ("ReduceSum", ["a"], {}), ("ReduceLogSumExp", [], {"axes": [1]}), ("Erf", [], {}),
              ("Einsum", ["m"], {"equation": "ij,jk->ik"}), ("MatMul", ["m"], {}),
              ("LayerNormalization", ["l"], {})),
        [GRID, ints("a", 0), constant("m", [[2.0]]), constant("l", [1.0])], opset=17)
    yield "quantized", model(
        chain("c", ("QuantizeLinear", ["s", "z"], {}), ("DequantizeLinear", ["s", "z"], {}),
              ("DynamicQuantizeLinear", [], {})),
        [GRID, constant("s", 0.1), constant("z", 3, np.uint8)])
    yield "recurrent", model(
        chain("q", ("LSTM", ["w", "r"], {"hidden_size": 2})),
        [constant("q", np.ones((2, 1, 3))), constant("w", np.ones((1, 8, 3))),
         constant("r", np.ones((1, 8, 2)))])
    yield "binary", model(
        [helper.make_node("Constant", [], ["k"], value_floats=[1.0, 2.0, 3.0, 4.0]),
         helper.make_node("Shape", ["x"], ["sx"]),
         helper.make_node("Add", ["c", "k"], ["a"]), helper.make_node("Less", ["a", "k"], ["b"]),
         helper.make_node("Where", ["b", "a", "k"], ["w"]), helper.make_node("Mod", ["w", "k"], ["m"], fmod=1),
         helper.make_node("Concat", ["m", "c"], ["j"], axis=0),
         helper.make_node("ConstantOfShape", ["z"], ["f"]),
         helper.make_node("Range", ["r0", "r1", "r2"], ["y"])],
        [GRID, ints("z", 2, 0, 3), constant("r0", 1, np.int32), constant("r1", 9, np.int32),
         constant("r2", 3, np.int32)])


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, made in seeds():
        (folder / name).write_bytes(made.SerializeToString())


if __name__ == "__main__":
    main()
