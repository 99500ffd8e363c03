#!/usr/bin/env bash
# Worlds that once failed hold.
set -eu -o pipefail

simulator=${1:?usage: regressions.sh COHORT-SIM}
list=$(dirname "$0")/regressions
count=0 failed=0

while read -r -a options; do
    [ ${#options[@]} -gt 0 ] && [ "${options[0]}" != "#" ] || continue
    "$simulator" "${options[@]}" || failed=$((failed + 1))
    count=$((count + 1))
done <"$list"

[ $count -gt 0 ] || { echo "no world is listed" >&2; exit 1; }
[ $failed -eq 0 ] || { echo "$failed of $count failed" >&2; exit 1; }
echo "ok"
