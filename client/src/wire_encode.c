/* Plain structs to ClientFrame.
 *
 * The messages of protobuf-c are trees of pointers; they are built in the caller's scratch arena,
 * borrow all strings and data, and are packed into the buffer at once.
 * May include: wire, generated protobuf code, base, libc. */

#include "client/src/wire.h"

#include <string.h>

#include "client.pb-c.h"
#include "client/base/assert.h"
#include "cohort/acl.h"

/* Bytes that a request, and each operation in it, takes beyond its path and data. The credit counts
 * with these, on both sides and each with a measure of its own: ours must not be the smaller one,
 * or the server would refuse what we think it has room for. */
#define REQUEST_OVERHEAD 64
#define OP_OVERHEAD      64

_Static_assert((int) WIRE_WATCH_CHILDREN == (int) COHORT__WIRE__WATCH_KIND__WATCH_CHILDREN,
               "the numbers of watch kinds are those of the wire");

bool wire_is_write (enum wire_kind kind)
{
    return kind <= WIRE_CLOSE;
}

/* An item of an access control list may be longer in bytes than as text: an address. */
#define ACL_FACTOR 3

static size_t op_size (const struct wire_op *op)
{
    return OP_OVERHEAD + op->size + (op->path != NULL ? strlen (op->path) : 0) +
           (op->acl != NULL ? ACL_FACTOR * (strlen (op->acl) + 1) : 0);
}

size_t wire_request_size (const struct wire_request *request)
{
    size_t size = REQUEST_OVERHEAD + op_size (&request->op);
    for (size_t i = 0; i < request->ops_count; i++) {
        size += op_size (&request->ops[i]);
    }
    return size;
}

/* protobuf-c wants pointers to non-const although packing only reads. */
static ProtobufCBinaryData bytes_of (const void *data, size_t size)
{
    return (ProtobufCBinaryData){size, (uint8_t *) data};
}

static ProtobufCBinaryData text_of (const char *text)
{
    return bytes_of (text, text != NULL ? strlen (text) : 0);
}

/* A message of the type in the scratch arena, set to its initial value; NULL without memory. */
#define NEW_MESSAGE(scratch, type, initial)                                                        \
    ((type *) message_copy ((scratch), &(type) initial, sizeof (type)))

static void *message_copy (struct arena *scratch, const void *initial, size_t size)
{
    return arena_dup (scratch, initial, size);
}

static int pack_frame (struct buf *out, const Cohort__Wire__ClientFrame *frame)
{
    size_t size = cohort__wire__client_frame__get_packed_size (frame);
    size_t before = out->size;
    uint8_t *at = buf_extend (out, size);
    if (at == NULL) {
        buf_truncate (out, before);
        return COHORT_ENOMEM;
    }
    size_t packed = cohort__wire__client_frame__pack (frame, at);
    COHORT_ASSERT (packed == size);
    return COHORT_OK;
}

int wire_put_hello (struct buf *out, struct arena *scratch, const struct wire_hello *hello)
{
    (void) scratch;
    COHORT_ASSERT (hello->attach_no > 0);
    COHORT_ASSERT (hello->incarnation > 0);
    Cohort__Wire__Hello message = COHORT__WIRE__HELLO__INIT;
    message.magic = WIRE_MAGIC;
    message.version_min = WIRE_VERSION_MIN;
    message.version_max = WIRE_VERSION_MAX;
    message.cluster_id = bytes_of (hello->cluster_id, hello->cluster_known ? WIRE_ID_SIZE : 0);
    message.session_id = hello->session_id;
    message.nonce = bytes_of (hello->nonce, WIRE_ID_SIZE);
    message.password = bytes_of (hello->password, WIRE_ID_SIZE);
    message.timeout_ms = hello->timeout_ms;
    message.grace_ms = hello->grace_ms;
    message.attach_no = hello->attach_no;
    message.incarnation = hello->incarnation;
    message.last_zxid = hello->last_zxid;
    message.next_number = hello->next_number;
    Cohort__Wire__ClientFrame frame = COHORT__WIRE__CLIENT_FRAME__INIT;
    frame.hello = &message;
    return pack_frame (out, &frame);
}

