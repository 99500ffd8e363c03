#!/usr/bin/env bash
# cli_test.sh COHORT COHORTD
# Every command of `cohort` against real servers: what is printed, to the letter, and the exit
# status. Servers take whatever port is free, and data lives in a folder of this run.
set -u -o pipefail

cohort=${1:?the program cohort}
cohortd=${2:?the program cohortd}
. "$(dirname "${BASH_SOURCE[0]}")/cli_lib.sh"

test_help () {
    local command
    expect 0 'cohort 0.1.0' '' "$cohort" --version
    expect 0 'cohort 0.1.0' '' "$cohort" get --version
    expect 2 '' 'cohort - the command line*' "$cohort"
    for command in create get set ls getAllChildrenNumber getEphemerals whoami stat delete \
        deleteall incr sync setquota listquota delquota watch status snapshot bench completion help \
        getAcl setAcl addauth digest admins session context shell txn tree du find grep cp export \
        import mirror edit lock elect why config version; do
        checks=$((checks + 1))
        "$cohort" "$command" --help >"$folder/stdout" || fail "$command --help"
        "$cohort" help "$command" | cmp -s - "$folder/stdout" || fail "help $command differs"
        grep -q "^Usage: cohort $command " "$folder/stdout" || fail "$command --help: no usage"
        grep -q '^Example:' "$folder/stdout" || fail "$command --help: no example"
        grep -q '^Exit status:' "$folder/stdout" || fail "$command --help: no exit status"
    done
}

test_help_of_errors () {
    local text
    text=$("$cohort" help ENONODE)
    matches "$text" '^COHORT_ENONODE \(-101\): the znode does not exist
.*
Kind: definite - .*
Exit status of cohort: 4$' 'help ENONODE'
    for name in nonode COHORT_ENONODE 101; do
        expect 0 "$text" '' "$cohort" help $name
    done
    expect 0 "$text" '' "$cohort" help -- -101
    matches "$("$cohort" help -o jsonl 103)" '^\{"name": "COHORT_EBADVERSION", "code": -103, .*\}$' \
        'help -o jsonl'
    expect 2 '' "cohort: 'gett' is neither a command nor an error (did you mean 'get'[?])*" \
        "$cohort" help gett
}

# The scripts and the page are sound, and know each command.
test_pages () {
    local command
    "$cohort" completion bash >"$folder/completion" || fail 'completion bash'
    expect 0 '' '' bash -n "$folder/completion"
    "$cohort" help --man >"$folder/page" || fail 'help --man'
    "$cohort" completion zsh >"$folder/zsh" || fail 'completion zsh'
    for command in $("$cohort" --help | sed -n '/^Options/q; s/^  \([a-zA-Z]*\) .*/\1/p'); do
        checks=$((checks + 1))
        grep -q "^ *$command) flags+=" "$folder/completion" || fail "completion bash: $command"
        grep -q "^ *$command)\$" "$folder/zsh" || fail "completion zsh: $command"
        grep -q "^[.]Ss $command\$" "$folder/page" || fail "the manual page lacks $command"
    done
    if command -v groff >/dev/null; then
        expect 0 '' '' groff -man -mdoc -ww -Tascii -z "$folder/page"
    fi
    expect 2 '' "cohort: completion: 'fish' is not a shell that is known: bash or zsh" \
        "$cohort" completion fish
}

# complete WORD... LAST: what bash would offer for the last word.
complete_line () {
    PATH=$(dirname "$cohort"):$PATH bash -c '. "$1"; shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _cohort; printf "%s\n" "${COMPREPLY[@]}"' \
        - "$folder/completion" "$@"
}

test_completion () {
    "$cohort" create /complete >/dev/null
    "$cohort" create /complete/one >/dev/null
    "$cohort" create /complete/other >/dev/null
    expect 0 $'delete\ndeleteall' '' complete_line cohort delete
    expect 0 '--if-version' '' complete_line cohort --timeout 5 set --if
    expect 0 $'json\njsonl' '' complete_line cohort get -o json
    expect 0 $'/complete/one\n/complete/other' '' complete_line cohort get /complete/o
    expect 0 '/complete' '' complete_line cohort ls --limit 5 /compl
    expect 0 'persistent' '' complete_line cohort ls --filter p
    expect 0 $'kill' '' complete_line cohort -o json session k
    expect 0 $'context\nconfig\ncompletion' '' bash -c 'sort -r' < <(complete_line cohort help co)
    "$cohort" deleteall /complete
}

test_usage () {
    expect 2 '' "cohort: 'gett' is not a command (did you mean 'get'[?])*" "$cohort" gett /a
    expect 2 '' "cohort: 'addWatch' is a command of the shell alone: *" \
        "$cohort" addWatch /a
    expect 2 '' 'cohort: an operand is missing: get PATH*' "$cohort" get
    expect 2 '' 'cohort: unknown option --hexdmp (did you mean --hexdump[?])*' \
        "$cohort" get --hexdmp /a
    expect 2 '' "cohort: --output: 'xml' is not a format: text, json or jsonl*" "$cohort" get -o xml /a
    expect 2 '' "cohort: --if-version: 'x' is not a number from -1 to 2147483647" \
        "$cohort" set -v x /a b
    expect 2 '' 'cohort: *nonsense*' "$cohort" --servers nonsense get /a
    for command in status 'config -c' 'context add x'; do
        # shellcheck disable=SC2086 # several words
        expect 2 '' 'cohort: servers, byte 0 ("127.0.0.1:5181"): a server is tcp://host:port*' \
            "$cohort" --servers 127.0.0.1:5181 $command
    done
    expect 2 '' 'cohort: reconfig: who the servers are cannot be changed while they run, yet*' \
        "$cohort" reconfig -add server.4=127.0.0.1:5488
    expect 2 '' 'cohort: reconfig: *--members*' "$cohort" help reconfig
    expect 2 '' "cohort: --server-key: 'x' is not a public key of 40 characters" \
        "$cohort" --server-key x get /a
}

