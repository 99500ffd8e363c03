/* client_reads.c: what reads the tree is answered: see client_state.h.
 *
 * A read is answered from the state as it is when it stands at the front: at once, from where it
 * lies in its frame, if nothing stands there before it.  A linearizable one waits there until a
 * quorum has confirmed, in a round that began after it came, that this state is no older than that:
 * it has a sync of its own, and all syncs of one turn are one question. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "server/node/client_state.h"
#include "server/node/identity_text.h"

/* A read that is being answered. */
struct reading {
    uint64_t session; /* who reads */
    enum request_kind kind;
    const struct request_list *list;
    const char *text; /* path, after, prefix */
    uint32_t looks;   /* children that may be looked at */
    size_t full;      /* bytes of the output with which a page ends */
    struct clients *self;
};

enum { DETAIL_SIZE = 160 };

/* ---- Watches ----------------------------------------------------------------------------- */

/* Sets the watch that goes with a read; 0, or why not. */
static int set_watch (struct clients *self, struct client *client, const struct request *request,
                      const char *path, int rc)
{
    static const enum watch_kind kinds[] = {
        [REQUEST_EXISTS] = WATCH_EXISTS,
        [REQUEST_GET] = WATCH_DATA,
        [REQUEST_CHILDREN] = WATCH_CHILDREN,
    };
    bool wanted =
        request->watch && (rc == 0 || (rc == COHORT_ENONODE && request->kind == REQUEST_EXISTS));
    if (!wanted) {
        return rc;
    }
    int set = client_watch_set (self, client, kinds[request->kind], path, request->list.path_size);
    return set != 0 ? set : rc;
}

static void answer_unwatch (struct clients *self, struct client *client,
                            const struct request *request)
{
    const char *path = (const char *) request_payload (request);
    bool any =
        client_watch_drop (self, client, request->flags, path, request->size, request->check);
    bool sound = tree_path_check (self->tree, path, request->size, false) == 0;
    struct wire_client_reply reply = {
        .xid = request->xid,
        .code = any     ? 0
                : sound ? COHORT_ENOWATCHER
                        : COHORT_EPATH,
        .zxid = tree_zxid (self->tree),
    };
    client_reply_plain (self, client, &reply);
}

/* ---- Children ---------------------------------------------------------------------------- */

enum { CHILD_BYTES = 24 }; /* of a child in a page, about */

struct page {
    const struct reading *reading;
    const struct request_list *list;
    struct buf *out;
    size_t full; /* bytes of out, with which the page ends */
    bool any;
};

static bool add_child (void *arg, const struct tree_child *child)
{
    struct page *page = arg;
    const struct tree *tree = page->reading->self->tree;
    uint64_t session = page->reading->session;
    bool with_data = page->list->with_data;
    bool hidden = with_data && tree_node_sight (tree, session, child->znode) != TREE_WHOLE;
    /* Where a page ends says nothing of the size of what is hidden. */
    uint32_t data_size = with_data && !hidden ? child->data_size : 0;
    if (page->any && page->out->size + child->name_size + data_size > page->full) {
        return false;
    }
    page->any = true;
    if (!page->list->with_stat && !with_data) {
        wire_client_reply_name (page->out, child->name, child->name_size);
        return true;
    }
    cohort_stat_t stat;
    if (page->list->with_stat) {
        tree_child_stat (tree, session, child, &stat);
    }
    wire_client_reply_child (page->out, child->name, child->name_size,
                             page->list->with_stat ? &stat : NULL,
                             with_data && !hidden ? child->data : NULL, data_size, hidden);
    return true;
}

/* It counts for the turn; and for the entry, behind which the read was answered. */
static void has_looked (struct clients *self, uint64_t looks)
{
    self->work += looks / WORK_LOOKS;
    self->told += (uint32_t) (looks / WORK_LOOKS);
}

/* A page of children: no more than one turn can bear, however many there are.  Returns how much was
 * looked at for it. */
static uint32_t put_children (const struct reading *reading, struct buf *out)
{
    uint32_t looked = 0;
    const struct request_list *asked = reading->list;
    const char *path = reading->text;
    struct tree_list list = {
        .after = path + asked->path_size,
        .after_size = asked->after_size,
        .prefix = path + asked->path_size + asked->after_size,
        .prefix_size = asked->prefix_size,
        .filter = (enum tree_filter) asked->filter,
        .descending = asked->descending,
        .with_data = asked->with_data,
        .limit = asked->limit,
        .looks = reading->looks,
        .looked = &looked,
    };
    struct page page = {.reading = reading, .list = asked, .out = out, .full = reading->full};
    struct tree_name next;
    int rc =
        tree_children (reading->self->tree, path, asked->path_size, &list, add_child, &page, &next);
    if (rc != 0) {
        out->failed = true;
    } else if (next.size > 0) {
        wire_client_reply_next (out, next.name, next.size);
    }
    has_looked (reading->self, looked);
    return looked;
}

