/* ServerFrame to plain structs.
 *
 * protobuf-c unpacks into the frame's arena; what it made is checked and translated, strings and
 * data staying where they are. May include: wire_decode, generated protobuf code, base, libc. */

#include "client/src/wire_decode.h"

#include <string.h>

#include "client.pb-c.h"
#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "client/src/acl.h"

/* Unpacked and translated, a frame takes a few times the bytes that it had on the wire. */
#define ARENA_FACTOR 6

static void unpack_free (void *arg, void *memory)
{
    /* The arena takes all back at once. */
    (void) arg;
    (void) memory;
}

/* Counts what an arena could not give, to tell a malformed frame from a lack of memory. */
struct unpack {
    struct arena *arena;
    bool exhausted;
};

static void *unpack_counting_alloc (void *arg, size_t size)
{
    struct unpack *unpack = arg;
    void *memory = arena_alloc (unpack->arena, size);
    unpack->exhausted = unpack->exhausted || memory == NULL;
    return memory;
}

/* ---- Translation: 0, COHORT_EPROTOCOL or COHORT_ENOMEM --------------------------------------- */

static void fill_stat (cohort_stat_t *stat, const Cohort__Wire__Stat *from)
{
    stat->czxid = from->czxid;
    stat->mzxid = from->mzxid;
    stat->pzxid = from->pzxid;
    stat->ctime_ms = (int64_t) from->ctime_ms;
    stat->mtime_ms = (int64_t) from->mtime_ms;
    stat->version = from->version;
    stat->cversion = from->cversion;
    stat->aversion = from->aversion;
    stat->data_size = (int32_t) from->data_size;
    stat->ephemeral_owner = from->ephemeral_owner;
    stat->ozxid = from->ozxid;
    stat->child_count = from->child_count;
    stat->mode = (int) (from->mode & INT32_MAX);
    stat->ttl_ms = (int64_t) from->ttl_ms;
}

static int take_welcome (struct wire_frame *frame, const Cohort__Wire__Welcome *from)
{
    if (from->cluster_id.len != WIRE_ID_SIZE || from->session_id == 0 || from->timeout_ms == 0 ||
        from->timeout_ms > INT32_MAX || from->grace_ms == 0 || from->grace_ms > INT32_MAX ||
        from->attach_no == 0) {
        return COHORT_EPROTOCOL;
    }
    struct wire_welcome *welcome = arena_calloc (&frame->arena, 1, sizeof (*welcome));
    if (welcome == NULL) {
        return COHORT_ENOMEM;
    }
    welcome->version = from->version;
    memcpy (welcome->cluster_id, from->cluster_id.data, WIRE_ID_SIZE);
    welcome->session_id = from->session_id;
    welcome->timeout_ms = from->timeout_ms;
    welcome->grace_ms = from->grace_ms;
    welcome->last_number = from->last_number;
    welcome->server_id = from->server_id;
    welcome->window = from->window;
    welcome->data_size_max = from->data_size_max;
    welcome->path_size_max = from->path_size_max;
    welcome->attach_no = from->attach_no;
    welcome->credit_bytes = from->credit_bytes;
    welcome->silence_ms = from->silence_ms;
    frame->welcome = welcome;
    return COHORT_OK;
}

static int take_refused (struct wire_frame *frame, const Cohort__Wire__Refused *from)
{
    struct wire_refused *refused = arena_calloc (&frame->arena, 1, sizeof (*refused));
    if (refused == NULL) {
        return COHORT_ENOMEM;
    }
    refused->code = from->code;
    refused->text = from->text;
    refused->redirect = from->redirect;
    frame->refused = refused;
    return COHORT_OK;
}

