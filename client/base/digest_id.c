/* See digest_id.h. */

#include "client/base/digest_id.h"

#include <string.h>

#include "client/base/assert.h"
#include "client/base/secret.h"
#include "client/base/sha1.h"
#include "client/base/sha256.h"

#define SALT_TAG "cohort:digest:"
#define MARK     "argon2id:"

enum { SALT_TAG_SIZE = sizeof SALT_TAG - 1, MARK_SIZE = sizeof MARK - 1 };

_Static_assert(DIGEST_USER_MAX + 1 + MARK_SIZE + BASE64_SIZE (SHA256_SIZE) <= DIGEST_ID_SIZE,
               "ids have room");

/* Whether it is base64 of so many bytes. */
static bool is_base64 (const char *text, size_t size, size_t bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t filled = (bytes * 8 + 5) / 6;
    if (size != (bytes + 2) / 3 * 4) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        bool digit = text[i] != '\0' && strchr (digits, text[i]) != NULL;
        if (i < filled ? !digit : text[i] != '=') {
            return false;
        }
    }
    return true;
}

bool digest_user_valid (const char *user, size_t size)
{
    if (size == 0 || size > DIGEST_USER_MAX) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char) user[i];
        if (c < 0x20 || c == 0x7f || c == ':') {
            return false;
        }
    }
    return true;
}

bool digest_id_valid (const char *id, size_t size)
{
    const char *colon = size > 0 ? memchr (id, ':', size) : NULL;
    if (colon == NULL || !digest_user_valid (id, (size_t) (colon - id))) {
        return false;
    }
    const char *hash = colon + 1;
    size_t left = size - (size_t) (hash - id);
    if (left > MARK_SIZE && memcmp (hash, MARK, MARK_SIZE) == 0) {
        return is_base64 (hash + MARK_SIZE, left - MARK_SIZE, SHA256_SIZE);
    }
    return is_base64 (hash, left, SHA1_SIZE);
}

void digest_salt (const char *user, size_t size, uint8_t salt[DIGEST_SALT_SIZE])
{
    uint8_t hash[SHA256_SIZE];
    char text[SALT_TAG_SIZE + DIGEST_USER_MAX];
    COHORT_ASSERT (digest_user_valid (user, size));
    memcpy (text, SALT_TAG, SALT_TAG_SIZE);
    memcpy (text + SALT_TAG_SIZE, user, size);
    sha256 (text, SALT_TAG_SIZE + size, hash);
    memcpy (salt, hash, DIGEST_SALT_SIZE);
}

void digest_id (const char *user, size_t user_size,
                const uint8_t credential[DIGEST_CREDENTIAL_SIZE], char id[DIGEST_ID_SIZE])
{
    uint8_t hash[SHA256_SIZE];
    COHORT_ASSERT (digest_user_valid (user, user_size));
    sha256 (credential, DIGEST_CREDENTIAL_SIZE, hash);
    memcpy (id, user, user_size);
    id[user_size] = ':';
    memcpy (id + user_size + 1, MARK, MARK_SIZE);
    base64_encode (id + user_size + 1 + MARK_SIZE, hash, sizeof hash);
    COHORT_ASSERT (digest_id_valid (id, strlen (id)));
}

void digest_id_sha1 (const char *user, size_t user_size, const void *password, size_t size,
                     char id[DIGEST_ID_SIZE])
{
    uint8_t hash[SHA1_SIZE];
    char text[DIGEST_USER_MAX + 1 + DIGEST_PASSWORD_MAX];
    COHORT_ASSERT (digest_user_valid (user, user_size));
    COHORT_ASSERT (size <= DIGEST_PASSWORD_MAX);
    memcpy (text, user, user_size);
    text[user_size] = ':';
    if (size > 0) {
        memcpy (text + user_size + 1, password, size);
    }
    sha1 (text, user_size + 1 + size, hash);
    secret_wipe (text, sizeof text);
    memcpy (id, user, user_size);
    id[user_size] = ':';
    base64_encode (id + user_size + 1, hash, sizeof hash);
    COHORT_ASSERT (digest_id_valid (id, strlen (id)));
}
