#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a sealed ONNX model with the stock onnxruntime, fed from memory: no plaintext file is ever made.

run_sealed.py BUNDLE TRUST KEY [--library SO] [--images IMAGES.npy] [--output OUT.npy] [--threads N]

The weights are then plaintext in this process: this is for machines that may see them (a confidential VM, say). A
model that must stay in a TEE runs there, with `sealpack run` or sealpack_model_run.
"""

import argparse
import concurrent.futures
import sys

import numpy
import onnxruntime

from sealpack_loader import Error, Session

BLOCK = 8 << 20


def read_in_parallel(bundle, index, size, threads):
    """A file of the model, by several threads into one array."""
    out = numpy.empty(size, numpy.uint8)
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda at: bundle.pread(index, at, out[at:at + BLOCK]), range(0, size, BLOCK)))
    return out


def make_session(bundle, threads):
    """The model and its external data, all of it from memory."""
    files = bundle.files()
    models = [path for path in files if path.endswith(".onnx")]
    if len(models) != 1:
        raise SystemExit(f"run_sealed: the bundle holds {len(models)} .onnx files, not one")
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    folder = models[0].rpartition("/")[0]
    names, buffers = [], []
    for path, (index, size) in files.items():
        if path != models[0] and path.rpartition("/")[0] == folder and size > 0:
            names.append(path[len(folder) + 1 if folder else 0:])
            buffers.append(read_in_parallel(bundle, index, size, threads))
    if names:
        options.add_external_initializers_from_files_in_memory(names, buffers, [len(buffer) for buffer in buffers])
    model = read_in_parallel(bundle, *files[models[0]], threads)
    return onnxruntime.InferenceSession(model.tobytes(), options, providers=["CPUExecutionProvider"])


def example_input(port):
    shape = [dim if isinstance(dim, int) else 1 for dim in port.shape]
    return numpy.random.default_rng(1).random(shape, numpy.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("trust")
    parser.add_argument("key")
    parser.add_argument("--library", help="libsealpack-loader.so.1, where the system does not find it")
    parser.add_argument("--images", help="input as a NumPy array; default: random numbers")
    parser.add_argument("--output", help="where the first output goes, as a NumPy array")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    try:
        with Session(options.trust, library=options.library) as session, session.open(options.bundle) as bundle:
            bundle.unlock(options.key)
            runtime = make_session(bundle, options.threads)
    except Error as error:
        print(f"run_sealed: {error}", file=sys.stderr)
        return error.code
    port = runtime.get_inputs()[0]
    given = numpy.load(options.images) if options.images else example_input(port)
    answers = runtime.run(None, {port.name: given})[0]
    if options.output:
        numpy.save(options.output, answers)
    print(f"{port.name} {given.shape} -> {answers.shape}, first answer {numpy.argmax(answers[0])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
