# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # used, and set, by those who source this
# What the tests of the command line share: servers, and commands whose output is compared. Sourced
# with the programs in $cohort and $cohortd.
export TZ=UTC LC_ALL=C
# The variables of flags, and the contexts of whoever runs this.
for variable in ${!COHORT_*}; do
    unset "$variable"
done

# People are told after two seconds that no server answers; a machine that is busy takes longer. Tests of
# that give a limit of their own.
export COHORT_TIMEOUT=30000

folder=$(mktemp -d) || exit 1
export XDG_CONFIG_HOME=$folder/config
failures=0
checks=0
servers=()

clean_up () {
    local pid
    for pid in "${servers[@]}"; do
        kill -KILL "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    rm -rf "$folder"
}
trap clean_up EXIT

fail () {
    failures=$((failures + 1))
    printf 'FAILED: %s\n' "$*" >&2
}

# expect STATUS STDOUT STDERR command...
# Runs a command. STDOUT is what it prints, without line feeds at the end; STDERR is a pattern of
# bash, as in [[ x == pattern ]].
expect () {
    local status=$1 stdout=$2 stderr=$3 got
    shift 3
    checks=$((checks + 1))
    "$@" >"$folder/stdout" 2>"$folder/stderr"
    got=$?
    if [ $got -ne "$status" ]; then
        fail "$*: exit status $got, not $status; $(cat "$folder/stderr")"
    fi
    got=$(tr '\0' '0' <"$folder/stdout")
    if [ "$got" != "$stdout" ]; then
        fail "$*: printed '$got', not '$stdout'"
    fi
    got=$(<"$folder/stderr")
    # shellcheck disable=SC2053 # a pattern is meant
    if [[ $got != $stderr ]]; then
        fail "$*: said '$got', not '$stderr'"
    fi
}

# matches TEXT REGEX what
matches () {
    checks=$((checks + 1))
    if ! [[ $1 =~ $2 ]]; then
        fail "$3: '$1' is not '$2'"
    fi
}

# await FILE PATTERN
# Waits until a line of FILE, which is still being written, matches; prints that line.
await () {
    # Not a pipe, which would wait for tail as well.
    grep -m 1 -e "$2" < <(timeout 30 tail -n +1 -F "$1" 2>/dev/null)
}

# start_server NAME argument...
# Starts cohortd; its log is in $folder/NAME.log, its process id in $started.
start_server () {
    local name=$1
    shift
    rm -f "$folder/$name.log"
    "$cohortd" "$@" >"$folder/$name.log" 2>&1 &
    started=$!
    servers+=("$started")
}

# stop_server PID
stop_server () {
    kill -TERM "$1"
    wait "$1" 2>/dev/null
}

start_dev () {
    start_server dev dev --clients tcp://127.0.0.1:0
    if ! await "$folder/dev.log" ' ready' >/dev/null; then
        cat "$folder/dev.log" >&2
        echo "the server does not start" >&2
        exit 1
    fi
    COHORT_SERVERS=$(sed -n 's/.* listening clients=//p' "$folder/dev.log")
    export COHORT_SERVERS
}

finish () {
    if [ $failures -gt 0 ]; then
        echo "$failures of $checks checks failed" >&2
        exit 1
    fi
    echo "$checks checks passed"
}
