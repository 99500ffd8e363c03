#!/usr/bin/env bash
# The same seed gives the same run, to the byte: story, figures and digest.
set -eu -o pipefail

simulator=${1:?usage: repeats.sh COHORT-SIM}
for seed in 11 12 13; do
    first=$("$simulator" --seed "$seed" --ticks 10000 --verbose | sha256sum)
    second=$("$simulator" --seed "$seed" --ticks 10000 --verbose | sha256sum)
    if [ "$first" != "$second" ]; then
        echo "seed $seed gives two different runs" >&2
        exit 1
    fi
done
echo "ok"
