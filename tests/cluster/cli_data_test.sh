#!/usr/bin/env bash
# cli_data_test.sh COHORT COHORTD
# The commands of `cohort` that deal with many znodes: transactions, trees, searches, copies, exports.
# What they print, to the letter, and their exit status.
set -u -o pipefail

cohort=${1:?the program cohort}
cohortd=${2:?the program cohortd}
. "$(dirname "${BASH_SOURCE[0]}")/cli_lib.sh"

# A small tree with all that data can be.
make_tree () {
    "$cohort" txn >/dev/null <<'END' || fail 'the tree cannot be made'
create /t 'the top'
create /t/empty
create -b /t/binary YQBi/wo=
create -c /t/container
create -t 86400000 /t/ttl "two\lines"
create /t/a
create /t/a/deep '{"players": 16}'
END
}

test_txn () {
    expect 0 $'ok\tcreate\t/x\tcreated\nok\tset\t/x\tversion 1\nok\tadd\t/x\t12\nok\tcreate\t/x/q-0000000000\tcreated
ok\tcreate\t/x\texisted\nok\tcheck\t/x\t-\nok\tcheck-absent\t/none\t-\nok\tdelete\t/x/q-0000000000\t-' '' \
        "$cohort" txn 'create /x' 'set -v 0 /x 10' 'add --ceiling 12 /x 2' 'create -s /x/q-' \
        'create --if-absent /x' 'check /x 2' 'check-absent /none' 'delete /x/q-0000000000'
    expect 6 $'undone\tset\t/x\t-\nEBADVERSION\tcheck\t/x\t-\nundone\tdelete\t/x\t-' \
        'cohort: txn: operation 2, check /x: the version does not match; nothing has been changed' \
        "$cohort" txn 'set /x other' 'check /x 7' 'delete /x'
    expect 0 12 '' "$cohort" get /x
    expect 4 $'{"outcome": "ENONODE", "operation": "delete", "path": "/none"}' '*' \
        "$cohort" txn -o jsonl 'delete /none'
    local czxid
    czxid=$("$cohort" stat -o jsonl /x | sed 's/.*"czxid": "\([^"]*\).*/\1/')
    expect 0 $'ok\tcheck-czxid\t/x\t-' '' "$cohort" txn "check-czxid /x $czxid"
    expect 1 $'EBADCZXID\tcheck-czxid\t/x\t-' '*' "$cohort" txn 'check-czxid /x 0x1'
    expect 1 $'EBADOWNER\tcheck-owner\t/x\t-' '*' "$cohort" txn 'check-owner /x 0x1 0x1'
    expect 5 $'ENODEEXISTS\tcheck-absent\t/x\t-' '*' "$cohort" txn 'check-absent /x'
    # From standard input, with comments, quotes and base64.
    printf '# all of it\n\nset /x "a \\"b\\" c" # why\nset /x '"'d e'"'\ncreate -b /x/y AGEA' \
        >"$folder/operations"
    expect 0 $'ok\tset\t/x\tversion 3\nok\tset\t/x\tversion 4\nok\tcreate\t/x/y\tcreated' '' \
        bash -c '"$1" txn <"$2"' - "$cohort" "$folder/operations"
    expect 0 'd e' '' "$cohort" get /x
    expect 0 0a0 '' "$cohort" get /x/y
    expect 1 $'ETOOBIG\tdelete-tree\t/x\t-' \
        'cohort: txn: operation 1, delete-tree /x: there are 2 znodes, and --limit is 1 (*' \
        "$cohort" txn 'delete-tree --limit 1 /x'
    expect 0 $'ok\tdelete-tree\t/x\t2 znodes' '' "$cohort" txn 'delete-tree --limit 2 /x'
    # More than any transaction deletes.
    seq 1000 | sed 's|.*|create /many/&|; 1i create /many' >"$folder/operations"
    "$cohort" txn <"$folder/operations" >/dev/null || fail 'many'
    expect 1 $'undone\tcreate\t/x\t-\nETOOBIG\tdelete-tree\t/many\t-' \
        'cohort: txn: operation 2, delete-tree /many: there are 1001 znodes, *1000 at most (*' \
        "$cohort" txn 'create /x' 'delete-tree /many'
    expect 0 '' '' "$cohort" deleteall /many
    expect 2 $'EINVAL\tdelete-tree\t/\t-' \
        'cohort: txn: operation 1, delete-tree /: / cannot be deleted; nothing has been changed' \
        "$cohort" txn 'delete-tree /'
    # What is wrong is found before anything is sent.
    expect 2 '' 'cohort: txn: line 1025: a transaction has at most 1024 operations' \
        bash -c 'seq 1025 | sed "s|.*|check /zookeeper -1|" | "$1" txn' - "$cohort"
    expect 2 '' "cohort: txn: operation 2: 'crate' is not an operation (did you mean 'create'[?])" \
        "$cohort" txn 'create /x' 'crate /x'
    expect 2 '' 'cohort: txn: line 1: an operand is missing: check PATH VERSION' \
        bash -c 'echo check /x | "$1" txn' - "$cohort"
    expect 2 '' 'cohort: txn: operation 1: a quote is not closed' "$cohort" txn 'set /x "y'
    expect 2 '' 'cohort: txn: operation 1: x: the path is malformed' "$cohort" txn 'create x'
    expect 2 '' 'cohort: txn: there are no operations*' bash -c '"$1" txn </dev/null' - "$cohort"
    expect 4 '' '*' "$cohort" stat /x
}

