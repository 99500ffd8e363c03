#!/usr/bin/env bash
# A run can be replayed from the list of its faults, and one that fails is made smaller: it still
# fails, and without the faults that are left it does not.
set -eu -o pipefail

simulator=${1:?usage: replays.sh COHORT-SIM}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

commit=$("$simulator" --version)
commit=${commit##* }

fail () {
    echo "$*" >&2
    exit 1
}

# ---- The same run from its list.

for seed in 3 5 7; do
    drawn=$("$simulator" --seed $seed --ticks 8000 --record "$folder/replay")
    replayed=$("$simulator" --replay "$folder/replay")
    [ "$drawn" = "${replayed%%$'\n'*}" ] || fail "seed $seed: its replay is another run: $replayed"
done

# ---- A smaller one. Some worlds do not come to rest in 600 ms after everything that went wrong there.
# Where that was many small things together, few can be left out: then another world shows it.

shrunk () {
    local options=(--seed "$1" --ticks 10000 --liveness 600) before faults
    if "$simulator" "${options[@]}" >"$folder/out" 2>&1; then
        return 1
    fi
    grep -q "failed seeds: $1" "$folder/out" || fail "the failed seed is not named"
    grep -q "^\[" "$folder/out" || fail "the story is not shown"
    grep -q "^  commit: $commit\$" "$folder/out" || fail "the commit $commit is not named"
    before=$(grep -c . "$folder/out")
    [ "$before" -gt 10 ] || fail "the story is too short"
    "$simulator" "${options[@]}" --shrink --tries 150 --record "$folder/small" >"$folder/out" 2>&1
    faults=$(grep -c "^fault" "$folder/small") || true
    [ "$faults" -ge 1 ] && [ "$faults" -le 5 ]
}

found=no
for seed in 8 5 20 21 22 23 24 25; do
    if shrunk $seed; then
        found=yes
        break
    fi
done
[ $found = yes ] || fail "no world is made small: $(cat "$folder/small")"
"$simulator" --replay "$folder/small" >"$folder/out" 2>&1 && fail "the smaller run does not fail"
grep -q "invariant 18" "$folder/out" || fail "the smaller run fails otherwise"
grep -v "^fault" "$folder/small" >"$folder/none"
"$simulator" --replay "$folder/none" >"$folder/out" 2>&1 || fail "without its faults it fails, too"

# ---- One that fails is written down as well: its replay fails in the same way, at the same moment.

failure () {
    grep -o "^seed $seed at .*" "$folder/out" | head -n 1
}

rm -f "$folder/replay"
"$simulator" --seed "$seed" --ticks 10000 --liveness 600 --record "$folder/replay" >"$folder/out" 2>&1 &&
    fail "seed $seed does not fail when it is recorded"
recorded=$(failure)
[ -n "$recorded" ] || fail "how seed $seed fails is not said: $(cat "$folder/out")"
"$simulator" --replay "$folder/replay" >"$folder/out" 2>&1 && fail "the recorded run does not fail"
[ "$(failure)" = "$recorded" ] || fail "recorded: $recorded; replayed: $(failure)"

# ---- What is not a run.

for line in "seed x" "servers 9" "fault rain at 1 a 0 b 0 nth 0 length 0 value 0" "fault loss at 1"; do
    echo "$line" >"$folder/wrong"
    status=0
    "$simulator" --replay "$folder/wrong" >"$folder/out" 2>&1 || status=$?
    [ $status -eq 2 ] || fail "'$line' is accepted"
    grep -q "line 1" "$folder/out" || fail "'$line': the line is not named"
done
echo "ok"
