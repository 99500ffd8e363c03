#!/usr/bin/env bash
# targets_test.sh BUILD
# Each fuzz target has seeds in the tree, is a test that runs over them, and stands in
# docs/testing.md; and there are seeds of no other.
set -u -o pipefail

build=${1:?the build folder}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 1
cd "$root" || exit 1
failures=0

complain () {
    printf 'FAILED: %s\n' "$1" >&2
    failures=$((failures + 1))
}

mapfile -t targets < <(tests/fuzz/run --list)
[ ${#targets[@]} -gt 0 ] || complain 'there are targets'
tests=$(sed -n 's/^add_test *(\[*=*\[*\(fuzz-.*\)/\1/p' "$build/tests/fuzz/CTestTestfile.cmake")
for name in "${targets[@]}"; do
    [ -f "tests/fuzz/fuzz_${name//-/_}.c" ] || complain "$name has a source"
    [ -n "$(ls -A "tests/fuzz/seeds/$name" 2>/dev/null)" ] ||
        complain "$name has seeds in the tree (tests/fuzz/run --keep-seeds $name writes them)"
    grep -qF "| \`$name\` |" docs/testing.md || complain "$name is in docs/testing.md"
    grep -E "^fuzz-$name[^a-z-]" <<<"$tests" | grep -qE "tests/fuzz/seeds/$name[^a-z-]" ||
        complain "the test fuzz-$name runs over them"
done
for folder in tests/fuzz/seeds/* tests/fuzz/regressions/*; do
    [ ! -d "$folder" ] || printf '%s\n' "${targets[@]}" | grep -qxF "${folder##*/}" ||
        complain "$folder is of a target"
done
echo "${#targets[@]} targets, $failures failures"
[ $failures -eq 0 ]
