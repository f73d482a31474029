# shellcheck shell=bash
# ./dev bench: the product beside the database below it (tests/bench), on a PostgreSQL of its own with its default
# durability.

readonly bench_folder=build/bench

command_bench() {
  local cluster=$PWD/$bench_folder/cluster
  # It knows its options; a wrong one shall not have to wait for a build.
  PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/bench/bench.py "$@" --check-arguments || return
  mkdir -p "$bench_folder"
  # Another run here would take the cluster away.
  exec 8>"$bench_folder/lock"
  flock --nonblock 8 || fail "another ./dev bench is running here"
  install_packages "${build_packages[@]}" "${bench_packages[@]}"
  install_envoy
  say "Building"
  build release "${processes[@]/#/verdict-}" verdictctl with_stack codec_bench echo_bench
  # shellcheck disable=SC2064  # the path of now
  trap "db/cluster remove '$cluster'" EXIT
  db/cluster remove "$cluster"
  db/cluster start "$cluster" >/dev/null
  db/cluster migrate "$cluster" verdict_template >/dev/null
  VERDICT_TEST_CLUSTER=$cluster VERDICT_BIN=$PWD/build/release/bin PYTHONDONTWRITEBYTECODE=1 \
    build/release/tests/with_stack /usr/bin/python3 tests/bench/bench.py "$@"
}
