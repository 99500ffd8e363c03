# shellcheck shell=bash
# shellcheck disable=SC2154 # set by compare and scale, which source this: work, bin
# Ensembles of three servers each, on loopback: ZooKeeper, etcd and Cohort with the settings that
# their users get. For each SYSTEM there are
#
#     SYSTEM_configure           writes what the servers need into $work/SYSTEM
#     SYSTEM_server N            starts server N; its process id is put into server_pid
#     SYSTEM_ready N             whether server N serves
#     SYSTEM_leader              prints the leader's number
#     SYSTEM_memory N            prints how many bytes of memory server N needs
#     SYSTEM_load NAME WORKLOAD SESSIONS WINDOW TOTAL SIZE DEPTH    prints the yardstick's line

declare -A pids=() # of the servers that run, by their number

# Where clients reach server N, and where the servers meet.
port () { echo $((base + $1)); }
peer_port () { echo $((base + 10 + $1)); }
second_port () { echo $((base + 20 + $1)); }

# list FORMAT: what FORMAT, in which %s is a client port, makes of all three, with commas.
list () {
    # shellcheck disable=SC2059 # a format is meant
    printf "$1,$1,$1" "$(port 1)" "$(port 2)" "$(port 3)"
}

# ---- ZooKeeper ------------------------------------------------------------------------------------

zookeeper_configure () {
    local n k
    mkdir -p "$work/zookeeper/conf"
    echo '<configuration><root level="OFF"/></configuration>' >"$work/zookeeper/conf/logback.xml"
    for n in 1 2 3; do
        mkdir -p "$work/zookeeper/data$n"
        echo "$n" >"$work/zookeeper/data$n/myid"
        {
            printf 'tickTime=2000\ninitLimit=10\nsyncLimit=5\nmaxClientCnxns=0\n'
            printf 'dataDir=%s\nclientPort=%s\n' "$work/zookeeper/data$n" "$(port $n)"
            printf 'clientPortAddress=127.0.0.1\nadmin.enableServer=false\n'
            echo '4lw.commands.whitelist=srvr'
            for k in 1 2 3; do
                echo "server.$k=127.0.0.1:$(peer_port $k):$(second_port $k)"
            done
        } >"$work/zookeeper/$n.cfg"
    done
}

zookeeper_server () {
    java -Xmx2g -cp "$work/zookeeper/conf:/usr/share/java/zookeeper.jar" \
        org.apache.zookeeper.server.quorum.QuorumPeerMain "$work/zookeeper/$1.cfg" \
        >>"$work/zookeeper/$1.log" 2>&1 &
    server_pid=$!
}

# "follower" or "leader", or nothing.
zookeeper_mode () {
    (
        exec 3<>"/dev/tcp/127.0.0.1/$(port "$1")" && printf srvr >&3 &&
            timeout 2 sed -n 's/^Mode: //p' <&3
    ) 2>/dev/null
}

zookeeper_ready () { [ -n "$(zookeeper_mode "$1")" ]; }

zookeeper_leader () {
    local n
    for n in 1 2 3; do
        if [ "$(zookeeper_mode $n)" = leader ]; then
            echo $n
            return 0
        fi
    done
    return 1
}

# What lives of the heap: the rest is the garbage collector's choice.
zookeeper_memory () {
    jcmd "${pids[$1]}" GC.class_histogram | awk '$1 == "Total" { print $3 }'
}

zookeeper_load () {
    shift
    "$bin/zkload" "$(list 127.0.0.1:%s)" "$@"
}

# ---- etcd -----------------------------------------------------------------------------------------

export ETCDCTL_API=3

etcd_configure () { mkdir -p "$work/etcd"; }

