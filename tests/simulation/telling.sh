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

# ---- Whoever sees a seed fail can go on: its number, the commit, the same run, a smaller one.

commit=$("$simulator" --version)
commit=${commit##* }

# told OPTION...
# The world of a seed fails with these, and says so; its output stays in $folder/errors.
told () {
    if "$simulator" "$@" >/dev/null 2>"$folder/errors"; then
        fail "a world that has no time does not fail: $*"
    fi
    grep -q "^seed 2 failed: ." "$folder/errors" || fail "the failed seed is not named: $*"
    grep -q "^  commit: $commit\$" "$folder/errors" || fail "the commit is not named: $*"
    grep -q "^  again:  cohort-sim .* -v\$" "$folder/errors" || fail "how to run it again: $*"
    grep -q "^  smaller: cohort-sim .* --shrink\$" "$folder/errors" || fail "how to shrink it: $*"
}

hopeless=(--seed 2 --ticks 2000 --liveness 1)
told "${hopeless[@]}"
told "${hopeless[@]}" --verbose
told "${hopeless[@]}" --verbose --verbose
told "${hopeless[@]}" --history "$folder/history"
told "${hopeless[@]}" --record "$folder/replay"
told --replay "$folder/replay"
told --replay "$folder/replay" --verbose
grep -q -- "--replay $folder/replay --shrink" "$folder/errors" || fail "not from the replay"
told "${hopeless[@]}" --rate kill=900 --without loss --observers 1 --verbose
for option in "--rate kill=900" "--rate loss=0" "--observers 1" "--liveness 1"; do
    grep -q -- "smaller: .* $option " "$folder/errors" || fail "it leaves out $option"
done

# So if its process dies.
(
    ulimit -t 1
    told --seed 2 --ticks 100000000 --verbose
)
grep -q "^seed 2 failed: its process died of signal" "$folder/errors" || fail "its end is not told"

"$simulator" --expect . --seeds 2..2 --ticks 2000 --liveness 1 >"$folder/out" ||
    fail "what fails is not found"
grep -q "^  smaller: cohort-sim --seed 2 .* --shrink\$" "$folder/out" || fail "found, and not how"

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
