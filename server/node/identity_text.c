/* identity_text.c: see identity_text.h. */

#include "server/node/identity_text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/digest_id.h"
#include "cohort/types.h"

enum {
    ADDRESS_TEXT_MAX = 64,
    IPV4_AT = 12, /* where the four bytes begin in an address of 16 */
    IP_BITS = 8 * IDENTITY_IP_SIZE,
    KEY_TEXT_SIZE = 40
};

static const uint8_t mapped[IPV4_AT] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* ZeroMQ's RFC 32: four bytes are a number of five digits of 85. */
static const char z85[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                          ".-:+=^!/*?&<>()[]{}@%$#";
_Static_assert(sizeof z85 == 85 + 1, "Z85 has 85 digits");

/* ---- For people -------------------------------------------------------------------------- */

const char *identity_scheme_name (enum identity_scheme scheme)
{
    static const char *const names[] = {
        [IDENTITY_WORLD] = "world", [IDENTITY_AUTH] = "auth",   [IDENTITY_DIGEST] = "digest",
        [IDENTITY_IP] = "ip",       [IDENTITY_CURVE] = "curve",
    };
    COHORT_ASSERT (scheme >= IDENTITY_WORLD);
    COHORT_ASSERT (scheme <= IDENTITY_CURVE);
    return names[scheme];
}

/* An IPv4 one as people know it, if all that tells it from others counts. */
static bool is_mapped (const struct identity *identity)
{
    return memcmp (identity->id, mapped, sizeof mapped) == 0 &&
           (identity->size == IDENTITY_IP_SIZE || identity->id[IDENTITY_IP_SIZE] >= 8 * IPV4_AT);
}

static void put_address (const struct identity *identity, char *text)
{
    const uint8_t *ip = identity->id;
    size_t used = 0;
    unsigned above = 0;
    if (is_mapped (identity)) {
        above = 8 * IPV4_AT;
        used = (size_t) snprintf (text, IDENTITY_TEXT_SIZE, "%d.%d.%d.%d", ip[12], ip[13], ip[14],
                                  ip[15]);
    } else {
        for (size_t i = 0; i < IDENTITY_IP_SIZE; i += 2) {
            unsigned group = (unsigned) ip[i] << 8 | ip[i + 1];
            int size =
                snprintf (text + used, IDENTITY_TEXT_SIZE - used, "%s%x", i > 0 ? ":" : "", group);
            used += (size_t) size;
        }
    }
    if (identity->size > IDENTITY_IP_SIZE && ip[IDENTITY_IP_SIZE] < IP_BITS) {
        unsigned bits = ip[IDENTITY_IP_SIZE] - above;
        (void) snprintf (text + used, IDENTITY_TEXT_SIZE - used, "/%u", bits);
    }
}

static void put_key (const uint8_t key[IDENTITY_CURVE_SIZE], char *text)
{
    for (size_t i = 0; i < IDENTITY_CURVE_SIZE; i += 4) {
        uint32_t value = (uint32_t) key[i] << 24 | (uint32_t) key[i + 1] << 16 |
                         (uint32_t) key[i + 2] << 8 | key[i + 3];
        for (size_t digit = 5; digit > 0; digit--) {
            text[i / 4 * 5 + digit - 1] = z85[value % 85];
            value /= 85;
        }
    }
    text[KEY_TEXT_SIZE] = '\0';
}

const char *identity_text (const struct identity *identity, char text[IDENTITY_TEXT_SIZE])
{
    switch (identity->scheme) {
    case IDENTITY_WORLD:
        memcpy (text, "anyone", sizeof "anyone");
        break;
    case IDENTITY_IP:
        put_address (identity, text);
        break;
    case IDENTITY_CURVE:
        put_key (identity->id, text);
        break;
    default:
        memcpy (text, identity->id, identity->size);
        text[identity->size] = '\0';
        break;
    }
    return text;
}

const char *identity_text_masked (const struct identity *identity, char text[IDENTITY_TEXT_SIZE])
{
    const char *colon = NULL;
    (void) identity_text (identity, text);
    if (identity->scheme == IDENTITY_DIGEST) {
        colon = strchr (text, ':');
        COHORT_ASSERT (colon != NULL);
        memcpy (text + (colon - text) + 1, "x", sizeof "x");
    }
    return text;
}

/* ---- Addresses and keys ------------------------------------------------------------------ */

static bool parse_address (const char *text, size_t size, uint8_t address[IDENTITY_IP_SIZE])
{
    char copy[ADDRESS_TEXT_MAX];
    if (size == 0 || size >= sizeof copy || memchr (text, '\0', size) != NULL) {
        return false;
    }
    memcpy (copy, text, size);
    copy[size] = '\0';
    memcpy (address, mapped, sizeof mapped);
    return inet_pton (AF_INET, copy, address + IPV4_AT) == 1 ||
           inet_pton (AF_INET6, copy, address) == 1;
}

/* The bits of a network, after the slash. */
static bool parse_bits (const char *text, size_t size, unsigned max, unsigned *bits)
{
    unsigned value = 0;
    if (size == 0 || size > 3) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (unsigned) (text[i] - '0');
    }
    *bits = value;
    return value <= max;
}