/* ---- Answering --------------------------------------------------------------------------- */

/* Looks the znode of a read up, as the client may see it. */
static int find (const struct clients *self, const struct client *client, enum request_kind kind,
                 const struct tree_key *key, struct tree_node *node)
{
    enum tree_sight wanted = kind == REQUEST_EXISTS ? TREE_BARE : TREE_WHOLE;
    bool with_data = kind == REQUEST_GET;
    return tree_get_key_as (self->tree, client->session, wanted, with_data, key, node);
}

/* About how many bytes the answer has. */
static size_t guess (enum request_kind kind, const struct tree_node *node)
{
    if (kind == REQUEST_GET) {
        return node->data_size;
    }
    size_t children = (size_t) node->stat.child_count * CHILD_BYTES;
    return kind != REQUEST_CHILDREN ? 0 : children < LIST_BYTES ? children : LIST_BYTES;
}

/* What was found, in the fields that its kind has.  Returns how many znodes were looked at. */
static uint32_t put_found (const struct reading *reading, const struct tree_node *node,
                           struct buf *out)
{
    wire_client_reply_stat (out, &node->stat);
    switch (reading->kind) {
    case REQUEST_GET:
        wire_client_reply_data (out, node->data, node->data_size);
        break;
    case REQUEST_CHILDREN:
        return put_children (reading, out);
    case REQUEST_COUNT:
        wire_client_reply_value (out, (int64_t) node->below);
        break;
    default:
        break;
    }
    return 1;
}

/* There is nothing to be found, or it is not to be seen; found: whether it was. */
static void refuse_read (struct clients *self, struct client *client, const struct request *request,
                         int rc, bool found)
{
    char detail[DETAIL_SIZE];
    struct wire_client_reply reply = {
        .xid = request->xid,
        .code = rc,
        .zxid = tree_zxid (self->tree),
    };
    if (rc == COHORT_ELIMIT && found) {
        (void) snprintf (detail, sizeof detail,
                         "the client has %" PRIu32 " one-shot watches; that is the limit",
                         client->watches);
        reply.detail = detail;
        reply.detail_size = strlen (detail);
    }
    client_reply_plain (self, client, &reply);
}

/* More than the znode itself is asked for. */
static void put_more (struct clients *self, const struct client *client,
                      const struct request *request, const char *path, const struct tree_node *node,
                      struct buf *out)
{
    struct wire_client_reply reply = {.xid = request->xid, .zxid = tree_zxid (self->tree)};
    struct wire_mark mark =
        wire_client_reply_begin (out, &reply, guess ((enum request_kind) request->kind, node));
    struct reading reading = {
        .session = client->session,
        .kind = (enum request_kind) request->kind,
        .list = &request->list,
        .text = path,
        .looks = LIST_LOOKS,
        .full = out->size + LIST_BYTES,
        .self = self,
    };
    (void) put_found (&reading, node, out);
    wire_client_item_end (out, mark);
}

/* key: of the request's path. */
static void answer_read (struct clients *self, struct client *client, const struct request *request,
                         const struct tree_key *key)
{
    struct tree_node node;
    int found = find (self, client, (enum request_kind) request->kind, key, &node);
    if (found == COHORT_ECORRUPT) {
        return; /* this server is about to stop, and another one answers */
    }
    int rc = request->watch ? set_watch (self, client, request, key->path, found) : found;
    if (rc != 0) {
        refuse_read (self, client, request, rc, found != rc);
        return;
    }
    struct buf *out = deliver_begin (self, client);
    if (out == NULL) {
        return;
    }
    if (request->kind == REQUEST_GET || request->kind == REQUEST_EXISTS) {
        bool whole = request->kind == REQUEST_GET;
        wire_client_reply_znode (out, request->xid, tree_zxid (self->tree), &node.stat,
                                 whole ? node.data : NULL, whole ? node.data_size : 0);
    } else {
        put_more (self, client, request, key->path, &node, out);
    }
    deliver_end (self, client);
}

static void answer_plain (struct clients *self, struct client *client,
                          const struct request *request)
{
    struct tree_key key =
        tree_key_of (self->tree, (const char *) request_payload (request), request->list.path_size);
    answer_read (self, client, request, &key);
}

