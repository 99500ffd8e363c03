/* A small ensemble for tests: access control lists, and who sessions are. */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/client/ended.h"
#include "tests/unit/client/fake_state.h"

/* As PERMS:SCHEME:ID, one a line. */
void fake_take_acl (char acl[ACL_SIZE], Cohort__Wire__AclItem *const *items, size_t count)
{
    size_t used = 0;
    acl[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        int size = snprintf (acl + used, ACL_SIZE - used, "%u:%s:%s\n", items[i]->perms,
                             ended (items[i]->scheme), ended (items[i]->id));
        used += (size_t) size;
        assert (used < ACL_SIZE);
    }
}

int fake_set_acl (struct fake *self, const Cohort__Wire__SetAcl *set)
{
    struct node *node = fake_find (self, ended (set->path));
    if (node == NULL) {
        return COHORT_ENONODE;
    }
    if (set->version >= 0 && set->version != node->aversion) {
        return COHORT_EBADVERSION;
    }
    fake_take_acl (set->inherited ? node->inherited : node->acl, set->acl, set->n_acl);
    node->aversion += !set->inherited;
    return 0;
}

int fake_add_auth (struct fake_session *session, const Cohort__Wire__AddAuth *add)
{
    assert (session->proven_count < PROVEN_MAX);
    char *id = session->proven[session->proven_count++];
    const char *user = ended (add->user);
    if (strcmp (ended (add->scheme), "digest-sha1") == 0) {
        digest_id_sha1 (user, strlen (user), add->credential.data, add->credential.len, id);
    } else if (add->credential.len == DIGEST_CREDENTIAL_SIZE) {
        digest_id (user, strlen (user), add->credential.data, id);
    } else {
        session->proven_count--;
        return COHORT_EAUTHFAILED;
    }
    return 0;
}

void fake_get_acl (struct fake *self, const struct peer *peer, uint64_t xid,
                   const Cohort__Wire__GetAcl *get)
{
    Cohort__Wire__Reply reply = COHORT__WIRE__REPLY__INIT;
    Cohort__Wire__Stat stat = COHORT__WIRE__STAT__INIT;
    Cohort__Wire__AclItem items[16], *list[16];
    const struct node *node = fake_find (self, ended (get->path));
    char text[ACL_SIZE] = "";
    reply.xid = xid;
    reply.zxid = self->zxid;
    reply.code = node != NULL ? 0 : COHORT_ENONODE;
    if (node != NULL) {
        const char *acl = get->inherited ? node->inherited : node->acl;
        bool open = acl[0] == '\0' && !get->inherited;
        snprintf (text, sizeof (text), "%s", open ? "31:world:anyone\n" : acl);
        fake_fill_stat (node, &stat);
        reply.stat = &stat;
    }
    char *save = NULL;
    for (char *line = strtok_r (text, "\n", &save); line != NULL;
         line = strtok_r (NULL, "\n", &save)) {
        Cohort__Wire__AclItem *item = &items[reply.n_acl];
        char *scheme = strchr (line, ':') + 1, *id = strchr (scheme, ':') + 1;
        cohort__wire__acl_item__init (item);
        item->perms = (uint32_t) strtoul (line, NULL, 10);
        item->scheme = (ProtobufCBinaryData){(size_t) (id - scheme) - 1, (uint8_t *) scheme};
        item->id = (ProtobufCBinaryData){strlen (id), (uint8_t *) id};
        list[reply.n_acl++] = item;
    }
    reply.acl = list;
    fake_send_reply (self, peer, &reply);
}

void fake_whoami (struct fake *self, const struct peer *peer, uint64_t xid)
{
    static char world[] = "world", anyone[] = "anyone", digest[] = "digest";
    struct fake_session *session = fake_session_of (self, peer->session);
    Cohort__Wire__Reply reply = COHORT__WIRE__REPLY__INIT;
    Cohort__Wire__Identity identities[PROVEN_MAX + 1], *list[PROVEN_MAX + 1];
    for (int i = 0; i <= session->proven_count; i++) {
        list[i] = &identities[i];
        cohort__wire__identity__init (list[i]);
        list[i]->scheme = i == 0 ? world : digest;
        list[i]->id = i == 0 ? anyone : session->proven[i - 1];
    }
    reply.xid = xid;
    reply.zxid = self->zxid;
    reply.identities = list;
    reply.n_identities = (size_t) session->proven_count + 1;
    fake_send_reply (self, peer, &reply);
}
