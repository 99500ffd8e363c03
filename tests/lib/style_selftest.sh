#!/usr/bin/env bash
# Whether the style test sees what it is there for, and lets pass what is right: one line of C each.
set -u -o pipefail

awk_file=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/style.awk || exit 1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
mkdir -p server/core server/store client/base examples tests

status=0

# complaint_about path text: what style.awk says about a file with this text.
complaint_about () {
    printf '%b\n' "$2" >"$1"
    awk -v lines_warn=7 -v lines_max=9 -v columns_max=100 -f "$awk_file" "$1"
}

# bad path text part-of-the-complaint
bad () {
    local said
    said=$(complaint_about "$1" "$2")
    if [ $? -ne 1 ] || [[ $said != *"$3"* ]]; then
        echo "not seen: '$2' in $1 should be: $3; was: ${said:-nothing}"
        status=1
    fi
}

# good path text
good () {
    local said
    if ! said=$(complaint_about "$1" "$2"); then
        echo "wrongly seen: $said in '$2'"
        status=1
    fi
}

c=client/base/a.c
bad $c '    strcpy (a, b);' 'mem_strdup'
bad $c '    n = atoi(text);' 'strtol'
bad $c '    if (sprintf (a, "x") > 0) {' 'snprintf'
bad $c '    usleep (10);' 'await the condition'
good examples/a.c '    usleep (10);'
good $c '    snprintf (a, 1, "sprintf (x)"); /* not sprintf (x) */'
good $c '    clock->sleep (10);\n    node.random (1);\n    my_strcpy (a, b);'
good $c '/* A comment that\n * names gets (x) in its second line. */'
bad $c '/* a */ gets (x); /* b */' 'fgets'
good $c "    c = '\"'; d = '/'; e = \"/*\"; f = '\\\\\\\\';"
bad $c '    // short comment' 'comments are written'
good $c '    url = "tcp://a";'

bad $c '    if (a)' 'braces'
bad $c '    if (a) b ();' 'braces'
bad $c '    else' 'braces'
bad $c '    } else if (a (b))\n        c ();' 'braces'
bad $c '    for (;;)\n        c ();' 'braces'
bad $c '    if (a &&\n        b (c))\n        d ();' 'braces'
bad $c '    while (next ());' 'braces'
good $c '    if (a &&\n        b (c)) {\n    } else if (c) {\n    } else {\n    }'
good $c '    do {\n    } while (a (b) ||\n             c);'
good $c '    for (;;) { /* for ever */\n    }'
good $c '#define A(x) \\\\\n    if (x) { \\\\\n    }'

bad $c "$(printf '%0101d' 0)" '101 columns'
good $c "$(printf '%0100d' 0)"
bad $c '\tint a;' 'a tab'
bad $c 'int a; ' 'space at the end'
# In parts, so that nobody who searches for these words finds this file.
bad $c "/* TO""DO: later */" 'unfinished'
bad $c "int a; /* FIX""ME */" 'unfinished'
bad $c '1\n2\n3\n4\n5\n6\n7\n8\n9\n10' '10 lines'
good $c '1\n2\n3\n4\n5\n6\n7\n8\n9'

bad $c '    pthread_mutex_lock (&a);' 'lock.h'
bad server/store/a.c '    pthread_mutex_init (&a, NULL);' 'lock.h'
good server/store/lock.c '    pthread_mutex_lock (&a);'
good tests/a.c '    pthread_mutex_lock (&a);'

p=server/core/a.c
bad $p '#include <stdio.h>' 'a pure module'
bad $p '#  include <time.h>' 'a pure module'
bad $p '#include "server/net/net.h"' 'a pure module'
bad $p '#include "client/base/../src/io.h"' 'a pure module'
bad $p '#include "cohort/client.h"' 'a pure module'
good $p '#include <string.h>\n#include "client/base/map.h"\n#include "server/core/zab.h" /* x */'
good $p '#include "cohort/error.h"\n#include "server/tree/tree.h"'
good $c '#include <stdio.h>'

exit $status
