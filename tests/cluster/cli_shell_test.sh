#!/usr/bin/env bash
# cli_shell_test.sh COHORT COHORTD
# `cohort shell`: many commands in one session, from a file, from a pipe, and typed on a terminal.
set -u -o pipefail

cohort=${1:?the program cohort}
cohortd=${2:?the program cohortd}
. "$(dirname "${BASH_SOURCE[0]}")/cli_lib.sh"
export XDG_STATE_HOME=$folder/state HOME=$folder

# lines LINE...
# Runs the lines in a shell that reads a pipe.
lines () {
    printf '%s\n' "$@" | "$cohort" shell
}

# plain
# What a terminal shows: less what was drawn over, and the escapes that move the cursor.
plain () {
    sed -e 's/.*\r\x1b\[K//' -e 's/\x1b\[[0-9;]*[A-Za-z]//g' "$folder/screen" | tr -d '\r'
}

# typed TEXT...
# Runs a shell on a terminal, types a text (with printf's escapes) whenever it waits for a line, and prints what it has
# shown. The last text has to end the shell.
typed () {
    local text keys tries seen=-1
    rm -f "$folder/keys"
    mkfifo "$folder/keys"
    : >"$folder/screen"
    # libedit never frees the name of a function that it is told of.
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 script -qefc "'$cohort' shell" /dev/null <"$folder/keys" >"$folder/screen" 2>&1 &
    # Also for reading: that does not wait until somebody reads.
    exec {keys}<>"$folder/keys"
    for text; do
        for ((tries = 0; tries < 3000; tries++)); do
            # A new one: what was typed last may not have been shown yet.
            [ "$(stat -c %s "$folder/screen")" -gt "$seen" ] &&
                [[ $(plain | tail -n 1) =~ ^cohort[^\>]*\>\ $ ]] && break
            sleep 0.01
        done
        seen=$(stat -c %s "$folder/screen")
        # shellcheck disable=SC2059 # the text has escapes
        printf "$text" >&"$keys"
    done
    exec {keys}>&-
    wait $!
    plain
}

test_lines () {
    # One session: an ephemeral is still there for the next command, and goes with the shell.
    expect 0 $'/players\n/players/p-0000000000\np-0000000000\n/players' \
        'cohort: /players/p-0000000000 is ephemeral: it vanishes with the session of this shell' \
        lines 'create players' 'cd players' 'create -e -s p-' '# a comment' '' ls pwd exit 'get /never'
    expect 0 '' '' "$cohort" ls /players
    # The first failure ends it, and is its own.
    expect 4 $'players\nzookeeper' 'cohort: /nothing: the znode does not exist*
cohort: shell: line 2 failed' lines 'ls /' 'get nothing' 'ls /'
    expect 2 '' "cohort: 'gte' is not a command (did you mean 'get'?)
cohort: shell: line 1 failed" lines 'gte /players'
    expect 2 '' 'cohort: a quote is not closed
*' lines "get '/players"
    expect 4 '' 'cohort: /nowhere: *' lines 'cd nowhere'
    expect 2 '' 'cohort: shell: this is one*' lines shell
    # Quotes, relative paths, and the place itself.
    expect 0 $'/a\n/a/b c\nx  yb c\n1' '' \
        lines 'create a' 'create "a/b c" "x  y"' 'cd a' "get 'b c'" ls getAllChildrenNumber\ .
    # There, up, and back to the top.
    expect 0 $'/a/b c\n/a\n/' '' lines 'cd "/a/b c"' pwd 'cd ..' pwd cd pwd
    # A script: standard input is not the commands'.
    printf 'set /a -\nget /a\n' >"$folder/script"
    expect 0 'data' '' bash -c 'printf data | "$1" shell "$2"' - "$cohort" "$folder/script"
    expect 0 '' '' lines 'set /a -' 'get /a'
    expect 1 '' "cohort: $folder/none cannot be read: No such file or directory" \
        "$cohort" shell "$folder/none"
    # Other servers for one line; another session; none.
    expect 3 '' 'cohort: no server answers at tcp://127.0.0.1:1 *' lines 'ls --servers tcp://127.0.0.1:1 /'
    expect 0 $'/e\n/e' 'cohort: /e is ephemeral*
cohort: /e is ephemeral*' lines 'create -e /e' connect 'create -e /e'
    expect 0 $'/in\nin' '' lines "connect $COHORT_SERVERS/a" 'create in' 'connect' 'delete "b c"' 'ls /'
    expect 3 '' 'cohort: there is no session (see: connect)*' lines close 'ls /'
    expect 2 '' "cohort: redo: there is no line '7'*" lines 'redo 7'
    expect 0 $'in\n1 - ls /a\n2 - history\nls /a\nin' '' lines 'ls /a' history 'redo 1'
    "$cohort" deleteall --yes /a && "$cohort" delete /players
}

