# shellcheck shell=bash
# ./dev lint: every check runs, whatever the others found.

command_lint() {
  local check failed=()
  (($# == 0)) || usage_error "lint takes no argument"
  install_packages "${build_packages[@]}" "${lint_packages[@]}"
  install_python_tools
  # clang-tidy needs what is generated, and says less clearly than the compiler that something does not compile.
  say "Building"
  build dev

  for check in scripts layers format contracts code; do
    say "Checking $check"
    "lint_$check" || failed+=("$check")
  done
  ((${#failed[@]} == 0)) || fail "lint found faults in: ${failed[*]}"
  say "Lint is clean"
}

our_sources() {
  git ls-files -z --cached --others --exclude-standard -- '*.cc' '*.h'
}

lint_scripts() {
  local scripts
  mapfile -t scripts < <(git ls-files --cached --others --exclude-standard -- '*.sh')
  shellcheck --external-sources --check-sourced dev .ci/run db/cluster "${scripts[@]}"
}

lint_layers() {
  cmake/check_layers.sh
}

lint_format() {
  our_sources | xargs -0 clang-format-19 --dry-run -Werror
}

lint_contracts() {
  build/venv/bin/buf lint build/dev/proto/verdict.binpb --config proto/buf.yaml && contracts_are_compatible
}

# Released contracts may grow and nothing else.
contracts_are_compatible() {
  local tag old
  if ! tag=$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null); then
    echo "No release yet, so there is nothing that the contracts could break."
    return
  fi
  old=$(mktemp -d)
  git archive "$tag" proto | tar -x -C "$old" &&
    (cd "$old/proto" && find verdict -name '*.proto' -print0 | xargs -0 protoc -I. \
      -I/usr/share/gocode/src/github.com/gogo/googleapis --include_imports -o "$old/verdict.binpb") &&
    build/venv/bin/buf breaking build/dev/proto/verdict.binpb --config proto/buf.yaml --against "$old/verdict.binpb"
  local result=$?
  rm -rf "$old"
  return "$result"
}

lint_code() {
  # Not cmake/: what stands there is for builds with sanitizers only.
  git ls-files -z --cached --others --exclude-standard -- {common,services,gateway,cli,tests}/'*.cc' |
    xargs -0 -n 1 -P "$(nproc)" tools/tidy.sh || return
  find "${XDG_CACHE_HOME:-$HOME/.cache}/verdict/tidy" -type f -mtime +30 -delete
}
