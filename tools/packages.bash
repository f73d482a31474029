# shellcheck shell=bash
# What the commands of ./dev need from Debian 12, and from PyPI for development tools that Debian does not have.

# To build and to run.
readonly build_packages=(
  clang-19 lld-19 cmake ninja-build ccache pkg-config
  libgrpc++-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-dev libprotoc-dev libabsl-dev
  golang-github-gogo-googleapis-dev
  libboost1.81-dev libboost-json1.81-dev libssl-dev zlib1g-dev libpqxx-dev libpq-dev libspdlog-dev prometheus-cpp-dev
  catch2
  postgresql-15 sqitch libdbd-pg-perl curl jq
)
readonly test_packages=(libclang-rt-19-dev ca-certificates python3-venv)
readonly lint_packages=(clang-format-19 clang-tidy-19 shellcheck ca-certificates python3-venv)

# Installs those of the packages that are missing.
install_packages() {
  local missing
  mapfile -t missing < <(comm -23 <(printf '%s\n' "$@" | sort -u) <(installed_packages "$@"))
  ((${#missing[@]} > 0)) || return 0

  local script
  # A new PostgreSQL would start a cluster of its own on port 5432. The setting lives as long as the installation.
  script="set -e
    setting=/etc/postgresql-common/createcluster.d/verdict.conf
    mkdir -p \${setting%/*}
    trap 'rm -f \$setting' EXIT
    echo 'create_main_cluster = false' >\$setting
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q -o DPkg::Lock::Timeout=600 update
    apt-get -q -o DPkg::Lock::Timeout=600 install --yes --no-install-recommends ${missing[*]}"
  say "Installing ${#missing[@]} packages: ${missing[*]}"
  if ((EUID == 0)); then
    sh -c "$script"
  elif sudo -n true 2>/dev/null; then
    sudo -n sh -c "$script"
  else
    printf 'dev: packages are missing, and only root may install them. Please run:\n\n' >&2
    printf '  sudo apt-get update && sudo apt-get install --yes --no-install-recommends %s\n\n' "${missing[*]}" >&2
    exit 2
  fi
}

# Those of the packages that are installed, sorted.
installed_packages() {
  # dpkg-query fails when it does not know one of them, which is an answer too.
  { dpkg-query --show --showformat '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true; } |
    awk '$2 == "installed" { print $1 }' | sort -u
}

# buf, which checks the contracts, and what renders and checks deploy/k8s, into build/venv/bin.
install_python_tools() {
  local stamp=build/venv/requirements.txt
  if cmp -s tools/requirements.txt "$stamp"; then
    return
  fi
  say "Installing development tools from PyPI"
  /usr/bin/python3 -m venv --clear build/venv
  build/venv/bin/pip --quiet --disable-pip-version-check install --requirement tools/requirements.txt
  cp tools/requirements.txt "$stamp"
}
