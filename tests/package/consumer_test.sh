#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A program outside the tree builds against the installed library and opens a bundle.
set -euo pipefail
source=$1 build=$2
# shellcheck source=tests/package/steps.sh
. "$source/tests/package/steps.sh"
skip_without openssl objdump

prefix=$scratch/prefix
must_exit 0 cmake --install "$build" --prefix "$prefix"

must_exit 0 cmake -G Ninja -S "$source/examples/consumer" -B "$scratch/consumer" \
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_FLAGS="-Wall -Wextra -Werror"
must_exit 0 cmake --build "$scratch/consumer"
check=$scratch/consumer/check_bundle

# The libraries of the host side have not come along.
objdump -p "$check" | awk '$1 == "NEEDED" { print $2 }' >"$scratch/needed"
if grep -vE '^(libcrypto|libIPSec_MB|libstdc\+\+|libgcc_s|libc|libm|ld-linux.*)\.so' "$scratch/needed"; then
  fail "the reader links libraries it should not"
fi

tool=$prefix/bin/sealpack
cd "$scratch"
must_exit 0 "$tool" keygen authority --out vendor --no-passphrase
must_exit 0 "$tool" keygen recipient --out device --no-passphrase
must_exit 0 "$tool" build "$source/examples/fashion-mnist/fashion-cnn.safetensors" --out model.seal \
  --signer vendor.key --to device.pub --seal 'fc*'
openssl pkey -pubin -in vendor.pub -outform DER -out vendor.der
must_exit 0 "$check" model.seal vendor.der
grep -q 'every byte is as signed' output || fail "check_bundle says something else"

cp model.seal changed.seal
flip_byte changed.seal $(($(stat -c %s model.seal) - 100000))
must_exit 12 "$check" changed.seal vendor.der
must_exit 0 "$tool" keygen authority --out other --no-passphrase
openssl pkey -pubin -in other.pub -outform DER -out other.der
must_exit 12 "$check" model.seal other.der

must_exit 0 cmake --build "$build" --target uninstall
find "$prefix" -type f -o -type l >"$scratch/left"
[[ ! -s $scratch/left ]] || fail "uninstall leaves: $(cat "$scratch/left")"
find "$prefix" -name '*sealpack*' >"$scratch/left"
[[ ! -s $scratch/left ]] || fail "uninstall leaves folders: $(cat "$scratch/left")"
