/* stub_clients.c: see stub_clients.h. */

#include "tests/unit/node/stub_clients.h"

#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"

enum { IDS = 64, DIGESTS = 1 << 16 };

static struct clients *by_id[IDS];

/* The state at each zxid, as the first server had it: the others must have the same. */
static struct {
    zxid_t zxid;
    uint64_t digest;
} digests[DIGESTS];

static bool digests_ignored;

void stub_ignore_digests (void)
{
    digests_ignored = true;
}

void stub_forget_digests (void)
{
    digests_ignored = false;
    memset (digests, 0, sizeof digests);
}

static void check_digest (const struct clients *self, zxid_t zxid)
{
    size_t slot = (size_t) (zxid ^ zxid >> ZXID_COUNTER_BITS << 12) % DIGESTS;
    uint64_t digest = tree_digest (self->tree);
    if (!digests_ignored && digests[slot].zxid == zxid && digests[slot].digest != digest) {
        fprintf (stderr, "server %u has another state at zxid %llx\n", self->options.id,
                 (unsigned long long) zxid);
        COHORT_ASSERT (digests[slot].digest == digest);
    }
    digests[slot].zxid = zxid;
    digests[slot].digest = digest;
}

struct clients *stub_clients (uint32_t id)
{
    COHORT_ASSERT (id < IDS);
    return by_id[id];
}

struct clients *clients_new (const struct clients_options *options)
{
    struct clients *self = mem_calloc (1, sizeof *self);
    struct stub_write *writes = mem_calloc (STUB_WRITES_MAX, sizeof *writes);
    if (self == NULL || writes == NULL) {
        mem_free (self);
        mem_free (writes);
        return NULL;
    }
    self->options = *options;
    self->tree = options->tree;
    self->writes = writes;
    by_id[options->id] = self;
    return self;
}

void clients_destroy (struct clients **self_p)
{
    struct clients *self = *self_p;
    if (self == NULL) {
        return;
    }
    by_id[self->options.id] = NULL;
    for (size_t i = 0; i < self->writes_count; i++) {
        mem_free (self->writes[i].entry);
    }
    mem_free (self->writes);
    mem_free (self);
    *self_p = NULL;
}

void clients_frame (struct clients *self, uint64_t connection, const uint8_t *data, size_t size)
{
    (void) self;
    (void) connection;
    (void) data;
    (void) size;
}

void clients_closed (struct clients *self, uint64_t connection)
{
    (void) self;
    (void) connection;
}

bool clients_backup_part (struct clients *self, uint64_t connection, const struct backup_part *part)
{
    COHORT_ASSERT (connection == 1);
    self->backup_bytes += part->size;
    self->backup_whole = part->size > 0 && self->backup_bytes == part->file_size;
    self->backup_code = part->code;
    snprintf (self->backup_text, sizeof self->backup_text, "%s",
              part->text != NULL ? part->text : "");
    return true;
}

static void submit (struct clients *self, const struct stub_write *write)
{
    self->options.host.submit (self->options.host.arg, write->entry, write->size);
}

void clients_leader (struct clients *self, bool up)
{
    COHORT_ASSERT (self->up != up);
    self->up = up;
    self->ups += up;
    self->downs += !up;
    for (size_t i = self->writes_first; up && i < self->writes_count; i++) {
        if (!self->writes[i].answered) {
            submit (self, &self->writes[i]);
        }
    }
}

static void answer (struct clients *self, uint64_t session, uint64_t number)
{
    for (size_t i = self->writes_first; i < self->writes_count; i++) {
        struct stub_write *write = &self->writes[i];
        if (!write->answered && write->session == session && write->number == number) {
            write->answered = true;
            break;
        }
    }
    while (self->writes_first < self->writes_count && self->writes[self->writes_first].answered) {
        self->writes_first++;
    }
}

uint32_t clients_applied (struct clients *self, zxid_t zxid, const struct tree_outcome *outcome)
{
    COHORT_ASSERT (zxid > self->applied);
    COHORT_ASSERT (tree_zxid (self->tree) == zxid);
    check_digest (self, zxid);
    self->applied = zxid;
    self->applied_count++;
    if (outcome->kind == ENTRY_CREATE_SESSION && outcome->code == 0) {
        self->created[outcome->nonce[0] % 64] = outcome->session;
        answer (self, 0, outcome->nonce[0]);
    } else if (outcome->kind == ENTRY_ATTACH) {
        answer (self, outcome->session, 0);
    } else if (outcome->kind == ENTRY_WRITE && outcome->code != COHORT_EGAP) {
        answer (self, outcome->session, outcome->number);
    }
    if (outcome->session_closed && self->closed_count < STUB_EVENTS_MAX) {
        self->closed[self->closed_count++] = outcome->session;
    }
    return 0;
}