test_create_get_set () {
    expect 2 '' 'cohort: *a/b*' "$cohort" get a/b
    expect 2 '' 'cohort: */a//b*' "$cohort" get /a//b
    expect 2 '' 'cohort: *path "/a\\x0ab\\x1b", byte 2: a control character*' \
        "$cohort" get $'/a\nb\e'
    expect 1 '' 'cohort: *: a path has at most 4096 bytes' \
        "$cohort" get "/$(printf '%05000d' 0)"
    expect 0 '/a' '' "$cohort" create /a hello
    expect 0 'hello' '' "$cohort" get /a
    checks=$((checks + 1))
    "$cohort" get /a | cmp - <(printf hello) || fail 'get adds to the data'
    expect 5 '' 'cohort: /a: the znode exists already (change it with: cohort set /a DATA)' \
        "$cohort" create /a other
    expect 4 '' \
        'cohort: /x/y: its parent /x does not exist (create it with: cohort create /x)' \
        "$cohort" create /x/y
    expect 4 '' \
        'cohort: /x: the znode does not exist (create it with: cohort create /x \[DATA])' \
        "$cohort" get /x
    expect 4 '' 'cohort: /x: the znode does not exist (create it with: cohort create /x DATA)' \
        "$cohort" set /x data

    expect 0 '' '' "$cohort" set /a one
    expect 0 'one' '' "$cohort" get /a
    expect 0 '' '' "$cohort" set -v 1 /a two
    expect 6 '' 'cohort: /a: the version does not match*' "$cohort" set -v 1 /a three
    expect 0 'two' '' "$cohort" get /a
    matches "$("$cohort" set /a -s three)" 'dataVersion = 3' 'set -s'
    expect 0 '' '' "$cohort" set /a -- -5
    expect 0 '-5' '' "$cohort" get /a
    expect 0 '/empty' '' "$cohort" create /empty
    expect 0 '' '' "$cohort" get /empty
    expect 1 '' 'cohort: standard output cannot be written' \
        bash -c '"$1" get /a >/dev/full' - "$cohort"
}

test_binary () {
    printf 'a\0b\377\n' >"$folder/binary"
    checks=$((checks + 1))
    "$cohort" create /binary - <"$folder/binary" >/dev/null || fail 'create -'
    "$cohort" get /binary | cmp - "$folder/binary" || fail 'binary data differs'
    expect 0 'YQBi/wo=' '' "$cohort" get -b /binary
    expect 0 '00000000  61 00 62 ff 0a                                    |a.b..|
00000005' '' "$cohort" get -x /binary
    expect 0 '' '' "$cohort" set -b /binary aGVsbG8=
    expect 0 'hello' '' "$cohort" get /binary
    expect 1 '' "cohort: --base64: 'a' is not base64" "$cohort" set -b /binary 'a'
    head -c 1000000 /dev/zero | tr '\0' x >"$folder/large"
    checks=$((checks + 1))
    "$cohort" set /binary - <"$folder/large" || fail 'set of 1,000,000 bytes'
    "$cohort" get /binary | cmp - "$folder/large" || fail 'large data differs'
    head -c 2000000 /dev/zero >"$folder/large"
    expect 1 '' 'cohort: */binary*' bash -c '"$1" set /binary - <"$2"' - "$cohort" "$folder/large"
}

test_stat () {
    local date='[A-Z][a-z]{2} [A-Z][a-z]{2} [0-9]{2} [0-9:]{8} UTC [0-9]{4}'
    local lines="cZxid = 0x[0-9a-f]+
ctime = $date
mZxid = 0x[0-9a-f]+
mtime = $date
pZxid = 0x[0-9a-f]+
cversion = 1
dataVersion = 1
aclVersion = 0
ephemeralOwner = 0x0
dataLength = 4
numChildren = 1"
    expect 0 '/stat' '' "$cohort" create /stat
    expect 0 '/stat/child' '' "$cohort" create /stat/child
    expect 0 '' '' "$cohort" set /stat data
    matches "$("$cohort" stat /stat)" "^$lines\$" 'stat'
    matches "$("$cohort" get -s /stat)" "^data
$lines\$" 'get -s'
    matches "$("$cohort" ls -s /stat)" "^child
$lines\$" 'ls -s'
    matches "$("$cohort" set -s /stat more)" 'dataVersion = 2' 'set -s'
    matches "$("$cohort" stat -o json /stat | tr -d ' \n')" \
        '^\{"czxid":"0x[0-9a-f]+","mzxid":"0x[0-9a-f]+".*"version":2,.*"child_count":1,"mode":"persistent","ttl_ms":0\}$' \
        'stat -o json'
    matches "$("$cohort" get -o json /stat | tr -d ' \n')" \
        '^\{"path":"/stat","data":"more","stat":\{"czxid":.*\}\}$' 'get -o json'
    expect 4 '' 'cohort: /stat/none: the znode does not exist*' "$cohort" stat /stat/none
}

