# SPDX-License-Identifier: Apache-2.0
"""Models with tensor data in every place that may hold it, of 24 random elements each."""
import numpy
from onnx import TensorProto, helper, numpy_helper

RANDOM = numpy.random.default_rng(7)


def normal(*shape):
    return RANDOM.standard_normal(shape, dtype="float32")


def typed(name, data_type, values):
    """In the typed field of data_type, never raw_data."""
    return helper.make_tensor(name, data_type, numpy.shape(values), numpy.ravel(values).tolist())


def info(name, data_type=TensorProto.FLOAT, shape=(24,)):
    return helper.make_tensor_value_info(name, data_type, shape)


def node(operator, inputs, output, **attributes):
    result = helper.make_node(operator, inputs, [output], output, **attributes)
    result.doc_string = "secret doc of a node"
    return result


def sparse(name):
    indices = numpy.sort(RANDOM.choice(24, 20, replace=False))
    return helper.make_sparse_tensor(typed(name, TensorProto.FLOAT, normal(20)),
                                     typed("", TensorProto.INT64, indices), [24])


def finish(nodes, initializers, output="sum", functions=(), ir_version=8, inputs=None, **fields):
    graph = helper.make_graph(nodes, "g", inputs or [info("x")], [info(output)], initializers,
                              doc_string="secret doc of a graph")
    opsets = [helper.make_opsetid("", 17)]
    if functions:
        opsets.append(helper.make_opsetid("test.local", 1))
    model = helper.make_model(graph, producer_name="secret producer", ir_version=ir_version,
                              opset_imports=opsets, functions=list(functions), **fields)
    model.doc_string = "secret doc of a model"
    helper.set_model_props(model, {"note": "secret meta"})
    return model


def typed_model():
    """Initializers in every typed field, Constant nodes of every kind."""
    t = TensorProto
    ints = RANDOM.integers(-100, 100, 24)
    initializers = [
        numpy_helper.from_array(normal(24), "raw"), typed("floats", t.FLOAT, normal(24)),
        typed("doubles", t.DOUBLE, RANDOM.standard_normal(24)),
        typed("i64", t.INT64, ints * 10**12),
        typed("i32", t.INT32, ints * 10**6), typed("i16", t.INT16, ints * 100),
        typed("i8", t.INT8, ints), typed("u8", t.UINT8, ints + 100),
        typed("u16", t.UINT16, ints + 100),
        typed("u32", t.UINT32, (ints + 100) * 10**7), typed("u64", t.UINT64, (ints + 100) * 10**16),
        typed("f16", t.FLOAT16, normal(24)), typed("bf16", t.BFLOAT16, normal(24)),
        typed("bools", t.BOOL, ints > 0), typed("c64", t.COMPLEX64, normal(24) + 1j * normal(24)),
        typed("zero", t.FLOAT, []), typed("scalar", t.FLOAT, 0.5)]
    strings = helper.make_tensor("strings", t.STRING, [20], [b"secret %d" % i for i in range(20)])
    initializers.append(strings)
    addends, nodes = ["x", "raw", "floats", "sparse", "scalar"], []
    for name in "doubles i64 i32 i16 i8 u8 u16 u32 u64 f16 bf16 bools".split():
        nodes.append(node("Cast", [name], f"{name}_cast", to=t.FLOAT))
        addends.append(f"{name}_cast")
    constants = {"value": typed("", t.FLOAT, normal(24)), "value_float": 0.25, "value_int": 7,
                 "value_floats": [float(v) for v in normal(24)],
                 "value_ints": [int(v) for v in RANDOM.integers(0, 10**9, 24)],
                 "value_string": "secret", "value_strings": ["secret", "strings"],
                 "sparse_value": sparse("")}
    for name, value in constants.items():
        nodes.append(node("Constant", [], f"c_{name}", **{name: value}))
    nodes += [node("Cast", ["c_value_ints"], "ints_cast", to=t.FLOAT),
              node("Cast", ["c_value_int"], "int_cast", to=t.FLOAT)]
    addends += ["c_value", "c_value_float", "c_value_floats", "c_sparse_value",
                "ints_cast", "int_cast"]
    nodes.append(helper.make_node("Sum", addends, ["sum"], "sum"))
    model = finish(nodes, initializers)
    model.graph.sparse_initializer.append(sparse("sparse"))
    for tensor in model.graph.initializer:
        tensor.doc_string = "secret doc of a tensor"
    return model