etcd_server () {
    local n cluster=()
    for n in 1 2 3; do
        cluster+=("n$n=http://127.0.0.1:$(peer_port $n)")
    done
    etcd --name "n$1" --data-dir "$work/etcd/data$1" --log-level error \
        --listen-client-urls "http://127.0.0.1:$(port "$1")" \
        --advertise-client-urls "http://127.0.0.1:$(port "$1")" \
        --listen-peer-urls "http://127.0.0.1:$(peer_port "$1")" \
        --initial-advertise-peer-urls "http://127.0.0.1:$(peer_port "$1")" \
        --initial-cluster "$(IFS=,; echo "${cluster[*]}")" --initial-cluster-state new \
        >>"$work/etcd/$1.log" 2>&1 &
    server_pid=$!
}

etcd_ready () {
    etcdctl --endpoints "127.0.0.1:$(port "$1")" endpoint health >/dev/null 2>&1
}

etcd_revision () {
    etcdctl --endpoints "127.0.0.1:$(port 1)" get none -w json |
        sed -n 's/.*"revision":\([0-9]*\).*/\1/p'
}

# varint N: as protobuf has it, in the form that printf takes.
varint () {
    local rest=$1
    while [ "$rest" -gt 127 ]; do
        printf '\\x%02x' $((rest & 127 | 128))
        rest=$((rest >> 7))
    done
    printf '\\x%02x' "$rest"
}