static bool parse_network (const char *text, size_t size, uint8_t network[IDENTITY_IP_SIZE + 1])
{
    const char *slash = size > 0 ? memchr (text, '/', size) : NULL;
    size_t address_size = slash != NULL ? (size_t) (slash - text) : size;
    unsigned bits = IP_BITS;
    if (!parse_address (text, address_size, network)) {
        return false;
    }
    if (slash != NULL) {
        bool four = memcmp (network, mapped, sizeof mapped) == 0;
        unsigned above = four && memchr (text, ':', address_size) == NULL ? 8 * IPV4_AT : 0;
        if (!parse_bits (slash + 1, size - address_size - 1, IP_BITS - above, &bits)) {
            return false;
        }
        bits += above;
    }
    network[IDENTITY_IP_SIZE] = (uint8_t) bits;
    return true;
}

static bool parse_key (const char *text, size_t size, uint8_t key[IDENTITY_CURVE_SIZE])
{
    if (size != KEY_TEXT_SIZE) {
        return false;
    }
    for (size_t i = 0; i < size; i += 5) {
        uint64_t value = 0;
        for (size_t k = i; k < i + 5; k++) {
            const char *at = text[k] != '\0' ? strchr (z85, text[k]) : NULL;
            if (at == NULL) {
                return false;
            }
            value = value * 85 + (uint64_t) (at - z85);
        }
        if (value > UINT32_MAX) {
            return false;
        }
        for (size_t k = 0; k < 4; k++) {
            key[i / 5 * 4 + k] = (uint8_t) (value >> (24 - 8 * k));
        }
    }
    return true;
}

/* ---- Lists ------------------------------------------------------------------------------- */

static bool is (const char *text, size_t size, const char *word)
{
    return size == strlen (word) && memcmp (text, word, size) == 0;
}

/* What `parts` names; bytes: room for what is no text in the state.  NULL, or why it is nobody. */
static const char *parse_identity (struct identity *identity, const struct identity_parts *parts,
                                   uint8_t bytes[IDENTITY_CURVE_SIZE])
{
    const char *scheme = parts->scheme, *id = parts->id;
    size_t size = parts->scheme_size, id_size = parts->id_size;
    if (is (scheme, size, "world")) {
        *identity = (struct identity){.scheme = IDENTITY_WORLD};
        return is (id, id_size, "anyone") ? NULL : "the only id of world is anyone";
    }
    if (is (scheme, size, "auth")) {
        *identity = (struct identity){.scheme = IDENTITY_AUTH};
        return NULL;
    }
    if (is (scheme, size, "digest")) {
        if (!digest_id_valid (id, id_size)) {
            return "a digest id is USER:argon2id:HASH, or USER:HASH with a SHA-1 as ZooKeeper has "
                   "it; a password is none";
        }
        *identity = (struct identity){IDENTITY_DIGEST, (const uint8_t *) id, (uint8_t) id_size};
        return NULL;
    }
    if (is (scheme, size, "ip")) {
        *identity = (struct identity){IDENTITY_IP, bytes, IDENTITY_IP_SIZE + 1};
        return parse_network (id, id_size, bytes)
                   ? NULL
                   : "an ip id is an IPv4 or IPv6 address, or ADDRESS/BITS";
    }
    if (is (scheme, size, "curve")) {
        *identity = (struct identity){IDENTITY_CURVE, bytes, IDENTITY_CURVE_SIZE};
        return parse_key (id, id_size, bytes) ? NULL
                                              : "a curve id is a public key, 40 characters of Z85";
    }
    return "there is no such scheme: world, auth, digest, ip and curve are known";
}

