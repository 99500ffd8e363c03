#!/usr/bin/env bash
# cli_whole_test.sh COHORT COHORTD
# What holds for all commands of `cohort`: JSON, errors, exit statuses; and what sessions hand over.
set -u -o pipefail

cohort=${1:?the program cohort}
cohortd=${2:?the program cohortd}
. "$(dirname "${BASH_SOURCE[0]}")/cli_lib.sh"

# Whatever a command prints, as JSON it is values, one a line.
test_json () {
    local line
    printf '/a\n' >"$folder/empty"
    "$cohort" create /j x >/dev/null
    "$cohort" create /j/a 1 >/dev/null
    while read -r line; do
        checks=$((checks + 1))
        # shellcheck disable=SC2086 # words are meant
        "$cohort" -o jsonl $line >"$folder/stdout" 2>"$folder/stderr" </dev/null ||
            fail "-o jsonl $line: $(<"$folder/stderr")"
        if [ ! -s "$folder/stdout" ] || grep -vq '^[[{"].*[]}"]$' "$folder/stdout"; then
            fail "-o jsonl $line: $(<"$folder/stdout")"
        fi
    done <<'LINES'
get /j
get -s /j
set /j y
stat /j
create /j/b
ls /j
ls -s /j
ls -R /j
delete /j/b
getAllChildrenNumber /j
incr /j/a
sync
tree /j
du /j
find /j
grep . /j
cp /j/a /j/c
export /j
getAcl /j
setAcl /j world:anyone:cdrwa
addauth digest alice:secret
whoami
setquota -n 100 /j
listquota /j
delquota /j
status
config
config -c
session ls
version
help
help get
help ENONODE
deleteall /j
LINES
    expect 0 '[]' '' "$cohort" -o json getEphemerals
    # What failed prints nothing there, and says why.
    while read -r line; do
        # shellcheck disable=SC2086 # words are meant
        expect 4 '' 'cohort: *' "$cohort" -o json $line
    done <<'LINES'
get /no
set /no x
stat /no
ls /no
ls -R /no
delete /no
deleteall /no
create /no/no
tree /no
du /no
find /no
grep x /no
cp /no /other
export /no
LINES
}

# Each exit status, as every help text has it.
test_statuses () {
    expect 0 /s '' "$cohort" create /s 1
    expect 1 '' '' "$cohort" grep nothing /s
    expect 2 '' 'cohort: *' "$cohort" get
    expect 3 '' 'cohort: *' "$cohort" --servers tcp://127.0.0.1:1 --timeout 200 get /s
    expect 4 '' 'cohort: *' "$cohort" get /s/none
    expect 5 '' 'cohort: *' "$cohort" create /s
    expect 6 '' 'cohort: *' "$cohort" set -v 9 /s x
    expect 7 '' 'cohort: *' "$cohort" getEphemerals --session 0x1
    "$cohort" lock /s-lock -- sh -c 'echo held; exec sleep 60' >"$folder/held" 2>/dev/null &
    await "$folder/held" held >/dev/null
    expect 124 '' 'cohort: /s-lock is not free (see: cohort why /s-lock)' \
        "$cohort" lock --wait 0 /s-lock -- true
    kill $!
    wait $! # its program's status is its own: what the signal made of it
}

test_words () {
    expect 2 '' "cohort: 'connect' is a command of the shell alone: cohort shell (see: cohort help connect)*" \
        "$cohort" connect
    expect 2 '' 'cohort: reconfig: who the servers are cannot be changed*' "$cohort" reconfig
    expect 0 "$COHORT_SERVERS" '' "$cohort" config -c
    expect 2 '' 'cohort: config: -c prints no znode: *' "$cohort" config -c -s
    matches "$("$cohort" config)" $'^server.1=participant\nversion=[0-9a-f]+$' config
    matches "$("$cohort" config | wc -l)" '^ *2$' 'lines of config'
}

# owner PATH
owner () { "$cohort" stat "$1" | sed -n 's/^ephemeralOwner = //p'; }

test_hand_over () {
    local id token giver taker
    expect 2 '' "cohort: session knows ls, kill, token, hand-over and take-over, not 'give'" \
        "$cohort" session give
    expect 2 '' 'cohort: session hand-over takes TO TOKEN (see: cohort help session)' \
        "$cohort" session hand-over 0x1
    expect 2 '' 'cohort: session hand-over: the session of this command has no ephemerals: *' \
        "$cohort" session hand-over 0x1 00
    expect 2 '' "cohort: 'x' is not the id of a session (see: cohort session ls)" "$cohort" session kill x
    # From one shell to a session that has agreed to it.
    mkfifo "$folder/lines"
    "$cohort" shell "$folder/lines" >"$folder/giver" 2>&1 &
    giver=$!
    exec {lines}>"$folder/lines"
    echo 'create -e /game-a' >&$lines
    echo 'create -e /game-b' >&$lines
    await "$folder/giver" '^/game-b' >/dev/null || fail "$(<"$folder/giver")"
    "$cohort" session token "$(owner /game-a)" >"$folder/token" 2>"$folder/token.log" &
    taker=$!
    await "$folder/token.log" 'holding session' >/dev/null || fail 'session token'
    read -r id token <"$folder/token"
    echo "session hand-over $id 00" >"$folder/wrong"
    expect 2 '' "cohort: session hand-over: '00' is not a token: 32 *" "$cohort" shell "$folder/wrong"
    echo "session hand-over $id $token" >"$folder/wrong"
    expect 7 '' "cohort: session hand-over: there is no session $id, or it has not made that token *" \
        "$cohort" shell "$folder/wrong"
    echo "session hand-over $id $token" >&$lines
    await "$folder/giver" '^2$' >/dev/null || fail "$(<"$folder/giver")"
    echo exit >&$lines
    exec {lines}>&-
    wait $giver
    expect 0 "$id" '' owner /game-a
    kill -INT $taker
    wait $taker
    expect 4 '' '*' "$cohort" stat /game-b
    # From a process that was killed, by what it has left.
    "$cohort" create -e --hold --grace 300 --state-file "$folder/left" /game-c >/dev/null 2>"$folder/held.log" &
    await "$folder/held.log" 'holding /game-c' >/dev/null || fail 'create --state-file'
    kill -KILL $!
    wait $! 2>/dev/null
    "$cohort" session take-over "$folder/left" >"$folder/taken" 2>"$folder/taken.log" &
    taker=$!
    await "$folder/taken.log" 'holding session' >/dev/null || fail "take-over: $(<"$folder/taken.log")"
    expect 0 1 '' cat "$folder/taken"
    expect 1 '' '' test -e "$folder/left"
    expect 0 game-c '' "$cohort" ls --filter ephemeral / --prefix game-c
    kill -INT $taker
    wait $taker
    expect 2 '' 'cohort: create: --state-file goes with --hold: *' "$cohort" create --state-file x /y
    expect 2 '' "cohort: --state-file: $folder/left: No such file or directory" \
        "$cohort" session hand-over --state-file "$folder/left" 0x1 "$token"
}

start_dev
test_words
test_json
test_statuses
test_hand_over
finish
