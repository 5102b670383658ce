#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The 10,000 test images of Fashion-MNIST as a NumPy file, and the share of answers that are right.

  test_set.py images OUT.npy       float32 [10000, 1, 28, 28], grey values 0..1
  test_set.py score ANSWERS.npy    int64 [10000] classes, or float32 [10000, 10] scores

Needs the Debian package dataset-fashion-mnist and nothing beyond the standard library.
"""

import argparse
import array
import ast
import gzip
import math
import pathlib
import struct
import sys

DATASET = pathlib.Path("/usr/share/datasets/fashion-mnist")


def load_idx(name, magic):
    """Shape and bytes of an IDX file of unsigned bytes; magic 2051 is images, 2049 labels."""
    path = DATASET / name
    try:
        raw = gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        raise SystemExit(f"{path} is not there: apt install dataset-fashion-mnist") from None
    dimensions = magic & 0xFF
    found, *shape = struct.unpack_from(f">{1 + dimensions}I", raw)
    values = raw[4 * (1 + dimensions):]
    if found != magic or len(values) != math.prod(shape):
        raise SystemExit(f"{path} is not an IDX file of the expected kind")
    return shape, values


def write_npy(path, kind, shape, values):
    """NumPy format 1.0; `values` is an array.array of the little-endian type `kind`."""
    if sys.byteorder == "big":
        values.byteswap()
    header = repr({"descr": kind, "fortran_order": False, "shape": tuple(shape)}).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
        values.tofile(file)


def read_npy(path):
    raw = pathlib.Path(path).read_bytes()
    if raw[:8] != b"\x93NUMPY\x01\x00":
        raise SystemExit(f"{path} is not a NumPy file of format 1.0")
    end = 10 + struct.unpack_from("<H", raw, 8)[0]
    header = ast.literal_eval(raw[10:end].decode())
    codes = {"<f4": "f", "<i8": "q"}
    if header["descr"] not in codes or header["fortran_order"]:
        raise SystemExit(f"{path} holds {header['descr']}; expected are <f4 or <i8 in C order")
    values = array.array(codes[header["descr"]], raw[end:])
    if sys.byteorder == "big":
        values.byteswap()
    return header["shape"], values


def write_images(path):
    (count, height, width), pixels = load_idx("t10k-images-idx3-ubyte.gz", 2051)
    grey = [value / 255 for value in range(256)]
    write_npy(path, "<f4", (count, 1, height, width), array.array("f", [grey[p] for p in pixels]))


def score(path):
    _, labels = load_idx("t10k-labels-idx1-ubyte.gz", 2049)
    shape, values = read_npy(path)
    if shape[0] != len(labels) or math.prod(shape) != len(values):
        raise SystemExit(f"{path} has answers of shape {shape}; expected are {len(labels)}")
    width = len(values) // len(labels)
    if width > 1:
        rows = (values[i:i + width] for i in range(0, len(values), width))
        values = [max(range(width), key=row.__getitem__) for row in rows]
    right = sum(answer == label for answer, label in zip(values, labels))
    print(f"{right} of {len(labels)} right: {100 * right / len(labels):.2f} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    for name, action, meaning in (("images", write_images, "write the images"),
                                  ("score", score, "compare answers with the labels")):
        command = commands.add_parser(name, help=meaning)
        command.add_argument("file", metavar="FILE.npy")
        command.set_defaults(action=action)
    options = parser.parse_args()
    options.action(options.file)


if __name__ == "__main__":
    main()