const char *acl_item_parse (struct buf *out, uint32_t perms, const struct identity_parts *parts)
{
    uint8_t bytes[IDENTITY_CURVE_SIZE];
    struct acl_item item = {.perms = (uint8_t) perms};
    if (perms == 0 || perms > COHORT_PERM_ALL) {
        return "permissions are READ 1, WRITE 2, CREATE 4, DELETE 8 and ADMIN 16, added up";
    }
    const char *why = parse_identity (&item.identity, parts, bytes);
    if (why == NULL) {
        acl_item_encode (out, &item);
    }
    return why;
}

bool admins_parse (struct buf *out, const char *text, char *error, size_t error_size)
{
    size_t begin = out->size;
    for (const char *at = text; *at != '\0';) {
        size_t size = strcspn (at, ",");
        const char *colon = memchr (at, ':', size);
        const char *why = "an administrator is digest:USER:HASH, curve:KEY or ip:ADDRESS/BITS";
        if (colon != NULL) {
            struct identity_parts parts = {at, (size_t) (colon - at), colon + 1,
                                           size - (size_t) (colon - at) - 1};
            const char *wrong = acl_item_parse (out, COHORT_PERM_ALL, &parts);
            bool valid = wrong == NULL && admins_valid (out->data + begin, out->size - begin);
            why = wrong != NULL ? wrong : valid ? NULL : why;
        }
        if (why != NULL) {
            (void) snprintf (error, error_size, "admin %.*s: %s", size > 80 ? 80 : (int) size, at,
                             why);
            return false;
        }
        at += size;
        at += *at == ',';
    }
    return !out->failed;
}

/* ---- Who a client is --------------------------------------------------------------------- */

void identity_put_origin (struct buf *out, const char *address, const char *key)
{
    uint8_t bytes[IDENTITY_CURVE_SIZE];
    if (address != NULL && parse_address (address, strlen (address), bytes)) {
        identity_encode (out, &(struct identity){IDENTITY_IP, bytes, IDENTITY_IP_SIZE});
    }
    if (key != NULL && parse_key (key, strlen (key), bytes)) {
        identity_encode (out, &(struct identity){IDENTITY_CURVE, bytes, IDENTITY_CURVE_SIZE});
    }
}

int identity_put_proven (struct buf *out, const struct identity_claim *claim, const char **why)
{
    const struct identity_parts *parts = &claim->parts;
    bool old = is (parts->scheme, parts->scheme_size, "digest-sha1");
    char id[DIGEST_ID_SIZE];
    if (!old && !is (parts->scheme, parts->scheme_size, "digest")) {
        *why = "there is no such scheme: digest and digest-sha1 are known; who somebody is by ip "
               "and curve, the connection shows";
        return COHORT_EAUTHFAILED;
    }
    if (!digest_user_valid (parts->id, parts->id_size)) {
        *why = "a user's name has 1 to 128 bytes, no ':' and no control characters";
        return COHORT_EINVAL;
    }
    if (old && claim->credential_size > DIGEST_PASSWORD_MAX) {
        *why = "a password has 1,024 bytes at most";
        return COHORT_EAUTHFAILED;
    }
    if (!old && claim->credential_size != DIGEST_CREDENTIAL_SIZE) {
        *why = "the credential of scheme digest is Argon2id's output, 32 bytes";
        return COHORT_EAUTHFAILED;
    }
    if (old) {
        digest_id_sha1 (parts->id, parts->id_size, claim->credential, claim->credential_size, id);
    } else {
        digest_id (parts->id, parts->id_size, claim->credential, id);
    }
    size_t size = strlen (id);
    identity_encode (out, &(struct identity){IDENTITY_DIGEST, (uint8_t *) id, (uint8_t) size});
    return 0;
}

_Static_assert((int) DIGEST_ID_SIZE <= (int) IDENTITY_ID_MAX, "every digest id is an id");
_Static_assert(DIGEST_USER_MAX == 128 && DIGEST_PASSWORD_MAX == 1024, "the texts have the numbers");
_Static_assert(IDENTITY_IP_SIZE + 1 <= IDENTITY_CURVE_SIZE, "one buffer is for both");
