#!/usr/bin/env bash
# backup_test.sh COHORT COHORTD
# An ensemble of three real servers is backed up while it is written to, destroyed with all its data,
# and made anew from the backup. Also what a backup does when it cannot be had.
set -u -o pipefail

cohort=${1:?the program cohort}
cohortd=${2:?the program cohortd}
export TZ=UTC LC_ALL=C
unset COHORT_SERVERS COHORT_SERVER_KEY

folder=$(mktemp -d) || exit 1
failures=0
checks=0
servers=()
others=()

clean_up () {
    local pid
    for pid in "${servers[@]}" "${others[@]}"; do
        kill -CONT "$pid" 2>/dev/null
        kill -KILL "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    rm -rf "$folder"
}
trap clean_up EXIT

# is WHAT ACTUAL EXPECTED
is () {
    checks=$((checks + 1))
    if [ "$2" != "$3" ]; then
        failures=$((failures + 1))
        printf "FAILED: %s: '%s', not '%s'\n" "$1" "$2" "$3" >&2
    fi
}

# await FILE PATTERN
await () {
    grep -q -m 1 -e "$2" < <(timeout 30 tail -n +1 -F "$1" 2>/dev/null)
}

# await_file PATTERN: until there is a file of that name
await_file () {
    local i
    for ((i = 0; i < 3000; i++)); do
        compgen -G "$1" >/dev/null && return 0
        sleep 0.01 # there is nothing to wait on
    done
    return 1
}

endpoint () {
    printf 'ipc://%s/%s.clients' "$folder" "$1"
}

# Starts all three; data is in $folder/data.N.
start_servers () {
    local id attempt port
    for attempt in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 12000))
        servers=()
        for id in 1 2 3; do
            printf '%s\n' "id=$id" "dataDir=$folder/data.$id" "clients=$(endpoint "$id")" \
                "server.1=127.0.0.1:$port" "server.2=127.0.0.1:$((port + 1))" \
                "server.3=127.0.0.1:$((port + 2))" "clients.1=$(endpoint 1)" \
                "clients.2=$(endpoint 2)" "clients.3=$(endpoint 3)" >"$folder/$id.cfg"
            rm -f "$folder/$id.log"
            "$cohortd" --config "$folder/$id.cfg" >"$folder/$id.log" 2>&1 &
            servers+=("$!")
        done
        for id in 1 2 3; do
            await "$folder/$id.log" ' listening \|cohortd: '
        done
        if ! grep -q 'cohortd: ' "$folder"/[123].log; then
            COHORT_SERVERS=$(endpoint 1),$(endpoint 2),$(endpoint 3)
            export COHORT_SERVERS
            "$cohort" status --wait 30000 >/dev/null && return 0
        fi
        kill_servers # somebody has taken a port
    done
    cat "$folder"/[123].log >&2
    echo 'the servers do not start' >&2
    exit 1
}

kill_servers () {
    {
        kill -KILL "${servers[@]}"
        wait "${servers[@]}"
    } 2>/dev/null
}

# value NAME FILE: of what a snapshot command has printed
value () {
    sed -n "s/^$1 *//p" "$2"
}

# ---- A backup while everything goes on ------------------------------------------------------------

start_servers
"$cohort" bench fill --sessions 2 --total 4000 >/dev/null
"$cohort" create /keep 'what matters' >/dev/null
"$cohort" create -s /keep/n- >/dev/null
"$cohort" create -e --hold /keep/mine >"$folder/mine.out" 2>&1 &
others+=("$!")
await "$folder/mine.out" /keep/mine
"$cohort" ls -R /keep | grep -v mine >"$folder/keep.before"
"$cohort" ls -R /bench >"$folder/bench.before"
"$cohort" create /noise >/dev/null
"$cohort" bench set --sessions 2 --window 16 --total 1000000 >/dev/null 2>&1 &
noise=$!
others+=("$noise")
await_file "$folder/*" # the load has a moment to begin: it is no condition of what follows

for id in 1 2 3; do # the leader and its followers
    "$cohort" --servers "$(endpoint $id)" snapshot save "$folder/backup.$id" >"$folder/save.$id"
    is "save from server $id" $? 0
    "$cohort" snapshot status "$folder/backup.$id" >"$folder/status.$id"
    is "status of that of server $id" $? 0
    for name in zxid znodes sessions bytes file digest cluster; do
        is "$name of that of server $id" "$(value $name "$folder/save.$id")" \
            "$(value $name "$folder/status.$id")"
    done
