# shellcheck shell=bash
# ./dev soak: what ./dev test does for seconds, for as long as one likes, and every suite with ThreadSanitizer.

readonly soak_usage="usage: ./dev soak [--minutes N] [--seed N] [--only CASE]"
readonly soak_folder=build/soak

# Each case: its name, its share of the time in percent, and a command that takes VERDICT_SOAK_SECONDS and VERDICT_SEED
# from its environment and ends with the line `soak: N cases, M findings`. threads takes the time that it takes.
readonly soak_cases=(
  "json_fuzz        10 tools/fuzz.sh build/dev/fuzz/gateway_json_fuzz"
  "route_fuzz        5 tools/fuzz.sh build/dev/fuzz/gateway_route_fuzz"
  "head_fuzz         5 tools/fuzz.sh build/dev/fuzz/gateway_head_fuzz"
  "gzip_fuzz         4 tools/fuzz.sh build/dev/fuzz/gzip_fuzz"
  "token_fuzz        8 tools/fuzz.sh build/dev/fuzz/token_fuzz"
  "cursor_fuzz       4 tools/fuzz.sh build/dev/fuzz/aggregator_cursor_fuzz"
  "codec             5 soak_again build/dev/tests/gateway_codec_test"
  "smuggling         5 build/dev/tests/smuggling_test"
  "rotation          4 soak_again build/dev/tests/key_rotation_test"
  "api              50 build/dev/tests/with_stack build/venv/bin/python tests/e2e/schemathesis_run.py"
  "threads           0 soak_threads"
)

command_soak() {
  local minutes=20 seed=$RANDOM only='' case name share command all=0 cluster=$PWD/build/dev/test-cluster
  while (($# > 0)); do
    (($# > 1)) || usage_error "$soak_usage"
    case $1 in
      --minutes) minutes=$2 ;;
      --seed) seed=$2 ;;
      --only) only=$2 ;;
      *) usage_error "$soak_usage" ;;
    esac
    shift 2
  done
  [[ $minutes =~ ^[1-9][0-9]{0,3}$ && $seed =~ ^(0|[1-9][0-9]{0,8})$ ]] || usage_error "$soak_usage"
  [[ -z $only || " ${soak_cases[*]%% *} " == *" $only "* ]] || usage_error "--only takes one of ${soak_cases[*]%% *}"

  install_packages "${build_packages[@]}" "${test_packages[@]}"
  install_python_tools
  install_nginx
  install_json_suite
  install_clients
  say "Building"
  build dev
  mkdir -p "$soak_folder"
  # shellcheck disable=SC2064  # the path of now
  trap "db/cluster remove '$cluster'; db/cluster remove '$PWD/build/tsan/test-cluster'" EXIT
  db/cluster remove "$cluster"
  db/cluster start "$cluster" >/dev/null
  db/cluster migrate "$cluster" verdict_template >/dev/null

  export VERDICT_SEED=$seed VERDICT_TEST_CLUSTER=$cluster VERDICT_BIN=$PWD/build/dev/bin VERDICT_SOURCE=$PWD \
    VERDICT_NGINX=$PWD/build/nginx/usr/sbin/nginx PYTHONDONTWRITEBYTECODE=1
  say "Seed $seed; logs in $soak_folder"
  printf '%-12s %10s %9s %8s\n' case cases findings seconds
  for case in "${soak_cases[@]}"; do
    read -r name share command <<<"$case"
    if [[ -n $only ]]; then
      [[ $only == "$name" ]] || continue
      share=100
    fi
    VERDICT_SOAK_SECONDS=$((minutes * 60 * share / 100)) soak_case "$name" "$command" || all=$((all + 1))
  done
  ((all == 0)) || fail "$all cases found something; see $soak_folder"
}

# Runs a case and prints its line of the table. Fails when it found something, or did nothing.
soak_case() {
  local name=$1 command=$2 log=$soak_folder/$1.log started=$SECONDS failed=0 cases findings
  # shellcheck disable=SC2086  # a command of several words
  $command >"$log" 2>&1 </dev/null || failed=1
  read -r cases findings < <(sed -n 's/^soak: \([0-9]*\) cases, \([0-9]*\) findings$/\1 \2/p' "$log" | tail -n 1) || true
  [[ $failed == 0 && ${cases:-0} -gt 0 ]] || findings=$((${findings:-0} > 0 ? findings : 1))
  printf '%-12s %10s %9s %8s\n' "$name" "${cases:-0}" "$findings" $((SECONDS - started))
  ((findings == 0))
}

# Runs a suite again and again, each time with another seed. A case is one run.
soak_again() {
  local end=$((SECONDS + VERDICT_SOAK_SECONDS)) cases=0 findings=0
  while ((cases == 0 || SECONDS < end)); do
    # These obey the variable by themselves, and here it is the loop that does.
    env --unset=VERDICT_SOAK_SECONDS VERDICT_SEED=$((VERDICT_SEED + cases)) "$@" || findings=$((findings + 1))
    cases=$((cases + 1))
  done
  printf 'soak: %d cases, %d findings\n' "$cases" "$findings"
  ((findings == 0))
}

# All suites with ThreadSanitizer, which must also find the race that is planted among them. A case is one suite.
soak_threads() {
  local log=build/soak/threads.tests findings=0
  unset VERDICT_SOAK_SECONDS
  build tsan || return  # stale programs would find nothing
  ctest --preset tsan --output-log "$log" || findings=1
  printf 'soak: %d cases, %d findings\n' "$(grep -cE '^ *[0-9]+/[0-9]+ Test ' "$log")" "$findings"
  ((findings == 0))
}
