/* The state file: see state_file.h. */

#include "client/src/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/base/assert.h"
#include "client/base/hash.h"

#define FILE_SIZE_MAX (64u << 10)
#define NEW_SUFFIX    ".new"
#define CHECK_SIZE    (sizeof ("check=") - 1 + 16 + 1)
#define ID_TEXT       (2 * WIRE_ID_SIZE + 1)

static const char head[] = "# A session of Cohort's: whoever has this file can be its owner.\n"
                           "version=1\n";

/* ---- Writing --------------------------------------------------------------------------------- */

static void id_text (char text[ID_TEXT], const uint8_t id[WIRE_ID_SIZE])
{
    for (size_t i = 0; i < WIRE_ID_SIZE; i++) {
        snprintf (text + 2 * i, 3, "%02x", id[i]);
    }
}

static void encode (struct buf *out, const struct session_identity *identity, const char *servers)
{
    char cluster[ID_TEXT], password[ID_TEXT], line[512];
    id_text (cluster, identity->cluster_id);
    id_text (password, identity->password);
    int size = snprintf (line, sizeof (line),
                         "cluster=%s\nsession=%016" PRIx64 "\npassword=%s\nincarnation=%" PRIu32
                         "\ntimeout_ms=%" PRIu32 "\ngrace_ms=%" PRIu32 "\nservers=",
                         cluster, identity->id, password, identity->incarnation,
                         identity->timeout_ms, identity->grace_ms);
    COHORT_ASSERT (size > 0 && (size_t) size < sizeof (line));
    buf_append (out, head, sizeof (head) - 1);
    buf_append (out, line, (size_t) size);
    buf_append (out, servers, strlen (servers));
    buf_append (out, "\n", 1);
    size = snprintf (line, sizeof (line), "check=%016" PRIx64 "\n",
                     out->failed ? 0 : hash64 (out->data, out->size, 0));
    buf_append (out, line, (size_t) size);
}

static int failed (char *text, size_t text_size, const char *path, const char *what)
{
    snprintf (text, text_size, "the state file %.200s: %s: %s", path, what, strerror (errno));
    return COHORT_ESYSTEM;
}

static bool write_all (int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write (fd, data, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return false;
        }
        data += written;
        size -= (size_t) written;
    }
    return true;
}

static int write_new (const char *path, const char *name, const struct buf *bytes, char *text,
                      size_t text_size)
{
    int fd = open (name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        return failed (text, text_size, path, "cannot be created");
    }
    bool good = write_all (fd, bytes->data, bytes->size) && fsync (fd) == 0;
    int why = errno;
    if (close (fd) != 0 || !good) {
        errno = good ? errno : why;
        return failed (text, text_size, path, "cannot be written");
    }
    return COHORT_OK;
}

/* A name is durable when its folder is. */
static int sync_folder (const char *path, char *text, size_t text_size)
{
    char folder[STATE_FILE_PATH_MAX + 2];
    const char *slash = strrchr (path, '/');
    size_t size = slash == NULL ? 0 : (size_t) (slash - path);
    snprintf (folder, sizeof (folder), "%.*s%s", (int) size, path,
              slash == NULL ? "."
              : size == 0   ? "/"
                            : "");
    int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return failed (text, text_size, path, "its folder cannot be opened");
    }
    bool good = fsync (fd) == 0;
    int why = errno;
    close (fd);
    errno = why;
    return good ? COHORT_OK : failed (text, text_size, path, "its folder cannot be synced");
}

int state_file_write (const char *path, const struct session_identity *identity,
                      const char *servers, char *text, size_t text_size)
{
    char name[STATE_FILE_PATH_MAX + sizeof (NEW_SUFFIX)];
    struct buf bytes;
    COHORT_ASSERT (strlen (path) <= STATE_FILE_PATH_MAX);
    snprintf (name, sizeof (name), "%s%s", path, NEW_SUFFIX);
    buf_init (&bytes);
    encode (&bytes, identity, servers);
    int rc = COHORT_OK;
    if (bytes.failed) {
        snprintf (text, text_size, "the state file %.200s: out of memory", path);
        rc = COHORT_ENOMEM;
    }
    rc = rc == COHORT_OK ? write_new (path, name, &bytes, text, text_size) : rc;
    if (rc == COHORT_OK && rename (name, path) != 0) {
        rc = failed (text, text_size, path, "cannot be replaced");
    }
    rc = rc == COHORT_OK ? sync_folder (path, text, text_size) : rc;
    buf_deinit (&bytes);
    return rc;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static int corrupt (char *text, size_t text_size, const char *path, const char *why)
{
    snprintf (text, text_size,
              "the state file %.200s is damaged: %s; without it a new session begins, and the one "
              "it was of ends by its timeout",
              path, why);
    return COHORT_ECORRUPT;
}

/* Its bytes; absent: none, and 0. */
static int load (const char *path, struct buf *bytes, char *text, size_t text_size)
{
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? COHORT_OK : failed (text, text_size, path, "cannot be opened");
    }
    uint8_t piece[4096];
    ssize_t got = 0;
    while (bytes->size <= FILE_SIZE_MAX && !bytes->failed) {
        got = read (fd, piece, sizeof (piece));
        if (got > 0) {
            buf_append (bytes, piece, (size_t) got);
        } else if (got == 0 || errno != EINTR) {
            break;
        }
    }
    int rc = got < 0 ? failed (text, text_size, path, "cannot be read") : COHORT_OK;
    close (fd);
    if (rc == COHORT_OK && bytes->failed) {
        snprintf (text, text_size, "the state file %.200s: out of memory", path);
        rc = COHORT_ENOMEM;
    }
    return rc;
}