test_tree () {
    expect 0 '/t
|-- a
|   `-- deep
|-- binary
|-- container
|-- empty
`-- ttl' '' "$cohort" tree /t
    expect 0 '/t
|-- a
|-- binary
|-- container
|-- empty
`-- ttl' '' "$cohort" tree -L 1 /t
    expect 0 $'/t 0\n/t/a 1\n/t/a/deep 2' '' bash -c '"$1" tree -o jsonl /t | head -3 |
        sed "s/.*\"path\": \"\([^\"]*\)\", \"depth\": \([0-9]\).*/\1 \2/"' - "$cohort"
    expect 4 '' 'cohort: /none: the znode does not exist*' "$cohort" tree /none
    expect 0 $'15\t2\t/t/a\n5\t1\t/t/binary\n0\t1\t/t/container\n0\t1\t/t/empty\n8\t1\t/t/ttl\n35\t7\t/t' '' \
        "$cohort" du /t
    expect 0 $'35\t7\t/t' '' "$cohort" du -L 0 /t
    expect 0 '{"path": "/t", "bytes": 35, "znodes": 7}' '' "$cohort" du -L 0 -o jsonl /t
}

test_find () {
    expect 0 $'/t/a/deep\n/t/empty' '' "$cohort" find --name '*e[em]p*' /t
    expect 0 $'/t/a/deep' '' "$cohort" find --name '*e[em]p*' --bytes +0k /t
    expect 0 $'/t/container' '' "$cohort" find --kind container /t
    expect 0 $'/t/binary' '' "$cohort" find --bytes 5 /t
    expect 0 '' '' "$cohort" find --mtime +1h /t
    expect 0 '7' '' bash -c '"$1" find --mtime -1h /t | wc -l' - "$cohort"
    expect 0 '[]' '' "$cohort" find -o json --bytes +1M /t
    expect 2 '' "cohort: --bytes: 'x' is not a size such as *" "$cohort" find --bytes x
    expect 2 '' "cohort: --mtime: '1h' begins with neither *" "$cohort" find --mtime 1h
    expect 2 '' "cohort: --kind: 'x' is not a kind: *" "$cohort" find --kind x

    expect 0 '/t/a/deep:{"players": 16}' '' "$cohort" grep 'play.*[0-9]' /t
    expect 0 $'/t/binary:a\\x00b\\xff' '' "$cohort" grep '^a' /t
    expect 0 $'/t\n/t/a/deep' '' "$cohort" grep -l -i 'THE|PLAYERS' /t
    expect 0 '{"path": "/t", "data": "the top"}' '' "$cohort" grep -o jsonl top /t
    expect 1 '' '' "$cohort" grep nothing /t
    expect 2 '' "cohort: grep: 'a(' is not a regular expression: *" "$cohort" grep 'a(' /t
}

test_copy () {
    expect 0 '' 'cohort: cp: 1 created, 0 replaced, 0 kept' "$cohort" cp /t/a/deep /one
    expect 0 '{"players": 16}' '' "$cohort" get /one
    expect 0 '{"created": 7, "replaced": 0, "kept": 0, "ephemerals_left_out": 0}' '' \
        "$cohort" cp -o jsonl -R /t /one/t
    expect 0 'ephemeralOwner = 0x8000000000000000' '' \
        bash -c '"$1" stat /one/t/container | grep Owner' - "$cohort"
    expect 0 'YQBi/wo=' '' "$cohort" get -b /one/t/binary
    expect 5 '' 'cohort: /one: the znode exists already*
cohort: cp: stopped after 0 znodes, which stay; to go on, repeat it with --if-absent or --overwrite' \
        "$cohort" cp /t /one
    expect 0 '' 'cohort: cp: 0 created, 0 replaced, 1 kept' "$cohort" cp --if-absent /t /one
    expect 0 '' 'cohort: cp: 0 created, 1 replaced, 0 kept' "$cohort" cp --overwrite /t /one
    expect 0 'the top' '' "$cohort" get /one
    expect 2 '' 'cohort: cp: /t/a/b lies in /t' "$cohort" cp -R /t /t/a/b
    expect 4 '' 'cohort: /none: the znode does not exist*' "$cohort" cp /none /two
    expect 4 '' 'cohort: /two/t: its parent /two does not exist*' "$cohort" cp /t /two/t
    "$cohort" deleteall /one
}

test_export () {
    "$cohort" export /t >"$folder/file" 2>"$folder/said" || fail export
    expect 0 'cohort: export: 7 znodes; 0 ephemerals were left out' '' cat "$folder/said"
    expect 0 '{"path": "/", "mode": "persistent", "data": "the top"}
{"path": "/a", "mode": "persistent", "data": ""}
{"path": "/a/deep", "mode": "persistent", "data": "{\"players\": 16}"}
{"path": "/binary", "mode": "persistent", "data_base64": "YQBi/wo="}
{"path": "/container", "mode": "container", "data": ""}
{"path": "/empty", "mode": "persistent", "data": ""}
{"path": "/ttl", "mode": "persistent", "ttl_ms": 86400000, "data": "twolines"}
{"znodes": 7}' '' tail -n +2 "$folder/file"
    expect 0 '' 'cohort: import: 7 created, 0 replaced, 0 kept' \
        bash -c '"$1" import /new <"$2"' - "$cohort" "$folder/file"
    "$cohort" export /new 2>/dev/null | tail -n +2 | cmp - <(tail -n +2 "$folder/file") ||
        fail 'what was imported differs'
    expect 5 '' 'cohort: /new: the znode exists already*
cohort: import: stopped at line 2 after *' \
        bash -c '"$1" import /new <"$2"' - "$cohort" "$folder/file"
    # Cut off, it is imported as far as it goes, and said to be; the same command goes on.
    "$cohort" deleteall /new
    expect 1 '' 'cohort: import: the file ends too early, after 4 lines' \
        bash -c 'head -4 "$2" | "$1" import /new' - "$cohort" "$folder/file"
    expect 0 '' 'cohort: import: 4 created, 0 replaced, 3 kept' \
        bash -c '"$1" import --if-absent /new <"$2"' - "$cohort" "$folder/file"
    expect 1 '' 'cohort: import: line 3: is no JSON object*' \
        bash -c 'head -c 150 "$2" | "$1" import --if-absent /new' - "$cohort" "$folder/file"
    expect 1 '' 'cohort: import: line 1: is not the beginning*' \
        bash -c 'tail -n +2 "$2" | "$1" import /new' - "$cohort" "$folder/file"
    expect 1 '' 'cohort: import: line 8: the file does not have as many znodes as it says' \
        bash -c 'sed 3d "$2" | "$1" import --overwrite /new' - "$cohort" "$folder/file"
    # To where it came from, and the root, which is there always.
    expect 0 '{"created": 0, "replaced": 7, "kept": 0, "ephemerals_left_out": 0}' '' \
        bash -c '"$1" import -o jsonl --overwrite <"$2"' - "$cohort" "$folder/file"
    "$cohort" create /chroot >/dev/null
    expect 0 '' 'cohort: import: 6 created, 0 replaced, 1 kept' bash -c \
        '"$1" import --servers "$COHORT_SERVERS/chroot" / <"$2"' - "$cohort" "$folder/file"
    expect 0 '{"players": 16}' '' "$cohort" get /chroot/a/deep
    "$cohort" deleteall /chroot
    "$cohort" deleteall /new
}

# More than is in flight at once, and data as large as it may be.
test_export_large () {
    "$cohort" bench create --sessions 2 --window 64 --total 6000 --size 10 >/dev/null 2>&1 ||
        fail 'bench create'
    head -c 1000000 /dev/urandom >"$folder/large"
    "$cohort" create /bench/large - <"$folder/large" >/dev/null
    local count
    count=$("$cohort" ls -R /bench | wc -l)
    expect 0 '' "cohort: export: $count znodes*
cohort: import: $count created, 0 replaced, 0 kept" \
        bash -c '"$1" export /bench | "$1" import /again' - "$cohort"
    expect 0 "$("$cohort" du -L 0 /bench | cut -f 1,2)" '' \
        bash -c '"$1" du -L 0 /again | cut -f 1,2' - "$cohort"
    checks=$((checks + 1))
    "$cohort" get /again/large | cmp - "$folder/large" || fail 'large data differs'
    "$cohort" deleteall /bench
    "$cohort" deleteall /again
}

test_edit () {
    expect 0 '' '' env EDITOR='sed -i s/top/bottom/' "$cohort" edit /t
    expect 0 'the bottom' '' "$cohort" get /t
    expect 0 '' 'cohort: /t: not changed' env VISUAL=true "$cohort" edit /t
    expect 1 '' "cohort: the editor 'false' failed: nothing has been changed" \
        env EDITOR=false "$cohort" edit /t
    # An editor that takes so long that somebody else is faster.
    printf '#!/bin/sh\n"%s" set /t theirs\necho mine >"$1"\n' "$cohort" >"$folder/editor"
    chmod +x "$folder/editor"
    expect 6 '' "cohort: /t: the version does not match*
cohort: what you wrote is in $folder/cohort-edit.*" \
        env TMPDIR="$folder" EDITOR="$folder/editor" "$cohort" edit /t
    expect 0 mine '' cat "$folder"/cohort-edit.*
    expect 0 theirs '' "$cohort" get /t
}

# mirrored TEXT
# Waits until the mirror that runs has said so.
mirrored () {
    await "$folder/said" "$1" >/dev/null || fail "mirror did not say: $1"
}

# The copies are in another tree, as that of another ensemble would be.
test_mirror () {
    local there=$COHORT_SERVERS/there pid
    expect 0 '' '' bash -c '"$1" shell >/dev/null' - "$cohort" <<'END'
create /there
create /a top
create /a/b 1
create /a/b/c 2
create -c /a/d
END
    "$cohort" mirror /a /copy --to "$there" >"$folder/file" 2>"$folder/said" &
    pid=$!
    mirrored 'cohort: mirror: /copy is as /a was at 0x[0-9a-f]*: 4 created, 0 replaced, 0 deleted, 0 ephemerals left out'
    # Each transaction is one of the copy; ephemerals come and go without leaving a trace.
    expect 0 '' '' bash -c '"$@" >/dev/null' - "$cohort" txn 'create /a/x 1' 'create /a/x/y 2' 'delete /a/d'
    await "$folder/file" $'^0x[0-9a-f]*\t3$' >/dev/null || fail 'three changes'
    expect 0 '/a/e' '*' "$cohort" create -e /a/e
    expect 0 '' '' "$cohort" deleteall --yes /a/b
    # Somebody else writes to the copy.
    expect 0 '' '' "$cohort" --servers "$there" delete /copy/x/y
    expect 0 '' '' "$cohort" set /a/x/y later
    mirrored 'cohort: mirror: /copy was changed by somebody else: it is compared anew'
    mirrored 'cohort: mirror: /copy is as /a was at 0x[0-9a-f]*: 1 created, 2 replaced, 0 deleted, *'
    expect 0 $'/a\n/a/x\n/a/x/y' '' "$cohort" ls -R /a
    expect 0 $'/copy\n/copy/x\n/copy/x/y' '' "$cohort" --servers "$there" ls -R /copy
    expect 0 'later' '' "$cohort" --servers "$there" get /copy/x/y
    kill -INT "$pid"
    wait "$pid" || fail 'mirror ended with an error'
    # What is there already is replaced only if that was said.
    expect 0 '/copy/more' '' "$cohort" --servers "$there" create /copy/more
    expect 5 '' 'cohort: mirror: /copy holds something already; with --overwrite *' \
        "$cohort" mirror /a /copy --to "$there"
    expect 0 '' 'cohort: mirror: /copy is as /a was at 0x*: 0 created, 3 replaced, 1 deleted, *' \
        "$cohort" mirror /a /copy --to "$there" --overwrite --once
    expect 0 $'/copy\n/copy/x\n/copy/x/y' '' "$cohort" --servers "$there" ls -R /copy
    expect 2 '' 'cohort: mirror: of /a and /a/x one lies in the other' "$cohort" mirror /a /a/x
    expect 4 '' 'cohort: /none: *' "$cohort" mirror /none /b
    "$cohort" deleteall --yes /a >/dev/null && "$cohort" deleteall --yes /there >/dev/null
}

# The servers' own znodes, which each ensemble has: they are not copied.
test_system () {
    local config
    config=$("$cohort" get /zookeeper/config)
    matches "$config" $'^server\.1=participant\nversion=[0-9a-f]*$' 'get /zookeeper/config'
    expect 1 '' "cohort: delete /zookeeper: the znode is the servers' own: clients cannot change it" \
        "$cohort" delete /zookeeper
    expect 1 '' "cohort: set /zookeeper/config: the znode is the servers' own*" \
        "$cohort" set /zookeeper/config x
    expect 0 '/a' '' "$cohort" create /a x
    expect 0 '' '' bash -c '"$1" export / 2>/dev/null | grep zookeeper; true' - "$cohort"
    expect 0 '' 'cohort: mirror: /copy is as / was at *' \
        "$cohort" mirror / /copy --to "$COHORT_SERVERS/a" --once
    expect 0 $'a\nt' '' "$cohort" ls /a/copy
    expect 0 '' '' "$cohort" deleteall /a
}

test_quota () {
    local soft='count=1,bytes=-1' all='count=1,bytes=9=;byteHardLimit=100;countHardLimit=3'
    expect 0 '/q' '' "$cohort" create /q 1234
    expect 4 '' 'cohort: /q has no quota (set one with: cohort setquota -n COUNT /q)' \
        "$cohort" listquota /q
    expect 4 '' 'cohort: /q has no quota*' "$cohort" delquota /q
    expect 0 '' '' "$cohort" setquota -n 1 /q
    expect 0 $'Output quota for /q '$soft$'\nOutput stat for /q count=1,bytes=4' '' \
        "$cohort" listquota /q
    expect 0 '' '' "$cohort" setquota -b 9 -N 3 -B 100 /q
    expect 0 '/q/a' '' "$cohort" create /q/a
    expect 0 '/q/b' '' "$cohort" create /q/b
    expect 0 $'Output quota for /q '$all$'\nOutput stat for /q count=3,bytes=4' '' \
        "$cohort" listquota /q
    expect 0 '{"path": "/q", "limits": {"count": 1, "bytes": 9, "byteHardLimit": 100, "countHardLimit": 3}, "stats": {"count": 3, "bytes": 4}}' \
        '' "$cohort" listquota -o jsonl /q
    expect 1 '' 'cohort: create /q/c: a quota is exceeded: /q would have 4 znodes, itself counted; its countHardLimit is 3' \
        "$cohort" create /q/c
    expect 1 '' 'cohort: set /q/a: a quota is exceeded: /q would have 104 bytes of data; its byteHardLimit is 100' \
        "$cohort" set /q/a "$(printf '%0100d' 0)"
    expect 1 $'EQUOTA\tcreate\t/q/c\t-' 'cohort: txn: operation 1, create /q/c: a quota is exceeded*' \
        "$cohort" txn 'create /q/c'
    # Once: the second znode was too many for the limit that warns, the third no more so.
    checks=$((checks + 1))
    await "$folder/dev.log" 'quota-exceeded path="/q" limit=count max=1 value=2' >/dev/null ||
        fail 'the log does not tell of the quota'
    [ "$(grep -c 'quota-exceeded' "$folder/dev.log")" -eq 1 ] || fail 'quota-exceeded is told twice'
    expect 0 '' '' "$cohort" delquota -N /q
    expect 0 '/q/c' '' "$cohort" create /q/c
    expect 0 '' '' "$cohort" delquota -n -b -B /q
    expect 4 '' 'cohort: /q has no quota*' "$cohort" listquota /q
    expect 4 '' 'cohort: /none: the znode does not exist*' "$cohort" setquota -n 1 /none
    expect 2 '' 'cohort: setquota: a limit is missing: -n, -b, -N or -B*' "$cohort" setquota /q
    expect 2 '' '*' "$cohort" setquota -n x /q
    expect 2 '' 'cohort: setquota: /zookeeper and what is below it have no quota' \
        "$cohort" setquota -n 1 /zookeeper/quota
    expect 0 '' '' "$cohort" deleteall /q
}

start_dev
test_txn
make_tree
test_tree
test_find
test_copy
test_export
test_export_large
test_edit
test_mirror
test_system
test_quota
finish
