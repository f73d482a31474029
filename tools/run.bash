# shellcheck shell=bash
# ./dev run and ./dev stop: the processes, their PostgreSQL, and what they need to find in .verdict/.
#
#   pg/            the PostgreSQL cluster
#   secrets/       connection strings and the admin key; keyset/ the keys that sign tokens
#   run/, log/     process ids and addresses; logs
#   demo           what was created on the first run; env: all that a client needs

readonly state=$root/.verdict
readonly bin=$root/build/release/bin
readonly database=verdict
# In the order of their start.
readonly processes=(token feedback aggregator gateway)

command_run() {
  local detach=false fresh=false
  declare -A port=(
    [gateway]=${VERDICT_PORT:-} [token]=${VERDICT_TOKEN_PORT:-0} [feedback]=${VERDICT_FEEDBACK_PORT:-0}
    [aggregator]=${VERDICT_AGGREGATOR_PORT:-0} [database]=${VERDICT_DATABASE_PORT:-0}
  )
  parse_run_arguments "$@"

  if ! $fresh && is_ready; then
    say "Verdict is running already; ./dev stop ends it"
    print_summary
    $detach || exit 1
    return
  fi
  install_packages "${build_packages[@]}"
  say "Building"
  build release "${processes[@]/#/verdict-}" verdictctl
  stop_everything
  if $fresh; then
    forget_everything
  fi
  choose_gateway_port

  trap stop_everything EXIT
  trap 'exit 130' INT TERM
  start_everything
  write_environment
  print_summary
  if $detach; then
    trap - EXIT
    return
  fi
  printf 'Ctrl-C stops it.\n'
  trap 'exit 0' INT TERM
  wait -n || true
  report_failure "a process ended"
}

