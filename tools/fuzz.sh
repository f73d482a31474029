#!/usr/bin/env bash
# fuzz.sh PROGRAM [RUNS]: gives a fuzz target RUNS inputs, the same ones each time unless VERDICT_SEED says otherwise; or
# as many as fit into VERDICT_SOAK_SECONDS. An input that it fails on is kept beside the program, which runs it alone
# when it is named as its argument. With VERDICT_FUZZ_CONTROL a target breaks its own property, where it can.
set -euo pipefail

program=$1
limit=-runs=${2:-100000}
if [[ -n ${VERDICT_SOAK_SECONDS:-} ]]; then
  limit=-max_total_time=$VERDICT_SOAK_SECONDS
fi
seed=$((${VERDICT_SEED:-0} % 0x7fffffff + 1)) # libFuzzer takes 0 for any

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/corpus"
printf '%s: libFuzzer seed %d, %s\n' "${program##*/}" "$seed" "$limit"
status=0
findings=$program.
if [[ -n ${VERDICT_FUZZ_CONTROL:-} ]]; then
  findings=$work/
fi
# An input takes microseconds: seconds are an attack. The target's own files are made below $TMPDIR.
TMPDIR=$work "$program" "$limit" -seed="$seed" -timeout=20 -rss_limit_mb=1024 -print_final_stats=1 \
  -artifact_prefix="$findings" "$work/corpus" 2>"$work/log" || status=$?
if ((status != 0)); then
  cat "$work/log"
fi
cases=$(awk '$1 == "stat::number_of_executed_units:" { print $2 }' "$work/log")
printf 'soak: %d cases, %d findings\n' "${cases:-0}" $((status != 0))
exit "$status"
