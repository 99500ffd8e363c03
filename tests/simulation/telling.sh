#!/usr/bin/env bash
# What --seeds tells: a line for each world and one at the end; on a terminal a bar that grows in
# place of the lines of worlds.
set -eu -o pipefail

simulator=${1:?usage: telling.sh COHORT-SIM}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail () {
    echo "$*" >&2
    exit 1
}

number='[0-9]+(\.[0-9])?'
closing="^3 worlds, 0 failed: $number s simulated in $number s of CPU and $number s of time; [0-9]+ simulated seconds per CPU second; [0-9]+ of [0-9]+ searches given up\$"

"$simulator" --seeds 1..3 --ticks 2000 >"$folder/out" || fail "a world fails: $(cat "$folder/out")"
for seed in 1 2 3; do
    grep -q "^seed $seed digest [0-9a-f]\{16\} " "$folder/out" || fail "seed $seed has no line"
done
tail -n 1 "$folder/out" | grep -q -E "$closing" || fail "at the end: $(tail -n 1 "$folder/out")"
grep -q '\[' "$folder/out" && fail "there is a bar where there is no terminal"

# ---- Failures are counted and named.

if "$simulator" --seeds 1..3 --ticks 2000 --liveness 1 >"$folder/out" 2>"$folder/errors"; then
    fail "worlds that have no time do not fail"
fi
tail -n 1 "$folder/out" | grep -q "^3 worlds, 3 failed: " || fail "they are not counted"
grep -q "^failed seeds: 1 2 3\$" "$folder/errors" || fail "they are not named"

# ---- The bar: of the first world a third, then more, then all of it.

if ! command -v script >/dev/null; then
    echo "ok, but nothing here makes a terminal"
    exit 0
fi
script -qec "'$simulator' --seeds 1..3 --ticks 2000 --jobs 1" /dev/null </dev/null |
    tr '\r' '\n' >"$folder/terminal"
for worlds in 1 2 3; do
    bar=$(printf '=%.0s' $(seq $((worlds * 40 / 3))))
    grep -q -E "^\[$bar {$((40 - worlds * 40 / 3))}\] $worlds of 3, 0 failed, [0-9]+ times real time" \
        "$folder/terminal" || fail "no bar for $worlds of 3: $(cat "$folder/terminal")"
done
grep -q "^seed " "$folder/terminal" && fail "the lines of worlds are in the way of the bar"
grep -q -E "$closing" "$folder/terminal" || fail "no closing line on a terminal"
echo "ok"