int wire_put_rearm (struct buf *out, struct arena *scratch, const struct wire_rearm *rearm)
{
    Cohort__Wire__Rearm message = COHORT__WIRE__REARM__INIT;
    message.last_zxid = rearm->last_zxid;
    message.more = rearm->more;
    message.n_watches = rearm->watch_count;
    message.n_streams = rearm->stream_count;
    message.watches = arena_calloc (scratch, rearm->watch_count, sizeof (*message.watches));
    message.streams = arena_calloc (scratch, rearm->stream_count, sizeof (*message.streams));
    if (message.watches == NULL || message.streams == NULL) {
        return COHORT_ENOMEM;
    }
    for (size_t i = 0; i < rearm->watch_count; i++) {
        Cohort__Wire__Watch *watch =
            NEW_MESSAGE (scratch, Cohort__Wire__Watch, COHORT__WIRE__WATCH__INIT);
        if (watch == NULL) {
            return COHORT_ENOMEM;
        }
        watch->kind = (Cohort__Wire__WatchKind) rearm->watches[i].kind;
        watch->path = text_of (rearm->watches[i].path);
        message.watches[i] = watch;
    }
    for (size_t i = 0; i < rearm->stream_count; i++) {
        Cohort__Wire__StreamOpen *stream =
            NEW_MESSAGE (scratch, Cohort__Wire__StreamOpen, COHORT__WIRE__STREAM_OPEN__INIT);
        if (stream == NULL) {
            return COHORT_ENOMEM;
        }
        stream->stream_id = rearm->streams[i].id;
        stream->path = text_of (rearm->streams[i].path);
        stream->from_zxid = rearm->streams[i].from_zxid;
        stream->flags = rearm->streams[i].flags;
        message.streams[i] = stream;
    }
    Cohort__Wire__ClientFrame frame = COHORT__WIRE__CLIENT_FRAME__INIT;
    frame.rearm = &message;
    return pack_frame (out, &frame);
}

/* ---- Operations: shared by requests and the parts of a multi -------------------------------- */

/* The permissions behind the last colon of an item. */
static uint32_t perms_of (const char *text, size_t size)
{
    uint32_t perms = 0;
    for (size_t i = 0; i < size; i++) {
        perms |= text[i] == 'r'   ? COHORT_PERM_READ
                 : text[i] == 'w' ? COHORT_PERM_WRITE
                 : text[i] == 'c' ? COHORT_PERM_CREATE
                 : text[i] == 'd' ? COHORT_PERM_DELETE
                                  : COHORT_PERM_ADMIN;
    }
    return perms;
}

/* SCHEME:ID:PERMISSIONS, which is sound: client/src/acl.c has made it. */
static Cohort__Wire__AclItem *acl_item_of (struct arena *scratch, const char *text, size_t size)
{
    Cohort__Wire__AclItem *item =
        NEW_MESSAGE (scratch, Cohort__Wire__AclItem, COHORT__WIRE__ACL_ITEM__INIT);
    if (item != NULL) {
        const char *id = (const char *) memchr (text, ':', size) + 1;
        const char *perms = text + size;
        while (perms[-1] != ':') {
            perms--;
        }
        COHORT_ASSERT (perms > id);
        item->scheme = bytes_of (text, (size_t) (id - text) - 1);
        item->id = bytes_of (id, (size_t) (perms - id) - 1);
        item->perms = perms_of (perms, (size_t) (text + size - perms));
    }
    return item;
}

/* False: no memory. NULL is no items. */
static bool acl_of (struct arena *scratch, const char *text, Cohort__Wire__AclItem ***items,
                    size_t *count)
{
    if (text == NULL) {
        return true;
    }
    *items = arena_calloc (scratch, COHORT_ACL_ITEMS_MAX, sizeof (**items));
    while (*items != NULL && *text != '\0') {
        size_t size = strcspn (text, "\n");
        COHORT_ASSERT (*count < COHORT_ACL_ITEMS_MAX);
        (*items)[*count] = acl_item_of (scratch, text, size);
        if ((*items)[(*count)++] == NULL) {
            return false;
        }
        text += size + (text[size] == '\n');
    }
    return *items != NULL;
}