void clients_tree (struct clients *self, struct tree *tree, bool reset)
{
    self->tree = tree;
    self->applied = tree_zxid (tree);
    self->resets += reset;
    check_digest (self, self->applied);
    /* What the snapshot holds is answered. */
    for (size_t i = self->writes_first; i < self->writes_count; i++) {
        struct tree_session session;
        if (tree_session (tree, self->writes[i].session, &session) &&
            self->writes[i].number <= session.last_number) {
            self->writes[i].answered = true;
        }
    }
}

void clients_confirmed (struct clients *self, uint64_t session, uint64_t attach_no, uint64_t seq)
{
    if (self->confirmed_count < STUB_EVENTS_MAX) {
        self->confirmed[self->confirmed_count].session = session;
        self->confirmed[self->confirmed_count].attach_no = attach_no;
        self->confirmed[self->confirmed_count++].seq = seq;
    }
}

void clients_synced (struct clients *self, uint64_t token, zxid_t zxid)
{
    if (self->synced_count < STUB_EVENTS_MAX) {
        self->synced[self->synced_count].token = token;
        self->synced[self->synced_count++].zxid = zxid;
    }
}

void clients_held (struct clients *self, const char *reason)
{
    self->held = reason;
}

void clients_quarantine (struct clients *self, const char *reason)
{
    self->quarantined = reason;
}

void clients_time (struct clients *self, int64_t now_ms)
{
    COHORT_ASSERT (now_ms >= self->now_ms);
    self->now_ms = now_ms;
}

bool clients_flush (struct clients *self)
{
    (void) self;
    return false;
}

int64_t clients_deadline (const struct clients *self)
{
    (void) self;
    return INT64_MAX;
}

void clients_leave (struct clients *self)
{
    (void) self;
}

uint64_t clients_work (const struct clients *self)
{
    (void) self;
    return 0;
}

uint64_t clients_connections (const struct clients *self)
{
    (void) self;
    return 0;
}

/* ---- What tests submit ----------------------------------------------------------------------- */

static void keep (struct clients *self, uint64_t session, uint64_t number, struct buf *bytes)
{
    COHORT_ASSERT (!bytes->failed);
    COHORT_ASSERT (self->writes_count < STUB_WRITES_MAX);
    struct stub_write *write = &self->writes[self->writes_count++];
    write->session = session;
    write->number = number;
    write->answered = false;
    write->entry = buf_detach (bytes, &write->size);
    if (self->up) {
        submit (self, write);
    }
}

void stub_create_session (struct clients *self, uint8_t nonce, uint32_t timeout_ms,
                          uint32_t grace_ms)
{
    struct buf bytes;
    buf_init (&bytes);
    struct entry entry = {.kind = ENTRY_CREATE_SESSION,
                          .u.create_session = {.nonce = {nonce},
                                               .password_hash = {7},
                                               .timeout_ms = timeout_ms,
                                               .grace_ms = grace_ms,
                                               .server = self->options.id,
                                               .attach_no = 1}};
    entry_encode (&bytes, &entry);
    keep (self, 0, nonce, &bytes);
}

void stub_attach (struct clients *self, uint64_t session, uint64_t attach_no)
{
    struct buf bytes;
    buf_init (&bytes);
    struct entry entry = {.kind = ENTRY_ATTACH,
                          .u.attach = {.session = session,
                                       .password_hash = {7},
                                       .attach_no = attach_no,
                                       .incarnation = 1,
                                       .server = self->options.id}};
    entry_encode (&bytes, &entry);
    keep (self, session, 0, &bytes);
}

void stub_create (struct clients *self, uint64_t session, uint64_t number, const char *path,
                  const void *data, size_t size, uint8_t mode)
{
    struct buf bytes;
    buf_init (&bytes);
    struct entry entry = {.kind = ENTRY_WRITE,
                          .u.write = {.session = session,
                                      .incarnation = 1,
                                      .number = number,
                                      .ack_to = number - 1,
                                      .count = 1}};
    struct op op = {.kind = OP_CREATE,
                    .path = path,
                    .path_size = (uint32_t) strlen (path),
                    .data = data,
                    .data_size = (uint32_t) size,
                    .mode = mode};
    entry_encode (&bytes, &entry);
    op_encode (&bytes, &op);
    keep (self, session, number, &bytes);
}

void stub_backup (struct clients *self)
{
    self->backup_bytes = 0;
    self->backup_whole = false;
    self->options.backup (self->options.backup_arg, 1, 0);
}

size_t stub_pending (const struct clients *self)
{
    size_t count = 0;
    for (size_t i = self->writes_first; i < self->writes_count; i++) {
        count += !self->writes[i].answered;
    }
    return count;
}

void clients_bounds (const struct clients *self, struct bounds *bounds)
{
    (void) self;
    (void) bounds;
}
