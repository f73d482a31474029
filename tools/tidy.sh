#!/usr/bin/env bash
# tidy.sh FILE: clang-tidy on one source file of the build of preset dev. A file is not looked at again while neither
# its preprocessed text (comments included, they hold the exceptions) nor the checks have changed, in whichever clone of
# this repository that was seen.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

file=$1
command=$(jq -r --arg file "$PWD/$file" 'first(.[] | select(.file == $file)).command' build/dev/compile_commands.json)
if [[ -z $command ]]; then
  printf '%s belongs to no target\n' "$file" >&2
  exit 1
fi
key=$({
  clang-tidy-19 --version
  cat .clang-tidy
  (cd build/dev && eval "${command#*ccache } -E -C -o -") | sed "s|$PWD/||g"
} | sha256sum | cut -d ' ' -f 1)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/verdict/tidy
clean=$cache/$key
if [[ -e $clean ]]; then
  exec touch "$clean"  # unused ones go after a while
fi
printf '%s\n' "$file"
clang-tidy-19 -p build/dev --quiet "$file" 2> >(grep -vE '^[0-9]+ warnings? generated\.$' >&2)
mkdir -p "$cache"
touch "$clean"
