/*
 * cohort/acl.h - who may do what: access control lists, and proving who one is
 *
 * Every znode has a list of who may do what with it; one that was given none is open to all, or has
 * the default of where it was created.  An item of a list is a scheme, an id of that scheme, and
 * permissions (COHORT_PERM_..., cohort/types.h).  As text it is what ZooKeeper's users write:
 *
 *    world:anyone:r                     everybody
 *    auth::cdrwa                        whoever sets the list: all that it has proven of itself
 *    digest:USER:HASH:cdrwa             who has proven to know a password (cohort_acl_digest)
 *    ip:10.0.0.0/8:r                    clients of those addresses; IPv6 too
 *    curve:KEY:rw                       the client with that public key (Z85), where CURVE is on
 *
 * The letters are c (create), d (delete), r (read), w (write), a (admin).  docs/acl.md has what
 * each operation needs, what is hidden from whom, and who the administrators are.
 *
 * What cohort/client.h says about threads, blocking, ownership and errors holds here too.
 */
#ifndef COHORT_ACL_H
#define COHORT_ACL_H

#include "cohort/client.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Lists ------------------------------------------------------------------------------- */

/* What a list, or an id, may have at most. */
enum {
    COHORT_ACL_ITEMS_MAX = 64,
    COHORT_ACL_ID_MAX = 255,  /* bytes of an id */
    COHORT_ACL_USER_MAX = 128 /* bytes of the name of a digest user */
};

typedef struct cohort_acl_item {
    int perms; /* COHORT_PERM_..., or'ed */
    const char *scheme;
    const char *id; /* anyone; ""; USER:HASH; ADDRESS or ADDRESS/BITS; KEY */
} cohort_acl_item_t;

/* A list (cohort_acl_t) is a value: it belongs to one thread at a time, and no call that it is
 * given to keeps it.  NULL: out of memory. */
COHORT_API cohort_acl_t *cohort_acl_new (void);
COHORT_API void cohort_acl_destroy (cohort_acl_t **self_p);

/* Adds an item.  0; COHORT_EINVALIDACL: the item is not valid; COHORT_ENOMEM.  The first error is
 * also returned by every operation that the list is given to. */
COHORT_API int cohort_acl_add (cohort_acl_t *self, int perms, const char *scheme, const char *id);

/* The list that a text means, its items separated by commas: never NULL but for want of memory.
 * Whether the text was valid is told by cohort_acl_error, and by the operations. */
COHORT_API cohort_acl_t *cohort_acl_parse (const char *text);

/* The first error of the list, 0: there is none; *text (may be NULL) names the item and what is
 * wrong with it, "" if nothing is.  It lives as long as the list. */
COHORT_API int cohort_acl_error (const cohort_acl_t *self, const char **text);

/* The items, 0 to count - 1 (NULL beyond); they live until the list is changed or destroyed. */
COHORT_API size_t cohort_acl_count (const cohort_acl_t *self);
COHORT_API const cohort_acl_item_t *cohort_acl_item (const cohort_acl_t *self, size_t index);

/* The list as text, its items separated by `separator`, to be freed with cohort_free.  With "," it
 * is what cohort_acl_parse takes.  NULL: out of memory. */
COHORT_API char *cohort_acl_print (const cohort_acl_t *self, const char *separator);

/* A copy, of the list of a result for example.  NULL: out of memory. */
COHORT_API cohort_acl_t *cohort_acl_copy (const cohort_acl_t *self);

/* ---- Digest users ------------------------------------------------------------------------ */

/* The id under which lists name the user with this password: "USER:HASH", into id (at most
 * COHORT_ACL_ID_MAX bytes and a 0).
 *    "digest"       USER:argon2id:HASH.  What the client proves itself with is the Argon2id
 * (version 1.3, 2 passes over 64 MiB) of the password, salted with the user's name; HASH is the
 * SHA-256 of that, in base64.  Nobody can be that user who has only seen the list, the log or a
 * backup. "digest-sha1"  USER:HASH as ZooKeeper has it, base64 of the SHA-1 of "USER:PASSWORD": for
 * lists that come from there.  Such a hash can be searched for its password quickly. The name of a
 * user has neither ':' nor ',' nor control characters, and 1 to COHORT_ACL_USER_MAX bytes; a
 * password has 1 to 1,024 bytes.  "digest" takes the calling thread about 0.1 s, and 64 MiB for
 * that time.  0; COHORT_EINVAL: scheme, user or password is malformed; COHORT_ETOOBIG: id has too
 * little room; COHORT_ENOMEM. */
COHORT_API int cohort_acl_digest (const char *scheme, const char *user, const char *password,
                                  char *id, size_t size) COHORT_MUST_CHECK;

