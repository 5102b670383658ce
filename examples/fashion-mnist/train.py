#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the small Fashion-MNIST classifier that the examples package.

Writes fashion-cnn.onnx and fashion-cnn.safetensors, which hold the same ten
tensors under the same names, reads both back and prints the accuracy that the
stored weights reach on the 10,000 test images.

Needs the Debian packages dataset-fashion-mnist, python3-torch and python3-onnx.
The run is seeded and single-threaded: the same machine makes the same bytes
again. Another CPU may round differently and end a few test images apart.
"""

import argparse
import gzip
import json
import pathlib
import struct
import time

import numpy
import onnx
import onnx.numpy_helper
import torch
from torch import nn

DATASET = pathlib.Path("/usr/share/datasets/fashion-mnist")
HERE = pathlib.Path(__file__).resolve().parent
SEED = 20240229
BATCH = 128
PEAK_LEARNING_RATE = 4e-3


class FashionCnn(nn.Module):
    """Grey image [N, 1, 28, 28] with values in 0..1 -> logits [N, 10]."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 64, 3, padding=1)
        self.fc1 = nn.Linear(64 * 7 * 7, 48)
        self.fc2 = nn.Linear(48, 10)
        self.dropout = nn.Dropout(0.25)

    def forward(self, image):
        x = torch.max_pool2d(torch.relu(self.conv1(image)), 2)
        x = torch.relu(self.conv2(x))
        x = torch.max_pool2d(torch.relu(self.conv3(x)), 2)
        x = self.dropout(torch.flatten(x, 1))
        x = self.dropout(torch.relu(self.fc1(x)))
        return self.fc2(x)


def load_idx(path, magic):
    """Reads an IDX file of unsigned bytes; magic 2051 is images, 2049 labels."""
    raw = gzip.decompress(path.read_bytes())
    dimensions = magic & 0xFF
    found, *shape = struct.unpack_from(f">{1 + dimensions}I", raw)
    if found != magic:
        raise SystemExit(f"{path}: IDX magic is {found}, expected {magic}")
    values = numpy.frombuffer(raw, numpy.uint8, offset=4 * (1 + dimensions))
    return torch.from_numpy(values.reshape(shape).copy())


def load_split(folder, name):
    images = load_idx(folder / f"{name}-images-idx3-ubyte.gz", 2051)
    labels = load_idx(folder / f"{name}-labels-idx1-ubyte.gz", 2049)
    return images.unsqueeze(1).float() / 255, labels.long()


def train(net, images, labels, epochs):
    steps = epochs * -(-len(images) // BATCH)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=PEAK_LEARNING_RATE, total_steps=steps)
    net.train()
    for epoch in range(1, epochs + 1):
        start, total = time.monotonic(), 0.0
        for picked in torch.randperm(len(images)).split(BATCH):
            batch = images[picked]
            # Clothes look the same in a mirror: flip half of every batch.
            flip = torch.rand(len(batch)) < 0.5
            batch[flip] = batch[flip].flip(3)
            loss = nn.functional.cross_entropy(net(batch), labels[picked])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
        print(f"epoch {epoch}/{epochs}: training loss {total / len(images):.4f},"
              f" {time.monotonic() - start:.0f} s", flush=True)


def accuracy(net, images, labels):
    net.eval()
    with torch.no_grad():
        hits = sum(int((net(batch).argmax(1) == expected).sum())
                   for batch, expected in zip(images.split(1000), labels.split(1000)))
    return hits / len(labels)


def store_onnx(net, path):
    net.eval()
    torch.onnx.export(
        net, torch.zeros(1, 1, 28, 28), str(path), opset_version=13,
        input_names=["image"], output_names=["logits"],
        dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}})
    model = onnx.load(str(path))
    for node in model.graph.node:
        node.ClearField("doc_string")  # holds stack traces with this machine's paths
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def load_onnx_weights(path):
    model = onnx.load(str(path))
    return {tensor.name: torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy())
            for tensor in model.graph.initializer}


def store_safetensors(weights, path):
    """u64 header size, JSON header padded with spaces to 8 bytes, tensor data."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name in sorted(weights):
        values = weights[name].numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(weights[name].shape),
                        "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def load_safetensors(path):
    raw = path.read_bytes()
    data = 8 + struct.unpack_from("<Q", raw)[0]
    header = json.loads(raw[8:data])
    del header["__metadata__"]
    weights = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = numpy.frombuffer(raw[data + begin:data + end], "<f4")
        weights[name] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    return weights


def main():
    parser = argparse.ArgumentParser(
        description="Train the Fashion-MNIST example model and measure the stored files.")
    parser.add_argument("--dataset", type=pathlib.Path, default=DATASET,
                        help="folder with the four IDX files (default: %(default)s)")
    parser.add_argument("--output", type=pathlib.Path, default=HERE,
                        help="folder of the model files (default: beside this script)")
    parser.add_argument("--epochs", type=int, default=14, help="default: %(default)s")
    parser.add_argument("--measure-only", action="store_true",
                        help="train nothing, measure the files already there")
    options = parser.parse_args()

    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    net = FashionCnn()
    onnx_path = options.output / "fashion-cnn.onnx"
    safetensors_path = options.output / "fashion-cnn.safetensors"

    if not options.measure_only:
        print(f"{sum(p.numel() for p in net.parameters()):,} parameters")
        train(net, *load_split(options.dataset, "train"), options.epochs)
        store_onnx(net, onnx_path)
        store_safetensors(net.state_dict(), safetensors_path)

    test_set = load_split(options.dataset, "t10k")
    for path, load in ((onnx_path, load_onnx_weights), (safetensors_path, load_safetensors)):
        net.load_state_dict(load(path))
        print(f"{path.name}: {path.stat().st_size:,} bytes,"
              f" test accuracy {accuracy(net, *test_set):.2%}")


if __name__ == "__main__":
    main()