static Cohort__Wire__Create *create_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__Create *create =
        NEW_MESSAGE (scratch, Cohort__Wire__Create, COHORT__WIRE__CREATE__INIT);
    if (create != NULL) {
        create->path = text_of (op->path);
        create->data = bytes_of (op->data, op->size);
        create->mode = op->mode;
        create->if_absent = op->if_absent;
        create->ttl_ms = op->ttl_ms;
        if (!acl_of (scratch, op->acl, &create->acl, &create->n_acl)) {
            return NULL;
        }
    }
    return create;
}

static Cohort__Wire__Delete *delete_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__Delete *message =
        NEW_MESSAGE (scratch, Cohort__Wire__Delete, COHORT__WIRE__DELETE__INIT);
    if (message != NULL) {
        message->path = text_of (op->path);
        message->version = op->version;
    }
    return message;
}

static Cohort__Wire__Set *set_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__Set *set = NEW_MESSAGE (scratch, Cohort__Wire__Set, COHORT__WIRE__SET__INIT);
    if (set != NULL) {
        set->path = text_of (op->path);
        set->data = bytes_of (op->data, op->size);
        set->version = op->version;
    }
    return set;
}

static Cohort__Wire__DeleteTree *delete_tree_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__DeleteTree *message =
        NEW_MESSAGE (scratch, Cohort__Wire__DeleteTree, COHORT__WIRE__DELETE_TREE__INIT);
    if (message != NULL) {
        message->path = text_of (op->path);
        message->version = op->version;
        message->limit = op->limit;
    }
    return message;
}

static Cohort__Wire__Add *add_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__Add *add = NEW_MESSAGE (scratch, Cohort__Wire__Add, COHORT__WIRE__ADD__INIT);
    if (add != NULL) {
        add->path = text_of (op->path);
        add->delta = op->delta;
        add->floor = op->floor;
        add->ceiling = op->ceiling;
    }
    return add;
}

static Cohort__Wire__SetAcl *set_acl_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__SetAcl *set =
        NEW_MESSAGE (scratch, Cohort__Wire__SetAcl, COHORT__WIRE__SET_ACL__INIT);
    if (set == NULL || !acl_of (scratch, op->acl, &set->acl, &set->n_acl)) {
        return NULL;
    }
    set->path = text_of (op->path);
    set->version = op->version;
    set->inherited = op->inherited;
    return set;
}

static Cohort__Wire__SetAdmins *set_admins_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__SetAdmins *set =
        NEW_MESSAGE (scratch, Cohort__Wire__SetAdmins, COHORT__WIRE__SET_ADMINS__INIT);
    return set != NULL && acl_of (scratch, op->acl, &set->acl, &set->n_acl) ? set : NULL;
}

static void fill_add_auth (Cohort__Wire__AddAuth *add, const struct wire_op *op)
{
    add->scheme = text_of (op->scheme);
    add->user = text_of (op->user);
    add->credential = bytes_of (op->data, op->size);
}

static Cohort__Wire__AddAuth *add_auth_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__AddAuth *add =
        NEW_MESSAGE (scratch, Cohort__Wire__AddAuth, COHORT__WIRE__ADD_AUTH__INIT);
    if (add != NULL) {
        fill_add_auth (add, op);
    }
    return add;
}

static Cohort__Wire__GetAcl *get_acl_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__GetAcl *get =
        NEW_MESSAGE (scratch, Cohort__Wire__GetAcl, COHORT__WIRE__GET_ACL__INIT);
    if (get != NULL) {
        get->path = text_of (op->path);
        get->inherited = op->inherited;
    }
    return get;
}

static Cohort__Wire__Check *check_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__Check *check =
        NEW_MESSAGE (scratch, Cohort__Wire__Check, COHORT__WIRE__CHECK__INIT);
    if (check == NULL) {
        return NULL;
    }
    check->path = text_of (op->path);
    if (op->kind == WIRE_CHECK) {
        check->condition_case = COHORT__WIRE__CHECK__CONDITION_VERSION;
        check->version = op->version;
    } else if (op->kind == WIRE_CHECK_CZXID) {
        check->condition_case = COHORT__WIRE__CHECK__CONDITION_CZXID;
        check->czxid = op->zxid;
    } else if (op->kind == WIRE_CHECK_ABSENT) {
        check->condition_case = COHORT__WIRE__CHECK__CONDITION_ABSENT;
        check->absent = true;
    } else {
        COHORT_ASSERT (op->kind == WIRE_CHECK_OWNER);
        check->condition_case = COHORT__WIRE__CHECK__CONDITION_OWNER;
        check->owner =
            NEW_MESSAGE (scratch, Cohort__Wire__Check__Owner, COHORT__WIRE__CHECK__OWNER__INIT);
        if (check->owner == NULL) {
            return NULL;
        }
        check->owner->session = op->session;
        check->owner->ozxid = op->zxid;
    }
    return check;
}

