/* Operations that change something, as messages: alone, or as parts of a multi.
 * May include: wire_encode, base, libc. */

#include "client/src/wire_encode.h"

#include <string.h>

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "cohort/acl.h"
#include "cohort/types.h"

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
        WIRE_NEW (scratch, Cohort__Wire__AclItem, COHORT__WIRE__ACL_ITEM__INIT);
    if (item != NULL) {
        const char *id = (const char *) memchr (text, ':', size) + 1;
        const char *perms = text + size;
        while (perms[-1] != ':') {
            perms--;
        }
        COHORT_ASSERT (perms > id);
        item->scheme = wire_bytes (text, (size_t) (id - text) - 1);
        item->id = wire_bytes (id, (size_t) (perms - id) - 1);
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
        WIRE_NEW (scratch, Cohort__Wire__Create, COHORT__WIRE__CREATE__INIT);
    if (create != NULL) {
        create->path = wire_text (op->path);
        create->data = wire_bytes (op->data, op->size);
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
        WIRE_NEW (scratch, Cohort__Wire__Delete, COHORT__WIRE__DELETE__INIT);
    if (message != NULL) {
        message->path = wire_text (op->path);
        message->version = COHORT_MUTATED (version_unsent) ? COHORT_ANY_VERSION : op->version;
        message->if_present = op->if_present;
    }
    return message;
}

static Cohort__Wire__Set *set_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__Set *set = WIRE_NEW (scratch, Cohort__Wire__Set, COHORT__WIRE__SET__INIT);
    if (set != NULL) {
        set->path = wire_text (op->path);
        set->data = wire_bytes (op->data, op->size);
        set->version = op->version;
    }
    return set;
}

static Cohort__Wire__DeleteTree *delete_tree_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__DeleteTree *message =
        WIRE_NEW (scratch, Cohort__Wire__DeleteTree, COHORT__WIRE__DELETE_TREE__INIT);
    if (message != NULL) {
        message->path = wire_text (op->path);
        message->version = op->version;
        message->limit = op->limit;
    }
    return message;
}

static Cohort__Wire__Add *add_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__Add *add = WIRE_NEW (scratch, Cohort__Wire__Add, COHORT__WIRE__ADD__INIT);
    if (add != NULL) {
        add->path = wire_text (op->path);
        add->delta = op->delta;
        add->floor = op->floor;
        add->ceiling = op->ceiling;
    }
    return add;
}

static Cohort__Wire__SetAcl *set_acl_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__SetAcl *set =
        WIRE_NEW (scratch, Cohort__Wire__SetAcl, COHORT__WIRE__SET_ACL__INIT);
    if (set == NULL || !acl_of (scratch, op->acl, &set->acl, &set->n_acl)) {
        return NULL;
    }
    set->path = wire_text (op->path);
    set->version = op->version;
    set->inherited = op->inherited;
    return set;
}

static Cohort__Wire__SetAdmins *set_admins_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__SetAdmins *set =
        WIRE_NEW (scratch, Cohort__Wire__SetAdmins, COHORT__WIRE__SET_ADMINS__INIT);
    return set != NULL && acl_of (scratch, op->acl, &set->acl, &set->n_acl) ? set : NULL;
}

void wire_fill_add_auth (Cohort__Wire__AddAuth *add, const struct wire_op *op)
{
    add->scheme = wire_text (op->scheme);
    add->user = wire_text (op->user);
    add->credential = wire_bytes (op->data, op->size);
}

static Cohort__Wire__AddAuth *add_auth_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__AddAuth *add =
        WIRE_NEW (scratch, Cohort__Wire__AddAuth, COHORT__WIRE__ADD_AUTH__INIT);
    if (add != NULL) {
        wire_fill_add_auth (add, op);
    }
    return add;
}

static Cohort__Wire__Check *check_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__Check *check = WIRE_NEW (scratch, Cohort__Wire__Check, COHORT__WIRE__CHECK__INIT);
    if (check == NULL) {
        return NULL;
    }
    check->path = wire_text (op->path);
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
            WIRE_NEW (scratch, Cohort__Wire__Check__Owner, COHORT__WIRE__CHECK__OWNER__INIT);
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
    Cohort__Wire__Op *part = WIRE_NEW (scratch, Cohort__Wire__Op, COHORT__WIRE__OP__INIT);
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
    Cohort__Wire__Multi *multi = WIRE_NEW (scratch, Cohort__Wire__Multi, COHORT__WIRE__MULTI__INIT);
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

static Cohort__Wire__KillSession *kill_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__KillSession *kill =
        WIRE_NEW (scratch, Cohort__Wire__KillSession, COHORT__WIRE__KILL_SESSION__INIT);
    if (kill != NULL) {
        kill->session = op->session;
    }
    return kill;
}

static Cohort__Wire__HandOver *hand_over_of (struct arena *scratch, const struct wire_op *op)
{
    Cohort__Wire__HandOver *hand_over =
        WIRE_NEW (scratch, Cohort__Wire__HandOver, COHORT__WIRE__HAND_OVER__INIT);
    if (hand_over != NULL) {
        hand_over->session = op->session;
        hand_over->token = wire_bytes (op->data, op->size);
    }
    return hand_over;
}

const void *wire_fill_write (Cohort__Wire__Request *message, struct arena *scratch,
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
        return message->close = WIRE_NEW (scratch, Cohort__Wire__CloseSession,
                                          COHORT__WIRE__CLOSE_SESSION__INIT);
    }
}
