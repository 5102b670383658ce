# SPDX-License-Identifier: Apache-2.0
"""Splits real ONNX models and checks both halves with onnx itself.

check_onnx_split.py TOOL, where TOOL is onnx_split_tool. Needs onnx (exit status 77 without) and,
for the exported models, torch (skipped aloud without).
"""
import collections
import io
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

try:
    import numpy
    import onnx
    from onnx import TensorProto, numpy_helper
    import onnx_test_models as models
except ImportError as error:
    print(f"SKIPPED: {error}")
    sys.exit(77)

TOOL = sys.argv[1]
DTYPES = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "I8": "i1", "U8": "u1", "I16": "<i2",
          "U16": "<u2", "I32": "<i4", "U32": "<u4", "I64": "<i8", "U64": "<u8",
          "BOOL": "?", "C64": "<c8"}


# --- Reading models ----------------------------------------------------------------------

def tensor_key(dtype, dims, raw):
    return str(dtype), tuple(dims), bytes(raw)


def proto_key(tensor):
    if tensor.data_type == TensorProto.STRING:
        return tensor_key("STRING", tensor.dims, frame(tensor.string_data))
    if tensor.data_type == TensorProto.BFLOAT16:  # numpy_helper widens it
        raw = tensor.raw_data or b"".join(struct.pack("<H", v) for v in tensor.int32_data)
        return tensor_key("BF16", tensor.dims, raw)
    if tensor.data_type == TensorProto.COMPLEX64 and tensor.float_data:  # numpy_helper fails
        array = numpy.array(tensor.float_data, "<f4").view("<c8").reshape(tensor.dims)
    else:
        array = numpy_helper.to_array(tensor)
    return tensor_key(array.dtype, array.shape, array.tobytes())


def frame(strings):
    return b"".join(struct.pack("<I", len(s)) + s for s in strings)


def attribute_keys(attribute):
    """Data of an attribute that is not a TensorProto."""
    if attribute.name == "value_floats":
        values = numpy.array(attribute.floats, "<f4")
    elif attribute.name == "value_ints":
        values = numpy.array(attribute.ints, "<i8")
    elif attribute.name == "value_float":
        values = numpy.array(attribute.f, "<f4")
    elif attribute.name == "value_int":
        values = numpy.array(attribute.i, "<i8")
    elif attribute.name == "value_string":
        return [tensor_key("STRING", (), frame([attribute.s]))]
    elif attribute.name == "value_strings":
        return [tensor_key("STRING", (len(attribute.strings),), frame(attribute.strings))]
    else:
        return []
    return [tensor_key(values.dtype, values.shape, values.tobytes())]


def all_keys(message):
    """Every tensor at any depth of a message."""
    if isinstance(message, onnx.TensorProto):
        return [proto_key(message)]
    keys = attribute_keys(message) if isinstance(message, onnx.AttributeProto) else []
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        repeated = descriptor.label == descriptor.LABEL_REPEATED
        for child in value if repeated else [value]:
            keys += all_keys(child)
    return keys


def read_safetensors(path):
    """{name: (key, raw bytes)}, metadata."""
    data = path.read_bytes()
    size, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        raw = data[8 + size + begin:8 + size + end]
        dtype, shape = entry["dtype"], entry["shape"]
        if f"tensor:{name}" in metadata:
            dtype, dims = metadata[f"tensor:{name}"].split(" ")
            shape = json.loads(dims)
        elif dtype in DTYPES:
            dtype = numpy.dtype(DTYPES[dtype])
        tensors[name] = tensor_key(dtype, shape, raw), raw
    return tensors, metadata


# --- Checks ------------------------------------------------------------------------------

def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def encodings(key):
    """All byte strings that hold the elements: raw, packed varints, tagged elements."""
    dtype, _, raw = key
    yield raw
    if dtype in ("STRING", "BF16") or "c" in dtype:
        return
    array = numpy.frombuffer(raw, dtype)
    bits = array.view(f"u{array.itemsize}") if array.dtype.kind == "f" else array
    if array.dtype.kind in "iub" or array.dtype == numpy.float16:
        yield b"".join(varint(int(v)) for v in bits)
        for number in (5, 7, 8, 11):
            yield b"".join(varint(number << 3) + varint(int(v)) for v in bits)
    if array.dtype == numpy.float32:
        for number in (4, 7):
            yield b"".join(varint(number << 3 | 5) + v.tobytes() for v in array)


def assert_absent(sealed, public_bytes, what):
    checked = 0
    for name, (key, raw) in sealed.items():
        if numpy.prod(key[1], dtype=int) <= 16 or len(set(raw)) < 8:
            continue
        checked += 1
        for encoding in encodings(key):
            assert encoding not in public_bytes, f"{what}: {name} is in the public half"
        # No long part of it either.
        middle = raw[len(raw) // 4:len(raw) // 4 + 64]
        assert middle not in public_bytes, f"{what}: part of {name} is in the public half"
    return checked


def split(path, out, globs):
    result = subprocess.run([TOOL, path, out, *globs], capture_output=True, text=True, check=False)
    return result.returncode, result.stdout


def check_refused(model, globs, message):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "in", "model.onnx")
        path.parent.mkdir()
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        code, output = split(path, folder + "/out", globs)
        assert code == 11 and message in output, (code, output[-300:])
        assert not pathlib.Path(folder, "out").exists()