test_ls () {
    expect 0 '/ls' '' "$cohort" create /ls
    expect 0 '' '' "$cohort" ls /ls
    local path
    for path in /ls/b /ls/a /ls/a-b /ls/a/z /ls/a/y; do
        "$cohort" create $path >/dev/null || fail "create $path"
    done
    expect 0 $'a\na-b\nb' '' "$cohort" ls /ls
    expect 0 $'/ls\n/ls/a\n/ls/a/y\n/ls/a/z\n/ls/a-b\n/ls/b' '' "$cohort" ls -R /ls
    expect 0 $'[\n  "a",\n  "a-b",\n  "b"\n]' '' "$cohort" ls -o json /ls
    expect 4 '' 'cohort: /none: the znode does not exist*' "$cohort" ls /none
    expect 4 '' 'cohort: /none: the znode does not exist*' "$cohort" ls -R /none
    expect 2 '' 'cohort: ls: -s without -o json goes with a plain list only*' "$cohort" ls -sR /ls
    matches "$("$cohort" ls)" $'(^|\n)ls($|\n)' 'ls without a path'
    expect 0 $'"a"\n"a-b"\n"b"' '' "$cohort" ls -o jsonl /ls
    expect 0 $'"/ls"\n"/ls/a"' '' bash -c '"$1" -o jsonl ls -R /ls | head -2' - "$cohort"
    expect 0 '[]' '' "$cohort" ls -o json /ls/b
    expect 0 $'a\na-b' '' "$cohort" ls --prefix a /ls
    expect 0 'a-b' '' "$cohort" ls --after a --limit 1 /ls
    expect 0 '' '' "$cohort" ls --filter ephemeral /ls
    expect 0 $'a\na-b\nb' '' "$cohort" ls --filter persistent /ls
    expect 2 '' "cohort: --filter: 'x' is not a filter: *" "$cohort" ls --filter x /ls
    expect 0 $'a 2\na-b 0\nb 0' '' bash -c \
        '"$1" ls -s -o jsonl /ls | sed "s/.*\"name\": \"\([^\"]*\).*\"child_count\": \([0-9]*\).*/\1 \2/"' \
        - "$cohort"
    expect 0 5 '' "$cohort" getAllChildrenNumber /ls
    expect 0 $'{"path": "/ls/a", "count": 2}' '' "$cohort" getAllChildrenNumber -o jsonl /ls/a
    expect 4 '' 'cohort: /none: the znode does not exist*' "$cohort" getAllChildrenNumber /none
    expect 0 2 '' "$cohort" getAllChildrenNumber --linearizable /ls/a
    expect 0 $'a\na-b\nb' '' "$cohort" ls --linearizable /ls
    expect 2 '' 'cohort: ls: --linearizable goes with a plain list only' \
        "$cohort" ls -R --linearizable /ls
    # Behind a chroot, paths are those below it.
    expect 0 $'/\n/y\n/z' '' "$cohort" --servers "$COHORT_SERVERS/ls/a" ls -R /
    expect 4 '' 'cohort: /n: there is no /: the chroot of --servers does not exist*' \
        "$cohort" --servers "$COHORT_SERVERS/none" create /n
}

test_delete () {
    expect 0 '/del' '' "$cohort" create /del
    expect 0 '/del/child' '' "$cohort" create /del/child
    expect 1 '' \
        'cohort: /del: the znode has children (delete them as well with: cohort deleteall /del)' \
        "$cohort" delete /del
    expect 6 '' 'cohort: /del/child: the version does not match*' "$cohort" delete -v 7 /del/child
    expect 0 '' '' "$cohort" delete -v 0 /del/child
    expect 4 '' 'cohort: /del/child: the znode does not exist' "$cohort" delete /del/child
    local i
    for i in 1 2 3 4 5; do
        "$cohort" create /del/$i >/dev/null && "$cohort" create /del/$i/x >/dev/null ||
            fail "create /del/$i"
    done
    expect 0 '' '' "$cohort" deleteall -b 2 /del/1
    expect 0 $'2\n3\n4\n5' '' "$cohort" ls /del
    expect 0 '' '' "$cohort" deleteall /del
    expect 4 '' 'cohort: /del: the znode does not exist' "$cohort" deleteall /del
    expect 2 '' 'cohort: deleteall: / cannot be deleted*' "$cohort" deleteall /
    expect 2 '' 'cohort: / cannot be deleted' "$cohort" delete /
    expect 0 '' '' "$cohort" delete --if-present /none
    expect 0 '{"path": "/none", "existed": false}' '' \
        "$cohort" delete --if-present -o jsonl /none
}

