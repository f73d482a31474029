#!/usr/bin/env bash
# Checking a tag depends on no secret, and valgrind would see it if it did: constant_time_probe.cc says how.
#   constant_time_test.sh PROBE
set -euo pipefail

readonly probe=$1 secret_used=9

# Runs the probe's check under valgrind; its exit code must be the one given.
expect() {
  local check=$1 wanted=$2 code=0 report
  report=$(valgrind --error-exitcode=$secret_used "$probe" "$check" 2>&1) || code=$?
  if ((code != wanted)); then
    printf '%s\n%s: exit code %d instead of %d\n' "$report" "$check" "$code" "$wanted" >&2
    return 1
  fi
  printf '%s: %s\n' "$check" "$(grep -o 'ERROR SUMMARY: [0-9]* errors' <<<"$report")"
}

expect verify 0
expect unknown 0
expect compare 0
expect memcmp $secret_used
expect loop $secret_used