def check_values(model, sealed, metadata, original, what):
    """The halves hold the original's tensors, under the names the graph has them by."""
    found = all_keys(model) + [key for key, _ in sealed.values()]
    assert collections.Counter(found) == collections.Counter(all_keys(original)), what
    inputs = {value.name: value for value in model.graph.input}
    for name, (key, _) in sealed.items():
        if name in inputs:
            dims = [d.dim_value for d in inputs[name].type.tensor_type.shape.dim]
            assert tuple(dims) == key[1], (what, name, dims, key[1])
    for name, dims in metadata.items():
        if name.startswith("sparse:"):
            value = inputs[name.removeprefix("sparse:")]
            assert [d.dim_value for d in value.type.tensor_type.shape.dim] == json.loads(dims)
    public = {tensor.name for tensor in model.graph.initializer}
    for tensor in original.graph.initializer:
        if tensor.name in public:
            assert tensor.name not in sealed
        else:
            assert sealed[tensor.name][0] == proto_key(tensor), (what, tensor.name)
            assert tensor.name in inputs


def check_split(what, folder, globs, min_checked=1):
    path = folder / "model.onnx"
    onnx.checker.check_model(str(path), full_check=True)
    original = onnx.load(str(path))
    with tempfile.TemporaryDirectory() as out:
        code, output = split(path, out, globs)
        assert code == 0, f"{what} {globs}: {output}"
        public = pathlib.Path(out, "public")
        public_bytes = b"".join(f.read_bytes() for f in sorted(public.rglob("*")) if f.is_file())
        try:
            onnx.checker.check_model(str(public / "model.onnx"), full_check=True)
        except Exception as error:
            raise AssertionError(f"{what} {globs}: {error}") from error
        model = onnx.load(str(public / "model.onnx"))
        sealed, metadata = read_safetensors(pathlib.Path(out, "sealed", "model.onnx.safetensors"))
        named = [line[7:] for line in output.splitlines() if line.startswith("sealed ")]
        assert set(named) <= set(sealed), f"{what}: {set(named) - set(sealed)} not sealed"
        checked = assert_absent(sealed, public_bytes, what)
        assert checked >= min_checked, f"{what} {globs}: only {checked} tensors searched for"
        assert not model.producer_name and not model.doc_string and not model.metadata_props
        for word in (b"secret doc", b"secret meta", b"secret producer"):
            assert word not in public_bytes, f"{what}: {word} is in the public half"
        check_values(model, sealed, metadata, original, what)
        return model, sealed


def check_model(what, model, *selections, min_checked=1, **save):
    """Splits `model`, a ModelProto or its bytes, once for each list of globs."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        if isinstance(model, bytes):
            (folder / "model.onnx").write_bytes(model)
        else:
            onnx.save_model(model, str(folder / "model.onnx"), **save)
        results = [check_split(what, folder, globs, min_checked) for globs in selections]
    print(f"ok {what}")
    return results


# --- Exported models ---------------------------------------------------------------------

def check_exported():
    try:
        import torch
        from torch import nn
    except ImportError as error:
        print(f"SKIPPED exported models: {error}")
        return
    torch.manual_seed(7)

    def export(module, *inputs, **options):
        buffer = io.BytesIO()
        torch.onnx.export(module.eval(), inputs, buffer, opset_version=15, **options)
        return buffer.getvalue()

    cnn = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
                        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 16, 10))
    image = torch.randn(1, 3, 8, 8)
    check_model("exported CNN", export(cnn, image, training=torch.onnx.TrainingMode.PRESERVE,
                                       do_constant_folding=False), ["+16"], ["*.weight"])
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    tokens = torch.randn(1, 6, 32)
    # Attention in its slow form, which is what the exporter knows.
    layer.train()
    check_model("exported transformer", export_train(export, layer, tokens), ["+16"], ["*weight"])

    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x):
            if x.sum() > 0:
                y = self.a(x) + torch.linspace(0, 1, 8)
            else:
                y = self.b(x)
            for _ in range(int(x.size(0))):
                y = self.a(y)
            return y

    check_model("scripted If and Loop", export(torch.jit.script(Branches()), torch.randn(2, 8)),
                ["+16"], ["*weight"])


def export_train(export, layer, tokens):
    import torch
    for module in layer.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0

    class Wrapper(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(x, src_mask=torch.zeros(6, 6))

    return export(Wrapper(), tokens)


def main():
    check_model("typed fields and Constant nodes", models.typed_model(), ["+16"], ["*[!s]"],
                ["c_*"], ["sparse.indices", "floats"])
    model, sealed = check_model("If, Loop and Scan", models.nested_model(), ["+16"], ["*_w"])[0]
    assert "graph/deep/then_branch/deep_then_w" not in sealed
    assert "graph/if_out/then_branch/deep/then_branch/deep_then_w" in sealed
    assert {"graph/loop_out/body/loop_w", "graph/if_out/else_branch/bare_w"} <= set(sealed)
    assert "graph/loop_out/body/loop_w" in {value.name for value in model.graph.input}
    check_model("functions", models.function_model(), ["+16"])
    check_model("initializers that are inputs", models.old_model(), ["w"], ["v"])
    for one_file in (True, False):
        check_model("external data", models.external_model(), ["fc1.*"], ["fc[023].*"],
                    save_as_external_data=True, all_tensors_to_one_file=one_file,
                    location="w.bin" if one_file else None, size_threshold=0)
    check_model("attributes left public", models.attribute_model(), ["w"])
    check_refused(models.attribute_model(), ["+16", "graph/regressor/*"], "cannot be sealed alone")
    check_refused(models.attribute_model(), ["graph/regressor/coefficients"],
                  "cannot be sealed alone")
    check_exported()


main()