static Cohort__Wire__Op *part_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__Op *part = NEW_MESSAGE (scratch, Cohort__Wire__Op, COHORT__WIRE__OP__INIT);
    if (part == NULL) {
        return NULL;
    }
    const void *inner;
    switch (op->kind) {
    case WIRE_CREATE:
        part->op_case = COHORT__WIRE__OP__OP_CREATE;
        inner = part->create = create_of (scratch, op);
        break;
    case WIRE_DELETE:
        part->op_case = COHORT__WIRE__OP__OP_DELETE;
        inner = part->delete_ = delete_of (scratch, op);
        break;
    case WIRE_SET:
        part->op_case = COHORT__WIRE__OP__OP_SET;
        inner = part->set = set_of (scratch, op);
        break;
    case WIRE_DELETE_TREE:
        part->op_case = COHORT__WIRE__OP__OP_DELETE_TREE;
        inner = part->delete_tree = delete_tree_of (scratch, op);
        break;
    case WIRE_ADD:
        part->op_case = COHORT__WIRE__OP__OP_ADD;
        inner = part->add = add_of (scratch, op);
        break;
    case WIRE_SET_ACL:
        part->op_case = COHORT__WIRE__OP__OP_SET_ACL;
        inner = part->set_acl = set_acl_of (scratch, op);
        break;
    default:
        part->op_case = COHORT__WIRE__OP__OP_CHECK;
        inner = part->check = check_of (scratch, op);
        break;
    }
    return inner != NULL ? part : NULL;
}

static Cohort__Wire__Multi *multi_of (struct arena *scratch, const struct wire_request *request)
{
    Cohort__Wire__Multi *multi =
        NEW_MESSAGE (scratch, Cohort__Wire__Multi, COHORT__WIRE__MULTI__INIT);
    if (multi == NULL) {
        return NULL;
    }
    multi->n_ops = request->ops_count;
    multi->ops = arena_calloc (scratch, request->ops_count, sizeof (*multi->ops));
    for (size_t i = 0; multi->ops != NULL && i < request->ops_count; i++) {
        multi->ops[i] = part_of (scratch, &request->ops[i]);
        if (multi->ops[i] == NULL) {
            return NULL;
        }
    }
    return multi->ops != NULL ? multi : NULL;
}

static Cohort__Wire__Read *read_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__Read *read = NEW_MESSAGE (scratch, Cohort__Wire__Read, COHORT__WIRE__READ__INIT);
    if (read != NULL) {
        read->path = text_of (op->path);
        read->watch = op->watch;
    }
    return read;
}

static Cohort__Wire__List *list_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__List *list = NEW_MESSAGE (scratch, Cohort__Wire__List, COHORT__WIRE__LIST__INIT);
    if (list == NULL) {
        return NULL;
    }
    list->path = text_of (op->path);
    list->watch = op->watch;
    if (op->list != NULL) {
        list->filter = (Cohort__Wire__ChildFilter) op->list->filter;
        list->with_stat = op->list->with_stat;
        list->with_data = op->list->with_data;
        list->descending = op->list->descending;
        list->limit = op->list->limit;
        list->prefix = text_of (op->list->prefix);
        list->after = text_of (op->list->after);
    }
    return list;
}

static Cohort__Wire__ReadOp *read_part_of (struct arena *scratch, const struct wire_op *op)
{
    const void *inner = NULL;
    Cohort__Wire__ReadOp *part =
        NEW_MESSAGE (scratch, Cohort__Wire__ReadOp, COHORT__WIRE__READ_OP__INIT);
    if (part == NULL) {
        return NULL;
    }
    switch (op->kind) {
    case WIRE_EXISTS:
        part->op_case = COHORT__WIRE__READ_OP__OP_EXISTS;
        inner = part->exists = read_of (scratch, op);
        break;
    case WIRE_GET:
        part->op_case = COHORT__WIRE__READ_OP__OP_GET;
        inner = part->get = read_of (scratch, op);
        break;
    case WIRE_COUNT:
        part->op_case = COHORT__WIRE__READ_OP__OP_COUNT;
        inner = part->count = read_of (scratch, op);
        break;
    default:
        COHORT_ASSERT (op->kind == WIRE_CHILDREN);
        part->op_case = COHORT__WIRE__READ_OP__OP_CHILDREN;
        inner = part->children = list_of (scratch, op);
        break;
    }
    return inner != NULL ? part : NULL;
}

