#!/usr/bin/env bash
# failpoints_test.sh COHORT COHORTD-FAILPOINTS COHORTD LIBCOHORT-SERVER
# Failpoints: each does what it says, a wrong one is refused by name, and the servers that are
# installed know none. Servers take whatever port is free, and data lives in a folder of this run.
set -u -o pipefail

cohort=${1:?the program cohort}
failing=${2:?the program cohortd-failpoints}
cohortd=${3:?the program cohortd}
library=${4:?libcohort-server}
export LC_ALL=C
unset COHORT_SERVERS COHORT_SERVER_KEY COHORT_FAILPOINTS

folder=$(mktemp -d) || exit 1
failures=0
checks=0
server=

clean_up () {
    [ -n "$server" ] && kill -KILL "$server" 2>/dev/null
    wait 2>/dev/null
    rm -rf "$folder"
}
trap clean_up EXIT

check () {
    local what=$1
    shift
    checks=$((checks + 1))
    if ! "$@"; then
        failures=$((failures + 1))
        printf 'FAILED: %s\n' "$what" >&2
        cat "$folder/log" >&2
    fi
}

# start FAILPOINTS [PROGRAM]: a server with the data folder of this run
start () {
    : >"$folder/log"
    COHORT_FAILPOINTS=$1 "${2:-$failing}" dev --clients tcp://127.0.0.1:0 \
        --data "$folder/data" 2>"$folder/log" &
    server=$!
}

# Until the log has a line with $1, or the server has ended.
await () {
    until grep -q "$1" "$folder/log"; do
        jobs -r %% >/dev/null 2>&1 || return 1
        read -r -t 0.05 <> <(:)
    done
    return 0
}

serve () {
    start "$@"
    check "a server with '$1' starts" await ' ready'
    COHORT_SERVERS=$(sed -n 's/.* listening clients=//p' "$folder/log")
    export COHORT_SERVERS
}

stop () {
    kill -TERM "$server"
    wait "$server"
    check 'it stops by a signal' [ $? -eq 0 ]
    server=
}

# Creates znodes until that fails; those that were acknowledged are noted. A round has names of its
# own: what was not acknowledged may be there, too.
write_on () {
    local i=0
    round=$((round + 1))
    while "$cohort" --timeout 3000 create "/r$round-$i" "$i" >"$folder/said" 2>&1; do
        echo "/r$round-$i $i" >>"$folder/acknowledged"
        i=$((i + 1))
        [ $i -lt 300 ] || return 1
    done
    [ $i -gt 0 ]
}

verify () {
    local path data
    while read -r path data; do
        check "$path is there" [ "$("$cohort" get "$path")" = "$data" ]
    done <"$folder/acknowledged"
}

test_absent () {
    local name
    for name in store.fsync store.append link.send state.apply COHORT_FAILPOINTS; do
        check "$name is in the server of tests" grep -qaF "$name" "$failing"
        check "$name is not in cohortd" eval '! grep -qaF "$name" "$cohortd"'
        check "$name is not in its library" eval '! grep -qaF "$name" "$library"'
    done
    serve 'store.fsync=eio' "$cohortd"
    stop
    rm -rf "$folder/data"
}

test_refused () {
    local list
    for list in store.fsink=eio store.fsync store.fsync=oops store.fsync=eio@0 link.send=eio \
        store.fsync=drop:0.5 link.send=drop:2 state.apply=eio \
        store.fsync=flip 'store.fsync=eio@3;store.append'; do
        start "$list"
        wait "$server"
        check "'$list' is refused" [ $? -eq 1 ]
        server=
        check "'$list': the item is named" grep -qF "COHORT_FAILPOINTS: ${list##*;}" "$folder/log"
        check "'$list': the points are named" \
            grep -q 'store.append store.write store.read store.fsync .*link.send state.apply' "$folder/log"
    done
}

# A failed fsync ends the server at once, and what it had acknowledged is there.
test_fsync () {
    serve 'store.fsync=eio@60'
    check 'some writes are made' write_on
    wait "$server"
    check 'the status tells of the disk' [ $? -eq 4 ]
    server=
    check 'file, call and error are named' \
        grep -qE "^cohortd: $folder/data: [a-z]+[.a-z0-9]*: sync.*: input/output error \(EIO\)" \
        "$folder/log"
    check 'what to do is said' grep -q 'look at the disk' "$folder/log"
    serve ''
    verify
    stop
}

# The disk is full when the log needs more space: writes wait, the client is told why, reads go on.
test_full () {
    local big
    big=$(printf '%0100000d' 0)
    serve 'store.append=enospc@8+'
    local i=0
    # Something else may be late, too.
    while [ $i -lt 200 ]; do
        "$cohort" --timeout 1500 create "/big$i" "$big" >/dev/null 2>"$folder/said" ||
            ! grep -q 'disk full' "$folder/said" || break
        i=$((i + 1))
    done
    check 'writes end' [ $i -lt 200 ]
    check 'the event is logged' grep -q ' disk-full ' "$folder/log"
    check "the client says why: $(cat "$folder/said")" \
        grep -qF "disk full: server 1" "$folder/said"
    check 'the folder is named' grep -qF "$folder/data" "$folder/said"
    check 'cohort status shows it' eval '"$cohort" status 2>/dev/null | grep -q " full *\$"'
    check 'no fault is made of it' eval '! grep -q server-failed "$folder/log"'
    kill -KILL "$server"
    wait "$server" 2>/dev/null
    serve ''
    check 'it comes back' eval '"$cohort" get "/big$((i - 1))" >/dev/null'
    verify
    stop
}

# Whatever finds no room once, at whichever write or rename, is done a moment later: epochs and
# records where their space was, the manifest, new segments.
test_no_room_once () {
    local n
    for n in 1 2 3 5 8 13 21; do
        rm -rf "$folder/data"
        : >"$folder/acknowledged"
        start "store.write=enospc@$((n + 3));store.rename=enospc@2"
        if await ' ready'; then
            COHORT_SERVERS=$(sed -n 's/.* listening clients=//p' "$folder/log")
            export COHORT_SERVERS
            check "writes go on ($n)" eval '"$cohort" create /a 1 >/dev/null && "$cohort" create /b 2 >/dev/null'
            check 'and are there' [ "$("$cohort" get /a)$("$cohort" get /b)" = 12 ]
            stop
        else
            wait "$server"
            check "without room it does not start ($n)" [ $? -eq 3 ]
            check 'the file is named' \
                grep -qE "^cohortd: $folder/data: [a-z]+[.a-z0-9]*: [a-z ]+: no space left" "$folder/log"
            server=
        fi
    done
    rm -rf "$folder/data"
    : >"$folder/acknowledged"
}

# As if killed in the middle of what it does.
test_exit () {
    serve 'store.fsync=exit@40'
    check 'some writes are made' write_on
    wait "$server"
    check 'it ends on the spot' [ $? -eq 137 ]
    server=
    serve 'store.fsync=delay:20@5+;store.read=delay:1'
    verify
    stop
}

round=0
test_absent
test_refused
test_fsync
test_full
test_no_room_once
test_exit
echo "$((checks - failures)) of $checks checks passed"
[ $failures -eq 0 ]
