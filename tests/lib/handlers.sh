#!/usr/bin/env bash
# handlers.sh CC SOURCE...
# Handlers run only inside cohort_dispatch: no public function of the recipes may reach a call
# through a pointer by direct calls alone, whatever happens on the way, for what the client calls
# back it calls by a pointer, from a dispatch. The compiler says who calls whom (GCC 10 or later).
set -u -o pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 1
cc=$1
shift

# Pointers that are no handlers: what a wait waits for, inside which everything is dispatched; the
# clocks of options; the chooser of cohort_directory_pick, which is a part of that call; and a loop.
exempt='recipe_wait cohort_mirror_stale_ms pick.c:now_ms pick.c:pick_chosen why_places.c:each_child'

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
for source in "$@"; do
    (cd "$work" && "$cc" -std=c11 -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -O0 -w -fcallgraph-info \
        -I"$root" -I"$root/client/include" -I"$root/recipes/include" -c "$source") || exit 1
done

cat "$work"/*.ci | awk -v exempt="$exempt" '
    # Static functions are called PATH:NAME; of the path its last part is enough.
    function name(text) { sub(/.*\//, "", text); return text }
    BEGIN { FS = "\""; split(exempt, list, " "); for (i in list) { may[list[i]] = 1 } }
    /^edge: / { from = name($2); to = name($4); calls[from] = calls[from] " " to }
    /^edge: / && to == "__indirect_call" { points[from] = 1 }
    # The shortest way from a public function to a pointer, or nothing.
    function way(start,    queue, at, count, before, i, n, next_ones, text) {
        queue[1] = start; count = 1; before[start] = ""
        for (at = 1; at <= count; at++) {
            if (queue[at] in may) { continue }
            if (queue[at] in points) {
                text = queue[at]
                for (i = before[queue[at]]; i != ""; i = before[i]) { text = i " > " text }
                return text
            }
            n = split(calls[queue[at]], next_ones, " ")
            for (i = 1; i <= n; i++) {
                if (!(next_ones[i] in before)) {
                    before[next_ones[i]] = queue[at]; queue[++count] = next_ones[i]
                }
            }
        }
        return ""
    }
    END {
        for (one in may) {
            if (!(one in points)) { print one ": calls through no pointer; is it still exempt?"; bad = 1 }
        }
        for (one in calls) {
            if (one ~ /^cohort_/) {
                public++
                found = way(one)
                if (found != "") { print "a handler may run outside cohort_dispatch: " found; bad = 1 }
            }
        }
        if (public < 100) { print "only " public + 0 " public functions found"; bad = 1 }
        if (!bad) { print public " public functions, no complaints" }
        exit bad
    }'