# More than one transaction takes, more than a page of a list, and deeper than pages are kept.
test_large_trees () {
    "$cohort" bench create --sessions 2 --window 64 --total 24000 --size 0 >/dev/null 2>&1 ||
        fail 'bench create'
    expect 0 24000 '' bash -c '"$1" ls -R /bench | grep -c "/n"' - "$cohort"
    expect 0 12000 '' bash -c '"$1" ls -o jsonl /bench/s0 | sort -u | wc -l' - "$cohort"
    expect 0 '' '' bash -c '"$1" ls -R /bench | LC_ALL=C sort -c' - "$cohort"
    local count
    count=$("$cohort" ls -R /bench | wc -l)
    expect 0 $((count - 1)) '' "$cohort" getAllChildrenNumber /bench
    expect 0 "{\"path\": \"/bench\", \"deleted\": $count}" '' "$cohort" -o jsonl deleteall /bench
    expect 4 '' '*' "$cohort" stat /bench

    local path=/deep i
    for ((i = 0; i < 60; i++)); do
        printf 'create %s\ncreate %s/b\n' "$path" "$path"
        path=$path/a
    done >"$folder/deep"
    while read -r _ path; do
        "$cohort" create "$path" >/dev/null || fail "create $path"
    done <"$folder/deep"
    expect 0 120 '' bash -c '"$1" ls -R /deep | sort -u | wc -l' - "$cohort"
    expect 0 '' '' "$cohort" deleteall --yes /deep
    expect 4 '' '*' "$cohort" stat /deep
}

test_modes () {
    expect 0 '/modes' '' "$cohort" create /modes
    expect 0 '/modes/c' '' "$cohort" create -c /modes/c
    expect 0 '/modes/t' '' "$cohort" create -t 86400000 /modes/t data
    matches "$("$cohort" stat /modes/c)" 'ephemeralOwner = 0x8000000000000000' 'a container'
    matches "$("$cohort" stat /modes/t)" 'ephemeralOwner = 0xff00000005265c00' 'a time to live'
    matches "$("$cohort" stat -o jsonl /modes/t)" '"mode": "persistent", "ttl_ms": 86400000\}$' \
        'a time to live as JSON'
    expect 0 '/modes/t' 'cohort: /modes/t was there already: it is as it was' \
        "$cohort" create --if-absent /modes/t other
    expect 0 'data' '' "$cohort" get /modes/t
    expect 0 '/modes/new' '' "$cohort" create --if-absent /modes/new
    matches "$("$cohort" create -o jsonl --if-absent /modes/new 2>/dev/null)" \
        '^\{"path": "/modes/new", "existed": true, "stat": \{.*\}\}$' 'create -o jsonl'
    expect 2 '' 'cohort: create: -e, -c and -t exclude each other' "$cohort" create -ce /modes/x
    expect 2 '' 'cohort: create: --if-absent makes no sense with -s*' \
        "$cohort" create -s --if-absent /modes/x
    expect 2 '' "cohort: --ttl: '0' is not a number from 1 to 1099511627775" \
        "$cohort" create -t 0 /modes/x
    # A container goes once its last child has gone.
    "$cohort" create /modes/c/child >/dev/null
    "$cohort" watch --count 2 /modes/c >"$folder/watch.out" 2>"$folder/watch.err" &
    local watcher=$!
    await "$folder/watch.err" '^cohort: watching' >/dev/null
    "$cohort" delete /modes/c/child
    wait $watcher
    expect 4 '' '*' "$cohort" stat /modes/c
    "$cohort" deleteall /modes
}

test_incr () {
    expect 0 '/count' '' "$cohort" create /count
    expect 0 1 '' "$cohort" incr /count
    expect 0 11 '' "$cohort" incr /count 10
    expect 0 '-9' '' "$cohort" incr /count -20
    expect 1 '' 'cohort: */count: the sum would be below the floor *' "$cohort" incr --floor -10 /count -- -2
    expect 1 '' 'cohort: */count: the sum would be * above the ceiling: nothing has been changed (see it with: cohort get */count)' \
        "$cohort" incr --ceiling 0 /count 10
    expect 0 '-9' '' "$cohort" get /count
    matches "$("$cohort" incr -o jsonl /count)" '^\{"path": "/count", "value": -8, "stat": \{.*\}\}$' \
        'incr -o jsonl'
    expect 2 '' "cohort: incr: 'x' is not a number of 64 bits" "$cohort" incr /count x
    expect 4 '' 'cohort: /none: the znode does not exist*' "$cohort" incr /none
    "$cohort" set /count words
    expect 1 '' 'cohort: */count: *not a decimal number*' "$cohort" incr /count
    "$cohort" delete /count
}

# Every flag has a variable; what changes says so in JSON.
test_variables_and_json () {
    expect 0 '/var' '' env COHORT_OUTPUT=text "$cohort" create /var x
    matches "$(COHORT_OUTPUT=jsonl "$cohort" set /var y)" \
        '^\{"path": "/var", "stat": \{.*"version": 1,.*\}\}$' 'set -o jsonl'
    expect 6 '' '*' env COHORT_IF_VERSION=7 "$cohort" set /var z
    expect 2 '' "cohort: COHORT_IF_VERSION: 'x' is not a number from -1 to 2147483647" \
        env COHORT_IF_VERSION=x "$cohort" set /var z
    expect 0 'eQ==' '' env COHORT_BASE64=1 "$cohort" get /var
    expect 0 'y' '' env COHORT_BASE64=no "$cohort" get /var
    expect 2 '' "cohort: COHORT_TIMEOUT: 'x' is not a number of milliseconds*" \
        env COHORT_TIMEOUT=x "$cohort" get /var
    matches "$("$cohort" sync -o jsonl)" '^\{"zxid": "0x[0-9a-f]+"\}$' 'sync -o jsonl'
    expect 0 '{"path": "/var"}' '' "$cohort" delete -o jsonl /var
    matches "$("$cohort" status -o jsonl)" '^\{"id": [0-9]+, .*\}$' 'status -o jsonl'
}

