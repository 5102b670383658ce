#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The Debian packages hold what they should, run, and go without a trace.
set -euo pipefail
source=$1 build=$2
# shellcheck source=tests/package/steps.sh
. "$source/tests/package/steps.sh"
skip_without cpack dpkg-deb dpkg-shlibdeps

packages=$scratch/packages
must_exit 0 cpack --config "$build/CPackConfig.cmake" -B "$packages"
tool_package=$(find "$packages" -maxdepth 1 -name 'sealpack_*.deb')
dev_package=$(find "$packages" -maxdepth 1 -name 'libsealpack-dev_*.deb')
loader_package=$(find "$packages" -maxdepth 1 -name 'libsealpack-loader1_*.deb')
[[ -f $tool_package && -f $dev_package && -f $loader_package ]] || fail "cpack did not make all packages"

names() { dpkg-deb -c "$1" | awk '$1 !~ /^d/ { print $6 }'; }
holds() { grep -qE "^\./usr/$2\$" <<<"$(names "$1")" || fail "$1 lacks $2"; }
holds "$tool_package" 'bin/sealpack'
holds "$tool_package" 'libexec/sealpack/sealpack-tee'
holds "$tool_package" 'share/man/man1/sealpack\.1\.gz'
holds "$tool_package" 'share/man/man1/sealpack-build\.1\.gz'
holds "$tool_package" 'share/bash-completion/completions/sealpack'
holds "$tool_package" 'share/doc/sealpack/copyright'
holds "$dev_package" 'lib/.*libsealpack_unpacker_core\.a'
holds "$dev_package" 'lib/.*cmake/sealpack/sealpackConfig\.cmake'
holds "$dev_package" 'include/sealpack/loader\.h'
holds "$dev_package" 'include/sealpack/loader\.hpp'
holds "$dev_package" 'lib/.*libsealpack-loader\.(so|a)'
holds "$dev_package" 'lib/.*pkgconfig/sealpack-loader\.pc'
holds "$loader_package" 'lib/.*libsealpack-loader\.so\.1'
holds "$loader_package" 'share/doc/libsealpack-loader1/copyright'
strangers=$(names "$loader_package" | grep -vE '^\./usr/(lib/.*libsealpack-loader\.so\..+|share/doc/.+)$' || true)
[[ -z $strangers ]] || fail "the loader's package also holds: $strangers"
holds "$dev_package" 'include/sealpack/unpacker/core/bundle\.h'
holds "$dev_package" 'share/doc/libsealpack-dev/copyright'
strangers=$(names "$tool_package" | grep -vE '^\./usr/(bin/sealpack|libexec/sealpack/sealpack-tee|share/(man/man1|bash-completion|doc)/.+)$' || true)
[[ -z $strangers ]] || fail "the tool's package also holds: $strangers"

field() { dpkg-deb -f "$1" "$2"; }
version=$("$build/bin/sealpack" --version)
[[ $(field "$tool_package" Version) == "$version" ]] || fail "version of the package is not $version"
[[ $(field "$tool_package" Maintainer) == "sealpack maintainers" ]] || fail "maintainer"
depends=$(field "$tool_package" Depends)
for library in libc6 libssl3 libsodium23 libarchive13 libp11-kit0; do
  [[ $depends == *$library* ]] || fail "the tool's package does not depend on $library: $depends"
done
[[ $(field "$dev_package" Depends) == *libssl-dev* ]] || fail "libsealpack-dev does not depend on libssl-dev"

[[ $(field "$dev_package" Depends) == *libsealpack-loader1* ]] || fail "libsealpack-dev does not depend on the library"
depends=$(field "$loader_package" Depends)
[[ $depends == *libssl3* && $depends != *libsodium* && $depends != *libarchive* && $depends != *libprotobuf* ]] ||
  fail "the loader's package depends on: $depends"

dpkg -x "$tool_package" "$scratch/unpacked"
[[ $("$scratch/unpacked/usr/bin/sealpack" --version) == "$version" ]] || fail "the packaged tool"

# Installed and purged in a root of its own; only root may do that.
if ((EUID == 0)); then
  root=$scratch/root
  mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates"
  : >"$root/var/lib/dpkg/status"
  # There is no shell in that root: the package of the shared library has scripts, which call ldconfig.
  arguments=(--root="$root" --force-depends --force-script-chrootless --log=/dev/null)
  must_exit 0 dpkg "${arguments[@]}" --install "$tool_package" "$loader_package" "$dev_package"
  [[ $("$root/usr/bin/sealpack" --version) == "$version" ]] || fail "the installed tool"
  must_exit 0 dpkg "${arguments[@]}" --purge sealpack libsealpack-dev libsealpack-loader1
  left=$(find "$root" -mindepth 1 -not -path "$root/var*")
  [[ -z $left ]] || fail "purging leaves: $left"
fi