static int take_backup (struct wire_frame *frame, const Cohort__Wire__BackupPart *from)
{
    if (from->code > 0 || from->offset > from->size || from->data.len > from->size - from->offset) {
        return COHORT_EPROTOCOL;
    }
    struct wire_backup *backup = arena_calloc (&frame->arena, 1, sizeof (*backup));
    if (backup == NULL) {
        return COHORT_ENOMEM;
    }
    *backup = (struct wire_backup){.size = from->size,
                                   .zxid = from->zxid,
                                   .offset = from->offset,
                                   .sum = from->sum,
                                   .data = from->data.data,
                                   .data_size = from->data.len,
                                   .code = from->code,
                                   .text = from->text};
    frame->backup = backup;
    return COHORT_OK;
}

static int take_op_results (struct arena *arena, struct wire_reply_more *more,
                            const Cohort__Wire__Reply *from)
{
    more->ops = arena_calloc (arena, from->n_results, sizeof (*more->ops));
    if (more->ops == NULL) {
        return COHORT_ENOMEM;
    }
    more->ops_count = from->n_results;
    for (size_t i = 0; i < from->n_results; i++) {
        const Cohort__Wire__OpResult *result = from->results[i];
        if (result->code > 0) {
            return COHORT_EPROTOCOL;
        }
        more->ops[i].rc = result->code;
        more->ops[i].path = result->path[0] != '\0' ? result->path : NULL;
        more->ops[i].value = result->value;
        more->ops[i].existed = result->existed;
        if (result->stat != NULL) {
            fill_stat (&more->ops[i].stat, result->stat);
        }
    }
    return COHORT_OK;
}

static cohort_child_t *children_of (struct arena *arena, Cohort__Wire__Child *const *from,
                                    size_t count)
{
    cohort_child_t *children = arena_calloc (arena, count, sizeof (*children));
    for (size_t i = 0; children != NULL && i < count; i++) {
        children[i].name = from[i]->name;
        children[i].data = from[i]->data.data;
        children[i].size = from[i]->data.len;
        children[i].hidden = from[i]->hidden;
        if (from[i]->stat != NULL) {
            fill_stat (&children[i].stat, from[i]->stat);
        }
    }
    return children;
}

static int take_listed (struct arena *arena, struct wire_reply_more *more,
                        const Cohort__Wire__Reply *from)
{
    more->listed = children_of (arena, from->listed, from->n_listed);
    more->listed_count = from->n_listed;
    return more->listed != NULL ? COHORT_OK : COHORT_ENOMEM;
}

static int take_read (struct arena *arena, cohort_read_result_t *read,
                      const Cohort__Wire__ReadResult *from)
{
    if (from->code > 0) {
        return COHORT_EPROTOCOL;
    }
    cohort_strings_t *names = arena_calloc (arena, 1, sizeof (*names));
    read->listed = children_of (arena, from->listed, from->n_listed);
    if (names == NULL || read->listed == NULL) {
        return COHORT_ENOMEM;
    }
    names->count = from->n_children;
    names->items = (const char *const *) from->children;
    read->children = names;
    read->listed_count = from->n_listed;
    read->rc = from->code;
    read->data = from->data.data;
    read->size = from->data.len;
    read->next = from->next[0] != '\0' ? from->next : NULL;
    read->count = from->value;
    if (from->stat != NULL) {
        fill_stat (&read->stat, from->stat);
    }
    return COHORT_OK;
}

static int take_reads (struct arena *arena, struct wire_reply_more *more,
                       const Cohort__Wire__Reply *from)
{
    more->reads = arena_calloc (arena, from->n_reads, sizeof (*more->reads));
    if (more->reads == NULL) {
        return COHORT_ENOMEM;
    }
    more->reads_count = from->n_reads;
    int rc = COHORT_OK;
    for (size_t i = 0; i < from->n_reads && rc == COHORT_OK; i++) {
        rc = take_read (arena, &more->reads[i], from->reads[i]);
    }
    return rc;
}

