#!/usr/bin/env bash
# cli_hold_test.sh COHORT COHORTD
# The commands of `cohort` that run a program while something is held: real processes, a server that
# is killed while they wait, and what `cohort why` has to say about it.
set -u -o pipefail

cohort=${1:?the program cohort}
cohortd=${2:?the program cohortd}
. "$(dirname "${BASH_SOURCE[0]}")/cli_lib.sh"

# stand PATH COUNT
# Waits until so many stand in the line.
stand () {
    local i
    for ((i = 0; i < 200; i++)); do
        [ "$("$cohort" why -o jsonl "$1" | wc -l)" -eq "$2" ] && return
        sleep 0.05
    done
    fail "$1: there are not $2 in the line: $("$cohort" why "$1")"
}

# nobody PATH
# Nothing on stdout, and on stderr that nobody is there; with exit status 4 once the servers have
# taken the empty znode away, which they do when they come to it.
nobody () {
    local said status
    said=$("$cohort" why "$1" 2>&1 >"$folder/stdout")
    status=$?
    [ $status -eq 0 ] || [ $status -eq 4 ] || fail "why $1: exit status $status"
    [ ! -s "$folder/stdout" ] || fail "why $1 prints something of nobody"
    matches "$said" "^cohort: $1: .*nobody holds it, and nobody waits" 'why of nobody'
}

test_status () {
    expect 7 '' '' "$cohort" lock /l/a -- sh -c 'exit 7'
    nobody /l/a
    expect 143 '' '' "$cohort" lock a -- sh -c 'kill $$'
    expect 1 '' 'cohort: no-such-program-here: *' "$cohort" lock a -- no-such-program-here
    expect 2 '' '*' "$cohort" lock a
    expect 2 '' '*--grace*' "$cohort" lock --grace 9999 a -- true
    expect 0 '/locks/a /locks/a/exclusive-' '' "$cohort" lock a -- \
        sh -c 'printf "%s %s" "$COHORT_TOKEN_PATH" "${COHORT_TOKEN_NODE%%0*}"'
    # Tokens grow.
    local first second
    first=$("$cohort" lock a -- sh -c 'echo $COHORT_TOKEN')
    second=$("$cohort" elect /locks/a -- sh -c 'echo $COHORT_TOKEN')
    matches "$first" '^0x[0-9a-f]+$' token
    [ $((second)) -gt $((first)) ] || fail "the token $second is not behind $first"
}

# The first one holds it until it is let go, others wait, in order.
test_line () {
    mkfifo "$folder/go"
    "$cohort" lock --info one /l/b -- sh -c "cat '$folder/go'; echo one >>'$folder/order'" &
    local one=$! two three
    stand /l/b 1
    "$cohort" lock --info two /l/b -- sh -c "echo two >>'$folder/order'" &
    two=$!
    stand /l/b 2
    "$cohort" lock --shared --info three /l/b -- sh -c "echo three >>'$folder/order'" &
    three=$!
    stand /l/b 3
    expect 124 '' 'cohort: /l/b is not free (see: cohort why /l/b)' \
        "$cohort" lock --wait 0 /l/b -- true
    stand /l/b 3
    local shown
    shown=$("$cohort" why /l/b | cut -f 1,8 | tr '\t\n' ' ,')
    [ "$shown" = 'state data,holds one,waits two,waits shared three,' ] || fail "why: $shown"
    matches "$("$cohort" why /l/b | sed -n 2p)" \
        "^holds.20[0-9-]+ [0-9:]+.exclusive-[0-9]{10}.0x[0-9a-f]+.0x[0-9a-f]+.[^ ]+.$one.one\$" why
    # The server is killed, and comes back with what was durable.
    kill -KILL "$server"
    wait "$server" 2>/dev/null
    start_stored "$COHORT_SERVERS"
    stand /l/b 3
    echo go >"$folder/go"
    wait "$one" || fail 'the first one failed'
    wait "$two" || fail 'the second one failed'
    wait "$three" || fail 'the third one failed'
    [ "$(tr '\n' ' ' <"$folder/order")" = 'one two three ' ] || fail "order: $(cat "$folder/order")"
    nobody /l/b
}

# What there is nothing to be said of: no such znode, and one that is no recipe's.
test_no_recipe () {
    expect 4 '' 'cohort: /none: the znode does not exist: nobody holds it, and nobody waits' \
        "$cohort" why /none
    expect 4 '' 'cohort: /none: the znode does not exist: nobody holds it, and nobody waits' \
        "$cohort" why -o json /none
    "$cohort" create /plain data >/dev/null && "$cohort" create /plain/child >/dev/null ||
        fail 'create'
    expect 0 '' \
        "cohort: /plain: nobody holds it, and nobody waits: it is free, or no recipe's path (see:*" \
        "$cohort" why /plain
    expect 0 '[]' '' "$cohort" why -o json /plain
}

# Permits of a semaphore: who has how many, and who waits.
test_permits () {
    local shown
    printf 'permits=3\n' >"$folder/permits"
    printf 'contender=1\nhost=h\npid=7\ncount=2\n\nme' >"$folder/contender"
    "$cohort" create /s >/dev/null && "$cohort" create /s/room - <"$folder/permits" >/dev/null &&
        "$cohort" create /s/room/permits-0000000004 - <"$folder/contender" >/dev/null &&
        "$cohort" create /s/room/permits-0000000005 - <"$folder/contender" >/dev/null ||
        fail 'permits'
    shown=$("$cohort" why /s/room | cut -f 1,3,6,7,8 | tr '\t\n' ' ,')
    [ "$shown" = "$(printf '%s' 'state name host pid data,' \
        'holds 2 permits-0000000004 h 7 me,' 'waits 2 permits-0000000005 h 7 me,')" ] ||
        fail "why: $shown"
    shown=$("$cohort" why -o jsonl /s/room | head -n 1)
    matches "$shown" '"permits": ?2' permits
}

# A znode that is deleted by hand: the program is told, and killed with what it has started if it does
# not end.
test_lost () {
    "$cohort" lock --grace 300 /l/c -- \
        sh -c "trap 'echo told >>\"$folder/told\"' TERM; while :; do sleep 0.05; done" \
        2>"$folder/lost" &
    local holder=$! status
    stand /l/c 1
    "$cohort" delete "/l/c/$("$cohort" ls /l/c | tr -d '[]')" >/dev/null || fail 'delete'
    wait "$holder"
    status=$?
    [ "$status" -eq 137 ] || fail "a program that does not end: exit status $status"
    [ -s "$folder/told" ] || fail 'a program that does not end was not told'
    matches "$(cat "$folder/lost")" '/l/c: the grant is lost; sh is stopped' lost
    # A signal is passed on, and the lock is free.
    "$cohort" lock /l/c -- sleep 1000 &
    holder=$!
    stand /l/c 1
    kill -TERM "$holder"
    wait "$holder"
    status=$?
    [ "$status" -eq 143 ] || fail "a signal: exit status $status"
    expect 0 'free' '' "$cohort" lock --wait 0 /l/c -- printf free
}

# start_stored ENDPOINT
# A server that keeps what it is told.
start_stored () {
    start_server stored dev --clients "$1" --data "$folder/data"
    server=$started
    await "$folder/stored.log" ' ready' >/dev/null || fail 'the server does not start'
    COHORT_SERVERS=$(sed -n 's/.* listening clients=//p' "$folder/stored.log")
    export COHORT_SERVERS
}

mkdir "$folder/data"
start_stored tcp://127.0.0.1:0
test_status
test_line
test_no_recipe
test_permits
test_lost
finish