command_stop() {
  (($# == 0)) || usage_error "stop takes no argument"
  stop_everything
}

# Sets the variables of command_run.
parse_run_arguments() {
  local name value
  while (($# > 0)); do
    case $1 in
      --detach) detach=true ;;
      --fresh) fresh=true ;;
      --port | --*-port | --port=* | --*-port=*)
        name=${1%%=*}
        if [[ $1 == *=* ]]; then
          value=${1#*=}
        else
          (($# > 1)) || usage_error "$1 needs a number"
          value=$2
          shift
        fi
        name=${name#--}
        name=${name%port}
        name=${name%-}
        [[ -v port[${name:-gateway}] ]] || usage_error "run has no option --$name-port"
        port[${name:-gateway}]=$value
        ;;
      *) usage_error "run has no option $1" ;;
    esac
    shift
  done
  for name in "${!port[@]}"; do
    value=${port[$name]}
    if [[ ! $value =~ ^[0-9]{0,5}$ ]] || ((10#0$value > 65535)); then
      usage_error "'$value' is no port for the $name: a number up to 65535"
    fi
  done
}

port_is_free() {
  ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# The gateway shares its port with whoever else asks to share it, so it would not notice that the port is taken.
choose_gateway_port() {
  if [[ -z ${port[gateway]} ]]; then
    port[gateway]=8080
    port_is_free 8080 || port[gateway]=0
  fi
  ((port[gateway] == 0)) || port_is_free "${port[gateway]}" ||
    fail "port ${port[gateway]} is in use; choose another one: ./dev run --port N"
}

start_everything() {
  say "Starting PostgreSQL"
  create_secrets
  db/cluster start "$state/pg" "${port[database]}" >/dev/null
  db/cluster migrate "$state/pg" "$database"
  write_connection_strings

  say "Starting the services and the gateway"
  local keyset=(--keyset-dir "$state/keyset")
  start token "${keyset[@]}" --admin-key-file "$state/secrets/admin-key"
  local token=(--token-address "$(address token)")
  start feedback "${keyset[@]}" "${token[@]}"
  start aggregator "${token[@]}"
  start gateway "${token[@]}" \
    --feedback-address "$(address feedback)" --aggregator-address "$(address aggregator)"
  wait_until 60 is_ready || report_failure "not ready after 60 s"
  [[ -e $state/demo ]] || create_demo
}

# Also the admin key and the keys that sign tokens, once.
create_secrets() {
  (
    umask 077
    mkdir -p "$state"/{secrets,keyset,run,log}
    if [[ ! -e $state/secrets/admin-key ]]; then
      printf 'vadmin_%s\n' "$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')" >"$state/secrets/admin-key"
    fi
    if [[ ! -e $state/keyset/keyset.json ]]; then
      head -c 32 /dev/urandom >"$state/keyset/k1"
      printf '{"primary": "k1", "keys": {"k1": {"state": "active"}}}\n' >"$state/keyset/keyset.json"
    fi
  )
}

write_connection_strings() {
  local name
  for name in token feedback aggregator; do
    (umask 077 && db/cluster dsn "$state/pg" "$database" "$name" >"$state/secrets/$name.dsn")
  done
}

# start NAME FLAG...: starts a process and waits until it serves.
start() {
  local name=$1 log=$state/log/$1.log
  shift
  local flags=(--listen "127.0.0.1:${port[$name]}" --address-file "$state/run/$name.address" "$@")
  if [[ $name != gateway ]]; then
    flags+=(--database-dsn-file "$state/secrets/$name.dsn")
  fi
  rm -f "$state/run/$name.address"
  [[ ! -e $log ]] || mv "$log" "$log.old"
  # In a session of its own, so that Ctrl-C reaches us alone and we stop them in order. Its environment holds no secret,
  # even if ours does because .verdict/env was read.
  env --unset=VERDICT_ADMIN_KEY --unset=VERDICT_API_KEY --unset=VERDICT_DATABASE_URL \
    setsid "$bin/verdict-$name" "${flags[@]}" </dev/null >"$log" 2>&1 &
  printf '%s\n' "$!" >"$state/run/$name.pid"
  wait_until 30 has_started "$name" "$!" || true
  [[ -e $state/run/$name.address ]] || report_failure "verdict-$name did not start"
}

# Also true when it ended before it served.
has_started() {
  [[ -e $state/run/$1.address ]] || ! kill -0 "$2" 2>/dev/null
}

# wait_until SECONDS COMMAND...: false when the command has not succeeded in that time.
wait_until() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < end)) || return 1
    sleep 0.1
  done
}

address() {
  sed -n 's/^listen=//p' "$state/run/$1.address"
}

is_ready() {
  local name
  for name in "${processes[@]}"; do
    process_id "$name" >/dev/null || return 1
  done
  curl --silent --fail --max-time 2 --output /dev/null "http://$(address gateway)/readyz"
}

# The process id, if the process is ours and runs: after a restart of the machine the number may be another's.
process_id() {
  local pid
  pid=$(cat "$state/run/$1.pid" 2>/dev/null) || return 1
  tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF -- "$state/run/$1.address" || return 1
  printf '%s\n' "$pid"
}

is_gone() {
  ! process_id "$1" >/dev/null
}

stop() {
  local name=$1 pid
  if pid=$(process_id "$name"); then
    kill -TERM "$pid" 2>/dev/null || true
    if ! wait_until 40 is_gone "$name"; then
      printf 'dev: verdict-%s did not drain within 40 s and is killed\n' "$name" >&2
      kill -KILL "$pid" 2>/dev/null || true
      wait_until 10 is_gone "$name"
    fi
  fi
  rm -f "$state/run/$name.pid"
}

# Callers before those they call, so that each can finish its work.
stop_everything() {
  local i
  trap - EXIT
  trap '' INT TERM
  [[ -d $state ]] || return 0
  for ((i = ${#processes[@]} - 1; i >= 0; i--)); do
    stop "${processes[i]}"
  done
  db/cluster stop "$state/pg"
}

forget_everything() {
  say "Forgetting all data"
  db/cluster remove "$state/pg"
  rm -rf "$state"
}

report_failure() {
  local name
  {
    printf 'dev: %s\n' "$1"
    for name in "${processes[@]}"; do
      [[ -e $state/run/$name.pid ]] || continue
      printf '\n%s (%s), the end of .verdict/log/%s.log:\n' \
        "$name" "$(process_id "$name" >/dev/null && echo runs || echo 'does not run')" "$name"
      tail -n 5 "$state/log/$name.log"
    done
    printf '\nIf the data of an earlier version are the reason, start over: ./dev run --fresh\n'
  } >&2
  exit 1
}

# verdictctl with the admin key.
admin() {
  "$bin/verdictctl" --json --admin-key-file "$state/secrets/admin-key" --token-address "$(address token)" \
    --feedback-address "$(address feedback)" --aggregator-address "$(address aggregator)" "$@"
}

create_demo() {
  local org project user key
  say "Creating a demo organization, project, user, prompt and API key"
  org=$(admin org create Demo | jq -er .id)
  project=$(admin project create --org "$org" demo | jq -er .id)
  user=$(admin user create --org "$org" --email demo@example.com --name Demo | jq -er .id)
  admin prompt create --project "$project" support-bot >/dev/null
  key=$(admin key create --project "$project" --user "$user" | jq -er .key)
  write_private "$state/demo" "VERDICT_API_KEY=$key" "VERDICT_PROJECT_ID=$project" "VERDICT_ORG_ID=$org"
}

# write_private FILE LINE...: all of it or nothing, for our eyes only.
write_private() {
  (umask 077 && printf '%s\n' "${@:2}" >"$1.new")
  mv "$1.new" "$1"
}

write_environment() {
  local demo lines
  mapfile -t demo <"$state/demo"
  lines=(
    "VERDICT_URL=http://$(address gateway)"
    "${demo[@]}"
    "VERDICT_DATABASE_URL=$(db/cluster dsn "$state/pg" "$database" postgres)"
    "VERDICT_TOKEN_ADDR=$(address token)"
    "VERDICT_FEEDBACK_ADDR=$(address feedback)"
    "VERDICT_AGGREGATOR_ADDR=$(address aggregator)"
    "VERDICT_ADMIN_KEY=$(cat "$state/secrets/admin-key")"
  )
  write_private "$state/env" "${lines[@]}" "export ${lines[*]%%=*}"
}

print_summary() {
  local VERDICT_URL VERDICT_API_KEY VERDICT_PROJECT_ID
  # shellcheck disable=SC1091  # written by write_environment
  source "$state/env"
  cat <<EOF

Verdict is ready: $VERDICT_URL
API key:          $VERDICT_API_KEY
Project:          $VERDICT_PROJECT_ID
For scripts:      . .verdict/env
Logs:             .verdict/log/

Say what you think of a completion, and read it back:

curl -sS -H 'Authorization: Bearer $VERDICT_API_KEY' -H 'Content-Type: application/json' -d '{"thumbs_up": false, "reason": "Too vague"}' $VERDICT_URL/v1/prompts/support-bot/completions/my-first-completion/feedback && echo && curl -sS -H 'Authorization: Bearer $VERDICT_API_KEY' $VERDICT_URL/projects/$VERDICT_PROJECT_ID/feedback/span/my-first-completion && echo

EOF
}