static Cohort__Wire__MultiRead *multi_read_of (struct arena *scratch,
                                               const struct wire_request *request)
{
    Cohort__Wire__MultiRead *multi =
        NEW_MESSAGE (scratch, Cohort__Wire__MultiRead, COHORT__WIRE__MULTI_READ__INIT);
    if (multi == NULL) {
        return NULL;
    }
    multi->n_ops = request->ops_count;
    multi->ops = arena_calloc (scratch, request->ops_count, sizeof (*multi->ops));
    for (size_t i = 0; multi->ops != NULL && i < request->ops_count; i++) {
        multi->ops[i] = read_part_of (scratch, &request->ops[i]);
        if (multi->ops[i] == NULL) {
            return NULL;
        }
    }
    return multi->ops != NULL ? multi : NULL;
}

static Cohort__Wire__Ephemerals *ephemerals_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__Ephemerals *message =
        NEW_MESSAGE (scratch, Cohort__Wire__Ephemerals, COHORT__WIRE__EPHEMERALS__INIT);
    if (message != NULL) {
        message->session = op->session;
        message->limit = op->list->limit;
        message->prefix = text_of (op->list->prefix);
        message->after = text_of (op->list->after);
    }
    return message;
}

static Cohort__Wire__Unwatch *unwatch_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__Unwatch *message =
        NEW_MESSAGE (scratch, Cohort__Wire__Unwatch, COHORT__WIRE__UNWATCH__INIT);
    if (message != NULL) {
        message->path = text_of (op->path);
        message->type = (Cohort__Wire__WatcherType) op->watcher;
        message->check = op->check;
    }
    return message;
}

static Cohort__Wire__StreamOpen *stream_open_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__StreamOpen *open =
        NEW_MESSAGE (scratch, Cohort__Wire__StreamOpen, COHORT__WIRE__STREAM_OPEN__INIT);
    if (open != NULL) {
        open->stream_id = op->stream_id;
        open->path = text_of (op->path);
        open->from_zxid = op->zxid;
        open->flags = op->flags;
    }
    return open;
}

static Cohort__Wire__KillSession *kill_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__KillSession *kill =
        NEW_MESSAGE (scratch, Cohort__Wire__KillSession, COHORT__WIRE__KILL_SESSION__INIT);
    if (kill != NULL) {
        kill->session = op->session;
    }
    return kill;
}

static Cohort__Wire__HandOver *hand_over_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__HandOver *hand_over =
        NEW_MESSAGE (scratch, Cohort__Wire__HandOver, COHORT__WIRE__HAND_OVER__INIT);
    if (hand_over != NULL) {
        hand_over->session = op->session;
        hand_over->token = bytes_of (op->data, op->size);
    }
    return hand_over;
}

/* Sets the operation of `message`; NULL without memory. The union's members are all pointers, so
 * whichever was set tells whether memory sufficed. */
