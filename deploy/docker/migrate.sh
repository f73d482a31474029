#!/usr/bin/env bash
# Brings a database up to date; changes nothing when it is.
#
#   migrate.sh SCHEMA SECRETS
#
# SCHEMA is the folder db/ of the repository. SECRETS is a folder with
#   pg_service.conf    how to connect, for libpq: [owner] as verdict_owner, and while the roles or the database
#                      are still to be made also [superuser], or any role that may make them
#   ROLE_password      owner, token, feedback, aggregator: the password to give to verdict_ROLE; read only together
#                      with [superuser], and a role without a file keeps the password it has
# The database is PGDATABASE, or verdict.
set -euo pipefail

(($# == 2)) || {
  sed -n '2,/^set/ { /^#/ s/^# \{0,1\}//p }' "${BASH_SOURCE[0]}" >&2
  exit 2
}
readonly schema=$1 secrets=$2
export PGSERVICEFILE=$secrets/pg_service.conf PGDATABASE=${PGDATABASE:-verdict} PGCONNECT_TIMEOUT=10

superuser() {
  psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 "service=superuser dbname=postgres" "$@"
}

# The server may be starting at the same time.
until pg_isready --quiet --dbname="service=owner dbname=postgres"; do
  if ((SECONDS >= 120)); then
    echo "No PostgreSQL answers at the address in $PGSERVICEFILE" >&2
    exit 1
  fi
  sleep 1
done

if grep -qxF '[superuser]' "$PGSERVICEFILE"; then
  {
    for role in owner token feedback aggregator; do
      [[ -e $secrets/${role}_password ]] || continue
      # psql reads the file itself, so that no password is ever an argument.
      # shellcheck disable=SC2016  # psql's backquotes
      printf '\\set %s_password `cat "%s/%s_password"`\n' "$role" "$secrets" "$role"
    done
    cat "$schema/roles.sql"
  } | superuser
  superuser --set=database="$PGDATABASE" <<'SQL'
select format('create database %I owner verdict_owner encoding utf8 locale ''C.UTF-8'' template template0', :'database')
 where not exists (select from pg_database where datname = :'database')
\gexec
SQL
fi

cd "$schema"
sqitch deploy --verify "db:pg:?service=owner"
