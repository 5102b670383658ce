# SPDX-License-Identifier: Apache-2.0
# Bash completion of sealpack. It asks the tool itself, so it knows the verbs and options of the
# version at hand.

# Words of one kind in the help of "$@": verbs, or options.
_sealpack_words() {
  local kind=$1
  shift
  "$@" --help 2>/dev/null | awk -v kind="$kind" '
    /^[A-Z][A-Za-z ]*:/ { section = $1 }
    kind == "verbs" && section == "Subcommands:" && /^  [a-z]/ { print $1 }
    kind == "options" && /^  -/ { n = split($1, names, ","); for (i = 1; i <= n; i++) print names[i] }'
}

_sealpack() {
  local word current=${COMP_WORDS[COMP_CWORD]} known
  local -a tool=("${COMP_WORDS[0]}")
  type -P "${tool[0]}" >/dev/null || tool=(sealpack)
  COMPREPLY=()
  # The verb, and the verb's own verb where it has some, are the first words.
  known=$(_sealpack_words verbs "${tool[@]}")
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $'\n'$known$'\n' == *$'\n'"$word"$'\n'* ]] || break
    tool+=("$word")
    known=$(_sealpack_words verbs "${tool[@]}")
  done
  if [[ $current == -* ]]; then
    known=$(_sealpack_words options "${tool[@]}")
  elif [[ -z $known ]]; then
    compopt -o filenames 2>/dev/null || true
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    return
  fi
  mapfile -t COMPREPLY < <(compgen -W "$known" -- "$current")
}

complete -F _sealpack sealpack
