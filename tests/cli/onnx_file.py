# SPDX-License-Identifier: Apache-2.0
"""Small ONNX files for tests, written field by field."""

import random
import struct

FLOAT, INT64 = 1, 7


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])


def integer(number, value):
    return varint(number << 3) + varint(value)


def sized(number, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def value_info(name, shape, dtype=FLOAT):
    """A dimension is a number or a name."""
    dims = b"".join(
        sized(1, integer(1, dim) if isinstance(dim, int) else sized(2, dim)) for dim in shape)
    return sized(1, name) + sized(2, sized(1, integer(1, dtype) + sized(2, dims)))


def weight(name, shape, seed):
    count = 1
    for size in shape:
        count *= size
    values = random.Random(seed)
    data = b"".join(struct.pack("<f", values.uniform(-0.3, 0.3)) for _ in range(count))
    dims = b"".join(integer(1, size) for size in shape)
    return dims + integer(2, FLOAT) + sized(8, name) + sized(9, data)


def node(operation, inputs, outputs, **integers):
    attributes = b"".join(sized(5, sized(1, name) + integer(3, value) + integer(20, 2))
                          for name, value in integers.items())
    return (b"".join(sized(1, name) for name in inputs) +
            b"".join(sized(2, name) for name in outputs) +
            sized(3, outputs[0] + "_node") + sized(4, operation) + attributes)


def model(nodes, weights, inputs, outputs):
    graph = (b"".join(sized(1, item) for item in nodes) + sized(2, "g") +
             b"".join(sized(5, item) for item in weights) +
             b"".join(sized(11, item) for item in inputs) +
             b"".join(sized(12, item) for item in outputs))
    return integer(1, 8) + sized(8, integer(2, 13)) + sized(7, graph)


def gemm(data, matrix, output):
    return node("Gemm", [data, matrix], [output], transB=1)


def three_layers():
    """x[n,8] -> h1 -> relu -> h2 -> relu -> y[n,4]."""
    return model(
        [gemm("x", "w1", "h1"), node("Relu", ["h1"], ["r1"]), gemm("r1", "w2", "h2"),
         node("Relu", ["h2"], ["r2"]), gemm("r2", "w3", "y")],
        [weight("w1", [16, 8], 1), weight("w2", [16, 16], 2), weight("w3", [4, 16], 3)],
        [value_info("x", ["n", 8])], [value_info("y", ["n", 4])])