test_sequential_and_ephemeral () {
    expect 0 '/seq' '' "$cohort" create /seq
    expect 0 '/seq/n0000000000' '' "$cohort" create -s /seq/n
    expect 0 '/seq/n0000000001' '' "$cohort" create -s /seq/n
    expect 0 '/eph' 'cohort: /eph is ephemeral: it vanishes now*' "$cohort" create -e /eph
    expect 4 '' '*' "$cohort" stat /eph

    "$cohort" create -es --hold /eph data >"$folder/hold.out" 2>"$folder/hold.err" &
    local holder=$! path
    path=$(await "$folder/hold.out" .)
    await "$folder/hold.err" "^cohort: holding $path until" >/dev/null || fail 'create --hold'
    expect 0 'data' '' "$cohort" get "$path"
    expect 1 '' 'cohort: */child: its parent * is ephemeral and so cannot have children' \
        "$cohort" create "$path/child"
    matches "$("$cohort" stat "$path")" 'ephemeralOwner = 0x[1-9a-f]' 'the owner of an ephemeral'
    kill -INT $holder
    wait $holder
    expect 0 '' '' test $? -eq 0
    expect 4 '' '*' "$cohort" stat "$path"
}

test_sync () {
    matches "$("$cohort" sync)" '^0x[0-9a-f]+$' sync
    matches "$("$cohort" sync /some/path)" '^0x[0-9a-f]+$' 'sync PATH'
}

# A read that waits for the next change; its standard output is in $folder/once.out.
# await_change COMMAND PATTERN CHANGE LAST_LINE
await_change () {
    local waiter
    rm -f "$folder/once.out"
    "$cohort" "$1" -w /once >"$folder/once.out" &
    waiter=$!
    await "$folder/once.out" "$2" >/dev/null || fail "$1 -w: $(cat "$folder/once.out")"
    "$cohort" $3 >/dev/null || fail "$3"
    wait $waiter || fail "$1 -w: exit status $?"
    matches "$(tail -n 1 "$folder/once.out")" $'^0x[0-9a-f]+\t'"$4"$'\t/once$' "$1 -w"
    checks=$((checks + 1))
}

test_watch_once () {
    expect 0 /once '' "$cohort" create /once x
    await_change get '^x$' 'set /once y' changed
    await_change stat '^numChildren = 0' 'set /once z' changed
    expect 0 /once/a '' "$cohort" create /once/a
    await_change ls '^a$' 'delete /once/a' children
    await_change get '^z$' 'delete /once' deleted
    expect 4 '' 'cohort: /once: the znode does not exist*' "$cohort" get -w /once
    expect 2 '' 'cohort: ls: -w goes with a plain list only' "$cohort" ls -R -w /
}

test_who_and_what () {
    local id
    matches "$("$cohort" whoami)" $'^Auth scheme: User\nworld: anyone' whoami
    matches "$("$cohort" whoami -o jsonl)" '\{"scheme": "world", "id": "anyone"\}' 'whoami -o jsonl'
    expect 0 '' '' "$cohort" getEphemerals
    expect 0 '[]' '' "$cohort" getEphemerals -o json /
    expect 2 '' "cohort: --session: 'x' is not the id of a session (see: cohort session ls)" \
        "$cohort" getEphemerals --session x
    "$cohort" create -e --hold /mine >"$folder/hold.out" &
    local holder=$!
    await "$folder/hold.out" '^/mine$' >/dev/null || fail "no ephemeral"
    id=$("$cohort" stat /mine | sed -n 's/^ephemeralOwner = //p')
    # Only who is told to be one is an administrator.
    matches "$("$cohort" getEphemerals --session "$id" 2>&1)" 'no permission' 'somebody else'
    kill $holder
    wait $holder
}

# start_watch argument...
# Returns once it watches; its output is in $folder/watch.out, its process id in $watcher.
start_watch () {
    # What is awaited shall not be found in the output of the watch before.
    rm -f "$folder/watch.out" "$folder/watch.err"
    "$cohort" watch "$@" >"$folder/watch.out" 2>"$folder/watch.err" &
    watcher=$!
    await "$folder/watch.err" '^cohort: watching' >/dev/null ||
        fail "watch $*: $(cat "$folder/watch.err")"
}

# end_watch STATUS LINES
# LINES: without the zxids, which must grow or stay.
end_watch () {
    local status
    wait "$watcher"
    status=$?
    checks=$((checks + 1))
    [ $status -eq "$1" ] || fail "watch: exit status $status, not $1; $(cat "$folder/watch.err")"
    [ "$(cut -f 2- "$folder/watch.out")" = "$2" ] ||
        fail "watch printed '$(cat "$folder/watch.out")', not '$2'"
    cut -f 1 "$folder/watch.out" | sort -c 2>/dev/null || fail "watch: zxids go back"
}

