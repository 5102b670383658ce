# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests here: a scratch folder, and refusals that say what is wrong.
# shellcheck shell=bash

# Words and characters of the programs here do not depend on where they run.
export LC_ALL=C.UTF-8
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

skip_without() {
  local program
  for program in "$@"; do
    if ! command -v "$program" >/dev/null; then
      printf 'SKIPPED: %s is not installed\n' "$program"
      exit 77
    fi
  done
}

# must_exit CODE COMMAND...: runs the command and expects that exit status.
must_exit() {
  local wanted=$1 status=0
  shift
  "$@" >"$scratch/output" 2>&1 || status=$?
  if ((status != wanted)); then
    cat "$scratch/output" >&2
    fail "exit status $status instead of $wanted: $*"
  fi
}

# flip_byte FILE OFFSET: changes one byte.
flip_byte() {
  local old
  old=$(od -An -tu1 -j "$2" -N 1 "$1")
  # shellcheck disable=SC2059
  printf "\\x$(printf '%02x' $((old ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