static int take_identities (struct arena *arena, struct wire_reply_more *more,
                            const Cohort__Wire__Reply *from)
{
    more->identities = arena_calloc (arena, from->n_identities, sizeof (*more->identities));
    if (more->identities == NULL) {
        return COHORT_ENOMEM;
    }
    more->identities_count = from->n_identities;
    for (size_t i = 0; i < from->n_identities; i++) {
        more->identities[i].scheme = from->identities[i]->scheme;
        more->identities[i].id = from->identities[i]->id;
    }
    return COHORT_OK;
}

/* A text of the server's, which ends where its bytes end. */
static const char *text_of (struct arena *arena, const ProtobufCBinaryData *bytes)
{
    char *text = arena_alloc (arena, bytes->len + 1);
    if (text != NULL) {
        if (bytes->len > 0) {
            memcpy (text, bytes->data, bytes->len);
        }
        text[bytes->len] = '\0';
    }
    return text;
}

static int take_acl (struct arena *arena, struct wire_reply_more *more,
                     const Cohort__Wire__Reply *from)
{
    cohort_acl_t *acl = arena_calloc (arena, 1, sizeof (*acl));
    cohort_acl_item_t *items = arena_calloc (arena, from->n_acl, sizeof (*items));
    if (acl == NULL || items == NULL) {
        return COHORT_ENOMEM;
    }
    for (size_t i = 0; i < from->n_acl; i++) {
        items[i].perms = (int) (from->acl[i]->perms & COHORT_PERM_ALL);
        items[i].scheme = text_of (arena, &from->acl[i]->scheme);
        items[i].id = text_of (arena, &from->acl[i]->id);
        if (items[i].scheme == NULL || items[i].id == NULL) {
            return COHORT_ENOMEM;
        }
    }
    acl->items = items;
    acl->count = from->n_acl;
    more->acl = acl;
    return COHORT_OK;
}

static int take_sessions (struct arena *arena, struct wire_reply_more *more,
                          const Cohort__Wire__Reply *from)
{
    cohort_session_info_t *list = arena_calloc (arena, from->n_sessions, sizeof (*list));
    if (list == NULL) {
        return COHORT_ENOMEM;
    }
    for (size_t i = 0; i < from->n_sessions; i++) {
        const Cohort__Wire__SessionInfo *session = from->sessions[i];
        bool known = session->address.len == sizeof (list[i].address);
        if (session->address.len != 0 && !known) {
            return COHORT_EPROTOCOL;
        }
        list[i] = (cohort_session_info_t){
            .id = session->session,
            .ephemerals = session->ephemerals,
            .server = session->server,
            .timeout_ms = session->timeout_ms,
            .grace_ms = session->grace_ms,
            .incarnation = session->incarnation,
            .state = (int) session->state,
            .address_known = known,
        };
        if (known) {
            memcpy (list[i].address, session->address.data, sizeof (list[i].address));
        }
    }
    more->sessions = list;
    more->sessions_count = from->n_sessions;
    more->more_sessions = from->more_sessions;
    return COHORT_OK;
}

static int take_more (struct arena *arena, struct wire_reply_more *more,
                      const Cohort__Wire__Reply *from)
{
    more->expected = from->expected;
    more->children.count = from->n_children;
    more->children.items = (const char *const *) from->children;
    more->next = from->next;
    more->detail = from->detail;
    more->quota_path = COHORT_MUTATED (quota_unnamed) ? "" : from->quota_path;
    if (from->n_sessions > 0) {
        return take_sessions (arena, more, from);
    }
    if (from->n_acl > 0) {
        return take_acl (arena, more, from);
    }
    if (from->n_listed > 0) {
        return take_listed (arena, more, from);
    }
    if (from->n_reads > 0) {
        return take_reads (arena, more, from);
    }
    if (from->n_identities > 0) {
        return take_identities (arena, more, from);
    }
    return from->n_results > 0 ? take_op_results (arena, more, from) : COHORT_OK;
}

