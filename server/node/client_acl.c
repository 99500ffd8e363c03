/* client_acl.c: who clients are, and access control lists, between the wire and the state: see
 * client_state.h. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/secret.h"
#include "server/node/client_state.h"
#include "server/node/identity_text.h"

/* As many as a session can be. */
enum { USERS_MAX = 30 };

/* ---- In ---------------------------------------------------------------------------------- */

static void explain (struct clients *self, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

static void explain (struct clients *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    (void) vsnprintf (self->detail, sizeof self->detail, format, args);
    va_end (args);
}

static struct identity_parts parts_of (const ProtobufCBinaryData *scheme,
                                       const ProtobufCBinaryData *id)
{
    return (struct identity_parts){(const char *) scheme->data, scheme->len,
                                   (const char *) id->data, id->len};
}

/* For people, what a client sends as it likes: printable, and not too much of it. */
enum { SHOWN_SIZE = 64 };
static const char *shown (const char *text, size_t size, char copy[SHOWN_SIZE])
{
    size_t used = 0;
    for (; used < size && used + 1 < SHOWN_SIZE; used++) {
        copy[used] = text[used] >= ' ' && text[used] <= '~' ? text[used] : '?';
    }
    copy[used] = '\0';
    return copy;
}

static void explain_item (struct clients *self, size_t i, size_t count,
                          const struct identity_parts *parts, const char *why)
{
    char scheme[SHOWN_SIZE], id[SHOWN_SIZE];
    explain (self, "item %zu of %zu, %s:%s: %s", i + 1, count,
             shown (parts->scheme, parts->scheme_size, scheme),
             shown (parts->id, parts->id_size, id), why);
}

int client_take_acl (struct clients *self, struct op *op, Cohort__Wire__AclItem *const *items,
                     size_t count)
{
    struct buf *list = &self->list;
    buf_clear (list);
    if (count > ACL_ITEMS_MAX) {
        explain (self, "the list has %zu items; the limit is %d", count, ACL_ITEMS_MAX);
        return COHORT_EINVALIDACL;
    }
    for (size_t i = 0; i < count; i++) {
        struct identity_parts parts = parts_of (&items[i]->scheme, &items[i]->id);
        const char *why = acl_item_parse (list, items[i]->perms, &parts);
        if (why != NULL) {
            explain_item (self, i, count, &parts, why);
            return COHORT_EINVALIDACL;
        }
    }
    if (list->failed) {
        return COHORT_ENOMEM;
    }
    if (list->size > ACL_SIZE_MAX) {
        explain (self, "the list has %zu bytes; the limit is %d", list->size, ACL_SIZE_MAX);
        return COHORT_EINVALIDACL;
    }
    op->acl = list->data;
    op->acl_size = (uint32_t) list->size;
    return 0;
}

int client_take_set_acl (struct clients *self, struct op *op, const Cohort__Wire__SetAcl *set)
{
    op->kind = OP_SET_ACL;
    op->version = set->version;
    op->inherited = set->inherited;
    if (set->n_acl == 0 && !set->inherited) {
        explain (self, "the list is empty: nobody could ever change it again");
        return COHORT_EINVALIDACL;
    }
    return client_take_acl (self, op, set->acl, set->n_acl);
}

int client_take_add_auth (struct clients *self, struct op *op, const Cohort__Wire__AddAuth *add)
{
    const char *why = NULL;
    struct identity_claim claim = {.parts = parts_of (&add->scheme, &add->user),
                                   .credential = add->credential.data,
                                   .credential_size = add->credential.len};
    op->kind = OP_ADD_AUTH;
    buf_clear (&self->list);
    int rc = identity_put_proven (&self->list, &claim, &why);
    secret_wipe (add->credential.data, add->credential.len);
    if (rc != 0) {
        char scheme[SHOWN_SIZE], user[SHOWN_SIZE];
        explain (self, "%s:%s: %s", shown (claim.parts.scheme, claim.parts.scheme_size, scheme),
                 shown (claim.parts.id, claim.parts.id_size, user), why);
        return rc;
    }
    op->data = self->list.data;
    op->data_size = (uint32_t) self->list.size;
    return self->list.failed ? COHORT_ENOMEM : 0;
}

int client_take_set_admins (struct clients *self, struct op *op, const Cohort__Wire__SetAdmins *set)
{
    op->kind = OP_SET_ADMINS;
    int rc = client_take_acl (self, op, set->acl, set->n_acl);
    if (rc == 0 && (set->n_acl == 0 || !admins_valid (op->acl, op->acl_size))) {
        explain (self,
                 "administrators are digest, curve and ip ids with all permissions (31), at least "
                 "one and at most %d bytes of them",
                 ADMINS_SIZE_MAX);
        rc = COHORT_EINVALIDACL;
    }
    return rc;
}

/* Into clients.list. */
static void list_origin (struct clients *self, uint64_t connection)
{
    const struct node_transport *transport = &self->options.transport;
    buf_clear (&self->list);
    if (transport->client_origin != NULL) {
        transport->client_origin (transport->arg, connection, &self->list);
    }
}

void client_take_origin (struct clients *self, struct client *client)
{
    list_origin (self, client->connection);
    if (self->list.failed || self->list.size > sizeof client->origin) {
        return; /* it is nobody, then */
    }
    COHORT_ASSERT (identities_valid (self->list.data, self->list.size));
    client->origin_size = (uint32_t) self->list.size;
    if (self->list.size > 0) {
        memcpy (client->origin, self->list.data, self->list.size);
    }
}

/* What proves nothing is passed over: another may. */
bool client_passes (struct clients *self, uint64_t connection, Cohort__Wire__AddAuth *const *auth,
                    size_t count)
{
    size_t size = 0;
    const uint8_t *admins = tree_admins (self->tree, &size);
    list_origin (self, connection);
    for (size_t i = 0; i < count; i++) {
        const Cohort__Wire__AddAuth *add = auth[i];
        struct identity_claim claim = {.parts = parts_of (&add->scheme, &add->user),
                                       .credential = add->credential.data,
                                       .credential_size = add->credential.len};
        const char *why = NULL;
        if (admins != NULL && i < USERS_MAX) {
            (void) identity_put_proven (&self->list, &claim, &why);
        }
        secret_wipe (add->credential.data, add->credential.len);
    }
    return admins == NULL || (!self->list.failed &&
                              acl_granted (admins, size, self->list.data, self->list.size) != 0);
}

/* ---- Administrators ---------------------------------------------------------------------- */

void client_note_admins (struct clients *self)
{
    const uint8_t *admins = tree_admins (self->tree, &self->admins_size);
    COHORT_ASSERT (self->admins_size <= sizeof self->admins);
    if (self->admins_size > 0) {
        memcpy (self->admins, admins, self->admins_size);
    }
}

/* Whether it was one, and is none any more, or the other way round. */
static bool has_turned (const struct clients *self, const struct client *client)
{
    size_t size = 0;
    const uint8_t *who = tree_session_identities (self->tree, client->session, &size);
    bool was = acl_granted (self->admins, self->admins_size, who, size) != 0;
    return was != tree_session_is_admin (self->tree, client->session);
}

void client_admins_changed (struct clients *self)
{
    for (struct map_node *node = map_first (&self->sessions); node != NULL;
         node = map_next (&self->sessions, node)) {
        struct client *client = map_entry (node, struct client, session_node);
        if (client->feeds_count == 0 || !has_turned (self, client)) {
            continue;
        }
        for (struct list_node *at = list_first (&client->feeds); at != NULL;
             at = list_next (&client->feeds, at)) {
            feed_start_again (self, list_entry (at, struct feed, client_node));
        }
    }
    client_note_admins (self);
}

/* ---- Out --------------------------------------------------------------------------------- */

static void put_list (struct buf *out, const uint8_t *bytes, size_t size, bool masked)
{
    struct reader in;
    reader_init (&in, bytes, size);
    while (reader_left (&in) > 0) {
        struct acl_item item;
        char text[IDENTITY_TEXT_SIZE];
        bool decoded = acl_item_decode (&item, &in);
        COHORT_ASSERT (decoded); /* apply has looked at them */
        wire_client_reply_acl (out, item.perms, identity_scheme_name (item.identity.scheme),
                               masked ? identity_text_masked (&item.identity, text)
                                      : identity_text (&item.identity, text));
    }
}

static void answer_list (struct clients *self, struct client *client,
                         const struct wire_client_reply *reply, const struct tree_acl *acl,
                         bool with_stat)
{
    struct buf *out = deliver_begin (self, client);
    if (out == NULL) {
        return;
    }
    struct wire_mark mark = wire_client_reply_begin (out, reply, 2 * acl->size);
    if (reply->code == 0) {
        if (with_stat) {
            wire_client_reply_stat (out, &acl->stat);
        }
        put_list (out, acl->bytes, acl->size, acl->masked);
    }
    wire_client_item_end (out, mark);
    deliver_end (self, client);
}

void client_answer_acl (struct clients *self, struct client *client, const struct request *request)
{
    struct tree_acl acl = {.size = 0};
    const char *path = (const char *) request_payload (request);
    struct wire_client_reply reply = {.xid = request->xid, .zxid = tree_zxid (self->tree)};
    reply.code =
        tree_get_acl (self->tree, client->session, path, request->size, request->inherited, &acl);
    if (reply.code != COHORT_ECORRUPT) { /* this server is about to stop, and another one answers */
        answer_list (self, client, &reply, &acl, true);
    }
}

/* Where nobody is one, there is nothing to be kept from anybody. */
void client_answer_admins (struct clients *self, struct client *client,
                           const struct request *request)
{
    struct tree_acl acl = {.size = 0};
    struct wire_client_reply reply = {.xid = request->xid, .zxid = tree_zxid (self->tree)};
    acl.bytes = tree_admins (self->tree, &acl.size);
    if (acl.size > 0 && !tree_session_is_admin (self->tree, client->session)) {
        reply.code = COHORT_ENOAUTH;
    }
    answer_list (self, client, &reply, &acl, false);
}