def branch(name, *nodes):
    constant = typed("", TensorProto.FLOAT, normal(24))
    nodes = [*nodes, node("Constant", [], f"{name}_c", value=constant)]
    addends = [n.output[0] for n in nodes] + [f"{name}_w"]
    nodes.append(node("Sum", addends, f"{name}_out"))
    return helper.make_graph(nodes, name, [], [info(f"{name}_out")],
                             [numpy_helper.from_array(normal(24), f"{name}_w")])


def nested_model():
    """If in If, Loop, Scan, with data of their own; a branch whose output is its initializer."""
    bare = helper.make_graph([], "bare", [], [info("bare_w")],
                             [typed("bare_w", TensorProto.FLOAT, normal(24))])
    deep = node("If", ["condition"], "deep", then_branch=branch("deep_then"),
                else_branch=branch("deep_else"))
    nodes = [node("If", ["condition"], "if_out", then_branch=branch("then", deep),
                  else_branch=bare)]
    scalar = {"data_type": TensorProto.INT64, "shape": ()}
    flag = {"data_type": TensorProto.BOOL, "shape": ()}
    loop = helper.make_graph(
        [node("Add", ["carried", "loop_w"], "carried_out"), node("Identity", ["go"], "go_out")],
        "loop", [info("round", **scalar), info("go", **flag), info("carried")],
        [info("go_out", **flag), info("carried_out")],
        [numpy_helper.from_array(normal(24), "loop_w")])
    nodes.append(node("Loop", ["rounds", "", "x"], "loop_out", body=loop))
    scan = helper.make_graph(
        [node("Mul", ["scan_w", "row"], "scaled"), node("Add", ["state", "scaled"], "state_out")],
        "scan", [info("state"), info("row", shape=())], [info("state_out")],
        [numpy_helper.from_array(normal(24), "scan_w")])
    nodes += [node("Scan", ["x", "x"], "scan_out", body=scan, num_scan_inputs=1),
              node("Sum", ["if_out", "loop_out", "scan_out"], "sum")]
    model = finish(nodes, [typed("condition", TensorProto.BOOL, True),
                           typed("rounds", TensorProto.INT64, 3)])
    training = model.training_info.add()
    training.initialization.CopyFrom(branch("training_initialization"))
    training.algorithm.CopyFrom(branch("training_algorithm"))
    return model


def function_model():
    """Inner holds data, Outer calls it twice; it is called from the graph and from branches."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("test.local", 1)]
    inner = helper.make_function(
        "test.local", "Inner", ["a"], ["b"],
        [node("Constant", [], "planted", value=typed("", TensorProto.FLOAT, normal(24))),
         node("Add", ["a", "planted"], "b")], opsets)
    outer = helper.make_function(
        "test.local", "Outer", ["a", "unused"], ["b"],
        [node("Inner", ["a"], "once", domain="test.local"),
         node("Inner", ["once"], "b", domain="test.local")], opsets)
    branches = {}
    for name in ("then", "else"):
        branches[f"{name}_branch"] = helper.make_graph(
            [node("Outer", ["x", "x"], f"{name}_out", domain="test.local")],
            name, [], [info(f"{name}_out")])
    return finish([node("Outer", ["x", "x"], "first", domain="test.local"),
                   node("Outer", ["first", "x"], "given", domain="test.local"),
                   node("If", ["condition"], "if_out", **branches),
                   node("Sum", ["given", "if_out"], "sum")],
                  [typed("condition", TensorProto.BOOL, True)], functions=[inner, outer])


def old_model():
    """IR version 3: every initializer is also an input."""
    return finish([node("Add", ["x", "w"], "y"), node("Add", ["y", "v"], "sum")],
                  [numpy_helper.from_array(normal(24), name) for name in "wv"], ir_version=3,
                  inputs=[info(name) for name in "xwv"])


def external_model():
    weights = [numpy_helper.from_array(normal(24, 24), f"fc{i}.weight") for i in range(4)]
    nodes = [node("MatMul", ["x" if i == 0 else f"y{i - 1}", f"fc{i}.weight"], f"y{i}")
             for i in range(4)]
    return finish(nodes, weights, output="y3")


def attribute_model():
    weights = [float(v) for v in normal(24)]
    regressor = helper.make_node("LinearRegressor", ["x2"], ["y"], "regressor", domain="ai.onnx.ml",
                                 coefficients=weights, intercepts=[0.5])
    shape = typed("shape", TensorProto.INT64, [1, 24])
    graph = helper.make_graph([node("Reshape", ["x", "shape"], "x2"), regressor,
                               node("Add", ["x2", "w"], "sum")], "g", [info("x")],
                              [info("sum", shape=(1, 24)), info("y", shape=(1, 1))],
                              [shape, numpy_helper.from_array(normal(24), "w")])
    return helper.make_model(graph, ir_version=8, opset_imports=[
        helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)])
