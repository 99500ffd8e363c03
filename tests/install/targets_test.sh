#!/usr/bin/env bash
# examples/run builds some targets only, and installs: everything that is installed and has to be
# built must be among what these targets build.
set -eu -o pipefail

build=$(cd "${1:?usage: targets_test.sh BUILD-FOLDER}" && pwd)
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
[ -f "$build/build.ninja" ] || { echo "not a build by ninja: nothing to ask"; exit 77; }

read -r -a targets <<<"$(sed -n 's/^ *--target \(.*\) || exit 1$/\1/p' "$root/examples/run")"
[ ${#targets[@]} -gt 0 ] || { echo "no --target in examples/run" >&2; exit 1; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ninja -C "$build" -t targets all | sed -n 's/^\([^:]*\): .*/\1/p' | sort >"$folder/made"
ninja -C "$build" -t commands "${targets[@]}" >"$folder/commands"
find "$build" -name cmake_install.cmake -exec grep -ho '"[^"]*"' {} + | tr -d '"' |
    sed -n "s|^$build/||p" | sort -u >"$folder/installed"
comm -12 "$folder/installed" "$folder/made" >"$folder/needed"
[ -s "$folder/needed" ] || { echo "nothing that is installed is built" >&2; exit 1; }
missing=
while read -r file; do
    grep -q -F -- "$file" "$folder/commands" || missing+="$file "
done <"$folder/needed"
if [ -n "$missing" ]; then
    echo "examples/run installs, but does not build:" >&2
    echo "$missing" >&2
    exit 1
fi
echo "ok $(wc -l <"$folder/needed") files"