/* Proves to the ensemble that this session is the user: from then on it is, and the identity goes
 * with the session, to whatever server and whatever process (options.state_file).  cohort_renew
 * sends it anew for the new session, before any other request.  There is no wrong password: another
 * password makes another identity, which no list names.  cohort_whoami tells who the session is.
 *
 * scheme, user and password: as for cohort_acl_digest.  With "digest" the calling thread pays for
 * the hash, in the asynchronous form and in a callback too (the loop's thread goes on meanwhile);
 * what is sent is the Argon2id.  With "digest-sha1" the password itself is sent, as ZooKeeper's
 * clients do: use it with CURVE, or where nobody listens.  Whoever overhears either can be the
 * user.
 *
 * Memory: the library wipes its copies of the password before it returns, with "digest"; what it
 * keeps for cohort_renew (the Argon2id; with "digest-sha1" the password) is wiped when the handle
 * is destroyed.  libzmq's own buffers are not wiped.
 *
 * COHORT_EINVAL: scheme, user or password is malformed; COHORT_ELIMIT: the session has as many
 * identities as it can have (30); COHORT_ENOMEM: also when there are no 64 MiB for the hash. */
COHORT_API int cohort_add_auth (cohort_t *self, const char *scheme, const char *user,
                                const char *password) COHORT_MUST_CHECK;
COHORT_API int cohort_add_auth_async (cohort_t *self, const char *scheme, const char *user,
                                      const char *password, cohort_result_fn *fn,
                                      void *arg) COHORT_MUST_CHECK;

/* ---- Lists of znodes --------------------------------------------------------------------- */

/* The list of a znode, to be freed with cohort_acl_destroy: never empty, world:anyone:cdrwa where
 * none was set.  Without permission to set it, the hashes of digest users are "x": such a list
 * cannot be set.  stat may be NULL.  COHORT_ENONODE, COHORT_ENOAUTH: neither READ nor ADMIN. */
COHORT_API int cohort_get_acl (cohort_t *self, const char *path, cohort_acl_t **acl,
                               cohort_stat_t *stat) COHORT_MUST_CHECK;

/* Replaces the list.  aversion: only if it has been set so often (stat.aversion), or
 * COHORT_ANY_VERSION.  It needs ADMIN.  stat may be NULL.  COHORT_ENONODE, COHORT_ENOAUTH,
 * COHORT_EBADVERSION, COHORT_EINVALIDACL: the list is NULL, empty, or has an error
 * (cohort_acl_error), or `auth` is in it and this session has proven nothing. */
COHORT_API int cohort_set_acl (cohort_t *self, const char *path, const cohort_acl_t *acl,
                               int32_t aversion, cohort_stat_t *stat) COHORT_MUST_CHECK;

/* The default of a subtree: the list that znodes get which are created below path without one.  The
 * nearest default on the way up counts, at the moment of the creation; it changes nothing that is
 * there already.  *acl NULL: there is none at this znode.  acl NULL: there is none any more.
 * Otherwise as the two above. */
COHORT_API int cohort_get_default_acl (cohort_t *self, const char *path, cohort_acl_t **acl,
                                       cohort_stat_t *stat) COHORT_MUST_CHECK;
COHORT_API int cohort_set_default_acl (cohort_t *self, const char *path, const cohort_acl_t *acl,
                                       int32_t aversion, cohort_stat_t *stat) COHORT_MUST_CHECK;

/* The asynchronous forms; the results have acl (get; NULL: no default) and stat. */
COHORT_API int cohort_get_acl_async (cohort_t *self, const char *path, cohort_result_fn *fn,
                                     void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_set_acl_async (cohort_t *self, const char *path, const cohort_acl_t *acl,
                                     int32_t aversion, cohort_result_fn *fn,
                                     void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_get_default_acl_async (cohort_t *self, const char *path, cohort_result_fn *fn,
                                             void *arg) COHORT_MUST_CHECK;
COHORT_API int cohort_set_default_acl_async (cohort_t *self, const char *path,
                                             const cohort_acl_t *acl, int32_t aversion,
                                             cohort_result_fn *fn, void *arg) COHORT_MUST_CHECK;

/* In a transaction; what is created there takes its list from its options. */
COHORT_API int cohort_txn_set_acl (cohort_txn_t *self, const char *path, const cohort_acl_t *acl,
                                   int32_t aversion);

/* ---- Administrators ---------------------------------------------------------------------- */

/* Says who the administrators of the ensemble are, whom no list keeps out: digest, curve and ip
 * ids, with all permissions (cdrwa).  Only an administrator may; and there is always
 * one, so that the list is not empty.  COHORT_ENOAUTH, COHORT_EINVALIDACL. */
COHORT_API int cohort_set_admins (cohort_t *self, const cohort_acl_t *admins) COHORT_MUST_CHECK;

/* Who they are, to be freed with cohort_acl_destroy; *admins NULL: there are none.
 * COHORT_ENOAUTH: there are some, and this session is none of them. */
COHORT_API int cohort_get_admins (cohort_t *self, cohort_acl_t **admins) COHORT_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