/* The value of the next line, which must have this key; NULL: it has not. Ends it with 0. */
static char *take (char **at, const char *key)
{
    size_t size = strlen (key);
    char *end = strchr (*at, '\n');
    if (end == NULL || strncmp (*at, key, size) != 0 || (*at)[size] != '=') {
        return NULL;
    }
    char *value = *at + size + 1;
    *end = '\0';
    *at = end + 1;
    return value;
}

static int digit (char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Exactly so many digits. */
static bool take_hex (char **at, const char *key, uint8_t *out, size_t size)
{
    const char *value = take (at, key);
    if (value == NULL || strlen (value) != 2 * size) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        int high = digit (value[2 * i]);
        int low = digit (value[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t) (high << 4 | low);
    }
    return true;
}

static bool take_number (char **at, const char *key, uint32_t *out)
{
    const char *value = take (at, key);
    uint64_t number = 0;
    if (value == NULL || *value == '\0') {
        return false;
    }
    for (; *value >= '0' && *value <= '9' && number <= UINT32_MAX; value++) {
        number = 10 * number + (uint64_t) (*value - '0');
    }
    *out = (uint32_t) number;
    return *value == '\0' && number <= UINT32_MAX;
}

static bool parse (char *at, struct session_identity *identity, const char **servers)
{
    uint8_t id[8];
    bool good = take_hex (&at, "cluster", identity->cluster_id, WIRE_ID_SIZE) &&
                take_hex (&at, "session", id, sizeof (id)) &&
                take_hex (&at, "password", identity->password, WIRE_ID_SIZE) &&
                take_number (&at, "incarnation", &identity->incarnation) &&
                take_number (&at, "timeout_ms", &identity->timeout_ms) &&
                take_number (&at, "grace_ms", &identity->grace_ms);
    *servers = good ? take (&at, "servers") : NULL;
    if (*servers == NULL || *at != '\0') {
        return false;
    }
    identity->id = 0;
    for (size_t i = 0; i < sizeof (id); i++) {
        identity->id = identity->id << 8 | id[i];
    }
    return identity->incarnation > 0 && identity->incarnation < UINT32_MAX &&
           (identity->id == 0 || (identity->timeout_ms > 0 && identity->grace_ms > 0));
}

static int decode (const char *path, struct buf *bytes, struct session_identity *identity,
                   struct buf *servers, char *text, size_t text_size)
{
    char check[CHECK_SIZE + 1];
    if (bytes->size > FILE_SIZE_MAX || bytes->size < sizeof (head) - 1 + CHECK_SIZE ||
        memchr (bytes->data, 0, bytes->size) != NULL) {
        return corrupt (text, text_size, path, "its size, or a byte in it, cannot be right");
    }
    size_t size = bytes->size - CHECK_SIZE;
    snprintf (check, sizeof (check), "check=%016" PRIx64 "\n", hash64 (bytes->data, size, 0));
    if (memcmp (bytes->data + size, check, CHECK_SIZE) != 0) {
        return corrupt (text, text_size, path, "its check sum is another");
    }
    if (memcmp (bytes->data, head, sizeof (head) - 1) != 0) {
        return corrupt (text, text_size, path, "it is of another version");
    }
    const char *found;
    bytes->data[size] = '\0';
    if (!parse ((char *) bytes->data + sizeof (head) - 1, identity, &found)) {
        return corrupt (text, text_size, path, "a line is missing or malformed");
    }
    buf_append (servers, found, strlen (found) + 1);
    if (servers->failed) {
        snprintf (text, text_size, "the state file %.200s: out of memory", path);
        return COHORT_ENOMEM;
    }
    return COHORT_OK;
}

int state_file_read (const char *path, struct session_identity *identity, struct buf *servers,
                     char *text, size_t text_size)
{
    struct session_identity found = {0};
    struct buf bytes;
    buf_init (&bytes);
    int rc = load (path, &bytes, text, text_size);
    if (rc == COHORT_OK && bytes.size > 0) {
        rc = decode (path, &bytes, &found, servers, text, text_size);
    }
    if (rc == COHORT_OK) {
        *identity = found;
    }
    buf_deinit (&bytes);
    return rc;
}