# Watches that stay, and what takes them back.
test_watches () {
    local out
    out=$(lines 'addWatch /w' 'create /w' 'create /w/a one' 'set /w/a two' 'printwatches off' 'set /w/a three' \
        'printwatches on' 'removewatches /w' 'delete /w/a' 'addWatch -m persistent /w' 'create /w/b' 'set /w/b two' \
        'removewatches -p -l /w' 'delete /w/b' 'addWatch /w' close connect 'delete /w' | sed -E 's/^0x[0-9a-f]+/Z/')
    expect 0 $'/w\nZ\tcreated\t/w\n/w/a\nZ\tcreated\t/w/a\nZ\tchanged\t/w/a\n/w/b\nZ\tchildren\t/w' '' cat <<<"$out"
    expect 1 '' 'cohort: /w: there is no such watch*' lines 'removewatches -r /w'
    expect 2 '' "cohort: addWatch: 'once' is not a mode: *" lines 'addWatch -m once /w'
    expect 2 '' "cohort: printwatches: 'of' is neither on nor off*" lines 'printwatches of'
    expect 0 $'printwatches is on\nprintwatches is off\n"/"\n{"number": 5, "line": "history -o jsonl 1"}' '' \
        lines printwatches 'printwatches off' printwatches 'pwd -o jsonl' 'history -o jsonl 1'
    matches "$(lines 'help printwatches')" '^cohort shell: printwatches - .*Usage: printwatches' 'help of the shell'
}

test_terminal () {
    local shown history=$folder/state/cohort/history
    expect 0 $'/lobby\n/lobby/north\n/lobby/south' '' \
        lines 'create /lobby' 'create /lobby/north and' 'create /lobby/south'
    # Commands, paths (to their end, or to where they differ) and options are completed.
    shown=$(typed 'get /lo\tn\t\n' 'cd /lo\t\n' 'ls --pre\tso\n' ' get secret\n' 'exit\n')
    matches "$shown" $'> get /lobby/north \nand\n' 'a path is completed'
    matches "$shown" $'> cd /lobby/\n' 'a path with more below'
    matches "$shown" $'cohort:/lobby> ls --prefix so\n\\[south\\]\n' 'an option, and the place'
    matches "$shown" $'secret: the znode does not exist' 'a failure is told, and the shell goes on'
    shown=$(typed 'ls /lobby/\t\t\n' 'exit\n')
    matches "$shown" $'\nnorth  south\n' 'candidates are shown'
    # The history is kept, but for what begins with a blank, and is nobody else's.
    shown=$(typed 'history 3\n' 'exit\n')
    matches "$shown" $'- ls /lobby/\n[0-9]+ - exit\n[0-9]+ - history 3\n' 'the history is kept'
    matches "$(<"$history")" '^[^s]*_HiStOrY_V2_' 'the file of the history'
    expect 1 '' '' grep -q secret "$history"
    expect 0 600 '' stat -c %a "$history"
    # Somebody who looks on is shown that there is no data.
    shown=$(typed 'get /lobby/south\n' 'exit\n')
    matches "$shown" $'> get /lobby/south\nnull\n' 'no data on a terminal'
    # What a blank would cut is completed as one word.
    expect 0 '/lobby/far west' '' lines 'create "/lobby/far west" sunset'
    shown=$(typed 'get /lobby/fa\t\n' 'get /lobby/far\\ \t\n' 'delete /lobby/f\t\n' 'exit\n')
    matches "$shown" $'sunset\n.*sunset\n' 'a name with a blank is completed'
    expect 0 $'north\nsouth' '' lines 'ls /lobby'
    # A watch is told when it fires, and the line that is typed is drawn again.
    shown=$(typed 'get -w /lobby/north\n' 'set /lobby/north new\n' 'pwd\n' 'exit\n')
    matches "$shown" $'and\n.*0x[0-9a-f]+\tchanged\t/lobby/north\n' 'a watch fires'
    shown=$(typed 'ls -w /lobby\n' 'removewatches -d /lobby\n' 'removewatches /lobby\n' 'pwd\n' 'exit\n')
    matches "$shown" 'there is no such watch.*cohort: /lobby: the watch has ended' 'a watch is taken back'
    # The end of the input ends it as well.
    shown=$(typed 'pwd\n' '\004')
    matches "$shown" $'> pwd\n/\n' 'Ctrl-D'
    "$cohort" deleteall --yes /lobby
}

# Somebody at a terminal is asked before more than 100 znodes are deleted.
test_confirmation () {
    local shown
    "$cohort" bench create --sessions 1 --window 64 --total 120 --size 0 >/dev/null 2>&1 || fail 'bench create'
    shown=$(printf 'n\n' | script -qec "'$cohort' deleteall /bench/s0" /dev/null; echo "status $?")
    matches "$shown" '/bench/s0 and all below it are 121 znodes. Delete them. \[y/N\].*nothing has been deleted.*status 1' \
        'deleteall asks'
    expect 0 120 '' "$cohort" getAllChildrenNumber /bench/s0
    shown=$(printf 'y\n' | script -qec "'$cohort' deleteall /bench/s0" /dev/null; echo "status $?")
    matches "$shown" 'status 0' 'deleteall is told to'
    expect 4 '' '*' "$cohort" stat /bench/s0
    "$cohort" deleteall --yes /bench
}

start_dev
test_lines
test_watches
# Where there are no pseudo-terminals nobody can type.
if script -qec true /dev/null </dev/null >/dev/null 2>&1; then
    test_terminal
    test_confirmation
else
    echo "there is no pseudo-terminal here: what is typed was not tested" >&2
fi
finish