static int take_reply (struct arena *arena, struct wire_item *item, const Cohort__Wire__Reply *from)
{
    if (from->xid == 0 || from->code > 0) {
        return COHORT_EPROTOCOL;
    }
    struct wire_reply *reply = arena_calloc (arena, 1, sizeof (*reply));
    struct wire_reply_more *more = arena_calloc (arena, 1, sizeof (*more));
    if (reply == NULL || more == NULL) {
        return COHORT_ENOMEM;
    }
    item->kind = WIRE_ITEM_REPLY;
    item->u.reply = reply;
    reply->xid = from->xid;
    reply->number = from->number;
    reply->zxid = from->zxid;
    reply->code = from->code;
    reply->path = from->path;
    reply->data = from->data.data;
    reply->size = from->data.len;
    if (from->stat != NULL) {
        cohort_stat_t *stat = arena_calloc (arena, 1, sizeof (*stat));
        if (stat == NULL) {
            return COHORT_ENOMEM;
        }
        fill_stat (stat, from->stat);
        reply->stat = stat;
    }
    reply->value = from->value;
    reply->existed = from->existed;
    reply->more = more;
    return take_more (arena, more, from);
}

static int take_event (struct arena *arena, struct wire_item *item,
                       const Cohort__Wire__WatchEvent *from)
{
    if (from->type < COHORT_EVENT_CREATED || from->type > COHORT_EVENT_CHILDREN ||
        (int) from->kind < (int) WIRE_WATCH_DATA || (int) from->kind > (int) WIRE_WATCH_CHILDREN ||
        from->path[0] != '/') {
        return COHORT_EPROTOCOL;
    }
    struct wire_event *event = arena_calloc (arena, 1, sizeof (*event));
    if (event == NULL) {
        return COHORT_ENOMEM;
    }
    item->kind = WIRE_ITEM_EVENT;
    item->u.event = event;
    event->type = (cohort_event_type_t) from->type;
    event->kind = (enum wire_watch_kind) from->kind;
    event->path = from->path;
    event->zxid = from->zxid;
    return COHORT_OK;
}

static void take_owner (cohort_change_t *change, const Cohort__Wire__OwnerChange *from)
{
    change->path = "";
    change->from = from->from;
    change->stat.ephemeral_owner = from->to;
    change->stat.ozxid = from->zxid;
}

static int take_changes (struct arena *arena, struct wire_batch *batch,
                         const Cohort__Wire__StreamBatch *from)
{
    batch->changes = arena_calloc (arena, from->n_changes, sizeof (*batch->changes));
    if (batch->changes == NULL) {
        return COHORT_ENOMEM;
    }
    for (size_t i = 0; i < from->n_changes; i++) {
        const Cohort__Wire__Change *change = from->changes[i];
        bool found = change->kind == WIRE_CHANGE_FOUND && from->snapshot;
        bool owner = change->kind == COHORT_CHANGE_OWNER && change->owner != NULL;
        bool known = change->kind == COHORT_CHANGE_ACL || owner ||
                     (change->kind >= COHORT_CHANGE_CREATED && change->kind <= COHORT_CHANGE_DATA);
        if (change->path[0] != '/' || (!found && !known)) {
            return COHORT_EPROTOCOL;
        }
        batch->changes[i].kind = (cohort_change_kind_t) change->kind;
        batch->changes[i].path = change->path;
        batch->changes[i].data = change->data.data;
        batch->changes[i].size = change->data.len;
        batch->changes[i].hidden = change->hidden;
        if (change->stat != NULL) {
            fill_stat (&batch->changes[i].stat, change->stat);
        }
        if (owner) {
            take_owner (&batch->changes[i], change->owner);
        }
    }
    return COHORT_OK;
}

