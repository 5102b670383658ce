#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Whole networks against PyTorch: the same answers to 1e-5, and the same bits under every memory limit."""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

try:
    import numpy
    import onnx
    import torch  # noqa: F401: what scripts/make-networks needs
except ImportError as error:
    print(f"skipped: {error}; install python3-torch, python3-onnx and python3-numpy")
    sys.exit(77)

MAKE = pathlib.Path(__file__).resolve().parents[4] / "scripts" / "make-networks"
TOLERANCE = 1e-5  # of the largest magnitude of an output

NETWORKS = (
    ("lenet", "--opset", "9", "--dynamic", "--batch", "3"),
    ("lenet", "--opset", "17"),
    ("vgg", "--opset", "11"),
    ("resnet18", "--opset", "13"),
    ("resnet18", "--opset", "17", "--plain", "--width", "24", "--image", "97"),
    ("resnet50", "--opset", "9", "--width", "16", "--image", "128"),
    ("mobilenetv2", "--opset", "15", "--image", "160"),
    ("block", "--opset", "16", "--batch", "2", "--tokens", "37"),
    ("vit", "--opset", "17"),
    ("bert", "--opset", "9"),
    ("bert", "--opset", "17", "--dynamic", "--batch", "2"),
)


def run(tool, folder, answers, *options):
    """Answers by output name, and what the tool said."""
    graph = onnx.load(str(folder / "model.onnx"), load_external_data=False).graph
    outputs = [value.name for value in graph.output]
    files = [answers / f"{name}.npy" for name in outputs]
    done = subprocess.run([tool, folder / "model.onnx", *(folder / f"{v.name}.npy" for v in graph.input), *files, *options],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"FAILED: {folder.name}: {done.stderr}")
    return {name: numpy.load(file) for name, file in zip(outputs, files)}, done.stdout


def check(tool, scratch, name, options):
    what = " ".join([name, *options])
    folder = scratch / re.sub(r"\W+", "-", what)
    subprocess.run(["/usr/bin/python3", MAKE, name, folder, *options], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    answers, said = run(tool, folder, scratch)
    worst = 0.0
    for output, ours in answers.items():
        theirs = numpy.load(folder / f"{output}.npy")
        if ours.shape != theirs.shape:
            raise SystemExit(f"FAILED: {what}: {output} has shape {ours.shape}, not {theirs.shape}")
        worst = max(worst, float(numpy.abs(ours - theirs).max() / numpy.abs(theirs).max()))
    if not worst <= TOLERANCE:  # NaN fails too
        raise SystemExit(f"FAILED: {what}: {worst:.1e} away from PyTorch")
    least = int(re.search(r"least (\d+)", said).group(1))
    most = int(re.search(r"unlimited (\d+)", said).group(1))
    for limit in (least, (least + most) // 2):
        limited, _ = run(tool, folder, scratch, "--limit", str(limit), "--threads", "2")
        for output, ours in answers.items():
            if ours.tobytes() != limited[output].tobytes():
                raise SystemExit(f"FAILED: {what}: other bits of {output} under {limit} bytes")
    print(f"{what}: {worst:.1e} from PyTorch; {most} bytes, {least} at least", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", type=pathlib.Path, help="nn_run")
    tool = parser.parse_args().tool
    with tempfile.TemporaryDirectory() as scratch:
        for name, *options in NETWORKS:
            check(tool, pathlib.Path(scratch), name, options)


if __name__ == "__main__":
    main()
