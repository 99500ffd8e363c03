#!/usr/bin/env bash
# cli_acl_test.sh COHORT COHORTD
# Who may do what, from the command line: users, lists, defaults and administrators against a real
# server, what is printed to the letter.
set -u -o pipefail

cohort=${1:?the program cohort}
cohortd=${2:?the program cohortd}
. "$(dirname "${BASH_SOURCE[0]}")/cli_lib.sh"

# Of the password "secret"; another implementation of Argon2id has made it.
alice=alice:argon2id:DnCXjktdzRKLn65oHIdcOcFx5SJDGR987VmutGCYaIc=
alice_sha1=alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E=
denied='*[(]who this session is: cohort whoami; who may: cohort getAcl PATH)'
wrong='cohort: *: the access control list: item'

as_root () { "$cohort" --auth-file "$folder/root" "$@"; }
as_alice () { "$cohort" --auth digest:alice:secret "$@"; }

export_nowhere () { "$cohort" export "$1" >/dev/null; }

# A server whose administrator is root.
start () {
    root=$("$cohort" digest root <<<"top secret")
    echo 'digest:root:top secret' >"$folder/root"
    mkdir "$folder/data"
    printf '%s\n' "dataDir=$folder/data" id=1 clients=tcp://127.0.0.1:0 "admin=$root" \
        >"$folder/cohortd.cfg"
    start_server admin --config "$folder/cohortd.cfg"
    if ! await "$folder/admin.log" ' ready' >/dev/null; then
        cat "$folder/admin.log" >&2
        echo "the server does not start" >&2
        exit 1
    fi
    COHORT_SERVERS=$(sed -n 's/.* listening clients=//p' "$folder/admin.log")
    export COHORT_SERVERS
}

# No server is asked.
test_digest () {
    echo secret >"$folder/password"
    expect 0 "digest:$alice" '' "$cohort" digest alice <"$folder/password"
    expect 0 "digest:$alice_sha1" '' "$cohort" digest --sha1 alice <"$folder/password"
    expect 0 "{\"scheme\": \"digest\", \"id\": \"$alice\"}" '' "$cohort" digest alice -o jsonl \
        <"$folder/password"
    expect 2 '' "cohort: digest: 'alice...': the password is asked for, or read from *" \
        "$cohort" digest alice:secret
    expect 2 '' "cohort: the password of alice is expected as a line of standard input" \
        "$cohort" digest alice </dev/null
    expect 2 '' "cohort: digest: the name 'a,b' or its password is not valid: *" \
        "$cohort" digest a,b <"$folder/password"
}

# Refused before a server is asked, each with the item and what is wrong with it.
test_invalid () {
    expect 2 '' "$wrong 1, 'world:anyone': it is not SCHEME:ID:PERMISSIONS" \
        "$cohort" setAcl / world:anyone
    expect 2 '' "$wrong 2, 'ip:10.0.0.0/33': the bits of its network are 0 to 32" \
        "$cohort" create /a '' world:anyone:r,ip:10.0.0.0/33:r
    expect 2 '' "$wrong 1, 'digest:bob:secret': behind the user comes no hash; a password *" \
        "$cohort" setAcl -R / digest:bob:secret:cdrwa
    expect 2 '' "$wrong 1, 'sasl:bob': its scheme is none of world, auth, digest, ip, curve" \
        "$cohort" setAcl / sasl:bob:r
    expect 2 '' "$wrong 1, 'world:anyone:z': its permissions 'z' are not of the letters *" \
        "$cohort" setAcl --default / world:anyone:z
    expect 2 '' "cohort: txn: operation 1: the access control list: item 1, 'ip:x': its id *" \
        "$cohort" txn 'set-acl / ip:x:r'
    expect 2 '' "cohort: setAcl: -R and --default exclude each other*" \
        "$cohort" setAcl -R --default / world:anyone:r
    expect 2 '' "cohort: admins: 'alice' is not SCHEME:ID" "$cohort" admins set alice
    expect 2 '' "cohort: admins: item 1, 'digest:bob:x': its hash is hidden*" \
        "$cohort" admins set digest:bob:x
    expect 2 '' "cohort: --auth: is not SCHEME:USER:PASSWORD, such as digest:alice:..." \
        "$cohort" --auth alice whoami
    expect 2 '' "cohort: sasl:alice: add_auth: the scheme 'sasl' is neither digest nor *" \
        "$cohort" --auth sasl:alice:secret whoami
    expect 2 '' "cohort: --auth-file: $folder/none: No such file or directory" \
        "$cohort" --auth-file "$folder/none" whoami
}

