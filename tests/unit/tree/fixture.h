/* What the tests of server/tree share: a founded tree, and entries in one line each. */

#ifndef COHORT_TESTS_TREE_FIXTURE_H
#define COHORT_TESTS_TREE_FIXTURE_H

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/buf.h"
#include "client/base/hand_over.h"
#include "client/base/prng.h"
#include "server/tree/digest.h"
#include "server/tree/estate.h"
#include "server/tree/image.h"
#include "server/tree/result.h"
#include "server/tree/snapshot.h"
#include "server/tree/state.h"
#include "server/tree/tree.h"
#include "tests/unit/unit.h"

struct fixture {
    struct tree *tree;
    zxid_t zxid; /* of the newest entry */
    int64_t stamp_ms;
    struct tree_outcome outcome; /* of the newest entry */
    struct buf entry;            /* its bytes */
    bool check;                  /* tree_check after each entry */
};

/* Znodes of a new state: the root, and /zookeeper with two below it. */
enum { FIXTURE_FOUNDED = 4 };

/* A path, name or value and its size. */
#define TEXT(text) (text), (uint32_t) strlen (text)

extern const struct entry_limits fixture_limits;

void fixture_init (struct fixture *self, const struct tree_options *options);
void fixture_init_with (struct fixture *self, const struct tree_options *options,
                        const struct entry_limits *limits);
void fixture_deinit (struct fixture *self);

/* The founding entry of one voter (id 1, store 11) and an observer (id 2, store 22). */
void fixture_cluster (struct entry *entry, const struct entry_limits *limits);

/* Applies self->entry as the next entry. */
void fixture_apply (struct fixture *self);
void fixture_entry (struct fixture *self, const struct entry *entry);

/* A session with a nonce made of `name`; its id. */
uint64_t fixture_session (struct fixture *self, uint64_t name);
void fixture_nonce (uint8_t nonce[16], uint64_t name);
void fixture_password (uint8_t hash[ENTRY_PASSWORD_HASH], uint64_t password);
void fixture_create_session (struct fixture *self, uint64_t name, uint64_t attach_no,
                             uint32_t server, uint64_t password);
void fixture_attach (struct fixture *self, uint64_t session, uint32_t incarnation,
                     uint64_t attach_no, uint32_t server, uint64_t process);
void fixture_close (struct fixture *self, uint64_t session, uint64_t attach_no,
                    uint32_t incarnation, enum entry_close_reason reason);
void fixture_reap (struct fixture *self, uint64_t session);

/* A write with everything given. */
void fixture_write (struct fixture *self, const struct entry_write *write, const struct op *ops);
/* The next number of the session, everything before acknowledged; the result's code. */
int fixture_op (struct fixture *self, uint64_t session, const struct op *op);
int fixture_multi (struct fixture *self, uint64_t session, const struct op *ops, uint32_t count);

int fixture_create (struct fixture *self, uint64_t session, const char *path, const char *data,
                    uint8_t mode);
int fixture_delete (struct fixture *self, uint64_t session, const char *path, int32_t version);
int fixture_set (struct fixture *self, uint64_t session, const char *path, const char *data,
                 int32_t version);

/* Operation i of the newest result. */
struct result_op fixture_result (const struct fixture *self, uint32_t i);
/* Whether the newest result's operation i has this path. */
void fixture_expect_path (const struct fixture *self, uint32_t i, const char *path);

cohort_stat_t fixture_stat (const struct fixture *self, const char *path);
bool fixture_exists (const struct fixture *self, const char *path);

/* The names of the children, joined by ' ', ended with 0, into out of 1,024 bytes. */
/* A page of children; behind them "...", and the name to go on behind if there are more; its size.
 */
size_t fixture_list (const struct fixture *self, const char *path, const struct tree_list *list,
                     char *out);
const char *fixture_children (const struct fixture *self, const char *path, char *out);

/* A list of one item, for a digest user; perms 0: nobody may do anything.  Good until the next
 * but three. */
struct op op_with_acl (struct op op, const char *user, int perms);
struct op op_set_acl_of (const char *path, const char *user, int perms);
/* The session has proven to be the user. */
int fixture_prove (struct fixture *self, uint64_t session, const char *user);

/* All of session `from` to session `to`, which has agreed.  Good until the next but three. */
struct op op_giving (const struct fixture *self, uint64_t from, uint64_t to);

struct op op_create (const char *path, const char *data, uint8_t mode);
struct op op_delete (const char *path, int32_t version);
struct op op_set (const char *path, const char *data, int32_t version);
struct op op_check (const char *path, int32_t version);

/* After a test has changed a stat in place. */
void fixture_renew (struct tree *tree, struct znode *znode, const char *path);

/* Everything the tree holds as one sequence of bytes: equal bytes, equal states. */
void fixture_dump (const struct tree *tree, struct buf *out);

/* A snapshot of the tree as one piece, and a tree of such a piece. */
void fixture_save (struct tree *tree, struct buf *out);
struct tree *fixture_load (const uint8_t *data, size_t size);

#endif
