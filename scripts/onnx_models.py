# SPDX-License-Identifier: Apache-2.0
"""The ONNX models of make-models, built with Debian's python3-onnx."""

import math

import numpy
import onnx
import onnx.checker
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
FUNCTION_DOMAIN = "test.make_models"


def serialize(model):
    if model.ByteSize() >= 2**31:
        raise SystemExit("make-models: an ONNX file must stay below 2 GiB")
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def save_external(model, folder, model_name, data_name):
    """Tensors from 1 KiB up go to the data file; biases and other small ones stay inside."""
    path = str(folder / model_name)
    onnx.save_model(model, path, save_as_external_data=True, all_tensors_to_one_file=True,
                    location=data_name, size_threshold=1024)
    onnx.checker.check_model(path, full_check=True)


class GraphBuilder:
    """Collects nodes of one output, each named like its output, and initializers."""

    def __init__(self, seed):
        self.random = numpy.random.default_rng(seed)
        self.nodes, self.initializers = [], []

    def normal(self, shape, deviation=1.0):
        return self.random.standard_normal(shape, "float32") * numpy.float32(deviation)

    def constant(self, name, values):
        self.initializers.append(numpy_helper.from_array(numpy.asarray(values), name))
        return name

    def weight(self, name, shape, deviation):
        return self.constant(name, self.normal(shape, deviation))

    def filled(self, name, count, value):
        return self.constant(name, numpy.full(count, value, "float32"))

    def add(self, operator, *inputs, name, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def model(self, graph_name, inputs, outputs, functions=()):
        """Inputs and outputs are {name: shape}, all of them float."""
        infos = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                  for name, shape in values.items()] for values in (inputs, outputs)]
        graph = helper.make_graph(self.nodes, graph_name, *infos, self.initializers)
        imports = [helper.make_opsetid("", OPSET)]
        imports += [helper.make_opsetid(function.domain, 1) for function in functions]
        return helper.make_model(graph, producer_name="make-models", ir_version=8,
                                 opset_imports=imports, functions=functions)


