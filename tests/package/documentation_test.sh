#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every verb has a manual page without warnings, and completion knows every verb and option.
set -euo pipefail
source=$1 build=$2
# shellcheck source=tests/package/steps.sh
. "$source/tests/package/steps.sh"

sealpack=$build/bin/sealpack
# Read without the scripts under test.
verbs=$("$sealpack" --help | sed -n '/^Subcommands:/,$ s/^  \([a-z][a-z-]*\) .*/\1/p')
[[ $verbs == *build* ]] || fail "the tool lists no verbs"

pages=$build/man
for page in sealpack ${verbs//$'\n'/ }; do
  [[ $page == sealpack ]] || page=sealpack-$page
  [[ -f $pages/$page.1.gz ]] || fail "$page has no manual page"
done
if command -v man >/dev/null && command -v groff >/dev/null; then
  for page in "$pages"/*.1.gz; do
    warnings=$(MANWIDTH=100 man --warnings -l "$page" 2>&1 >/dev/null)
    [[ -z $warnings ]] || fail "$page: $warnings"
  done
fi

PATH=$build/bin:$PATH
# shellcheck source=scripts/completion/sealpack.bash
. "$source/scripts/completion/sealpack.bash"
complete_line() {
  COMP_WORDS=("$@")
  COMP_CWORD=$(($# - 1))
  _sealpack
}

complete_line sealpack ''
for verb in $verbs; do
  [[ " ${COMPREPLY[*]} " == *" $verb "* ]] || fail "completion does not know the verb $verb"
done
complete_line sealpack bui
[[ ${COMPREPLY[*]} == build ]] || fail "bui completes to ${COMPREPLY[*]}"
for verb in $verbs; do
  complete_line sealpack "$verb" --
  for option in $("$sealpack" "$verb" --help | grep -oE '^  (-[a-z],)?--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+'); do
    [[ " ${COMPREPLY[*]} " == *" $option "* ]] || fail "completion does not know $verb $option"
  done
done
cd "$scratch"
touch model.onnx
complete_line sealpack build mod
[[ ${COMPREPLY[*]} == model.onnx ]] || fail "completion does not offer files: ${COMPREPLY[*]}"