static const void *fill_write (Cohort__Wire__Request *message, struct arena *scratch,
                               const struct wire_request *request)
{
    const struct wire_op *op = &request->op;
    switch (op->kind) {
    case WIRE_CREATE:
        message->op_case = COHORT__WIRE__REQUEST__OP_CREATE;
        return message->create = create_of (scratch, op);
    case WIRE_DELETE:
        message->op_case = COHORT__WIRE__REQUEST__OP_DELETE;
        return message->delete_ = delete_of (scratch, op);
    case WIRE_SET:
        message->op_case = COHORT__WIRE__REQUEST__OP_SET;
        return message->set = set_of (scratch, op);
    case WIRE_DELETE_TREE:
        message->op_case = COHORT__WIRE__REQUEST__OP_DELETE_TREE;
        return message->delete_tree = delete_tree_of (scratch, op);
    case WIRE_ADD:
        message->op_case = COHORT__WIRE__REQUEST__OP_ADD;
        return message->add = add_of (scratch, op);
    case WIRE_SET_ACL:
        message->op_case = COHORT__WIRE__REQUEST__OP_SET_ACL;
        return message->set_acl = set_acl_of (scratch, op);
    case WIRE_ADD_AUTH:
        message->op_case = COHORT__WIRE__REQUEST__OP_ADD_AUTH;
        return message->add_auth = add_auth_of (scratch, op);
    case WIRE_SET_ADMINS:
        message->op_case = COHORT__WIRE__REQUEST__OP_SET_ADMINS;
        return message->set_admins = set_admins_of (scratch, op);
    case WIRE_KILL:
        message->op_case = COHORT__WIRE__REQUEST__OP_KILL_SESSION;
        return message->kill_session = kill_of (scratch, op);
    case WIRE_HAND_OVER:
        message->op_case = COHORT__WIRE__REQUEST__OP_HAND_OVER;
        return message->hand_over = hand_over_of (scratch, op);
    case WIRE_MULTI:
        message->op_case = COHORT__WIRE__REQUEST__OP_MULTI;
        return message->multi = multi_of (scratch, request);
    default:
        COHORT_ASSERT (op->kind == WIRE_CLOSE);
        message->op_case = COHORT__WIRE__REQUEST__OP_CLOSE;
        return message->close = NEW_MESSAGE (scratch, Cohort__Wire__CloseSession,
                                             COHORT__WIRE__CLOSE_SESSION__INIT);
    }
}

static Cohort__Wire__Sessions *sessions_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__Sessions *sessions =
        NEW_MESSAGE (scratch, Cohort__Wire__Sessions, COHORT__WIRE__SESSIONS__INIT);
    if (sessions != NULL) {
        sessions->after = op->session;
        sessions->limit = op->limit;
    }
    return sessions;
}

static const void *fill_read (Cohort__Wire__Request *message, struct arena *scratch,
                              const struct wire_request *request)
{
    const struct wire_op *op = &request->op;
    message->linearizable = op->linearizable;
    switch (op->kind) {
    case WIRE_EXISTS:
        message->op_case = COHORT__WIRE__REQUEST__OP_EXISTS;
        return message->exists = read_of (scratch, op);
    case WIRE_GET:
        message->op_case = COHORT__WIRE__REQUEST__OP_GET;
        return message->get = read_of (scratch, op);
    case WIRE_CHILDREN:
        message->op_case = COHORT__WIRE__REQUEST__OP_CHILDREN;
        return message->children = list_of (scratch, op);
    case WIRE_COUNT:
        message->op_case = COHORT__WIRE__REQUEST__OP_COUNT;
        return message->count = read_of (scratch, op);
    case WIRE_EPHEMERALS:
        message->op_case = COHORT__WIRE__REQUEST__OP_EPHEMERALS;
        return message->ephemerals = ephemerals_of (scratch, op);
    case WIRE_MULTI_READ:
        message->op_case = COHORT__WIRE__REQUEST__OP_MULTI_READ;
        return message->multi_read = multi_read_of (scratch, request);
    case WIRE_WHOAMI:
        message->op_case = COHORT__WIRE__REQUEST__OP_WHOAMI;
        return message->whoami =
                   NEW_MESSAGE (scratch, Cohort__Wire__WhoAmI, COHORT__WIRE__WHO_AM_I__INIT);
    case WIRE_GET_ACL:
        message->op_case = COHORT__WIRE__REQUEST__OP_GET_ACL;
        return message->get_acl = get_acl_of (scratch, op);
    case WIRE_GET_ADMINS:
        message->op_case = COHORT__WIRE__REQUEST__OP_GET_ADMINS;
        return message->get_admins =
                   NEW_MESSAGE (scratch, Cohort__Wire__GetAdmins, COHORT__WIRE__GET_ADMINS__INIT);
    case WIRE_UNWATCH:
        message->op_case = COHORT__WIRE__REQUEST__OP_UNWATCH;
        return message->unwatch = unwatch_of (scratch, op);
    case WIRE_SESSIONS:
        message->op_case = COHORT__WIRE__REQUEST__OP_SESSIONS;
        return message->sessions = sessions_of (scratch, op);
    case WIRE_SYNC:
        message->op_case = COHORT__WIRE__REQUEST__OP_SYNC;
        return message->sync = NEW_MESSAGE (scratch, Cohort__Wire__Sync, COHORT__WIRE__SYNC__INIT);
    case WIRE_STREAM_OPEN:
        message->op_case = COHORT__WIRE__REQUEST__OP_STREAM_OPEN;
        return message->stream_open = stream_open_of (scratch, op);
    default:
        COHORT_ASSERT (op->kind == WIRE_STREAM_CLOSE);
        message->op_case = COHORT__WIRE__REQUEST__OP_STREAM_CLOSE;
        message->stream_close =
            NEW_MESSAGE (scratch, Cohort__Wire__StreamClose, COHORT__WIRE__STREAM_CLOSE__INIT);
        if (message->stream_close != NULL) {
            message->stream_close->stream_id = op->stream_id;
        }
        return message->stream_close;
    }
}