def resnet18(seed, width):
    """He et al., Deep Residual Learning (2016), table 1; tensors named as in torchvision."""
    graph = GraphBuilder(seed)

    def convolution(x, conv, norm, channels_in, channels_out, kernel, stride):
        weight = graph.weight(f"{conv}.weight", (channels_out, channels_in, kernel, kernel),
                              math.sqrt(2 / (channels_in * kernel**2)))
        x = graph.add("Conv", x, weight, name=f"{conv}.out", kernel_shape=[kernel] * 2,
                      strides=[stride] * 2, pads=[kernel // 2] * 4)
        statistics = [graph.filled(f"{norm}.{part}", channels_out, value) for part, value in
                      (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1))]
        return graph.add("BatchNormalization", x, *statistics, name=f"{norm}.out")

    def residual_block(x, at, channels_in, channels_out, stride):
        y = convolution(x, f"{at}.conv1", f"{at}.bn1", channels_in, channels_out, 3, stride)
        y = graph.add("Relu", y, name=f"{at}.relu1")
        y = convolution(y, f"{at}.conv2", f"{at}.bn2", channels_out, channels_out, 3, 1)
        if stride != 1:
            x = convolution(x, f"{at}.downsample.0", f"{at}.downsample.1",
                            channels_in, channels_out, 1, stride)
        return graph.add("Relu", graph.add("Add", y, x, name=f"{at}.add"), name=f"{at}.relu2")

    x = graph.add("Relu", convolution("image", "conv1", "bn1", 3, width, 7, 2), name="relu")
    x = graph.add("MaxPool", x, name="maxpool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    channels = width
    for stage in range(4):
        x = residual_block(x, f"layer{stage + 1}.0", channels, width << stage, 2 if stage else 1)
        channels = width << stage
        x = residual_block(x, f"layer{stage + 1}.1", channels, channels, 1)
    x = graph.add("Flatten", graph.add("GlobalAveragePool", x, name="avgpool"), name="flatten")
    graph.add("Gemm", x, graph.weight("fc.weight", (1000, channels), 1 / math.sqrt(channels)),
              graph.filled("fc.bias", 1000, 0), name="logits", transB=1)
    return graph.model("resnet18", {"image": ["batch", 3, 224, 224]}, {"logits": ["batch", 1000]})


def transformer(seed, dim, tokens, layer_count):
    """Encoder layers, normalised first (Xiong et al. 2020), on embeddings [1, tokens, dim]."""
    graph = GraphBuilder(seed)
    head_size = 32
    split = graph.constant("split_heads", [1, tokens, dim // head_size, head_size])
    join = graph.constant("join_heads", [1, tokens, dim])
    scale, half, one, root2 = (
        graph.constant(name, numpy.float32(value)) for name, value in
        (("scale", 1 / math.sqrt(head_size)), ("half", 0.5), ("one", 1), ("root2", math.sqrt(2))))

    def norm(x, name):
        return graph.add("LayerNormalization", x, graph.filled(f"{name}.weight", dim, 1),
                         graph.filled(f"{name}.bias", dim, 0), name=f"{name}.out", axis=-1)

    def linear(x, name, size_in, size_out):
        weight = graph.weight(f"{name}.weight", (size_in, size_out), 1 / math.sqrt(size_in))
        x = graph.add("MatMul", x, weight, name=f"{name}.product")
        return graph.add("Add", x, graph.weight(f"{name}.bias", size_out, 0.02), name=f"{name}.out")

    def heads(x, name, order):
        x = graph.add("Reshape", linear(x, name, dim, dim), split, name=f"{name}.split")
        return graph.add("Transpose", x, name=f"{name}.heads", perm=order)

    def attention(x, at):
        scores = graph.add("MatMul", heads(x, f"{at}.query", [0, 2, 1, 3]),
                           heads(x, f"{at}.key", [0, 2, 3, 1]), name=f"{at}.scores")
        scores = graph.add("Mul", scores, scale, name=f"{at}.scaled_scores")
        shares = graph.add("Softmax", scores, name=f"{at}.shares", axis=-1)
        x = graph.add("MatMul", shares, heads(x, f"{at}.value", [0, 2, 1, 3]), name=f"{at}.mixed")
        x = graph.add("Transpose", x, name=f"{at}.mixed_tokens", perm=[0, 2, 1, 3])
        x = graph.add("Reshape", x, join, name=f"{at}.joined")
        return linear(x, f"{at}.output", dim, dim)

    def gelu(x, at):  # x/2 (1 + erf(x/√2)); an operator of its own only from opset 20
        y = graph.add("Erf", graph.add("Div", x, root2, name=f"{at}.scaled"), name=f"{at}.erf")
        y = graph.add("Mul", x, graph.add("Add", y, one, name=f"{at}.gate"), name=f"{at}.gated")
        return graph.add("Mul", y, half, name=f"{at}.gelu")

    x = "embeddings"
    for index in range(layer_count):
        at = f"layer{index}"
        y = attention(norm(x, f"{at}.norm1"), f"{at}.attention")
        x = graph.add("Add", x, y, name=f"{at}.add1")
        y = gelu(linear(norm(x, f"{at}.norm2"), f"{at}.up", dim, 4 * dim), f"{at}.up")
        x = graph.add("Add", x, linear(y, f"{at}.down", 4 * dim, dim), name=f"{at}.add2")
    shape = [1, tokens, dim]
    return graph.model("transformer", {"embeddings": shape}, {norm(x, "final_norm"): shape})


def dense_layers(seed, size):
    """Four wide layers of about `size` bytes of weights together."""
    graph = GraphBuilder(seed)
    layer_count, dim = 4, 128
    width = max(1, size // (layer_count * 2 * dim * 4))
    x = "input"
    for index in range(layer_count):
        at = f"layer{index}"
        up = graph.weight(f"{at}.up.weight", (dim, width), 1 / math.sqrt(dim))
        down = graph.weight(f"{at}.down.weight", (width, dim), 1 / math.sqrt(width))
        x = graph.add("MatMul", x, up, name=f"{at}.wide")
        x = graph.add("Relu", x, name=f"{at}.relu")
        x = graph.add("Gemm", x, down, graph.weight(f"{at}.bias", dim, 0.02), name=f"{at}.out")
    return graph.model("dense_layers", {"input": ["batch", dim]}, {x: ["batch", dim]})


class NestedBuilder(GraphBuilder):
    """Plants vectors of four random numbers. The model adds up all that an operator can take;

    strings and sparse tensors stay unused, as no operator of ONNX accepts the latter.
    """

    def __init__(self, seed):
        super().__init__(seed)
        self.addends = ["x"]

    def addend(self, operator, *inputs, name, **attributes):
        self.addends.append(self.add(operator, *inputs, name=name, **attributes))

    def floats(self, count=4):
        return [float(value) for value in self.normal(count)]

    def typed(self, name, data_type=TensorProto.FLOAT, values=None):
        """A vector in the field of its type (float_data, int64_data...) instead of raw_data."""
        values = self.floats() if values is None else values
        return helper.make_tensor(name, data_type, [len(values)], values)

    def raw(self, name):
        return numpy_helper.from_array(self.normal(4), name)

    def sparse(self, name):
        return helper.make_sparse_tensor(self.typed(name, values=self.floats(2)),
                                         self.typed("", TensorProto.INT64, [0, 3]), [4])

    def branch(self, name, *nodes):
        """A graph without inputs that sums an initializer, a constant and what `nodes` give."""
        constant = node("Constant", [], f"{name}_constant", value=self.typed("constant"))
        addends = [f"{name}_weight", *(inner.output[0] for inner in (constant, *nodes))]
        return helper.make_graph([constant, *nodes, node("Sum", addends, f"{name}_out")], name,
                                 [], [info(f"{name}_out")], [self.typed(f"{name}_weight")],
                                 sparse_initializer=[self.sparse(f"{name}_sparse")])


def node(operator, inputs, output, **attributes):
    return helper.make_node(operator, inputs, [output], output, **attributes)


def info(name, data_type=TensorProto.FLOAT, shape=(4,)):
    return helper.make_tensor_value_info(name, data_type, shape)


def plant_initializers(graph):
    """One for each field of TensorProto that may hold the data."""
    graph.initializers += [
        graph.raw("raw_data"), graph.typed("float_data"),
        graph.typed("string_data", TensorProto.STRING, [b"planted", b"strings"])]
    graph.addends += ["raw_data", "float_data"]
    for name, data_type, values in (
            ("int32_data", TensorProto.INT32, [5, -6, 7, -8]),
            ("int32_data_halves", TensorProto.FLOAT16, graph.floats()),
            ("int64_data", TensorProto.INT64, [1, -2, 3, -4]),
            ("double_data", TensorProto.DOUBLE, graph.floats()),
            ("uint64_data", TensorProto.UINT64, [9, 10, 11, 12])):
        graph.initializers.append(graph.typed(name, data_type, values))
        graph.addend("Cast", name, name=f"{name}_cast", to=TensorProto.FLOAT)


def plant_attributes(graph):
    """Constant in every spelling, and a tensor as the attribute of another operator."""
    graph.addend("Constant", name="value", value=graph.typed("constant"))
    graph.addend("Constant", name="value_raw", value=graph.raw("constant_raw"))
    graph.addend("Constant", name="value_float", value_float=graph.floats(1)[0])
    graph.addend("Constant", name="value_floats", value_floats=graph.floats())
    graph.add("Constant", name="sparse_value", sparse_value=graph.sparse("constant_sparse"))
    graph.add("Constant", name="value_int", value_int=2)
    graph.add("Constant", name="value_ints", value_ints=[4])
    graph.add("Constant", name="value_string", value_string="planted string")
    graph.add("Constant", name="value_strings", value_strings=["planted", "string list"])
    graph.addend("ConstantOfShape", "value_ints", name="constant_of_shape",
                 value=graph.typed("filler", values=graph.floats(1)))


def plant_subgraphs(graph):
    """If (one inside another), Loop and Scan, whose bodies have initializers of their own."""
    condition = graph.typed("condition", TensorProto.BOOL, [True])
    graph.initializers.append(condition)
    deep = node("If", ["condition"], "deep", then_branch=graph.branch("deep_then"),
                else_branch=graph.branch("deep_else"))
    graph.addend("If", "condition", name="if_out", then_branch=graph.branch("then", deep),
                 else_branch=graph.branch("else"))
    go = [info(name, TensorProto.BOOL, ()) for name in ("go", "go_out")]
    graph.addend("Loop", "value_int", "", "x", name="loop_out", body=helper.make_graph(
        [node("Identity", ["go"], "go_out"),
         node("Add", ["carried", "loop_weight"], "carried_out")],
        "loop", [info("round", TensorProto.INT64, ()), go[0], info("carried")],
        [go[1], info("carried_out")], [graph.typed("loop_weight")]))
    graph.addend("Scan", "x", "float_data", name="scan_out", num_scan_inputs=1,
                 body=helper.make_graph(
                     [node("Mul", ["scan_weight", "element"], "scaled"),
                      node("Add", ["state", "scaled"], "state_out")],
                     "scan", [info("state"), info("element", shape=())],
                     [info("state_out")], [graph.raw("scan_weight")]))


def plant_function(graph):
    """A model-local function with a constant, called with lists of tensors and graphs."""
    graph.addend("Planted", "x", name="function_out", domain=FUNCTION_DOMAIN,
                 tensors=[graph.typed("listed_typed"), graph.raw("listed_raw")],
                 sparse_tensors=[graph.sparse("listed_sparse")],
                 graphs=[graph.branch("listed_graph")])
    return helper.make_function(
        FUNCTION_DOMAIN, "Planted", ["input"], ["output"],
        [node("Constant", [], "planted", value=graph.typed("function_constant")),
         node("Add", ["input", "planted"], "output")],
        [helper.make_opsetid("", OPSET)], ["tensors", "sparse_tensors", "graphs"])


def nested(seed):
    """Tensor data in every place of an ONNX file that may hold it."""
    graph = NestedBuilder(seed)
    plant_initializers(graph)
    plant_attributes(graph)
    plant_subgraphs(graph)
    function = plant_function(graph)
    graph.add("Sum", *graph.addends, name="sum")
    model = graph.model("nested", {"x": [4]}, {"sum": [4]}, [function])
    model.graph.sparse_initializer.append(graph.sparse("sparse_initializer"))
    training = model.training_info.add()
    training.initialization.CopyFrom(graph.branch("training_initialization"))
    training.algorithm.CopyFrom(graph.branch("training_algorithm"))
    return model