done
is 'ephemerals in it' "$(value ephemerals "$folder/status.2")" 1
kill -0 "$noise"
is 'the load went on' $? 0
kill -KILL "$noise"
wait "$noise" 2>/dev/null
"$cohort" create /after 'too late' >/dev/null
"$cohort" set /keep 'changed since' >/dev/null

# ---- What cannot be had ---------------------------------------------------------------------------

echo old >"$folder/old"
"$cohort" --servers "ipc://$folder/nobody" snapshot save "$folder/old" 2>"$folder/said"
is 'nobody there' $? 3
is 'the old file stays' "$(cat "$folder/old")" old
"$cohort" --servers "ipc://$folder/nobody,$(endpoint 2)" snapshot save "$folder/old" >/dev/null
is 'the second of the list' $? 0
"$cohort" snapshot status "$folder/old" >/dev/null
is 'the old file is replaced' $? 0
"$cohort" snapshot save "$folder/no/such/folder" 2>/dev/null
is 'a folder that is not there' $? 1
kill -STOP "${servers[0]}"
"$cohort" --servers "$(endpoint 1)" --timeout 60000 snapshot save "$folder/stopped" \
    2>"$folder/said" &
saving=$!
others+=("$saving")
await_file "$folder/stopped.part-*"
kill -TERM "$saving"
wait "$saving"
is 'interrupted' $? 143
is 'and what it said' "$(cat "$folder/said")" 'cohort: interrupted: nothing was saved'
kill -CONT "${servers[0]}"
is 'no file is left behind' "$(compgen -G "$folder/*part*")" ''

# What is no file is not replaced, and no server is asked.
for place in "$folder" /dev/null; do
    "$cohort" --servers "ipc://$folder/nobody" snapshot save "$place" 2>"$folder/said"
    is "$place is no file" $? 2
done
is 'what it said' "$(cat "$folder/said")" 'cohort: /dev/null is no regular file: name another one'

# Without a quorum: a server gives what it has.
kill -KILL "${servers[0]}" "${servers[1]}"
"$cohort" --servers "$(endpoint 3)" snapshot save "$folder/alone" >/dev/null
is 'without a quorum' $? 0

# ---- Everything is lost ---------------------------------------------------------------------------

kill_servers
{
    kill -KILL "${others[0]}"
    wait "${others[0]}"
} 2>/dev/null
rm -rf "$folder"/data.*
"$cohort" snapshot restore "$folder/backup.2" --data-dir "7=$folder/data.7" --members 8,9 \
    2>"$folder/said"
is 'a folder of no member' $? 2
is 'which one' "$(cat "$folder/said")" \
    'cohort: --data-dir: server 7 is not in --members, which names all servers of the new ensemble'
"$cohort" snapshot restore "$folder/backup.2" --data-dir "8=$folder/data.8" --members 8,9,8 \
    2>"$folder/said"
is 'a member twice' $? 2
"$cohort" snapshot restore "$folder/backup.2" \
    --data-dir "$folder/data.1,$folder/data.2,$folder/data.3" >/dev/null 2>&1
is 'restored' $? 0
start_servers
"$cohort" sync >"$folder/synced"
is 'it has a quorum' $? 0
is 'what matters' "$("$cohort" get /keep)" 'what matters'
"$cohort" ls -R /keep | cmp -s - "$folder/keep.before"
is 'its children' $? 0
"$cohort" ls -R /bench | grep -v '^/bench/s' >"$folder/bench.after"
grep -v '^/bench/s' "$folder/bench.before" | cmp -s - "$folder/bench.after"
is 'the znodes of before' $? 0
"$cohort" get /after >/dev/null 2>&1
is 'what came later' $? 4
is 'sequence numbers go on' "$("$cohort" create -s /keep/n-)" /keep/n-0000000001
zxid=$(value zxid "$folder/save.2")
is 'zxids go on above' "$(($(cat "$folder/synced") > zxid))" 1
for id in 1 2 3; do
    "$cohort" --servers "$(endpoint $id)" sync >/dev/null
    is "server $id has it" "$("$cohort" --servers "$(endpoint $id)" get /keep)" 'what matters'
done

if [ $failures -gt 0 ]; then
    echo "$failures of $checks checks failed" >&2
    exit 1
fi
echo "$checks checks passed"
