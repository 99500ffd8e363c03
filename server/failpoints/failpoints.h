/*
 * server/failpoints/failpoints.h - named points at which tests make a server's disk, links and
 * state fail
 *
 * For test builds only (cohortd-failpoints): sources that use this do so if COHORT_FAILPOINTS is
 * defined, and nothing of it is in an installed server; a test looks for the names there.
 *
 * The environment variable COHORT_FAILPOINTS is a list, separated by semicolons, of
 *
 *      POINT=ACTION[@N][+]
 *
 * The action is taken the N-th time (1: the first) that the point is passed; with `+`, or without
 * @N, from then on always.  Actions: eio, enospc, exit (the process ends on the spot, as if
 * killed), delay:MS, drop:P (P from 0 to 1: a chance; of links only), flip (of the state only).
 * docs/testing.md has the points.
 *
 * Process-wide; read once, before any server is started.  May be passed on any thread.
 */
#ifndef SERVER_FAILPOINTS_FAILPOINTS_H
#define SERVER_FAILPOINTS_FAILPOINTS_H

#include <stdbool.h>
#include <stddef.h>

#include "server/store/disk.h"

enum failpoint {
    FAIL_STORE_APPEND =
        0,            /* a segment of the log is created or grows: space for what is appended */
    FAIL_STORE_WRITE, /* any write of a file */
    FAIL_STORE_READ,
    FAIL_STORE_FSYNC,
    FAIL_STORE_RENAME,
    FAIL_STORE_UNLINK,
    FAIL_STORE_NAMES, /* fsync of the folder */
    FAIL_LINK_SEND,   /* a frame to another server */
    FAIL_STATE_APPLY, /* an entry is applied, while a znode /flip has data */
    FAILPOINTS
};

/* Takes the list; NULL: none.  false: it is wrong; error says what, and names the points. */
bool failpoints_set (const char *list, char *error, size_t error_size);

/* This point is passed: 0, or the negative errno to fail with.  May wait, or not return. */
int failpoint (enum failpoint point);

/* The same for a frame: true: it is lost. */
bool failpoint_drops (enum failpoint point);

/* Whether something is to go wrong here that is not an error. */
bool failpoint_flips (enum failpoint point);

/* A disk whose calls pass the points; takes the inner one over.  NULL: out of memory, and the inner
 * one is destroyed. */
struct disk *failpoints_disk (struct disk *inner);

#endif