static Cohort__Wire__Request *request_of (struct arena *scratch, const struct wire_request *request)
{
    COHORT_ASSERT (request->xid > 0);
    COHORT_ASSERT ((request->number > 0) == wire_is_write (request->op.kind));
    Cohort__Wire__Request *message =
        NEW_MESSAGE (scratch, Cohort__Wire__Request, COHORT__WIRE__REQUEST__INIT);
    if (message == NULL) {
        return NULL;
    }
    message->xid = request->xid;
    message->number = request->number;
    message->ack_to = request->ack_to;
    const void *op = wire_is_write (request->op.kind) ? fill_write (message, scratch, request)
                                                      : fill_read (message, scratch, request);
    return op != NULL ? message : NULL;
}

static int taken_of (struct arena *scratch, Cohort__Wire__ClientFrame *frame,
                     const struct wire_words *words)
{
    frame->n_taken = words->taken_count;
    frame->taken = arena_calloc (scratch, words->taken_count, sizeof (*frame->taken));
    for (size_t i = 0; frame->taken != NULL && i < words->taken_count; i++) {
        Cohort__Wire__StreamTaken *taken =
            NEW_MESSAGE (scratch, Cohort__Wire__StreamTaken, COHORT__WIRE__STREAM_TAKEN__INIT);
        if (taken == NULL) {
            return COHORT_ENOMEM;
        }
        taken->stream_id = words->taken[i].stream_id;
        taken->bytes = words->taken[i].bytes;
        frame->taken[i] = taken;
    }
    return frame->taken != NULL ? COHORT_OK : COHORT_ENOMEM;
}

int wire_put_backup (struct buf *out, uint64_t received, const struct wire_op *auth)
{
    Cohort__Wire__AddAuth add = COHORT__WIRE__ADD_AUTH__INIT, *adds[] = {&add};
    Cohort__Wire__BackupQuery query = COHORT__WIRE__BACKUP_QUERY__INIT;
    query.received = received;
    if (auth != NULL) {
        fill_add_auth (&add, auth);
        query.n_auth = 1;
        query.auth = adds;
    }
    Cohort__Wire__ClientFrame frame = COHORT__WIRE__CLIENT_FRAME__INIT;
    frame.backup = &query;
    return pack_frame (out, &frame);
}

int wire_put_words (struct buf *out, struct arena *scratch, const struct wire_words *words)
{
    COHORT_ASSERT (words->heartbeat > 0 || words->ask || words->taken_count > 0 ||
                   words->request_count > 0);
    Cohort__Wire__Heartbeat beat = COHORT__WIRE__HEARTBEAT__INIT;
    beat.seq = words->heartbeat;
    Cohort__Wire__ClientFrame frame = COHORT__WIRE__CLIENT_FRAME__INIT;
    frame.heartbeat = words->heartbeat > 0 ? &beat : NULL;
    frame.ask = words->ask;
    frame.n_requests = words->request_count;
    frame.requests = arena_calloc (scratch, words->request_count, sizeof (*frame.requests));
    if (frame.requests == NULL || taken_of (scratch, &frame, words) != COHORT_OK) {
        return COHORT_ENOMEM;
    }
    for (size_t i = 0; i < words->request_count; i++) {
        frame.requests[i] = request_of (scratch, words->requests[i]);
        if (frame.requests[i] == NULL) {
            return COHORT_ENOMEM;
        }
    }
    return pack_frame (out, &frame);
}
