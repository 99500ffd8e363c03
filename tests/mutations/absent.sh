#!/usr/bin/env bash
# absent.sh LIBRARY...: nothing of tests/mutations/table is in what is shipped.
set -u -o pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 1
failed=0
mapfile -t names < <("$root/tests/mutations/run" --list)
if [ ${#names[@]} -eq 0 ]; then
    echo "tests/mutations/table has no names" >&2
    exit 1
fi
for library in "$@"; do
    for name in mutation_is mutation_select "${names[@]}"; do
        if grep -qaF -- "$name" "$library"; then
            echo "$library has '$name' in it" >&2
            failed=1
        fi
    done
done
exit $failed