test_watch () {
    expect 0 '/w' '' "$cohort" create /w
    start_watch --count 4 -d /w
    "$cohort" create /w/a $'x\ty' >/dev/null
    "$cohort" create /w/a/deep >/dev/null # not a child of /w
    "$cohort" set /w data
    "$cohort" set /w/a more
    "$cohort" delete /w/a/deep
    "$cohort" delete /w/a
    end_watch 0 $'created\t/w/a\t3\tx\\ty\nchanged\t/w\t4\tdata\nchanged\t/w/a\t4\tmore\ndeleted\t/w/a\t-'

    "$cohort" create /w/b 12345 >/dev/null
    start_watch -R -i --count 2 /w
    "$cohort" create /w/b/c >/dev/null
    "$cohort" set /w/b/c 1
    end_watch 0 $'present\t/w\t4\npresent\t/w/b\t5\ncreated\t/w/b/c\t0\nchanged\t/w/b/c\t1'

    # What is not there yet, its neighbours, and JSON.
    start_watch -o json -d --count 2 /new
    "$cohort" create /newer >/dev/null
    "$cohort" create /new $'\1' >/dev/null
    "$cohort" delete /new
    wait $watcher
    matches "$(cat "$folder/watch.out")" \
        '^\{"zxid": "0x[0-9a-f]+", "kind": "created", "path": "/new", "size": 1, "data": "\\u0001"\}
\{"zxid": "0x[0-9a-f]+", "kind": "deleted", "path": "/new"\}$' 'watch -o json'

    start_watch /
    "$cohort" create /root-child >/dev/null
    await "$folder/watch.out" root-child >/dev/null || fail 'watch /'
    kill -INT $watcher
    end_watch 0 $'created\t/root-child\t0'
    expect 2 '' 'cohort: *w*' "$cohort" watch w
}

test_status () {
    local address=${COHORT_SERVERS//./[.]}
    matches "$("$cohort" status)" \
        "^ID  ADDRESS +ROLE +EPOCH  ZXID +CONNECTIONS  DISK
[0-9]+ +$address  standalone  [0-9]+ +0x[0-9a-f]+ +[0-9]+ +ok\$" status
    matches "$("$cohort" status -o json | tr -d ' \n')" \
        "^\[\{\"id\":[0-9]+,\"address\":\"$address\",\"role\":\"standalone\",\"epoch\":[0-9]+,\
\"zxid\":\"0x[0-9a-f]+\",\"connections\":[0-9]+,\"log\":\"whole\",\"disk\":\"ok\",\"state\":\"sound\",\
\"turn_us_max\":[1-9][0-9]*,\"long_turns\":[0-9]+\}\]\$" 'status -o json'
    expect 0 "$("$cohort" status | wc -l)" '' bash -c '"$1" status --wait 5000 | wc -l' - "$cohort"
}

test_nobody () {
    # A port that is free now: the server that had it is gone.
    local free
    start_server gone dev --clients tcp://127.0.0.1:0
    await "$folder/gone.log" ' ready' >/dev/null
    free=$(sed -n 's/.* listening clients=//p' "$folder/gone.log")
    stop_server "$started"
    expect 3 '' "cohort: no server answers at $free (start one with: cohortd dev)" \
        "$cohort" --servers "$free" --timeout 300 get /a
    expect 3 '' "cohort: no server answers at $free*" "$cohort" --servers "$free" get /a
    expect 3 "ID  ADDRESS                ROLE         EPOCH  ZXID  CONNECTIONS  DISK
-   $free  unreachable  -      -     -            -" 'cohort: no server answers*' \
        "$cohort" --servers "$free" status
    expect 3 "[
  {
    \"id\": null,
    \"address\": \"$free\",
    \"role\": \"unreachable\",
    \"epoch\": null,
    \"zxid\": null,
    \"connections\": null,
    \"log\": null,
    \"disk\": null,
    \"state\": null,
    \"turn_us_max\": null,
    \"long_turns\": null
  }
]" 'cohort: no server answers*' "$cohort" --servers "$free" status -o json
    # One of the list is enough.
    expect 0 'hello' '' "$cohort" --servers "$free,$COHORT_SERVERS" get /hello
}

# One of three servers has no quorum: it answers, and no more.
test_no_quorum () {
    local port
    for _ in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 12000))
        mkdir -p "$folder/alone"
        printf '%s\n' id=1 "dataDir=$folder/alone" "clients=ipc://$folder/alone/clients" \
            "server.1=127.0.0.1:$port" "server.2=127.0.0.1:$((port + 1))" \
            "server.3=127.0.0.1:$((port + 2))" >"$folder/alone.cfg"
        start_server alone --config "$folder/alone.cfg"
        if await "$folder/alone.log" ' listening \|cohortd: ' | grep -q listening; then
            break
        fi
    done
    local list="ipc://$folder/alone/clients"
    matches "$("$cohort" --servers "$list" status 2>/dev/null | tail -n 1)" \
        "^1 +$list +looking +[0-9]+ +0x[0-9a-f]+ +[0-9]+ +ok\$" 'status of one of three'
    expect 8 "$("$cohort" --servers "$list" status 2>/dev/null)" \
        '*cohort: no leader: the servers that answer have no quorum' \
        "$cohort" --servers "$list" status
    # Who does not answer may be who is missing.
    local status='"$1" --servers "$2" status >/dev/null'
    expect 8 '' 'cohort: 2 more servers of the ensemble: add *' \
        bash -c "$status" - "$cohort" "$list"
    expect 8 '' 'cohort: 1 more server of the ensemble: add *' \
        bash -c "$status" - "$cohort" "$list,ipc://$folder/none"
    expect 8 '' 'cohort: no leader: *' \
        bash -c "$status" - "$cohort" "$list,ipc://$folder/none,ipc://$folder/never"
    # Time enough to be told so, however busy the machine is.
    expect 8 '' 'cohort: the servers have no quorum (see: cohort status)' \
        "$cohort" --servers "$list" --timeout 3000 get /a
    stop_server "$started"
}

