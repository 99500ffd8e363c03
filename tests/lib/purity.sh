#!/usr/bin/env bash
# purity.sh libcohort-base.a [libcohort-core.a libcohort-tree.a]
# The pure modules may call each other, base and a handful of functions of libc, and nothing else:
# what they refer to is read from the objects, where no macro and no include can hide it.
# shellcheck disable=SC2086 # the lists are split into words
set -u -o pipefail

# Every pure module may use these: they read and write the memory that they are given. Compilers
# call some of them by themselves; the last are variants of fortified and of position independent
# code.
pure='memcpy memmove memset memcmp memchr strlen strnlen strcmp strncmp strchr strrchr bsearch
__memcpy_chk __memmove_chk __memset_chk __stack_chk_fail _GLOBAL_OFFSET_TABLE_'
# base alone may allocate and end the process; it is where the others get it from. __cpu_model says whether
# the processor has an instruction for CRC-32C.
base='malloc calloc realloc posix_memalign free abort _Exit stderr fprintf fflush fwrite __fprintf_chk __cpu_model
__cpu_indicator_init'

status=0
# The symbols that an archive defines for others, and those it does not define itself.
defined () { nm --defined-only --extern-only --format=posix "$@" | awk 'NF > 1 { print $1 }'; }
undefined () { nm --undefined-only --format=posix "$@" | awk 'NF > 1 { print $1 }' | sort -u; }

provided=$(defined "$@") || exit 1
for archive in "$@"; do
    allowed=$pure
    case $archive in
    *libcohort-base.a)
        allowed+=" $base"
        others=$(defined "$archive")
        ;;
    *) others=$provided ;;
    esac
    bad=$(undefined "$archive" |
        grep -vxFf <(printf '%s\n' $allowed "$others"))
    if [ -n "$bad" ]; then
        echo "$(basename "$archive") must not refer to:" $bad
        for symbol in $bad; do
            nm -A --undefined-only "$archive" | grep -w "$symbol" | sed 's/^[^:]*:/    /'
        done
        status=1
    else
        echo "$(basename "$archive"): pure"
    fi
done
exit $status
