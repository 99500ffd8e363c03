#!/usr/bin/env bash
# turns_test.sh PROGRAM: instructions of the longest turn of a server's thread while a snapshot of its state
# is written and clients go on writing, counted by valgrind turn by turn, against the bound below.
#
# No turn is to take more than 2 ms, with a million znodes. That is 2,000,000 instructions where a
# processor does one in a nanosecond, which is slow: one in three cycles at 3 GHz. So many are counted here
# that there is as much again for what a million znodes add, which is in proportion to them: the scrubbing of
# memory, a round in a minute (docs/storage.md, Snapshots). Nothing else may depend on their number: the
# longest turn is the same, but for what happens to come together, with five times as many.
#
# To see where they are: valgrind --tool=callgrind --toggle-collect=cost_turn --dump-after=cost_turn
# build/bin/tests/cost turns 20000, and callgrind_annotate of the dump with the highest summary.
set -u -o pipefail

bound=1000000

program=$1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
status=0
for znodes in 20000 100000; do
    rm -f "$folder"/*
    if ! valgrind --tool=callgrind --toggle-collect=cost_turn --dump-after=cost_turn \
        --callgrind-out-file="$folder/out" "$program" turns $znodes >"$folder/count" 2>"$folder/log"; then
        cat "$folder/log" >&2
        exit 1
    fi
    turns=$(tail -n 1 "$folder/count")
    dumps=$(find "$folder" -name 'out.*' | wc -l)
    longest=$(find "$folder" -name "out.*" -exec grep -h "^summary:" {} + |
        awk '$2 > max { max = $2 } END { print max + 0 }')
    if [ "$dumps" -lt "$turns" ] || [ "$longest" -eq 0 ]; then
        echo "valgrind has counted $dumps of $turns turns:" >&2
        cat "$folder/log" >&2
        exit 1
    fi
    echo "$znodes znodes: $longest instructions in the longest of $turns turns (at most $bound)"
    [ "$longest" -le $bound ] || status=1
done
[ $status -eq 0 ] || echo "a turn has become longer: see the head of tests/cost/turns_test.sh" >&2
exit $status