# With keys: only who knows the server's is served.
test_encrypted () {
    local key list="ipc://$folder/safe/clients"
    mkdir -p "$folder/safe"
    key=$("$cohortd" keygen "$folder/safe/certificate")
    printf '%s\n' "dataDir=$folder/safe" "clients=$list" \
        "certificate=$folder/safe/certificate_secret" >"$folder/safe.cfg"
    start_server safe --config "$folder/safe.cfg"
    await "$folder/safe.log" ' ready' >/dev/null || fail "$(cat "$folder/safe.log")"
    expect 0 '/secret' '' "$cohort" --servers "$list" --server-key "$key" create /secret 42
    expect 0 '42' '' env COHORT_SERVER_KEY="$key" "$cohort" --servers "$list" get /secret
    matches "$("$cohort" --servers "$list" --server-key "$key" status)" standalone \
        'status, encrypted'
    expect 3 '' 'cohort: no server answers*' "$cohort" --servers "$list" --timeout 300 get /secret
    stop_server "$started"
}

# What cohortd says to a wrong command line, and to keys and addresses that would do harm.
test_cohortd () {
    expect 2 '' 'cohortd: give --config FILE, or dev*' "$cohortd"
    expect 2 '' 'cohortd: dev takes options only: extra*' "$cohortd" dev extra
    expect 2 '' '*--bogus*' "$cohortd" --bogus
    expect 2 '' 'cohortd: --log-level is *, not: loud*' "$cohortd" --log-level loud dev
    expect 1 '' "cohortd: $folder/none.cfg: cannot be read: No such file or directory" \
        "$cohortd" --config "$folder/none.cfg"
    # libzmq would listen on port 4464.
    expect 1 '' 'cohortd: clients: tcp://127.0.0.1:70000 is not tcp://HOST:PORT*' \
        "$cohortd" dev --clients tcp://127.0.0.1:70000
    expect 1 '' 'cohortd: --clients: tcp://0.0.0.0:0 can be reached by other machines*--insecure*' \
        "$cohortd" dev --clients tcp://127.0.0.1:0,tcp://0.0.0.0:0
    for wrong in 0 8 three 1x; do
        expect 2 '' "cohortd: --nodes is a number of servers, 1 to 7, not: $wrong*" \
            "$cohortd" dev --nodes "$wrong"
    done
    expect 2 '' 'cohortd: --nodes keeps everything in memory: leave out: --data*' \
        "$cohortd" dev --nodes 3 --data "$folder/dev"
    expect 1 '' 'cohortd: --clients: ipc:///tmp/none is not tcp://HOST:PORT with enough ports*' \
        "$cohortd" dev --nodes 3 --clients ipc:///tmp/none
    expect 1 '' 'cohortd: --clients: *:65534 is not tcp://HOST:PORT with enough ports behind it*' \
        "$cohortd" dev --nodes 3 --clients tcp://127.0.0.1:65534
    expect 1 '' 'cohortd: --clients: * is neither one endpoint nor one for each of --nodes*' \
        "$cohortd" dev --nodes 3 --clients tcp://127.0.0.1:1,tcp://127.0.0.1:2
    matches "$("$cohortd" keygen "$folder/keys")" '^.{40}$' keygen
    cp "$folder/keys_secret" "$folder/keys_before"
    expect 1 '' "cohortd: keygen: $folder/keys or $folder/keys_secret is there already*" \
        "$cohortd" keygen "$folder/keys"
    expect 0 '' '' cmp "$folder/keys_secret" "$folder/keys_before"
    expect 1 '' "cohortd: keygen: $folder/none/keys cannot be written: No such file or directory" \
        "$cohortd" keygen "$folder/none/keys"
}

