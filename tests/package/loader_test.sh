#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Programs outside the tree use the installed loader: a C service, a C++ program that fills memory with a GGUF
# model, and the stock onnxruntime of Python where there is one. None of them makes a plaintext file.
set -euo pipefail
source=$1 build=$2 ort_python=${3:-}
# shellcheck source=tests/package/steps.sh
. "$source/tests/package/steps.sh"
skip_without objdump strings

prefix=$scratch/prefix
must_exit 0 cmake --install "$build" --prefix "$prefix"
tool=$prefix/bin/sealpack
library=$(find "$prefix" -name 'libsealpack-loader.so.1')
[[ -f $library ]] || fail "no libsealpack-loader.so.1 is installed"
folder=$(dirname "$library")
export PKG_CONFIG_PATH=$folder/pkgconfig LD_LIBRARY_PATH=$folder
flags="-Wall -Wextra -Werror"

build_example() {
  must_exit 0 cmake -G Ninja -S "$source/examples/$1" -B "$scratch/$1" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_FLAGS="$flags" -DCMAKE_CXX_FLAGS="$flags"
  must_exit 0 cmake --build "$scratch/$1"
}
build_example boot-consumer
build_example llama-style
boot=$scratch/boot-consumer/boot_consumer
gguf=$scratch/llama-style/load_gguf
objdump -p "$boot" | grep -q 'NEEDED *libsealpack-loader.so.1' || fail "not linked to the shared library"

cd "$scratch"
must_exit 0 "$tool" keygen authority --out vendor --no-passphrase
must_exit 0 "$tool" keygen recipient --out device --no-passphrase
must_exit 0 "$tool" keygen recipient --out other --no-passphrase
printf 'product = "fashion"\n[authority]\nkeys = ["vendor.pub"]\n' >trust.toml
seal() { must_exit 0 "$tool" build "$1" --out "$2" --signer vendor.key --to device.pub "${@:3}"; }
onnx=$source/examples/fashion-mnist/fashion-cnn.onnx
seal "$onnx" new.seal --product fashion --counter 9
seal "$onnx" old.seal --product fashion --counter 8

# The service: opens, runs, confirms; afterwards the older release stays shut.
must_exit 0 "$boot" old.seal trust.toml device.key counters
must_exit 0 "$boot" new.seal trust.toml device.key counters
grep -q 'model: answers' output || fail "the model does not answer: $(cat output)"
grep -q 'SIMULATED' output || fail "a counter in a file is not called SIMULATED"
must_exit 13 "$boot" old.seal trust.toml device.key counters
must_exit 14 "$boot" new.seal trust.toml other.key counters
must_exit 16 "$boot" new.seal trust.toml device.key counters 4096
cp new.seal changed.seal
flip_byte changed.seal $(($(stat -c %s new.seal) - 100000))
must_exit 12 "$boot" changed.seal trust.toml device.key counters
# A bundle of weights alone: a tensor is read instead.
seal "$source/examples/fashion-mnist/fashion-cnn.safetensors" weights.seal --product fashion --counter 10
must_exit 0 "$boot" weights.seal trust.toml device.key
grep -q '^tensor ' output || fail "no tensor was read"
if command -v systemd-analyze >/dev/null; then
  mkdir -p unit
  sed "s#/usr/local/bin/boot_consumer#$boot#" "$source/examples/boot-consumer/boot-consumer.service" >unit/boot-consumer.service
  must_exit 0 systemd-analyze verify --man=no unit/boot-consumer.service
  # 0 is nothing exposed, 10 everything.
  must_exit 0 systemd-analyze security --offline=true --threshold=15 unit/boot-consumer.service
fi

# GGUF: the same checksums with one thread and with many, and as the file that was sealed.
must_exit 0 python3 "$source/scripts/make-models" gguf --size 1M tiny.gguf
seal tiny.gguf gguf.seal
must_exit 0 "$gguf" gguf.seal vendor.pub device.key 1
grep -E '^[0-9a-f]{16} ' output | sort >one
must_exit 0 "$gguf" gguf.seal vendor.pub device.key 4
grep -E '^[0-9a-f]{16} ' output | sort >many
[[ -s one ]] || fail "no tensors"
cmp -s one many || fail "threads change what is read"
must_exit 0 python3 - tiny.gguf one <<'PYTHON'
import sys
data = open(sys.argv[1], "rb").read()
for line in open(sys.argv[2]):
    checksum, offset, size, name = line.split()
    value = 14695981039346656037
    for byte in data[int(offset):int(offset) + int(size)]:
        value = ((value ^ byte) * 1099511628211) % 2**64
    assert f"{value:016x}" == checksum, name
PYTHON

# onnxruntime, fed from memory.
if [[ -n $ort_python ]] && "$ort_python" -c 'import onnxruntime, numpy' 2>/dev/null; then
  run=$source/examples/onnxruntime-python/run_sealed.py
  mkdir empty
  (cd empty && must_exit 0 env TMPDIR="$scratch/empty" PYTHONDONTWRITEBYTECODE=1 "$ort_python" "$run" "$scratch/new.seal" \
    "$scratch/trust.toml" "$scratch/device.key" --library "$library" --output "$scratch/sealed.npy")
  # onnxruntime keeps a few bytes of its own in TMPDIR (".ses", a telemetry number); nothing else may be there.
  left=$(find empty -type f \( -not -name .ses -o -size +1k \))
  [[ -z $left ]] || fail "a file was left: $left"
  must_exit 0 "$ort_python" - "$onnx" sealed.npy <<'PYTHON'
import sys
import numpy
import onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
port = session.get_inputs()[0]
shape = [dim if isinstance(dim, int) else 1 for dim in port.shape]
given = numpy.random.default_rng(1).random(shape, numpy.float32)
clear = session.run(None, {port.name: given})[0]
sealed = numpy.load(sys.argv[2])
assert numpy.array_equal(clear, sealed), abs(clear - sealed).max()
PYTHON
  must_exit 14 env PYTHONDONTWRITEBYTECODE=1 "$ort_python" "$run" new.seal trust.toml other.key --library "$library"
else
  printf 'SKIPPED in part: no Python with onnxruntime and numpy; name one with -DSEALPACK_ORT_PYTHON\n'
fi
