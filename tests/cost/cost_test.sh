#!/usr/bin/env bash
# cost_test.sh PROGRAM: instructions of an operation, counted by valgrind, against the bounds below.
#
# They are counted where nothing depends on the machine: tests/cost/cost.c. The same source gives the
# same figure to a few in a thousand; other versions of compiler and libraries differ by some percent.
#
# If it fails, an operation has become dearer by more than the slack. To see where:
#     valgrind --tool=callgrind --toggle-collect=cost_measured build/bin/tests/cost get 50
#     callgrind_annotate callgrind.out.PID
# at this commit and at the one before. If what it buys is worth the price, raise the figure here, and
# say in the commit what it buys. Who makes an operation cheaper lowers it.
set -u -o pipefail

# operation, instructions in all: the client's machine, the server, libraries.  Of attach for each of the
# 1,024 streams of a client that connects again: its work is linear in their number.
bounds='get 3600
set 10540
attach 5800'
slack=15 # percent
rounds=50

program=$1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
status=0
while read -r operation bound; do
    if ! valgrind --tool=callgrind --toggle-collect=cost_measured \
        --callgrind-out-file="$folder/out" "$program" "$operation" $rounds \
        >"$folder/count" 2>"$folder/log"; then
        cat "$folder/log" >&2
        exit 1
    fi
    count=$(tail -n 1 "$folder/count")
    total=$(awk '/Collected/ { print $NF }' "$folder/log")
    if [ -z "$total" ] || [ "$total" -eq 0 ]; then
        echo "valgrind has counted nothing:" >&2
        cat "$folder/log" >&2
        exit 1
    fi
    each=$((total / count))
    limit=$((bound * (100 + slack) / 100))
    echo "$operation: $each instructions an operation ($bound when the bound was set, at most $limit)"
    if [ $each -gt $limit ]; then
        echo "$operation has become dearer: see the head of tests/cost/cost_test.sh" >&2
        status=1
    elif [ $((each * (100 + slack) / 100)) -lt "$bound" ]; then
        echo "$operation has become cheaper: write $each into tests/cost/cost_test.sh"
    fi
done <<<"$bounds"
exit $status