test_identities () {
    local nobody=$'Auth scheme: User\nworld: anyone\nip: 127.0.0.1'
    expect 0 "$nobody" '' "$cohort" whoami
    expect 0 "$nobody"$'\n'"digest: $alice" '' as_alice whoami
    expect 0 "$nobody"$'\n'"digest: $alice_sha1" '' "$cohort" --auth digest-sha1:alice:secret whoami
    COHORT_AUTH=digest:alice:secret expect 0 "$nobody"$'\n'"digest: $alice" '' "$cohort" whoami
    printf '# two users\n\ndigest:alice:secret\ndigest-sha1:alice:secret\n' >"$folder/two"
    COHORT_AUTH_FILE=$folder/two expect 0 \
        "$nobody"$'\n'"digest: $alice"$'\n'"digest: $alice_sha1" '' "$cohort" whoami
    "$cohort" --auth-file "$folder/root" context add as-root || fail 'context add'
    (
        unset COHORT_SERVERS
        expect 0 "$root" '' "$cohort" --context as-root admins ls
        exit $failures
    ) || fail 'a context with --auth-file'
    expect 0 '' 'cohort: the session that is alice ends now, with this command*' \
        "$cohort" addauth digest alice:secret
    expect 0 '' 'cohort: the session that is alice ends now*' \
        "$cohort" addauth digest alice <"$folder/password"
}

test_lists () {
    expect 0 /plans '' "$cohort" create /plans 'so far' "world:anyone:r,digest:$alice:cdrwa"
    # Who may not set it does not see the hash.
    expect 0 $'world:anyone:r,digest:alice:x:cdrwa' '' "$cohort" getAcl --one-line /plans
    expect 0 "world:anyone:r,digest:$alice:cdrwa" '' as_alice getAcl --one-line /plans
    expect 0 "world:anyone:r,digest:$alice:cdrwa" '' as_root getAcl --one-line /plans
    # As zkCli prints it.
    expect 0 $'\'world,\'anyone\n: r\n\'digest,\'alice:x\n: cdrwa' '' "$cohort" getAcl /plans
    matches "$("$cohort" getAcl -s /plans)" $'cdrwa\ncZxid = 0x.*\naclVersion = 0\n' 'getAcl -s'
    matches "$("$cohort" getAcl -o jsonl /plans)" \
        '"acl": \[\{"scheme": "world", "id": "anyone", "perms": "r"\}, .*"stat": \{' 'getAcl -o jsonl'
    expect 0 'world:anyone:cdrwa' '' "$cohort" getAcl --one-line /
    expect 7 '' "cohort: /plans: no permission$denied" "$cohort" set /plans more
    expect 7 '' "cohort: /plans: no permission$denied" "$cohort" setAcl /plans world:anyone:r
    expect 7 '' "cohort: /plans/a: no permission$denied" "$cohort" create /plans/a
    expect 0 /plans/a '' as_alice create /plans/a hidden auth::cdrwa
    expect 0 "digest:$alice:cdrwa" '' as_alice getAcl --one-line /plans/a
    expect 7 '' "cohort: /plans/a: no permission$denied" "$cohort" get /plans/a
    expect 7 '' "cohort: /plans/a: no permission$denied" "$cohort" getAcl /plans/a
    expect 7 '' "cohort: /plans/a: no permission$denied" "$cohort" watch /plans/a
    expect 0 a '' "$cohort" ls /plans
    # Of what cannot be seen nothing is said; root sees everything.
    expect 7 '' "cohort: /plans/a/b: no permission$denied" "$cohort" get /plans/a/b
    expect 0 hidden '' as_root get /plans/a
    expect 1 '' 'cohort: /b: the access control list is not valid (auth:: stands for users *' \
        "$cohort" create /b '' auth::cdrwa
    expect 0 '' '' as_alice setAcl -v 0 /plans world:anyone:r,auth::cdrwa
    expect 6 '' 'cohort: /plans: the version does not match: somebody has changed the list *' \
        as_alice setAcl -v 0 /plans world:anyone:r,auth::cdrwa
    matches "$(as_alice setAcl -s /plans "world:anyone:r,digest:$alice:cdrwa")" 'aclVersion = 2' \
        'setAcl -s'
    # A copy without what may not be read would pass for all there is.
    expect 7 '' "cohort: get /plans/a: no permission$denied" export_nowhere /plans
    expect 7 '' "cohort: *get /plans/a: no permission$denied" "$cohort" cp -R /plans /copy
}

