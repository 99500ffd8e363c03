#!/usr/bin/env bash
# What tests/bench/compare makes of figures and goals; and that it knows its own workloads.
set -u -o pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
failures=0

# expect WHAT EXPECTED GOT
expect () {
    if [ "$2" != "$3" ]; then
        printf 'FAILED: %s: expected\n%s\ngot\n%s\n' "$1" "$2" "$3" >&2
        failures=$((failures + 1))
    fi
}

printf 'cores=2\nprocessor=a "fast" one\n' >"$folder/machine"
cat >"$folder/plans" <<'END'
set-1   us     set 1 1 2000 100 0    0.5  -   -    write
set     ops/s  set 8 64 60000 100 0  25   12  -    echo-32
mix     ops/s  mix 8 64 60000 100 0  -    -   -    echo-32
fanout  ms     fanout 500 1 20 100 0 0.1  -   -    round-trip
gap     ms     gap 1 1 8 1 0         -    -   60   -
vanish  ms     vanish 1 4000 3 0 0   -    -   50   -
get-1   us     get 1 1 10000 100 0   -    -   -    round-trip
get-1-trips  trips  get 1 1 10000 100 0  -  -  1.3  one
delete  ms     delete 1 1 1 1 0      -    -   -    grace
create  ms     create 1 1 1 1 0      -    -   -    fail-over
END
results () {
    local who=$1 name=$2 value
    shift 2
    for value in "$@"; do
        printf '%s\t%s\t%s\n' "$who" "$name" "$value"
    done
}
{
    results machine round-trip 100 90 110
    results machine fdatasync 300
    results machine quorum 400 500 600
    results machine echo-32 2500000 1500000
    results zookeeper set-1 1000 3000 2000
    results cohort set-1 1000 500 2500
    results zookeeper set 5000 7000 6000 4000
    results etcd set 12000
    results cohort set 140000 1234567 120000
    results zookeeper fanout 34
    results cohort fanout 3.5
    results cohort gap 60
    results cohort get-1 120 99 154
    results cohort delete 31
    results cohort create 11
} >"$folder/results"

table=$(awk -f "$here/table.awk" -v rounds=3 -v json="$folder/json" \
    "$folder/machine" "$folder/plans" "$folder/results") || failures=$((failures + 1))

row () { grep "^| $1 |" <<<"$table"; }
expect 'the machine' 'processor: a "fast" one' "$(grep '^processor' <<<"$table")"
expect 'a latency that is as small as it should be' \
    '| set-1 | us | 2,000 (1,000-3,000) | - | 1,000 (500-2,500) | 0.50 |  | 0.5 x ZooKeeper | yes | 500 (2.00 x) |' \
    "$(row set-1)"
expect 'a rate that reaches one goal of two' \
    '| set | ops/s | 5,500 (4,000-7,000) | 12,000 | 140,000 (120,000-1,234,567) | 25.5 | 11.7 | 25 x ZooKeeper, 12 x etcd | no | 2,000,000 (0.07 x) |' \
    "$(row set)"
expect 'nothing measured' '| mix | ops/s | - | - | - |  |  |  |  |  |' "$(row mix)"
expect 'a ratio that is missed by little' \
    '| fanout | ms | 34.0 | - | 3.50 | 0.10 |  | 0.1 x ZooKeeper | no | 0.10 (35.0 x) |' "$(row fanout)"
expect 'a goal of our own' '| gap | ms | - | - | 60.0 |  |  | 60 ms | yes |  |' "$(row gap)"
expect 'a goal, and nothing measured' '| vanish | ms | - | - | - |  |  | 50 ms |  |  |' "$(row vanish)"
expect 'so many round trips, each of its round' \
    '| get-1-trips | trips | - | - | 1.20 (1.10-1.40) |  |  | 1.3 trips | yes | 1.00 (1.20 x) |' \
    "$(row get-1-trips)"
expect 'a grace and a write as bound' '30.5 (1.02 x)' "$(row delete | awk -F ' *\\| *' '{ print $(NF - 1) }')"
expect 'a fail-over as bound' '1.10 (10.0 x)' "$(row create | awk -F ' *\\| *' '{ print $(NF - 1) }')"
expect 'the values in JSON' '"cohort": {"median": 140000, "values": [140000, 1234567, 120000]}' \
    "$(grep -o '"cohort": {"median": 140000[^}]*}' "$folder/json")"
expect 'the verdicts in JSON' 'true false false true true' \
    "$(grep -o '"reached": [a-z]*' "$folder/json" | cut -d ' ' -f 2 | paste -sd ' ')"

expect 'an unknown workload' "compare: --only: 'sett' is not a workload (see --list)" \
    "$("$here/compare" --only sett 2>&1)"
expect 'an unknown peer' "compare: --peers: 'consul' is neither zookeeper nor etcd" \
    "$("$here/compare" --peers consul 2>&1)"
expect 'no number' "compare: --rounds: '0' is not a number from 1" "$("$here/compare" --rounds 0 2>&1)"
expect 'the workloads' 'set-1 get-1 get-1-trips set' "$("$here/compare" --list | head -n 4 | paste -sd ' ')"

if [ $failures -gt 0 ]; then
    exit 1
fi
echo 'all as expected'