# etcd_request put|range SIZE: a PutRequest, or a RangeRequest that is serializable (what the member
# has, as reads of ZooKeeper and Cohort), in a frame of gRPC.
etcd_request () {
    local key=/bench/k1 size message
    message="\\x0a$(varint ${#key})$key"
    size=$((2 + ${#key}))
    if [ "$1" = put ]; then
        local length
        length=$(varint "$2")
        message+="\\x12$length$(printf "%$2s" '' | tr ' ' x)"
        size=$((size + 1 + ${#length} / 4 + $2))
    else
        message+='\x38\x01'
        size=$((size + 2))
    fi
    printf '\x00'
    # shellcheck disable=SC2059 # the bytes of the length, and of the message
    printf "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $((size >> 24)) $((size >> 16 & 255)) \
        $((size >> 8 & 255)) $((size & 255)))$message"
}

# h2load writes when each request began, its status and how long it took, in us.
etcd_load () {
    local method=Range request=range before after
    case $2 in
    set) method=Put request=put ;;
    get) ;;
    *) return 1 ;;
    esac
    etcd_request $request "$6" >"$work/etcd/request"
    if [ $request = range ]; then # there is something of that size to be read
        head -c "$6" /dev/zero | tr '\0' x |
            etcdctl --endpoints "127.0.0.1:$(port 1)" put /bench/k1 >/dev/null || return 1
    fi
    rm -f "$work/etcd/times"
    before=$(etcd_revision)
    h2load -n "$5" -c "$3" -m "$4" -d "$work/etcd/request" --log-file "$work/etcd/times" \
        -H 'content-type: application/grpc' -H 'te: trailers' \
        "http://127.0.0.1:$(port 1)/etcdserverpb.KV/$method" >"$work/etcd/h2load" || return 1
    after=$(etcd_revision)
    # gRPC's status is in trailers that h2load does not look at: writes are counted by etcd.
    if [ $request = put ] && [ $((after - before)) -ne "$5" ]; then
        echo "etcd: $((after - before)) of $5 writes were done" >&2
        return 1
    fi
    # shellcheck disable=SC2016 # awk's own
    cut -f 3 "$work/etcd/times" | sort -n | awk -v name="$2" -v sessions="$3" -v window="$4" \
        -v size="$6" -v rate="$(awk '/^finished/ { print $4 }' "$work/etcd/h2load")" '
        { times[NR] = $1 }
        function part(p) { return times[int(NR * p) < NR ? int(NR * p) + 1 : NR] }
        END {
            printf "%-7s sessions %d window %d size %d: %.0f ops/s  p50 %d us  p99 %d us  p99.9 %d us  errors 0\n",
                name, sessions, window, size, rate, part(0.5), part(0.99), part(0.999)
        }'
}

# ---- Cohort ---------------------------------------------------------------------------------------

cohort_configure () {
    local n k
    mkdir -p "$work/cohort"
    for n in 1 2 3; do
        mkdir -p "$work/cohort/data$n"
        {
            printf 'id=%s\ndataDir=%s\nclients=tcp://127.0.0.1:%s\n' "$n" "$work/cohort/data$n" \
                "$(port $n)"
            for k in 1 2 3; do
                echo "server.$k=127.0.0.1:$(peer_port $k)"
            done
        } >"$work/cohort/$n.cfg"
    done
}

cohort_server () {
    "$bin/cohortd" --config "$work/cohort/$1.cfg" >>"$work/cohort/$1.log" 2>&1 &
    server_pid=$!
}

cohort_ready () {
    "$bin/cohort" stat / --servers "tcp://127.0.0.1:$(port "$1")" --timeout 1000 >/dev/null 2>&1
}

cohort_leader () {
    "$bin/cohort" status --servers "$(list tcp://127.0.0.1:%s)" --wait 5000 |
        awk '$3 == "leader" { print $1 }'
}

cohort_memory () {
    awk '$1 == "RssAnon:" { printf "%.0f\n", $2 * 1024 }' "/proc/${pids[$1]}/status"
}

cohort_load () {
    shift
    "$bin/cohort" bench "$1" --servers "$(list tcp://127.0.0.1:%s)" --sessions "$2" --window "$3" \
        --total "$4" --size "$5" --depth "$6"
}

# ---- All of them ----------------------------------------------------------------------------------

# now: milliseconds.
now () {
    echo $((${EPOCHREALTIME/[.,]/} / 1000))
}

# await_ready SYSTEM N
await_ready () {
    local end=$(($(now) + 60000))
    until "$1_ready" "$2"; do
        if ! kill -0 "${pids[$2]}" 2>/dev/null; then
            echo "$1: server $2 has ended:" >&2
            tail -n 5 "$work/$1/$2.log" >&2
            return 1
        fi
        if [ "$(now)" -ge $end ]; then
            echo "$1: server $2 does not serve after 60 s" >&2
            return 1
        fi
        sleep 0.02
    done
}

start_server () {
    server_pid=
    "$1_server" "$2"
    pids[$2]=$server_pid
}

start_system () {
    local n
    "$1_configure" || return 1
    for n in 1 2 3; do
        start_server "$1" $n
    done
    for n in 1 2 3; do
        await_ready "$1" $n || return 1
    done
}

kill_server () {
    kill -KILL "${pids[$1]}" 2>/dev/null
    wait "${pids[$1]}" 2>/dev/null
    while kill -0 "${pids[$1]}" 2>/dev/null; do # it was stopped, and all that was waited for
        wait "${pids[$1]}" 2>/dev/null
    done
    unset "pids[$1]"
}

stop_system () {
    local n
    for n in "${!pids[@]}"; do
        kill_server "$n"
    done
    rm -rf "${work:?}/$1"
}

# Thirty ports nobody listens at, below those that the kernel gives to connections.
find_ports () {
    local try n
    for ((try = 0; try < 100; try++)); do
        base=$((10000 + RANDOM % 500 * 40))
        for n in 1 2 3 11 12 13 21 22 23; do
            if (exec 3<>"/dev/tcp/127.0.0.1/$((base + n))") 2>/dev/null; then
                continue 2
            fi
        done
        return 0
    done
    echo "no free ports" >&2
    exit 1
}

clean_up () {
    local n
    if [ -n "${load_pid:-}" ]; then # a shell, and what it runs
        # shellcheck disable=SC2046 # one word each
        kill -KILL "$load_pid" $(ps -o pid= --ppid "$load_pid") 2>/dev/null
    fi
    for n in "${!pids[@]}"; do
        kill_server "$n"
    done
    rm -rf "$work"
}
