#!/usr/bin/env bash
# Refuses includes and links against the direction of the architecture: what a part may use is part of its design, and
# a compiler does not mind. Prints each offending line with the rule that it breaks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

broken=0

# Perl's regular expressions, of paths from the root: the files that the rule is for, and what they must not name.
forbid() {
  local rule=$1 files=$2 pattern=$3 hits
  hits=$(find common services gateway cli -type f | grep -P "$files" | xargs -r grep -nHP "$pattern" || true)
  if [[ -n $hits ]]; then
    printf '%s:\n%s\n\n' "$rule" "$hits"
    broken=1
  fi
}

forbid_include() {
  forbid "$1" "$2.*\.(h|cc)\$" "^\s*#\s*include\s*[<\"]($3)"
}

forbid_link() {
  forbid "$1" "$2.*CMakeLists\.txt\$" "verdict::($3)"
}

forbid_include 'common/ is below the processes' '^common/' '(services|gateway|cli)/'
forbid_include 'the gateway knows contracts, not services' '^gateway/' '(services|cli)/'
forbid_include 'verdictctl knows contracts, not services' '^cli/' '(services|gateway)/'
forbid_link 'only a service and its tests link its library' '^(common|gateway|cli)/' '\w+_service'
for service in token feedback aggregator; do
  forbid_include 'services meet in their contracts only' "^services/$service/" "(services/(?!$service/)|gateway/|cli/)"
  forbid_link 'services meet in their contracts only' "^services/$service/" "(?!$service)\w+_service"
done
forbid_include 'only tests use what is for tests' '^(?!.*test)' '(tests/|catch2)'

# Headers of common/pg that show libpqxx count as libpqxx.
pqxx=$(grep -lE '^#include <pqxx' common/pg/*.h 2>/dev/null | paste -sd '|')
forbid_include 'libpqxx stays inside common/pg and the stores' \
  '^(?!common/pg/|services/\w+/(\w+_(store|test)\.cc|store_\w+\.h)$)' "pqxx${pqxx:+|$pqxx}"
forbid_include 'of a service, only its adapter and its main know gRPC' \
  '^services/\w+/(?!\w+_rpc(_test)?\.|main\.cc$)' '(grpcpp|grpc)/|verdict/.*\.grpc\.pb\.h'

exit "$broken"
