# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # names are shared with those who source this
# What the examples are shown with: processes that are started, awaited and killed, and an ensemble of
# three servers. Sourced by examples/run, which has set build.

now_ms () {
    local now=${EPOCHREALTIME/[.,]/}
    echo "${now%???}"
}

began=$(now_ms)
dir=$(mktemp -d) || exit 1
declare -A pids=() # of the processes that run, by name

say () {
    local t=$(($(now_ms) - began))
    printf '[%2d.%03d s] %s\n' $((t / 1000)) $((t % 1000)) "$*"
}

# Whatever happens, nothing stays.
clean_up () {
    local pid
    trap - EXIT
    exec 2>/dev/null
    for pid in "${pids[@]}"; do
        kill -KILL "$pid"
    done
    wait
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

fail () {
    say "FAILED: $*"
    local file
    for file in "$dir"/*.log; do
        echo "--- ${file##*/}" >&2
        tail -n 15 "$file" >&2
    done
    exit 1
}

# await MS WHAT COMMAND...   until the command succeeds; fails the run after so many ms.
await () {
    local end=$(($(now_ms) + $1)) what=$2
    shift 2
    until "$@"; do
        if [ "$(now_ms)" -ge "$end" ]; then
            fail "waited in vain: $what"
        fi
        sleep 0.01
    done
}

# start NAME COMMAND...   in the background, its output to NAME.log.
start () {
    local name=$1
    shift
    # Without <&0 a background command would not get the standard input of this function.
    "$@" <&0 >>"$dir/$name.log" 2>&1 &
    pids[$name]=$!
}

has_ended () {
    ! kill -0 "${pids[$1]}" 2>/dev/null
}

# ended NAME STATUS   takes the exit status of a process that has ended, which must be this one.
ended () {
    local code
    wait "${pids[$1]}"
    code=$?
    unset "pids[$1]"
    [ $code -eq "$2" ] || fail "$1 ended with status $code"
}

# All at once; each must end with status 0.
stop () {
    local name
    for name in "$@"; do
        kill -TERM "${pids[$name]}"
    done
    for name in "$@"; do
        await 5000 "the end of $name" has_ended "$name"
        ended "$name" 0
    done
}

# The shell's own remark ("Killed ...") is of no interest.
kill_9 () {
    {
        kill -KILL "${pids[$1]}"
        wait "${pids[$1]}"
    } 2>/dev/null
    unset "pids[$1]"
}

bin=$build/bin

cohort () {
    "$bin/cohort" "$@" --servers "$servers"
}

# The fields of `cohort status`, one server a line: id role zxid.
servers_now () {
    cohort status -o json 2>/dev/null | tr -d '\n' | sed 's/}/}\n/g' |
        sed -n 's/.*"id": *\([0-9]*\),.*"role": *"\([a-z]*\)".*"zxid": *"\([0-9a-fx]*\)".*/\1 \2 \3/p'
}

leader () {
    servers_now | awk '$2 == "leader" { print $1 }'
}

has_leader () {
    [ -n "$(leader)" ]
}

has_another_leader () {
    local now
    now=$(leader)
    [ -n "$now" ] && [ "$now" != "$1" ]
}

zxid_of () {
    servers_now | awk -v id="$1" '$1 == id { print $3 }'
}

# Whether the server follows and has applied what this zxid stands for.
has_caught_up () {
    local id role zxid
    while read -r id role zxid; do
        if [ "$id" = "$1" ] && [ "$role" = follower ] && [ $((zxid)) -ge $(($2)) ]; then
            return 0
        fi
    done < <(servers_now)
    return 1
}

# said NAME PATTERN: the first line of that program that matches.
said () {
    grep -m 1 -E -- "$2" "$dir/$1.log"
}
says () {
    said "$@" >/dev/null
}

is_there () {
    cohort get "$1" >/dev/null 2>&1
}

start_server () {
    start "server$1" "$bin/cohortd" --config "$dir/server$1.cfg"
}

# Three servers: their endpoints are in servers.
start_ensemble () {
    local id client
    mapfile -t ports < <("$build/free_ports" 6)
    [ ${#ports[@]} -eq 6 ] || fail "there are no free ports"
    servers=
    for id in 1 2 3; do
        client=tcp://127.0.0.1:${ports[id + 2]}
        servers=${servers:+$servers,}$client
        mkdir "$dir/data$id"
        echo "$id" >"$dir/data$id/myid"
        cat >"$dir/server$id.cfg" <<END
tickTime=2000
initLimit=10
syncLimit=5
dataDir=$dir/data$id
clients=$client
server.1=127.0.0.1:${ports[0]}
server.2=127.0.0.1:${ports[1]}
server.3=127.0.0.1:${ports[2]}
END
    done
    for id in 1 2 3; do
        start_server $id
    done
    await 10000 "a leader" has_leader
    say "three servers are up at $servers; server $(leader) leads"
}
