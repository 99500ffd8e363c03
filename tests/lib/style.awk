# The rules of style that are about lines of C. See style.sh.
#
# Each line is looked at twice: as it is (length, tabs, unfinished work), and as code, with its
# comments taken out and its strings and characters emptied (calls, braces, includes).

BEGIN {
    instead["strcpy"] = "memcpy with a checked size, or mem_strdup"
    instead["strcat"] = "memcpy with a checked size, or struct buf"
    instead["strncpy"] = "memcpy with a checked size; it does not always terminate"
    instead["strncat"] = "memcpy with a checked size, or struct buf"
    instead["sprintf"] = "snprintf"
    instead["vsprintf"] = "vsnprintf"
    instead["gets"] = "fgets"
    instead["atoi"] = "strtol, or a parser that reports errors"
    instead["atol"] = "strtol, or a parser that reports errors"
    instead["atoll"] = "strtoll, or a parser that reports errors"
    instead["atof"] = "strtod"
    instead["strtok"] = "strchr or strcspn; it keeps hidden state"
    instead["rand"] = "struct prng"
    instead["srand"] = "struct prng"
    instead["random"] = "struct prng"
    instead["alloca"] = "an array of fixed size, or an arena"

    # Where nothing may sleep: a condition can be awaited.
    sleeps["sleep"] = sleeps["usleep"] = sleeps["nanosleep"] = sleeps["zclock_sleep"] = 1

    # Locks are where whoever looks for a deadlock looks, and nowhere else.
    locks["server/net/runner.c"] = locks["server/store/lock.c"] = locks["client/src/thread.c"] = 1

    # All of libc that the pure modules may include.
    split("stdint stddef stdbool string limits inttypes stdalign", headers, " ")
    for (i in headers) {
        pure_headers["<" headers[i] ".h>"] = 1
    }
}

function complain(text)
{
    print FILENAME ":" FNR ": " text
    bad = 1
}

# The end of a file: its length.
function finish(    lines)
{
    if (file == "") {
        return
    }
    if (file_lines > lines_max) {
        print file ": " file_lines " lines; more than " lines_max ", find the seam"
        bad = 1
    } else if (file_lines > lines_warn) {
        print file ": warning: " file_lines " lines; is there a seam?"
    }
}

# The line without comments, with strings emptied; `in_comment` goes on from line to line.
function code_of(line,    result, c, quote, two)
{
    result = ""
    while (line != "") {
        two = substr(line, 1, 2)
        c = substr(line, 1, 1)
        if (in_comment) {
            if (two == "*/") {
                in_comment = 0
                line = substr(line, 3)
            } else {
                line = substr(line, 2)
            }
        } else if (two == "/*") {
            in_comment = 1
            line = substr(line, 3)
        } else if (two == "//") {
            complain("comments are written /* so */")
            line = ""
        } else if (c == "\"" || c == "'") {
            quote = c
            line = substr(line, 2)
            while (line != "" && substr(line, 1, 1) != quote) {
                line = substr(line, substr(line, 1, 1) == "\\" ? 3 : 2)
            }
            line = substr(line, 2)
            result = result quote quote
        } else {
            result = result c
            line = substr(line, 2)
        }
    }
    sub(/[ \t]+$/, "", result)
    return result
}

# Calls that are forbidden, anywhere or in the folders that must not sleep.
function check_calls(code,    rest, name)
{
    rest = code
    while (match(rest, /[A-Za-z_][A-Za-z0-9_]*[ \t]*\(/)) {
        name = substr(rest, RSTART, RLENGTH)
        sub(/[ \t]*\($/, "", name)
        # What follows a dot or an arrow is a member.
        if (RSTART == 1 || substr(rest, RSTART - 1, 1) !~ /[.>]/) {
            if (name in instead) {
                complain(name " is not used here: " instead[name])
            } else if (name in sleeps && FILENAME ~ /^(tests|client|server|recipes)\//) {
                complain(name " is not used here: await the condition")
            } else if (name ~ /^pthread_(mutex|rwlock|spin)_/ && !(FILENAME in locks) &&
                       FILENAME ~ /^(client|server|recipes)\//) {
                complain(name " is not used here: store/lock.h, or a queue")
            }
        }
        rest = substr(rest, RSTART + RLENGTH)
    }
}

# The body of if, else, for, while and do stands in braces. `head` holds an if, for or while whose
# condition is not closed yet, `depth` its open parentheses.
function check_braces(code,    text, i, c)
{
    sub(/[ \t]*\\$/, "", code) # inside a macro
    text = code
    if (depth == 0) {
        sub(/^[ \t]*(} )?/, "", text)
        if (text ~ /^do$/ || text ~ /^else$/ || text ~ /^else [^i{]/) {
            complain("braces, always")
            return
        }
        sub(/^else /, "", text)
        # The end of a do loop is no beginning.
        if (text !~ /^(if|for|while|switch) \(/ || code ~ /^[ \t]*} while /) {
            return
        }
    }
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        if (c == "(") {
            depth++
        } else if (c == ")") {
            depth--
            if (depth == 0) {
                text = substr(text, i + 1)
                if (text !~ /^ \{/) {
                    complain("braces, always")
                }
                return
            }
        }
    }
}

# core and tree see base, each other, the public header of codes and of plain types, and the parts
# of libc that compute.
function check_includes(code, line,    name)
{
    if (FILENAME !~ /^server\/(core|tree)\// || code !~ /^[ \t]*#[ \t]*include/) {
        return
    }
    name = line
    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", name)
    sub(/[ \t].*$/, "", name)
    if (name ~ /^"(client\/base|server\/core|server\/tree)\/[a-z0-9_]+\.h"$/ ||
        name == "\"cohort/error.h\"" || name == "\"cohort/types.h\"" || name in pure_headers) {
        return
    }
    complain("a pure module must not include " name \
             " (only client/base, server/core, server/tree, cohort/error.h, cohort/types.h," \
             " and libc that computes)")
}

FNR == 1 {
    finish()
    file = FILENAME
    in_comment = 0
    depth = 0
}

{
    file_lines = FNR
    sub(/\r$/, " ") # complained about as trailing space
    if (length($0) > columns_max) {
        complain(length($0) " columns, more than " columns_max)
    }
    if ($0 ~ /\t/) {
        complain("a tab; four spaces are used")
    }
    if ($0 ~ /[ \t]$/) {
        complain("space at the end of the line")
    }
    if ($0 ~ /(^|[^A-Za-z0-9_])(TODO|FIXME|XXX|HACK)([^A-Za-z0-9_]|$)/) {
        complain("unfinished: do it, or open an issue and name it without this word")
    }
    code = code_of($0)
    if (code == "") {
        next
    }
    check_calls(code)
    check_braces(code)
    check_includes(code, $0)
}

END {
    finish()
    exit bad
}
