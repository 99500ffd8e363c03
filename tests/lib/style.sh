#!/usr/bin/env bash
# style.sh [file...]
# The rules of style that a machine can check, over the C sources that git tracks (or the files
# given, named from the root). Prints file:line: what is wrong; exit status 1 if anything is.
set -u -o pipefail

lines_warn=700
lines_max=900
columns_max=100

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 1
cd "$root" || exit 1

if [ $# -gt 0 ]; then
    files=("$@")
elif git -c safe.directory="$root" rev-parse >/dev/null 2>&1; then
    mapfile -t files < <(git -c safe.directory="$root" ls-files -- '*.c' '*.h')
else
    # A source package has no git: everything outside the build folders.
    mapfile -t files < <(find . -name 'build*' -prune -o -name '*.[ch]' -print | sed 's|^\./||' |
        sort)
fi
# A file that is deleted and not yet committed is still tracked.
present=()
for file in "${files[@]}"; do
    if [ -f "$file" ]; then
        present+=("$file")
    fi
done
if [ ${#present[@]} -eq 0 ]; then
    echo "no sources found"
    exit 1
fi

status=0

# The format is that of one major version of clang-format; others differ in details.
if ! clang-format --version | grep -q 'version 14\.'; then
    echo "format not checked: this takes clang-format 14"
elif ! clang-format --dry-run -Werror "${present[@]}"; then
    status=1
fi

awk -v lines_warn=$lines_warn -v lines_max=$lines_max -v columns_max=$columns_max \
    -f tests/lib/style.awk "${present[@]}" || status=1

if [ $status -eq 0 ]; then
    echo "${#present[@]} files: no complaints"
fi
exit $status
