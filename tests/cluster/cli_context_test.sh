#!/usr/bin/env bash
# cli_context_test.sh COHORT COHORTD
# Contexts, and programs that are run for events: what `cohort` does around a session.
set -u -o pipefail

cohort=${1:?the program cohort}
cohortd=${2:?the program cohortd}
. "$(dirname "${BASH_SOURCE[0]}")/cli_lib.sh"

test_context () {
    local here=$COHORT_SERVERS file=$XDG_CONFIG_HOME/cohort/contexts.json
    unset COHORT_SERVERS
    expect 0 '' '' "$cohort" context ls
    expect 2 '' 'cohort: context add: --servers is missing' "$cohort" context add eu
    expect 0 '' '' "$cohort" context add here --servers "$here"
    expect 0 '' '' "$cohort" context add far --servers tcp://127.0.0.1:1 --server-key secret
    expect 0 600 '' stat -c %a "$file"
    expect 0 $'\tfar\ttcp://127.0.0.1:1\tencrypted\n\there\t'"$here" '' \
        bash -c '"$1" context ls | sort' - "$cohort"
    # None is chosen yet: named by the flag, by the variable, then chosen.
    expect 0 '/c' '' "$cohort" --context here create /c hello
    expect 0 'hello' '' env COHORT_CONTEXT=here "$cohort" get /c
    expect 1 '' "cohort: there is no context 'x' (see: cohort context ls)" "$cohort" context use x
    expect 0 '' '' "$cohort" context use here
    expect 0 'hello' '' "$cohort" get /c
    expect 0 "{\"name\": \"here\", \"servers\": \"$here\", \"encrypted\": false, \"current\": true}" '' \
        bash -c '"$1" context ls -o jsonl | grep here' - "$cohort"
    # What is named outweighs what is current, and a flag a variable.
    expect 2 '' "cohort: there is no context 'x'*" "$cohort" --context x get /c
    expect 2 '' 'cohort: *nonsense*' env COHORT_SERVERS=nonsense "$cohort" get /c
    expect 2 '' 'cohort: *nonsense*' "$cohort" --servers nonsense get /c
    expect 0 'hello' '' env COHORT_SERVERS=nonsense "$cohort" --context here get /c
    expect 0 'hello' '' env COHORT_CONTEXT=far "$cohort" --servers "$here" get /c
    expect 2 '' 'cohort: --servers and --context exclude each other' \
        "$cohort" --servers "$here" --context far get /c
    # The key of a context is used with it, and not shown.
    expect 2 '' "cohort: --server-key: 'secret' is not a public key*" "$cohort" --context far get /c
    expect 0 '' '' bash -c '! "$1" context ls | grep secret' - "$cohort"

    expect 0 '' '' "$cohort" context rm here
    expect 0 $'\tfar\ttcp://127.0.0.1:1\tencrypted' '' "$cohort" context ls
    expect 1 '' "cohort: there is no context 'here'*" "$cohort" context rm here
    expect 2 '' 'cohort: context add: the name is missing' "$cohort" context add
    expect 2 '' "cohort: context knows add, use, ls and rm, not 'del'" "$cohort" context del far
    # A damaged file stops what would ask servers, and not the help.
    echo '{' >"$file"
    expect 2 '' "cohort: $file: is damaged*" "$cohort" get /c
    expect 1 '' "cohort: $file: is damaged*" "$cohort" context ls
    expect 0 '' '' bash -c '"$1" help get >/dev/null' - "$cohort"
    rm "$file"
    export COHORT_SERVERS=$here
    "$cohort" delete /c
}

# A program that notes what it is told of an event.
test_watch_command () {
    cat >"$folder/note" <<'END'
#!/bin/sh
printf '%s %s %s %s ' "$COHORT_EVENT_KIND" "$COHORT_EVENT_PATH" "$COHORT_EVENT_SIZE" "$1" >>"$2"
case $COHORT_EVENT_ZXID in 0x*) cat >>"$2" ;; esac
echo >>"$2"
[ "$COHORT_EVENT_KIND" != deleted ]
END
    chmod +x "$folder/note"
    "$cohort" create /w >/dev/null
    "$cohort" watch /w -i --count 3 -- "$folder/note" -x "$folder/notes" \
        >"$folder/watch.out" 2>"$folder/watch.err" &
    local watcher=$!
    await "$folder/watch.err" '^cohort: watching' >/dev/null || fail 'watch -- CMD'
    "$cohort" create /w/a 'some data' >/dev/null
    "$cohort" set /w 'more'
    "$cohort" delete /w/a
    wait $watcher
    # One of them has failed, and the others went on.
    expect 0 '' '' test $? -eq 1
    expect 0 $'present /w 0 -x \ncreated /w/a 9 -x some data\nchanged /w 4 -x more\ndeleted /w/a  -x ' '' \
        cat "$folder/notes"
    expect 0 '' '' cat "$folder/watch.out"
    expect 0 "cohort: $folder/note: exit status 1" '' grep 'exit status' "$folder/watch.err"

    # Data that is larger than a pipe, for a program that does not read it.
    head -c 300000 /dev/zero >"$folder/large"
    "$cohort" set /w - <"$folder/large"
    "$cohort" watch -i --count 1 /w -- sh -c 'echo "$COHORT_EVENT_PATH $COHORT_EVENT_SIZE"' \
        >"$folder/watch.out" 2>"$folder/large.err" &
    watcher=$!
    await "$folder/large.err" '^cohort: watching' >/dev/null || fail 'watch -- sh'
    "$cohort" create /w/tick >/dev/null
    wait $watcher
    expect 0 '' '' test $? -eq 0
    expect 0 '' '' sed 1d "$folder/large.err"
    expect 0 $'/w 300000\n/w/tick 0' '' cat "$folder/watch.out"
    "$cohort" deleteall /w
}

start_dev
test_context
test_watch_command
finish