# An ensemble in one process.
test_dev_nodes () {
    local line list
    start_server nodes dev --nodes 3 --clients 'tcp://127.0.0.1:*'
    line=$(await "$folder/nodes.log" ' ready role=ensemble nodes=3 ')
    list=${line##*clients=}
    matches "$list" '^tcp://127.0.0.1:[0-9]+,tcp://127.0.0.1:[0-9]+,tcp://127.0.0.1:[0-9]+$' nodes
    expect 0 /nodes '' "$cohort" --servers "$list" create /nodes yes
    matches "$("$cohort" --servers "$list" status)" 'leader.*' 'status of three nodes'
    # Within a process they have no addresses for others.
    matches "$("$cohort" --servers "$list" config)" \
        $'^server.1=participant\nserver.2=participant\nserver.3=participant\nversion=[0-9a-f]+$' \
        'config of three nodes'
    expect 0 yes '' "$cohort" --servers "${list##*,}" get --linearizable /nodes
    kill -TERM "$started"
    wait "$started" || fail "cohortd dev --nodes 3: exit status $?"
}

# line WORKLOAD argument...
bench_line () {
    local workload=$1 got
    shift
    got=$("$cohort" bench "$workload" "$@" 2>&1)
    matches "$got" "^$workload +sessions [0-9]+ window [0-9]+ size [0-9]+: [0-9]+ ops/s  p50 [0-9]+ us\
  p99 [0-9]+ us  p99\.9 [0-9]+ us  errors 0\$" "bench $workload $*"
}

test_bench () {
    bench_line set --sessions 2 --window 16 --total 1000
    bench_line get --sessions 2 --window 16 --total 2000 --size 100
    bench_line mix --sessions 3 --window 8 --total 999
    bench_line create --sessions 2 --window 16 --total 500
    bench_line delete --sessions 2 --window 16 --total 500
    bench_line fill --sessions 1 --window 32 --total 1500
    expect 0 1000 '' bash -c '"$1" ls /bench/f0-0 | wc -l' - "$cohort"
    expect 0 500 '' bash -c '"$1" ls /bench/f0-1 | wc -l' - "$cohort"
    bench_line fanout --sessions 20 --total 3
    bench_line vanish --window 4000 --total 2
    # A run after a killed one finds its own ephemerals.
    bench_line vanish --total 1
    matches "$("$cohort" bench gap --total 1 2>&1)" \
        '^gap     acknowledged [1-9][0-9]*  errors 0  longest [0-9]+ ms$' 'bench gap'
    matches "$("$cohort" bench set-1 --total 50)" \
        '^set     sessions 1 window 1 size 100: .* errors 0$' 'bench set-1'
    matches "$("$cohort" bench get-1 --total 50 --json)" \
        '^\{"workload": "get", "sessions": 1, "window": 1, "total": 50, "size": 100, .*"rate": 0, .*"ops_per_second": .*"errors": 0, "histogram": \[\[.*\]\]\}$' \
        'bench get-1 --json'
    matches "$("$cohort" bench watch --sessions 2 --total 1000 2>&1)" \
        '^watch   sessions 2 window 64 size 100: .*  errors 0  events [1-9][0-9]*$' 'bench watch'
    # At a rate nothing is early: the last of 100 operations is due after 99 ms.
    matches "$("$cohort" bench mix --sessions 3 --rate 1000 --total 102 --histogram)" \
        '^mix     sessions 3 window 64 size 100 rate 1000: ([0-9]|[0-9]{2}|[0-9]{3}|10[0-9]{2}) ops/s  p50 [0-9]+ us  p90 .*  p99\.99 [0-9]+ us  max [0-9]+ us  errors 0
.*
.*latency operations .*100\.00 %  #+
min [0-9]+ us  mean [0-9]+ us$' 'bench --rate --histogram'
    # All due at once: what has to wait for its turn has waited from then on, the last for the whole
    # run. Counted from when they were sent none would have taken a tenth of it.
    matches "$("$cohort" bench get --sessions 2 --window 16 --rate 10000000 --total 10000 --json |
        sed 's/.*"seconds": \([^,]*\),.*"max_us": \([^,]*\),.*/\1 \2/' |
        awk '{ print ($2 / 1e6 > $1 / 2 && $2 / 1e6 <= $1 * 1.01) ? "yes" : "no" }')" '^yes$' \
        'bench --rate counts from when operations were due'
    # Another shape: deeper, larger, fewer; and what was there has the size that is asked for.
    bench_line set --sessions 2 --total 20 --depth 30 --keys 3 --size 5000
    bench_line get --sessions 1 --total 20 --keys 3 --size 5000
    expect 0 5000 '' bash -c '"$1" get "/bench$(printf "/d%.0s" {1..30})/k2" | wc -c' - "$cohort"
    expect 0 5000 '' bash -c '"$1" get /bench/k0 | wc -c' - "$cohort"
    # More sessions than are looked at one by one.
    bench_line get --sessions 100 --window 4 --total 1000
    expect 2 '' 'cohort: bench: fanout has no --rate*' "$cohort" bench fanout --rate 5
    # Deleting what is not there: every operation is an error, the line and the status say so.
    matches "$("$cohort" bench delete --sessions 2 --total 10; echo "status $?")" \
        $'errors 10\nstatus 1$' 'bench errors'
    expect 2 '' "cohort: bench: 'sett' is not a workload (did you mean 'set'[?])" \
        "$cohort" bench sett
    expect 2 '' "cohort: --window: '0' is not a number from 1 to 1000000" \
        "$cohort" bench set --window 0
    expect 2 '' 'cohort: bench: --total 3 is less than one operation a session*' \
        "$cohort" bench set --total 3
}

# A server that stands still until the end: also the time since the last write counts.
test_bench_gap () {
    local begun stopped
    "$cohort" delete /gap >/dev/null 2>&1
    begun=$(date +%s%3N)
    "$cohort" bench gap --total 3 >"$folder/gap" 2>&1 &
    local bench=$!
    timeout 30 "$cohort" watch --count 1 /gap >/dev/null 2>&1 # until it writes
    kill -STOP "$started"
    stopped=$(date +%s%3N)
    wait $bench
    expect 0 1 '' echo $? # a write that was never answered
    kill -CONT "$started"
    matches "$(<"$folder/gap")" '^gap     acknowledged [0-9]+  errors 1  longest [0-9]+ ms$' \
        'bench gap at a server that stands still'
    checks=$((checks + 1))
    [ "$(sed 's/.* longest \([0-9]*\) ms/\1/' "$folder/gap")" -ge $((3000 - (stopped - begun))) ] ||
        fail "bench gap: $(<"$folder/gap"), stopped after $((stopped - begun)) ms of 3000"
}

test_help
test_help_of_errors
test_pages
test_usage
start_dev
expect 0 '/hello' '' "$cohort" create /hello hello
test_create_get_set
test_binary
test_stat
test_ls
test_delete
test_large_trees
test_completion
test_modes
test_incr
test_variables_and_json
test_sequential_and_ephemeral
test_sync
test_watch_once
test_who_and_what
test_watch
test_status
test_bench
test_bench_gap
test_nobody
test_no_quorum
test_cohortd
test_dev_nodes
test_encrypted

finish