/* ---- At once ----------------------------------------------------------------------------- */

/* Whether a read would be answered as soon as it stood in the queue. */
static bool may_answer (const struct clients *self, const struct client *client)
{
    return client->doom_text == NULL && client->phase == CLIENT_ATTACHED && client->armed &&
           client->queue.count == 0 && client->pulling == 0 && !self->reads_held &&
           deliver_room (self, client) && !clients_tired (self);
}

enum { READS_AHEAD = 8 };

/* A read that is about to be answered. */
struct next_read {
    struct wire_client_read read;
    struct tree_key key;
    size_t left; /* bytes of the frame behind it */
};

/* Takes the next few out of the frame, and has what they look for brought closer. */
static size_t read_ahead (const struct clients *self, struct reader *in,
                          struct next_read next[READS_AHEAD])
{
    size_t count = 0;
    while (count < READS_AHEAD && wire_client_read_next (in, &next[count].read)) {
        struct next_read *at = &next[count++];
        at->key = tree_key_of (self->tree, at->read.path, at->read.path_size);
        at->left = reader_left (in);
    }
    for (size_t i = 0; i < count; i++) {
        tree_key_fetch (self->tree, &next[i].key);
    }
    return count;
}

size_t client_read_at_once (struct clients *self, struct client *client, const uint8_t *data,
                            size_t size)
{
    struct reader in;
    struct next_read next[READS_AHEAD];
    size_t left = size, count;
    if (!may_answer (self, client)) {
        return 0;
    }
    reader_init (&in, data, size);
    while ((count = read_ahead (self, &in, next)) > 0) {
        for (size_t i = 0; i < count; i++) {
            const struct wire_client_read *read = &next[i].read;
            if (!may_answer (self, client)) {
                return size - left;
            }
            struct request request = {
                .xid = read->xid,
                .kind = read->exists ? REQUEST_EXISTS : REQUEST_GET,
                .watch = read->watch,
                .list.path_size = (uint16_t) read->path_size,
            };
            answer_read (self, client, &request, &next[i].key);
            left = next[i].left;
        }
    }
    return size - left;
}

/* ---- Several reads at once --------------------------------------------------------------- */

/* Whether the answer, begun at `start`, has room for the read; it has for the first. */
static bool has_room (const struct buf *out, size_t start, const struct request_part *part,
                      const struct tree_node *node)
{
    size_t used = out->size - start;
    size_t need = guess ((enum request_kind) part->kind, node);
    return used == 0 || used + need <= READS_BYTES;
}

/* `looks`: children that may still be looked at for all the lists of the multi-read; those that
 * come too late get one each, and go on where they end.  false: damage was found. */
static bool put_part_found (struct clients *self, const struct client *client,
                            const struct request_part *part, const char *text, size_t start,
                            uint32_t *looks, struct buf *out)
{
    struct tree_node node;
    struct tree_key key = tree_key_of (self->tree, text, part->list.path_size);
    int rc = find (self, client, (enum request_kind) part->kind, &key, &node);
    if (rc == COHORT_ECORRUPT) {
        return false;
    }
    if (rc == 0 && !has_room (out, start, part, &node)) {
        rc = COHORT_ETOOBIG;
    }
    size_t read = wire_client_read_begin (out, rc);
    if (rc == 0) {
        struct reading reading = {
            .session = client->session,
            .kind = (enum request_kind) part->kind,
            .list = &part->list,
            .text = text,
            .looks = *looks > 0 ? *looks : 1,
            .full = out->size + LIST_BYTES,
            .self = self,
        };
        uint32_t looked = put_found (&reading, &node, out);
        *looks -= looked < *looks ? looked : *looks;
    }
    wire_client_read_end (out, read);
    return true;
}

static void answer_multi (struct clients *self, struct client *client,
                          const struct request *request)
{
    const uint8_t *at = request_payload (request);
    const uint8_t *end = at + request->size;
    struct wire_client_reply reply = {.xid = request->xid, .zxid = tree_zxid (self->tree)};
    struct buf *out = deliver_begin (self, client);
    if (out == NULL) {
        return;
    }
    struct wire_mark mark = wire_client_reply_begin (out, &reply, LIST_BYTES);
    size_t start = out->size;
    uint32_t looks = LIST_LOOKS;
    bool sound = true;
    while (at < end && sound && !out->failed) {
        struct request_part part;
        memcpy (&part, at, sizeof part);
        at += sizeof part;
        sound = put_part_found (self, client, &part, (const char *) at, start, &looks, out);
        at += (size_t) part.list.path_size + part.list.after_size + part.list.prefix_size;
    }
    if (sound) {
        wire_client_item_end (out, mark);
    } else {
        buf_truncate (out, self->open_size); /* another server answers */
    }
    deliver_end (self, client);
}

