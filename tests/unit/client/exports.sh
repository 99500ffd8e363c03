#!/usr/bin/env bash
# exports.sh libcohort.so header...
# The library exports what its public headers declare with COHORT_API, all of it and nothing else.
set -eu -o pipefail
library=$1
shift
declared=$(sed -e 's|/\*.*\*/||' "$@" | tr '\n' ' ' | grep -oE 'COHORT_API [^;]*;' |
    grep -oE '\bcohort_[a-z0-9_]+ \(' | tr -d ' (' | sort -u)
# The first name of a declaration is the function; types of callbacks are not followed by '('.
exported=$(nm -D --defined-only "$library" | awk '{ print $3 }' | sort -u)
if ! difference=$(diff <(echo "$declared") <(echo "$exported")); then
    echo "declared (<) and exported (>) differ:"
    echo "$difference"
    exit 1
fi
echo "$(echo "$exported" | wc -l) functions"
