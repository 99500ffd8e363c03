#!/usr/bin/env bash
# readme_test.sh BUILD-FOLDER [DOCUMENT [CHECKS]]
# Runs what README.md, or another document, shows: every command of its ```console blocks, whose
# output must be as shown ("..." stands for anything), and its C program, against the libraries of
# the build. Files that a document makes are in a folder of this run.
set -u -o pipefail

build=${1:?usage: readme_test.sh BUILD-FOLDER [DOCUMENT [CHECKS]]}
build=$(cd "$build" && pwd) || exit 1
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 1
readme=$root/${2:-README.md}
folder=$(mktemp -d) || exit 1
server=
failures=0
checks=0
export PATH=$build/bin:$PATH LD_LIBRARY_PATH=$build/lib LC_ALL=C TZ=UTC
export XDG_CONFIG_HOME=$folder/config
mkdir "$folder/files"

clean_up () {
    [ -z "$server" ] || kill -KILL "$server" 2>/dev/null
    wait 2>/dev/null
    rm -rf "$folder"
}
trap clean_up EXIT

fail () {
    failures=$((failures + 1))
    printf 'FAILED: %s\n' "$*" >&2
}

# The server that README starts, on a port that is free here; the port of README stands for it.
port=5181
start_server () {
    local line
    cohortd dev --clients 'tcp://127.0.0.1:*' 2>"$folder/server.log" &
    server=$!
    # Not a pipe, which would wait for tail as well.
    line=$(grep -m 1 'listening clients=' \
        < <(timeout 60 tail -n +1 -F "$folder/server.log" 2>/dev/null))
    port=${line##*:}
    export COHORT_SERVERS=tcp://127.0.0.1:$port
    export COHORT_TIMEOUT=30000 # a busy machine takes longer than people are to wait
    if [ -z "$port" ] || ! cohort status --wait 60000 >/dev/null; then
        cat "$folder/server.log" >&2
        echo "the server does not start" >&2
        exit 1
    fi
}

# same LINE SHOWN: literal, but for "..." in SHOWN; blanks in a row count as one, for columns are as
# wide as the port.
same () {
    local have shown pattern=
    have=$(tr -s ' ' <<<"$1")
    shown=$(tr -s ' ' <<<"$2")
    if [[ $shown != *...* ]]; then
        [ "$have" = "$shown" ]
        return
    fi
    while [[ $shown == *...* ]]; do
        [ -z "${shown%%...*}" ] || pattern+=$(printf '%q' "${shown%%...*}")
        pattern+='*'
        shown=${shown#*...}
    done
    [ -z "$shown" ] || pattern+=$(printf '%q' "$shown")
    # shellcheck disable=SC2053 # a pattern is meant
    [[ $have == $pattern ]]
}

# check COMMAND SHOWN
check () {
    local output i=0 alike=yes
    local -a got shown
    checks=$((checks + 1))
    output=$(cd "$folder/files" && bash -c "${1//5181/$port}" 2>&1 </dev/null | sed "s/$port/5181/g")
    mapfile -t got <<<"$output"
    mapfile -t shown <<<"$2"
    [ ${#got[@]} -eq ${#shown[@]} ] || alike=no
    for ((i = 0; i < ${#shown[@]}; i++)); do
        same "${got[i]:-}" "${shown[i]}" || alike=no
    done
    if [ $alike = no ]; then
        fail "$1"
        diff <(printf '%s\n' "$2") <(printf '%s\n' "$output") >&2
    fi
}

run_console () {
    local line command='' expected=''
    while IFS= read -r line; do
        if [[ $line == '$ '* ]]; then
            [ -z "$command" ] || check "$command" "${expected%$'\n'}"
            command=${line#'$ '}
            expected=
            if [[ $command == 'cohortd dev '*' &' ]]; then
                start_server
                command=
            fi
        else
            expected+=$line$'\n'
        fi
    done < <(sed -n '/^```console$/,/^```$/p' "$readme" | grep -v '^```')
    [ -z "$command" ] || check "$command" "${expected%$'\n'}"
}

# The program, against a server that listens where this test's does.
run_program () {
    checks=$((checks + 1))
    sed -n '/^```c$/,/^```$/p' "$readme" | grep -v '^```' | sed "s/5181/$port/" >"$folder/hello.c"
    if ! cc -std=c99 -Wall -Wextra -Werror -I"$root/client/include" -I"$root/recipes/include" \
        "$folder/hello.c" -o "$folder/hello" -L"$build/lib" -lcohort; then
        fail "the C program does not compile"
    elif [ "$("$folder/hello")" != "COHORT_OK /hello" ]; then
        fail "the C program does not create its znode"
    fi
}

# Each file and folder that the document links to is there.
check_links () {
    local link
    while IFS= read -r link; do
        checks=$((checks + 1))
        [ -e "$(dirname "$readme")/$link" ] || fail "$readme links to $link, which is not there"
    done < <(grep -o '](\([^)]*\))' "$readme" | sed 's/](\(.*\))/\1/')
}

run_console
if grep -q '^```c$' "$readme"; then
    run_program
fi
check_links
echo "$checks checks, $failures failures"
[ "$failures" -eq 0 ] && [ "$checks" -ge "${3:-16}" ]
