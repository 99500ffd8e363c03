/* Digest users: from a password to what names the user, and to what proves who he is.
 *
 * The form "digest": a proof is Argon2id (password, salted with the user's name), and the user's
 * name in lists has the SHA-256 of it, so that who reads the list cannot prove anything. The form
 * "digest-sha1" is ZooKeeper's: the proof is the password itself, of which the servers make the
 * hash that the lists have. docs/acl.md says more. May include: acl, client, proof, libsodium,
 * libc. */

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/digest_id.h"
#include "client/base/secret.h"
#include "client/src/acl.h"
#include "client/src/client.h"
#include "client/src/proof.h"

#define WRONG_SIZE 128

enum form { FORM_ARGON2ID, FORM_SHA1 };

static const char *const schemes[] = {[FORM_ARGON2ID] = "digest", [FORM_SHA1] = "digest-sha1"};

_Static_assert((int) DIGEST_SALT_SIZE == (int) crypto_pwhash_SALTBYTES,
               "salts are as Argon2 has them");

/* What is wrong with the arguments: 0, or COHORT_EINVAL with a text. */
static int check (const char *scheme, const char *user, const char *password, enum form *form,
                  char wrong[WRONG_SIZE])
{
    if (scheme == NULL || (strcmp (scheme, schemes[FORM_ARGON2ID]) != 0 &&
                           strcmp (scheme, schemes[FORM_SHA1]) != 0)) {
        snprintf (wrong, WRONG_SIZE, "the scheme '%.40s' is neither digest nor digest-sha1",
                  scheme != NULL ? scheme : "NULL");
        return COHORT_EINVAL;
    }
    *form = strcmp (scheme, schemes[FORM_SHA1]) == 0 ? FORM_SHA1 : FORM_ARGON2ID;
    if (!acl_user_valid (user, wrong, WRONG_SIZE)) {
        return COHORT_EINVAL;
    }
    size_t size = password != NULL ? strlen (password) : 0;
    if (size == 0 || size > DIGEST_PASSWORD_MAX) {
        snprintf (wrong, WRONG_SIZE,
                  size == 0 ? "the password is empty" : "the password has more than 1024 bytes");
        return COHORT_EINVAL;
    }
    return COHORT_OK;
}

/* Slow, and large, by intention. */
static int argon2id (const char *user, const char *password,
                     uint8_t credential[DIGEST_CREDENTIAL_SIZE])
{
    uint8_t salt[DIGEST_SALT_SIZE];
    digest_salt (user, strlen (user), salt);
    bool worked = sodium_init () >= 0 &&
                  crypto_pwhash (credential, DIGEST_CREDENTIAL_SIZE, password, strlen (password),
                                 salt, DIGEST_PASSES, (size_t) DIGEST_MEMORY_KIB << 10,
                                 crypto_pwhash_ALG_ARGON2ID13) == 0;
    return worked ? COHORT_OK : COHORT_ENOMEM;
}

static int make_id (enum form form, const char *user, const char *password, char id[DIGEST_ID_SIZE])
{
    size_t user_size = strlen (user);
    uint8_t credential[DIGEST_CREDENTIAL_SIZE];
    if (form == FORM_SHA1) {
        digest_id_sha1 (user, user_size, password, strlen (password), id);
        return COHORT_OK;
    }
    int rc = argon2id (user, password, credential);
    if (rc == COHORT_OK) {
        digest_id (user, user_size, credential, id);
    }
    secret_wipe (credential, sizeof (credential));
    return rc;
}

int cohort_acl_digest (const char *scheme, const char *user, const char *password, char *id,
                       size_t size)
{
    enum form form;
    char wrong[WRONG_SIZE], made[DIGEST_ID_SIZE];
    int rc = id != NULL ? check (scheme, user, password, &form, wrong) : COHORT_EINVAL;
    if (rc != COHORT_OK) {
        return rc;
    }
    rc = make_id (form, user, password, made);
    if (rc == COHORT_OK && strlen (made) >= size) {
        rc = COHORT_ETOOBIG;
    }
    if (rc == COHORT_OK) {
        memcpy (id, made, strlen (made) + 1);
    }
    return rc;
}

/* ---- Proving --------------------------------------------------------------------------------- */

static struct proof *make_proof (enum form form, const char *user, const char *password)
{
    if (form == FORM_SHA1) {
        return proof_new (schemes[form], user, password, strlen (password));
    }
    uint8_t credential[DIGEST_CREDENTIAL_SIZE];
    struct proof *proof = NULL;
    if (argon2id (user, password, credential) == COHORT_OK) {
        proof = proof_new (schemes[form], user, credential, sizeof (credential));
    }
    secret_wipe (credential, sizeof (credential));
    return proof;
}

int proof_make (const char *scheme, const char *user, const char *password, struct proof **proof_p,
                char *wrong, size_t wrong_size)
{
    enum form form;
    char text[WRONG_SIZE];
    int rc = check (scheme, user, password, &form, text);
    if (rc != COHORT_OK) {
        snprintf (wrong, wrong_size, "%s", text);
        return rc;
    }
    struct proof *proof = make_proof (form, user, password);
    if (proof == NULL) {
        snprintf (wrong, wrong_size, "out of memory (the hash takes 64 MiB)");
        return COHORT_ENOMEM;
    }
    *proof_p = proof;
    return COHORT_OK;
}

static int request_of (cohort_t *self, const char *scheme, const char *user, const char *password,
                       struct request **request_p)
{
    struct proof *proof = NULL;
    char wrong[WRONG_SIZE];
    if (self == NULL) {
        return COHORT_EINVAL;
    }
    int rc = proof_make (scheme, user, password, &proof, wrong, sizeof (wrong));
    if (rc != COHORT_OK) {
        return client_fail (self, rc, "add_auth: %s", wrong);
    }
    struct request *request = request_new_proof (proof);
    proof_release (proof);
    if (request == NULL) {
        return client_fail (self, COHORT_ENOMEM, "add_auth: out of memory");
    }
    *request_p = request;
    return COHORT_OK;
}

int cohort_add_auth (cohort_t *self, const char *scheme, const char *user, const char *password)
{
    struct request *request = NULL;
    cohort_result_t result;
    int rc = request_of (self, scheme, user, password, &request);
    rc = rc == COHORT_OK ? client_wait (self, &request, &result) : rc;
    if (rc == COHORT_OK) {
        client_finish (self, request);
    }
    return rc;
}

int cohort_add_auth_async (cohort_t *self, const char *scheme, const char *user,
                           const char *password, cohort_result_fn *fn, void *arg)
{
    struct request *request = NULL;
    int rc = request_of (self, scheme, user, password, &request);
    return rc == COHORT_OK ? client_submit (self, request, fn, arg) : rc;
}
