#!/usr/bin/env bash
# The migration Job's program, on the cluster that the tests share: it makes roles, database and schema, changes
# nothing the second time, and needs no superuser then.
set -euo pipefail

cluster=$VERDICT_TEST_CLUSTER
database=migrated_$$
secrets=$(mktemp -d)

password() {
  awk -F: -v role="$1" '$4 == role { print $5 }' "$cluster/pgpass"
}

# service NAME ROLE
service() {
  printf '[%s]\nhost=127.0.0.1\nport=%s\nuser=%s\npassword=%s\n' "$1" "$(cat "$cluster/port")" "$2" "$(password "$2")"
}

as_superuser() {
  PGSERVICEFILE=$secrets/superuser.conf psql --no-psqlrc --quiet --tuples-only --no-align \
    "service=superuser dbname=$1" --command="$2"
}

migrate() {
  # As in the image: no home, a user without a name.
  env --ignore-environment PATH="$PATH" HOME=/nonexistent SQITCH_FULLNAME=Verdict SQITCH_EMAIL=verdict@localhost \
    PGDATABASE="$database" "$VERDICT_SOURCE/deploy/docker/migrate.sh" "$VERDICT_SOURCE/db" "$secrets"
}

expect() {
  [[ $1 == "$2" ]] || {
    printf 'expected %q, got %q\n' "$1" "$2" >&2
    exit 1
  }
}

service superuser postgres >"$secrets/superuser.conf"
trap 'as_superuser postgres "drop database if exists $database"; rm -rf "$secrets"' EXIT

# The roles belong to the whole cluster, so they get the passwords that they have.
{ service superuser postgres; service owner verdict_owner; } >"$secrets/pg_service.conf"
for role in owner token feedback aggregator; do
  password "verdict_$role" >"$secrets/${role}_password"
done
migrate
expect verdict_owner "$(as_superuser "$database" "select tableowner from pg_tables where tablename = 'feedback'")"

service owner verdict_owner >"$secrets/pg_service.conf"
rm "$secrets"/*_password
migrate | grep -F 'up-to-date'
