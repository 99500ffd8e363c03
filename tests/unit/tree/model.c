/* A naive model of the replicated state. */

#include "tests/unit/tree/model_ops.h"

#include <stdlib.h>
#include <string.h>

#include "cohort/error.h"
#include "server/tree/result.h"
#include "tests/unit/tree/model_acl.h"
#include "tests/unit/tree/model_system.h"
#include "tests/unit/unit.h"

struct model *model_new (const struct entry_limits *limits, zxid_t zxid, int64_t stamp_ms)
{
    struct model *self = calloc (1, sizeof (*self));
    assert_non_null (self);
    self->limits = *limits;
    self->zxid = zxid;
    self->stamp_ms = stamp_ms;
    self->stores[0] = 11;
    self->stores[1] = 22;
    model_insert (&self->nodes, "/");
    model_found (self);
    return self;
}

void model_destroy (struct model **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

/* ---- Sessions ---------------------------------------------------------------------------- */

struct model_session *model_session (struct model *self, uint64_t id)
{
    for (size_t i = 0; i < self->sessions_count; i++) {
        if (self->sessions[i].id == id) {
            return &self->sessions[i];
        }
    }
    return NULL;
}

/* Few ephemerals only: all go at once. */
static void close (struct model *self, struct model_session *session, struct model_outcome *outcome)
{
    for (size_t i = self->nodes.count; i-- > 0;) {
        if (self->nodes.items[i].stat.ephemeral_owner == session->id) {
            model_delete (self, &self->nodes.items[i]);
        }
    }
    outcome->closed = true;
    outcome->gone = true;
    size_t at = (size_t) (session - self->sessions);
    self->sessions_count--;
    memmove (session, session + 1, (self->sessions_count - at) * sizeof (*session));
}

static void trim (struct model_session *session, uint64_t through)
{
    size_t drop = 0;
    while (drop < session->results_count && session->results[drop].number <= through) {
        drop++;
    }
    session->results_count -= drop;
    memmove (session->results, session->results + drop,
             session->results_count * sizeof (session->results[0]));
}

static bool window_full (const struct model *self, const struct model_session *session,
                         uint64_t ack_to)
{
    size_t count = 0, size = 0;
    for (size_t i = 0; i < session->results_count; i++) {
        if (session->results[i].number > ack_to) {
            count++;
            size += session->results[i].size;
        }
    }
    return count >= self->limits.window || size >= self->limits.results_size_max;
}

static void write (struct model *self, const struct entry_write *write,
                   struct model_outcome *outcome)
{
    outcome->session = write->session;
    struct model_session *session = model_session (self, write->session);
    if (session == NULL || session->condemned) {
        outcome->code = COHORT_ESESSIONEXPIRED;
    } else if (write->incarnation != session->incarnation) {
        outcome->code = COHORT_ESESSIONMOVED;
    } else if (write->number <= session->last) {
        outcome->code = COHORT_EDUPLICATE;
        for (size_t i = 0; i < session->results_count; i++) {
            if (session->results[i].number == write->number) {
                outcome->has_result = true;
                outcome->result = session->results[i];
                outcome->code = (int32_t) bytes_get_u32 (session->results[i].bytes);
            }
        }
    } else if (write->number > session->last + 1) {
        outcome->code = COHORT_EGAP;
        outcome->expected = session->last + 1;
    } else if (window_full (self, session, write->ack_to)) {
        outcome->code = COHORT_EWINDOW;
    } else {
        outcome->executed = true;
        uint64_t ack_to = write->ack_to < session->last ? write->ack_to : session->last;
        session->acked = ack_to > session->acked ? ack_to : session->acked;
        trim (session, session->acked);
        session->last++;
        struct buf out = {0};
        outcome->code = model_execute (self, session, write, &out);
        outcome->crossed = outcome->code == 0 ? self->crossed : 0;
        assert_true (out.size <= MODEL_RESULT_MAX);
        outcome->has_result = true;
        outcome->result.number = session->last;
        outcome->result.size = out.size;
        memcpy (outcome->result.bytes, out.data, out.size);
        buf_deinit (&out);
        struct reader ops = write->ops;
        struct op op;
        bool alone = !write->multi && op_decode (&op, &ops);
        if (alone && outcome->code == 0) {
            outcome->admins_changed = op.kind == OP_SET_ADMINS;
            outcome->killed = op.kind == OP_KILL_SESSION ? op.session : 0;
        }
        if (alone && op.kind == OP_CLOSE_SESSION) {
            close (self, session, outcome);
        } else {
            assert_true (session->results_count < MODEL_RESULTS_MAX);
            session->results[session->results_count++] = outcome->result;
        }
    }
}

static uint32_t clamp (uint32_t value, uint32_t min, uint32_t max)
{
    value = value < min ? min : value;
    return value > max ? max : value;
}

/* It is attached elsewhere: what it has proven stays, and its connection shows what it shows now.
 */
static void move (struct model_session *session, uint64_t attach_no, uint32_t server,
                  const uint8_t *origin, size_t origin_size)
{
    struct model_identities before = session->who;
    session->attach_no = attach_no;
    session->server = server;
    assert_true (model_read_identities (&session->who, origin, origin_size));
    for (size_t i = 0; i < before.count; i++) {
        if (before.items[i].scheme == IDENTITY_DIGEST) {
            assert_true (session->who.count < MODEL_IDENTITIES_MAX);
            session->who.items[session->who.count++] = before.items[i];
        }
    }
}

static void create_session (struct model *self, const struct entry_create_session *create,
                            struct model_outcome *outcome)
{
    uint64_t attach_no = create->attach_no != 0 ? create->attach_no : 1;
    for (size_t i = 0; i < self->sessions_count; i++) {
        struct model_session *session = &self->sessions[i];
        if (memcmp (session->nonce, create->nonce, 16) != 0) {
            continue;
        }
        outcome->session = session->id;
        if (memcmp (session->password_hash, create->password_hash, ENTRY_PASSWORD_HASH) != 0) {
            outcome->code = COHORT_EAUTHFAILED;
        } else if (session->condemned) {
            outcome->code = COHORT_ESESSIONEXPIRED;
        } else if (session->incarnation > 1 || attach_no < session->attach_no ||
                   (attach_no == session->attach_no && create->server != session->server)) {
            outcome->code = COHORT_ESESSIONMOVED;
        } else if (attach_no > session->attach_no) {
            move (session, attach_no, create->server, create->origin, create->origin_size);
        }
        return;
    }
    assert_true (self->sessions_count < MODEL_SESSIONS_MAX);
    struct model_session *session = &self->sessions[self->sessions_count++];
    memset (session, 0, sizeof (*session));
    session->id = outcome->session = ++self->last_session;
    memcpy (session->nonce, create->nonce, 16);
    memcpy (session->process, create->nonce, 16);
    memcpy (session->password_hash, create->password_hash, ENTRY_PASSWORD_HASH);
    session->timeout_ms =
        clamp (create->timeout_ms, self->limits.timeout_min_ms, self->limits.timeout_max_ms);
    session->grace_ms = create->grace_ms == 0 ? session->timeout_ms : create->grace_ms;
    session->grace_ms = clamp (session->grace_ms, self->limits.grace_min_ms, UINT32_MAX);
    session->grace_ms = clamp (session->grace_ms, 0, session->timeout_ms);
    session->incarnation = 1;
    move (session, attach_no, create->server, create->origin, create->origin_size);
}

static void attach (struct model *self, const struct entry_attach *attach,
                    struct model_outcome *outcome)
{
    outcome->session = attach->session;
    struct model_session *session = model_session (self, attach->session);
    if (session == NULL || session->condemned) {
        outcome->code = COHORT_ESESSIONEXPIRED;
    } else if (memcmp (session->password_hash, attach->password_hash, ENTRY_PASSWORD_HASH) != 0) {
        outcome->code = COHORT_EAUTHFAILED;
    } else if (attach->incarnation == session->incarnation) {
        bool mine = session->incarnation == 1 || memcmp (session->process, attach->nonce, 16) == 0;
        if (!mine || attach->attach_no < session->attach_no ||
            (attach->attach_no == session->attach_no && attach->server != session->server)) {
            outcome->code = COHORT_ESESSIONMOVED;
        } else if (attach->attach_no > session->attach_no) {
            move (session, attach->attach_no, attach->server, attach->origin, attach->origin_size);
        }
    } else if (attach->incarnation > session->incarnation) {
        session->incarnation = attach->incarnation;
        memcpy (session->process, attach->nonce, 16);
        move (session, attach->attach_no, attach->server, attach->origin, attach->origin_size);
        session->last = session->acked = 0;
        session->results_count = 0;
    } else {
        outcome->code = COHORT_ESESSIONMOVED;
    }
}

static void lapse (struct model *self, const struct entry_lapse *lapse)
{
    struct reader items = lapse->items;
    for (uint32_t i = 0; i < lapse->count; i++) {
        struct lapse_item item;
        char path[MODEL_PATH_MAX];
        assert_true (lapse_decode (&item, &items));
        assert_true (item.path_size < sizeof (path));
        memcpy (path, item.path, item.path_size);
        path[item.path_size] = 0;
        struct model_node *node = model_node (&self->nodes, path);
        if (node == NULL || node->stat.czxid != item.czxid || node->stat.child_count > 0) {
            continue;
        }
        bool empty = (node->stat.mode & COHORT_CONTAINER) != 0 && node->stat.cversion > 0;
        bool old =
            node->stat.ttl_ms > 0 && node->stat.mtime_ms + node->stat.ttl_ms <= self->stamp_ms;
        if (empty || old) {
            model_delete (self, node);
        }
    }
}

void model_apply (struct model *self, zxid_t zxid, int64_t stamp_ms, const struct entry *entry,
                  struct model_outcome *outcome)
{
    memset (outcome, 0, sizeof (*outcome));
    self->zxid = zxid;
    self->stamp_ms = stamp_ms > self->stamp_ms ? stamp_ms : self->stamp_ms;
    struct model_session *session;
    switch (entry->kind) {
    case ENTRY_CLUSTER:
        outcome->code = COHORT_ESTATE;
        return;
    case ENTRY_MEMBER_STORE:
        outcome->code = COHORT_ESTATE;
        if (entry->u.member_store.id >= 1 && entry->u.member_store.id <= 2 &&
            self->stores[entry->u.member_store.id - 1] == entry->u.member_store.old_store_id) {
            self->stores[entry->u.member_store.id - 1] = entry->u.member_store.new_store_id;
            outcome->code = 0;
            outcome->config_changed = true;
        }
        return;
    case ENTRY_CREATE_SESSION:
        create_session (self, &entry->u.create_session, outcome);
        return;
    case ENTRY_ATTACH:
        attach (self, &entry->u.attach, outcome);
        return;
    case ENTRY_CLOSE:
        outcome->session = entry->u.close.session;
        session = model_session (self, entry->u.close.session);
        if (session != NULL && (entry->u.close.reason == ENTRY_KILLED ||
                                (session->attach_no == entry->u.close.attach_no &&
                                 (entry->u.close.incarnation == 0 ||
                                  session->incarnation == entry->u.close.incarnation)))) {
            close (self, session, outcome);
        }
        return;
    case ENTRY_REAP:
        outcome->session = entry->u.reap.session;
        return;
    case ENTRY_WRITE:
        write (self, &entry->u.write, outcome);
        return;
    case ENTRY_LAPSE:
        lapse (self, &entry->u.lapse);
        return;
    case ENTRY_ADMINS:
    case ENTRY_REPLACE_ADMINS:
        outcome->code = self->admins.count > 0 && entry->kind == ENTRY_ADMINS ? COHORT_ESTATE : 0;
        if (outcome->code == 0) {
            assert_true (
                model_read_list (&self->admins, entry->u.admins.list, entry->u.admins.size));
            outcome->admins_changed = true;
        }
        return;
    }
}