test_defaults () {
    expect 0 /rooms '' "$cohort" create /rooms
    expect 0 '' '' "$cohort" getAcl --one-line --default /rooms
    expect 0 '' '' as_alice setAcl --default /rooms world:anyone:rc,auth::cdrwa
    expect 0 "world:anyone:cr,digest:$alice:cdrwa" '' as_alice getAcl --one-line --default /rooms
    expect 0 $'ok\tcreate\t/rooms/a\tcreated\nok\tcreate\t/rooms/a/b\tcreated' '' \
        "$cohort" txn 'create /rooms/a' 'create /rooms/a/b "" world:anyone:ra'
    expect 0 $'world:anyone:cr,digest:alice:x:cdrwa' '' "$cohort" getAcl --one-line /rooms/a
    expect 0 'world:anyone:ra' '' "$cohort" getAcl --one-line /rooms/a/b
    expect 0 'world:anyone:cdrwa' '' "$cohort" getAcl --one-line /rooms
    expect 0 $'ok\tset-acl\t/rooms/a/b\t-' '' "$cohort" txn 'set-acl -v 0 /rooms/a/b ip:127.0.0.1:rwa'
    expect 0 'ip:127.0.0.1:rwa' '' "$cohort" getAcl --one-line /rooms/a/b
    expect 0 '' '' "$cohort" setAcl --default /rooms none
    expect 0 '' '' "$cohort" getAcl --one-line --default /rooms
    # All of them, and the topmost last: the list takes from alice what she reads them with.
    expect 7 '' "cohort: /rooms/a: no permission$denied
cohort: setAcl: 1 znodes below /rooms were set, the others were not" \
        "$cohort" setAcl -R /rooms world:anyone:ra
    matches "$(as_root setAcl -R -o jsonl /rooms ip:127.0.0.1:wa)" '"set": 3, ' 'setAcl -R'
    expect 0 'ip:127.0.0.1:wa' '' "$cohort" getAcl --one-line /rooms/a/b
    expect 7 '' "cohort: /rooms: no permission$denied" "$cohort" ls /rooms
}

test_shell () {
    printf '%s\n' 'create /mine' 'addauth digest alice:secret' 'setAcl mine auth::cdrwa' \
        'cd mine' 'create a data auth::ra' 'getAcl --one-line a' 'get a' >"$folder/script"
    expect 0 $'/mine\n/mine/a\n'"digest:$alice:ra"$'\ndata' '' "$cohort" shell "$folder/script"
    expect 7 '' "cohort: /mine: no permission$denied" "$cohort" ls /mine
}

test_administrators () {
    local id
    expect 7 '' 'cohort: admins ls: no permission: it takes an administrator *' "$cohort" admins ls
    expect 7 '' 'cohort: session ls: no permission: it takes an administrator *' "$cohort" session ls
    expect 0 "$root" '' as_root admins ls
    "$cohort" create -e --hold /held </dev/null >"$folder/held" 2>"$folder/held.log" &
    await "$folder/held.log" 'holding /held' >/dev/null
    id=$("$cohort" stat /held | sed -n 's/^ephemeralOwner = //p')
    matches "$(as_root session ls)" "$id"$'\t127.0.0.1\t1\t1\t10000\t10000\tlives' 'session ls'
    expect 7 '' "cohort: $id: no permission: it takes an administrator *; how to be one: cohort help admins)" \
        "$cohort" session kill "$id"
    expect 0 /held '' cat "$folder/held"
    # Its client hears at once that it has ended.
    expect 0 '' '' as_root session kill "$id"
    expect 3 '' '' wait $!
    expect 0 '' '' grep -q '/held: the session has ended' "$folder/held.log"
    expect 4 '' "cohort: session kill: there is no session 0xffff *" as_root session kill 0xffff
    # Who watches goes on in a new session, and misses nothing. (The last of the list is its own.)
    "$cohort" watch --count 2 /watched >"$folder/watched" 2>"$folder/watched.log" &
    await "$folder/watched.log" 'watching /watched' >/dev/null
    expect 0 '' '' as_root session kill "$(as_root session ls | tail -n 2 | head -n 1 | cut -f 1)"
    expect 0 /watched '' "$cohort" create /watched
    expect 0 '' '' "$cohort" set /watched x
    expect 0 '' '' wait $!
    expect 0 $'created\t/watched\t0\nchanged\t/watched\t1' '' cut -f 2- "$folder/watched"
    expect 0 '' '' grep -q 'the session has ended: a new one goes on from zxid' "$folder/watched.log"
    expect 0 '' '' as_root admins set "digest:$alice,ip:10.9.8.7"
    expect 7 '' 'cohort: admins ls: no permission*' as_root admins ls
    expect 0 "digest:$alice"$'\nip:10.9.8.7' '' as_alice admins ls
    expect 0 '' '' as_alice admins set "$root"
}

