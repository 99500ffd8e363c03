/* What the files of the public functions share. May include: handle, libc. */

#ifndef COHORT_CLIENT_CLIENT_H
#define COHORT_CLIENT_CLIENT_H

#include "client/src/handle.h"

/* Operations of a multi. */
#define CLIENT_TXN_OPS_MAX 1024
/* With the version. */
#define CLIENT_VERSION_TEXT                                                                        \
    "version %d is none: give a znode's version, 0 or more, or COHORT_ANY_VERSION (-1)"
/* Data of one operation, whatever the ensemble's limit: a frame must hold it. */
#define CLIENT_DATA_MAX (64u << 20)

/* Sets the handle's error text and returns rc. */
int client_fail (cohort_t *self, int rc, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/* The arguments of one operation, as its forms have them. */
struct client_call {
    enum wire_kind kind;
    const char *path; /* NULL: the operation has none */
    const void *data;
    size_t size;
    int mode;
    bool if_absent;
    bool if_present; /* delete */
    int64_t ttl_ms;
    int32_t version;
    int limit;                     /* delete_tree, sessions */
    int64_t delta, floor, ceiling; /* add */
    const cohort_acl_t *acl;       /* of a set_acl that is inherited, NULL: there shall be none */
    bool inherited;                /* set_acl, get_acl */
    cohort_watch_fn *watch;
    void *watch_arg;
    const cohort_list_options_t *list; /* children, NULL: all, by name; ephemerals */
    bool linearizable;
    uint64_t session; /* ephemerals, kill, hand_over; sessions: behind it */
    int watcher;      /* unwatch */
    bool check;       /* unwatch */
};

/* Checks the arguments and makes the request: 0, or the error that the call returns. */
int client_request (cohort_t *self, const struct client_call *call, struct request **request);
int client_request_multi (cohort_t *self, const cohort_txn_t *txn, struct request **request);
/* Checks a path below this handle's chroot. */
int client_check_path (cohort_t *self, enum wire_kind kind, const char *path);
/* Makes the call without waiting for it. */
int client_call_async (cohort_t *self, const struct client_call *call, cohort_result_fn *fn,
                       void *arg);
/* Blocks until the request is answered, and takes its result: as client_call_blocking. */
int client_wait (cohort_t *self, struct request **request, cohort_result_t *result);
/* The options of a list of ephemerals, NULL too, become a call, which borrows them, `list`, and
 * *prefix, to be freed. */
int client_ephemerals_call (cohort_t *self, const cohort_ephemerals_options_t *options,
                            struct client_call *call, cohort_list_options_t *list, char **prefix);
/* The options of a read become part of the call: 0, or the error that the call returns. */
int client_read_call (cohort_t *self, struct client_call *call,
                      const cohort_read_options_t *options);

/* The options of a create become part of the call: 0, or the error that the call returns. */
int client_create_call (cohort_t *self, struct client_call *call,
                        const cohort_create_options_t *options);

/* What is wrong with the numbers of an operation, or NULL. */
const char *client_create_wrong (const struct client_call *call);
const char *client_add_wrong (const struct client_call *call);

/* Submits; on failure the request is freed. */
int client_submit (cohort_t *self, struct request *request, cohort_result_fn *fn, void *arg);

/* Makes the call and waits for its result, which borrows from the request: 0, and a request to
 * finish; or the error to return. */
int client_call_blocking (cohort_t *self, const struct client_call *call, struct request **request,
                          cohort_result_t *result);
void client_finish (cohort_t *self, struct request *request);
/* Makes the call and waits; its result says whether it was there. existed may be NULL. */
int client_call_existed (cohort_t *self, const struct client_call *call, int *existed);

/* "create /a/b" and the like, for error texts. */
const char *client_op_name (enum wire_kind kind);

/* The result of a request that is done, below the handle's chroot; `result` borrows from it. */
void client_result (const cohort_t *self, struct request *request, cohort_result_t *result);
/* At the end of the handle: runs the callbacks of all results and watches that nobody has
 * dispatched, and those of what was not answered with COHORT_ECLOSING. */
void client_tell_rest (cohort_t *self);

/* The operations of a txn; the first error of the add functions, with its text. */
const struct wire_op *txn_ops (const cohort_txn_t *txn, size_t *count);
int txn_error (const cohort_txn_t *txn, const char **text);
/* Copies the results of a commit into the txn: 0, COHORT_ENOMEM. */
int txn_take_results (cohort_txn_t *txn, const cohort_result_t *result);

#endif
