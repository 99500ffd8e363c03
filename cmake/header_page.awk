# The manual page of a public header: its comments as text, its declarations as they stand.
#
# usage: awk -v folder=OUTPUT -v version=VERSION -f header_page.awk HEADER
#
# Writes OUTPUT/cohort-NAME.3 (cohort.3 of cohort.h), and for each function a page of its name that
# leads there. The first comment is "cohort/NAME.h - what it is" and the description.

function escape (text) {
    gsub (/\\/, "\\e", text)
    gsub (/-/, "\\-", text)
    if (text ~ /^[.']/) {
        text = "\\\\&" text
    }
    return text
}

function say (line) {
    print line > page
}

# A comment's line without its frame.
function bare (line) {
    sub (/^[ \t]*\/\*+[ \t]?/, "", line)
    sub (/[ \t]*\*\/[ \t]*$/, "", line)
    sub (/^[ \t]*\*[ \t]?/, "", line)
    return line
}

function end_literal () {
    if (literal) {
        say (".Ed")
        literal = 0
    }
}

function begin_literal () {
    if (!literal) {
        say (".Bd -literal")
        literal = 1
    }
}

# Text is filled; what is indented in it, as lists and examples are, stands as it is.
function comment_line (line) {
    if (line ~ /^[ \t]*$/) {
        if (literal) {
            say ("")
        } else {
            say (".Pp")
        }
    } else if (line ~ /^   /) {
        begin_literal ()
        say (escape (line))
    } else {
        end_literal ()
        if (line ~ /^----/) {
            gsub (/-+/, "", line)
            gsub (/^ +| +$/, "", line)
            say (".Ss " line)
        } else {
            say (escape (line))
        }
    }
}

function declaration_line (line) {
    gsub (/COHORT_API /, "", line)
    gsub (/ COHORT_MUST_CHECK/, "", line)
    begin_literal ()
    say (escape (line))
}

# A function is a page too. Its name may stand in a line behind that of its return type.
function lead_here (line, name) {
    if (match (line, /cohort_[a-z0-9_]+ \(/)) {
        wanted = 0
        name = substr (line, RSTART, RLENGTH - 2)
        print ".so man3/" title ".3" > (folder "/" name ".3")
        close (folder "/" name ".3")
    }
}

BEGIN {
    state = "top"
}

state == "top" && / - / {
    line = bare ($0)
    name = line
    sub (/ - .*/, "", name)
    about = line
    sub (/^[^-]* - /, "", about)
    base = name
    sub (/^cohort\//, "", base)
    sub (/\.h$/, "", base)
    title = base == "cohort" ? "cohort" : "cohort-" base
    page = folder "/" title ".3"
    say (".Dd Cohort " version)
    say (".Dt " toupper (title) " 3")
    say (".Os Cohort")
    say (".Sh NAME")
    say (".Nm " title)
    say (".Nd " about)
    say (".Sh SYNOPSIS")
    say (".In " name)
    say (".Sh DESCRIPTION")
    state = "description"
    if (!/\*\/[ \t]*$/) {
        next
    }
}

state == "description" {
    if (/\*\/[ \t]*$/) {
        line = bare ($0)
        if (line !~ /^[ \t\/]*$/) {
            comment_line (line)
        }
        end_literal ()
        say (".Sh DECLARATIONS")
        state = "code"
    } else {
        comment_line (bare ($0))
    }
    next
}

state == "code" && /^#include "cohort\// {
    other = $2
    gsub (/^"cohort\/|\.h"$/, "", other)
    others = others "\n.Xr cohort-" other " 3 ,"
}

state == "code" && /^#(ifndef|define|ifdef|endif|if|include)/ && !/define COHORT_[A-Z_]+ / {
    next
}

state == "code" && /^(extern "C" \{|\})$/ {
    next
}

state == "code" && /^\/\*/ {
    end_literal ()
    say (".Pp")
    state = "comment"
}

state == "comment" {
    done = /\*\/[ \t]*$/
    line = bare ($0)
    if (line != "/" && line != "") {
        comment_line (line)
    } else if (!done) {
        comment_line ("")
    }
    if (done) {
        end_literal ()
        state = "code"
    }
    next
}

state == "code" {
    if (/^[ \t]*$/) {
        if (literal) {
            say ("")
        }
        next
    }
    declaration_line ($0)
    wanted = wanted || /COHORT_API/
    if (wanted) {
        lead_here ($0)
    }
}

END {
    end_literal ()
    if (state == "top") {
        print FILENAME ": its first comment is not \"cohort/NAME.h - what it is\"" > "/dev/stderr"
        exit 1
    }
    say (".Sh SEE ALSO" others)
    say (".Xr cohort 1 ,")
    say (".Xr cohortd 8")
}