# same_lists PATH: those of /from, in a copy.
same_lists () {
    expect 0 "world:anyone:r,digest:$alice:cdrwa" '' as_root getAcl --one-line "$1"
    expect 0 "digest:$alice:cdrwa" '' as_root getAcl --one-line "$1/a"
}

# Copies have the lists of the originals only if that is asked for.
test_copies () {
    local mirror
    expect 0 /from '' "$cohort" create /from data "world:anyone:r,digest:$alice:cdrwa"
    expect 0 '' '' as_root setAcl --default /from "digest:$alice:cdrwa"
    expect 0 /from/a '' as_root create /from/a secret
    expect 0 '' 'cohort: cp: 2 created, *' as_root cp -R --acl /from /to
    same_lists /to
    expect 0 "digest:$alice:cdrwa" '' as_root getAcl --one-line --default /to
    expect 0 '' 'cohort: cp: 2 created, *' as_root cp -R /from /plain
    expect 0 world:anyone:cdrwa '' "$cohort" getAcl --one-line /plain/a
    expect 0 '' 'cohort: cp: 0 created, 2 replaced*' as_root cp -R --overwrite --acl /from /plain
    same_lists /plain
    expect 0 "digest:$alice:cdrwa" '' as_root getAcl --one-line --default /plain
    # Without ADMIN the hashes are hidden: that is no list to set.
    expect 1 '' 'cohort: *cohort: cp: --acl takes ADMIN on all that is copied*' \
        "$cohort" cp --acl /from /hidden
    as_root export --acl /from >"$folder/lists" 2>/dev/null || fail 'export --acl'
    expect 0 '' 'cohort: import: 2 created, *' as_root import --acl /back <"$folder/lists"
    same_lists /back
    expect 0 "digest:$alice:cdrwa" '' as_root getAcl --one-line --default /back
    expect 0 '' 'cohort: import: the access control lists of the file are not set without --acl*' \
        as_root import /open <"$folder/lists"
    expect 0 world:anyone:cdrwa '' "$cohort" getAcl --one-line /open
    as_root export /from >"$folder/plain" 2>/dev/null || fail 'export'
    expect 1 '' 'cohort: import: line 1: has no access control lists: *' \
        as_root import --acl /never <"$folder/plain"
    "$cohort" --auth-file "$folder/root" mirror --acl /from /mirrored >"$folder/mirror" 2>"$folder/mirror.log" &
    mirror=$!
    await "$folder/mirror.log" 'mirror: /mirrored is as /from was' >/dev/null || fail 'mirror --acl'
    same_lists /mirrored
    as_root setAcl /from/a ip:10.1.2.3:cdrwa
    as_root create /from/b '' ip:10.1.2.4:cdrwa >/dev/null
    grep -q -m 2 '' < <(timeout 30 tail -n +2 -F "$folder/mirror" 2>/dev/null) || fail 'mirror --acl'
    expect 0 ip:10.1.2.3:cdrwa '' as_root getAcl --one-line /mirrored/a
    expect 0 ip:10.1.2.4:cdrwa '' as_root getAcl --one-line /mirrored/b
    kill -INT $mirror
    wait $mirror
}

# Every session of a bench is who --auth names.
test_bench () {
    expect 0 /bench '' as_root create /bench '' "digest:$alice:cdrwa"
    expect 0 '' '' as_root setAcl --default /bench "digest:$alice:cdrwa"
    expect 7 '' 'cohort: bench: the znodes cannot be made: *' "$cohort" bench set --sessions 2 --total 10
    matches "$(as_alice bench set --sessions 2 --total 10)" ' errors 0$' 'bench --auth'
}

# A shell stays who addauth has made it, in its next session too.
test_shell_users () {
    local id pid tries
    mkfifo "$folder/lines"
    "$cohort" shell "$folder/lines" >"$folder/shell" 2>"$folder/shell.log" &
    pid=$!
    exec {lines}>"$folder/lines"
    printf '%s\n' 'addauth digest alice:secret' 'create -e /who' >&$lines
    await "$folder/shell" '^/who$' >/dev/null || fail 'the shell'
    id=$("$cohort" stat /who | sed -n 's/^ephemeralOwner = //p')
    expect 0 '' '' as_root session kill "$id"
    # Its client is told soon: each line looks whether it has been.
    for ((tries = 0; tries < 1000; tries++)); do
        echo pwd >&$lines
        echo 'whoami -o jsonl' >&$lines
        grep -q 'a new one begins' "$folder/shell.log" && break
        sleep 0.05
    done
    printf '%s\n' 'create /mine-again x auth::cdrwa' connect whoami "connect $COHORT_SERVERS/mine-again" whoami exit >&$lines
    exec {lines}>&-
    wait $pid
    expect 0 '' '' grep -q '/mine-again' "$folder/shell"
    matches "$(tail -n 7 "$folder/shell")" "digest: $alice.*world: anyone.*ip: 127.0.0.1\$" 'connect'
    expect 0 '' '' grep -q 'the users of addauth are not sent to them' "$folder/shell.log"
}

