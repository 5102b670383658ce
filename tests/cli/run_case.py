# SPDX-License-Identifier: Apache-2.0
"""What the tests of `sealpack run` share: a small trained network, images for it, NumPy's files."""

import ast
import pathlib
import random
import struct

from sealpack_case import SealpackCase

LIMIT = 16
MODEL = pathlib.Path(__file__).resolve().parents[2] / "examples/fashion-mnist/fashion-cnn.onnx"
CODES = {"<f4": "f", "<i8": "q", "<f8": "d", "|u1": "B"}

POLICY = """
[anyone]
because = "a test"
[answer]
%s
"""


def npy(shape, values, descr="<f4", fortran=False):
    """Bytes of an .npy file."""
    text = "{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }" % (
        descr, fortran, "".join(f"{size}, " for size in shape))
    text += " " * (-(11 + len(text)) % 64) + "\n"
    return (b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() +
            struct.pack(f"<{len(values)}{CODES[descr]}", *values))


def read_npy(data):
    """[(descr, shape, values)] of the arrays that follow one another."""
    arrays = []
    while data:
        size = struct.unpack("<H", data[8:10])[0]
        header = ast.literal_eval(data[10:10 + size].decode())
        count = 1
        for length in header["shape"]:
            count *= length
        code = CODES[header["descr"]]
        begin, end = 10 + size, 10 + size + count * struct.calcsize(code)
        arrays.append((header["descr"], header["shape"],
                       struct.unpack(f"<{count}{code}", data[begin:end])))
        data = data[end:]
    return arrays


def images(rows, seed=1):
    chooser = random.Random(seed)
    return npy((rows, 1, 28, 28), [chooser.random() for _ in range(rows * 784)])


class RunCase(SealpackCase):
    """Bundles of a network that tells clothes apart: one image, ten scores."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        made = cls.folder
        (made / "net.onnx").write_bytes(MODEL.read_bytes())
        (made / "x.npy").write_bytes(images(7))
        cls.run_in(made, "build", "net.onnx", "--out", "b.seal", "--signer", "vendor.key",
                   "--to", "device.pub", "--product", "acme/clothes", "--counter", "17", "-q")

    def build_with_answer(self, answer):
        (self.folder / "answer.toml").write_text(POLICY % answer)
        self.succeed("build", "net.onnx", "--out", "a.seal", "--signer", "vendor.key",
                     "--to", "device.pub", "--policy", "answer.toml")

    @staticmethod
    def arguments(*more, bundle="b.seal", trust="vendor.pub", key="device.key", inputs=("x.npy",),
                  outputs=("y.npy",)):
        command = ["run", bundle, "--trust", trust, "--key", key]
        for name in inputs:
            command += ["--input", name]
        for name in outputs:
            command += ["--output", name]
        return (*command, *more)

    def answer(self, *more, **how):
        """The one array that a run answers with."""
        self.succeed(*self.arguments(*more, "--force", **how))
        return read_npy((self.folder / "y.npy").read_bytes())[0]