/* ---- Ephemerals, and who somebody is ------------------------------------------------------ */

static bool add_path (void *arg, const char *path, size_t size)
{
    struct page *page = arg;
    if (page->any && page->out->size + size > page->full) {
        return false;
    }
    page->any = true;
    wire_client_reply_name (page->out, path, size);
    return true;
}

/* What a session owns is its own business, and the administrators'; so is whether it lives. */
static int check_session (const struct clients *self, const struct client *client, uint64_t session)
{
    bool may = session == client->session || tree_session_is_admin (self->tree, client->session);
    return may || COHORT_MUTATED (owned_told) ? 0 : COHORT_ENOAUTH;
}

static void answer_ephemerals (struct clients *self, struct client *client,
                               const struct request *request)
{
    const char *text = (const char *) request_payload (request);
    struct tree_ephemerals list = {
        .after = text,
        .after_size = request->list.after_size,
        .prefix = text + request->list.after_size,
        .prefix_size = request->list.prefix_size,
        .limit = request->list.limit,
        .looks = LIST_LOOKS,
    };
    struct wire_client_reply reply = {
        .xid = request->xid,
        .code = check_session (self, client, request->from),
        .zxid = tree_zxid (self->tree),
    };
    struct buf found = {0}, *next = &self->scratch;
    struct page page = {.out = &found, .full = LIST_BYTES};
    struct tree_session owner = {.ephemerals = 0};
    if (reply.code == 0 && tree_session (self->tree, request->from, &owner)) {
        has_looked (self, owner.ephemerals < LIST_LOOKS ? owner.ephemerals : LIST_LOOKS);
    }
    if (reply.code == 0) {
        reply.code = tree_ephemerals (self->tree, request->from, &list, add_path, &page, next);
    }
    struct buf *out = reply.code != COHORT_ECORRUPT ? deliver_begin (self, client) : NULL;
    if (out != NULL) {
        struct wire_mark mark = wire_client_reply_begin (out, &reply, found.size);
        buf_append (out, found.data, found.size);
        out->failed |= found.failed;
        if (reply.code == 0 && next->size > 0) {
            wire_client_reply_next (out, (const char *) next->data, next->size);
        }
        wire_client_item_end (out, mark);
        deliver_end (self, client);
    }
    buf_deinit (&found);
}

/* Everybody is anyone; what else somebody is, the state knows. */
static void put_identities (const struct clients *self, const struct client *client,
                            struct buf *out)
{
    size_t size = 0;
    const uint8_t *bytes = tree_session_identities (self->tree, client->session, &size);
    struct reader in;
    wire_client_reply_identity (out, "world", "anyone");
    reader_init (&in, bytes, size);
    while (reader_left (&in) > 0) {
        struct identity identity;
        char text[IDENTITY_TEXT_SIZE];
        bool decoded = identity_decode (&identity, &in);
        COHORT_ASSERT (decoded); /* apply has looked at them */
        wire_client_reply_identity (out, identity_scheme_name (identity.scheme),
                                    identity_text (&identity, text));
    }
}

static void answer_whoami (struct clients *self, struct client *client,
                           const struct request *request)
{
    struct wire_client_reply reply = {.xid = request->xid, .zxid = tree_zxid (self->tree)};
    struct buf *out = deliver_begin (self, client);
    if (out != NULL) {
        struct wire_mark mark = wire_client_reply_begin (out, &reply, 0);
        put_identities (self, client, out);
        wire_client_item_end (out, mark);
        deliver_end (self, client);
    }
}

void client_read_answer (struct clients *self, struct client *client, const struct request *request)
{
    switch ((enum request_kind) request->kind) {
    case REQUEST_UNWATCH:
        answer_unwatch (self, client, request);
        break;
    case REQUEST_GET_ACL:
        client_answer_acl (self, client, request);
        break;
    case REQUEST_GET_ADMINS:
        client_answer_admins (self, client, request);
        break;
    case REQUEST_WHOAMI:
        answer_whoami (self, client, request);
        break;
    case REQUEST_EPHEMERALS:
        answer_ephemerals (self, client, request);
        break;
    case REQUEST_MULTI_READ:
        answer_multi (self, client, request);
        break;
    default:
        COHORT_ASSERT (request_is_read (request));
        answer_plain (self, client, request);
        break;
    }
}