# An administrator in one line.
test_dev () {
    start_server dev dev --clients tcp://127.0.0.1:0 --admin "$root" --admin ip:10.9.8.7
    await "$folder/dev.log" ' ready' >/dev/null || fail 'cohortd dev --admin'
    local servers
    servers=$(sed -n 's/.* listening clients=//p' "$folder/dev.log")
    expect 0 "$root"$'\nip:10.9.8.7' '' as_root --servers "$servers" admins ls
    expect 7 '' 'cohort: admins ls: no permission*' "$cohort" --servers "$servers" admins ls
    expect 2 '' 'cohortd: --admin: admin alice: an administrator is digest:USER:HASH, *' "$cohortd" dev --admin alice
    expect 2 '' 'cohortd: --clients, --data, --admin, *go with dev*' \
        "$cohortd" --config x --admin ip:1.2.3.4
    stop_server "$started"
}

# A backup is everything, whatever the lists say.
test_backup () {
    expect 7 '' 'cohort: snapshot save: *: a backup takes an administrator' \
        "$cohort" snapshot save "$folder/backup"
    expect 7 '' 'cohort: snapshot save: *: a backup takes an administrator' \
        as_alice snapshot save "$folder/backup"
    expect 1 '' '' test -e "$folder/backup"
    matches "$(as_root snapshot save "$folder/backup")" 'zxid' 'snapshot save --auth-file'
    matches "$("$cohort" --auth 'digest:root:top secret' snapshot save "$folder/again")" 'zxid' \
        'snapshot save --auth'
    # One administrator among several users is enough.
    printf '%s\n' digest:alice:secret 'digest:root:top secret' >"$folder/several"
    matches "$(COHORT_AUTH_FILE=$folder/several "$cohort" snapshot save "$folder/third")" 'zxid' \
        'snapshot save with COHORT_AUTH_FILE'
    expect 2 '' "cohort: snapshot save: the scheme 'sasl' is neither *" \
        "$cohort" --auth sasl:alice:secret snapshot save "$folder/fourth"
}

# A client with keys of its own is somebody by them; without, every command is somebody else.
test_keys () {
    local server_key key
    server_key=$("$cohortd" keygen "$folder/server")
    key=$("$cohortd" keygen "$folder/client")
    mkdir "$folder/safe"
    printf '%s\n' "dataDir=$folder/safe" id=1 clients=tcp://127.0.0.1:0 \
        "certificate=$folder/server_secret" >"$folder/safe.cfg"
    start_server safe --config "$folder/safe.cfg"
    await "$folder/safe.log" ' ready' >/dev/null || fail 'a server with CURVE'
    COHORT_SERVERS=$(sed -n 's/.* listening clients=//p' "$folder/safe.log")
    expect 2 '' "cohort: --key: it takes --server-key*" "$cohort" --key "$folder/client" whoami
    export COHORT_SERVER_KEY=$server_key
    expect 2 '' "cohort: --key: $folder/safe.cfg: holds no pair of CURVE keys *" \
        "$cohort" --key "$folder/safe.cfg" whoami
    expect 2 '' "cohort: --key: $folder/none: No such file or directory" \
        "$cohort" --key "$folder/none" whoami
    expect 0 "curve: $key" '' grep_whoami --key "$folder/client"
    expect 0 /mine '' "$cohort" --key "$folder/client_secret" create /mine data auth::cdrwa
    expect 0 "curve:$key:cdrwa" '' "$cohort" --key "$folder/client" getAcl --one-line /mine
    expect 7 '' "cohort: /mine: no permission$denied" "$cohort" get /mine
    expect 0 data '' "$cohort" --key "$folder/client" get /mine
}

grep_whoami () { "$cohort" "$@" whoami | grep '^curve: '; }

start
test_digest
test_invalid
test_identities
test_lists
test_defaults
test_shell
test_copies
test_bench
test_shell_users
test_dev
test_administrators
test_backup
test_keys
finish