static int take_batch (struct arena *arena, struct wire_item *item,
                       const Cohort__Wire__StreamBatch *from)
{
    if (from->stream_id == 0) {
        return COHORT_EPROTOCOL;
    }
    struct wire_batch *batch = arena_calloc (arena, 1, sizeof (*batch));
    if (batch == NULL) {
        return COHORT_ENOMEM;
    }
    item->kind = WIRE_ITEM_BATCH;
    item->u.batch = batch;
    batch->stream_id = from->stream_id;
    batch->sent = from->sent;
    int rc = take_changes (arena, batch, from);
    batch->batch.snapshot = from->snapshot != 0;
    batch->batch.first = from->first != 0;
    batch->batch.reset = from->reset != 0;
    batch->batch.more = from->more != 0;
    batch->batch.zxid = from->zxid;
    batch->batch.changes = batch->changes;
    batch->batch.count = from->n_changes;
    return rc;
}

static int take_item (struct wire_frame *frame, const Cohort__Wire__Item *item)
{
    struct arena *arena = &frame->arena;
    struct wire_item *to = &frame->items[frame->item_count++];
    switch (item->item_case) {
    case COHORT__WIRE__ITEM__ITEM_REPLY:
        return take_reply (arena, to, item->reply);
    case COHORT__WIRE__ITEM__ITEM_EVENT:
        return take_event (arena, to, item->event);
    case COHORT__WIRE__ITEM__ITEM_BATCH:
        return take_batch (arena, to, item->batch);
    default:
        /* A later version's kind of item, which this client has not asked for. */
        frame->item_count--;
        return COHORT_OK;
    }
}

static int take_items (struct wire_frame *frame, const Cohort__Wire__ServerFrame *from)
{
    frame->items = arena_calloc (&frame->arena, from->n_items, sizeof (*frame->items));
    int rc = frame->items != NULL ? COHORT_OK : COHORT_ENOMEM;
    for (size_t i = 0; i < from->n_items && rc == COHORT_OK; i++) {
        rc = take_item (frame, from->items[i]);
    }
    return rc;
}

static int take_frame (struct wire_frame *frame, const Cohort__Wire__ServerFrame *from)
{
    int rc = from->welcome != NULL ? take_welcome (frame, from->welcome) : COHORT_OK;
    if (rc == COHORT_OK && from->refused != NULL) {
        rc = take_refused (frame, from->refused);
    }
    if (rc == COHORT_OK && from->backup != NULL) {
        rc = take_backup (frame, from->backup);
    }
    if (rc == COHORT_OK) {
        rc = take_items (frame, from);
    }
    frame->held = from->held != NULL ? from->held->reason : NULL;
    frame->zxid = from->zxid;
    frame->confirmed = from->confirmed;
    return rc;
}

int wire_decode_general (const void *bytes, size_t size, struct wire_frame **frame_p)
{
    struct wire_frame *frame = wire_frame_new (size * ARENA_FACTOR);
    if (frame == NULL) {
        return COHORT_ENOMEM;
    }
    struct unpack unpack = {.arena = &frame->arena};
    ProtobufCAllocator allocator = {unpack_counting_alloc, unpack_free, &unpack};
    Cohort__Wire__ServerFrame *message =
        cohort__wire__server_frame__unpack (&allocator, size, bytes);
    int rc = message != NULL    ? take_frame (frame, message)
             : unpack.exhausted ? COHORT_ENOMEM
                                : COHORT_EPROTOCOL;
    return wire_frame_end (frame, rc, frame_p);
}

int wire_unpack_item (struct wire_frame *frame, const uint8_t *data, size_t size)
{
    struct unpack unpack = {.arena = &frame->arena};
    ProtobufCAllocator allocator = {unpack_counting_alloc, unpack_free, &unpack};
    Cohort__Wire__Item *item = cohort__wire__item__unpack (&allocator, size, data);
    return item != NULL       ? take_item (frame, item)
           : unpack.exhausted ? COHORT_ENOMEM
                              : COHORT_EPROTOCOL;
}
