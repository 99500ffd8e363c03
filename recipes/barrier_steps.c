/* A barrier, how it is entered and left: see barrier_private.h. May include: barrier_private.h,
 * libc. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "barrier_private.h"
#include "record.h"

/* "%016llx\n" */
#define NAMED_SIZE 17

/* "parties=1000\n" */
#define PARTIES_SIZE 32

static cohort_result_fn on_result;

/* ---- Requests ------------------------------------------------------------------------------ */

static void parties_text (char text[PARTIES_SIZE], int parties)
{
    snprintf (text, PARTIES_SIZE, "parties=%d\n", parties);
}

int barrier_parties (const void *data, size_t size)
{
    char text[PARTIES_SIZE] = "", expected[PARTIES_SIZE];
    if (size >= sizeof (text) || size <= strlen ("parties=")) {
        return 0;
    }
    memcpy (text, data, size);
    long parties = strtol (text + strlen ("parties="), NULL, 10);
    if (parties < 1 || parties > COHORT_BARRIER_PARTIES_MAX) {
        return 0;
    }
    parties_text (expected, (int) parties);
    return strcmp (text, expected) == 0 ? (int) parties : 0;
}

static int send_create (cohort_barrier_t *self, struct barrier_call *call)
{
    char data[PARTIES_SIZE];
    size_t record_size = 0;
    char *record = record_own (&record_size);
    cohort_txn_t *txn = cohort_txn_new ();
    int rc = txn == NULL || record == NULL ? COHORT_ENOMEM : 0;
    if (rc == 0 && call->whole) {
        rc = recipe_txn_parents (txn, self->folder);
    }
    if (rc == 0) {
        parties_text (data, self->parties);
        recipe_txn_ensure (txn, self->folder, data, strlen (data), COHORT_CONTAINER);
        cohort_txn_create (txn, self->member, record, record_size, COHORT_EPHEMERAL, NULL);
        rc = cohort_multi_async (self->client, txn, on_result, call);
    }
    if (txn != NULL) {
        cohort_txn_destroy (&txn);
    }
    free (record);
    return rc;
}

static int send_list (cohort_barrier_t *self, struct barrier_call *call)
{
    cohort_list_options_t options = {.size = sizeof (options),
                                     .flags = COHORT_LIST_STAT,
                                     .filter = COHORT_LIST_EPHEMERAL,
                                     .prefix = "m-"};
    return cohort_list_async (self->client, self->folder, &options, NULL, NULL, on_result, call);
}

/* GO: our znode; END: and `ready`, unless that is another's by now. */
static int send_delete (cohort_barrier_t *self, struct barrier_call *call)
{
    cohort_txn_t *txn = cohort_txn_new ();
    if (txn == NULL) {
        return COHORT_ENOMEM;
    }
    cohort_txn_check_czxid (txn, self->member, self->czxid);
    cohort_txn_delete (txn, self->member, COHORT_ANY_VERSION);
    if (call->step == STEP_END) {
        cohort_txn_check_czxid (txn, self->ready_path, self->ready_czxid);
        cohort_txn_delete (txn, self->ready_path, COHORT_ANY_VERSION);
    }
    int rc = cohort_multi_async (self->client, txn, on_result, call);
    cohort_txn_destroy (&txn);
    return rc;
}

/* The caller's to be sent, or NULL. */
static struct barrier_call *call_new (enum barrier_step step)
{
    struct barrier_call *call = malloc (sizeof (*call));
    if (call != NULL) {
        *call = (struct barrier_call){.step = step};
    }
    return call;
}

static int sent (cohort_barrier_t *self, struct barrier_call *call, int rc)
{
    if (rc != 0) {
        free (call);
        return rc;
    }
    recipe_call_begin (&self->calls, &call->base, self);
    return 0;
}

int barrier_begin (cohort_barrier_t *self, enum barrier_step step, bool whole)
{
    struct barrier_call *call = call_new (step);
    if (call == NULL) {
        return COHORT_ENOMEM;
    }
    call->whole = whole;
    int rc;
    if (step == STEP_CREATE) {
        rc = send_create (self, call);
        self->creating = rc == 0 ? call : NULL;
    } else if (step == STEP_COUNT) {
        rc = cohort_get_async (self->client, self->folder, NULL, NULL, on_result, call);
    } else if (step == STEP_LIST) {
        rc = send_list (self, call);
    } else {
        rc = send_delete (self, call);
    }
    return sent (self, call, rc);
}

/* The same after an event, when nobody else would hear of a failure. */
static void go_on (cohort_barrier_t *self, enum barrier_step step)
{
    int rc = barrier_begin (self, step, false);
    if (rc != 0) {
        barrier_fail (self, rc);
    }
}

/* ---- Entering ------------------------------------------------------------------------------ */

bool barrier_names (const char *crew, uint64_t czxid)
{
    char name[NAMED_SIZE + 1];
    snprintf (name, sizeof (name), "%016" PRIx64 "\n", czxid);
    return crew != NULL && strstr (crew, name) != NULL;
}

static const cohort_node_t *ready_node (cohort_barrier_t *self)
{
    return cohort_mirror_get (self->ready, self->ready_path);
}

static void entered (cohort_barrier_t *self, const cohort_node_t *node, uint64_t zxid)
{
    self->crew = recipe_copy (node->data, node->size);
    if (self->crew == NULL) {
        barrier_fail (self, COHORT_ENOMEM);
        return;
    }
    self->ready_czxid = node->stat.czxid;
    self->phase = BARRIER_INSIDE;
    self->outcome = 0;
    recipe_calls_forget (&self->calls);
    barrier_report (self, (cohort_barrier_event_t){.kind = COHORT_BARRIER_ENTERED, .zxid = zxid});
}

/* What `ready` says, if there is one, to a party that has its znode. */
static void look_at_ready (cohort_barrier_t *self, uint64_t zxid)
{
    const cohort_node_t *node = ready_node (self);
    if (node == NULL || self->phase != BARRIER_ENTERING || self->czxid == 0) {
        return;
    }
    if (barrier_names (node->data, self->czxid)) {
        entered (self, node, zxid);
    } else {
        /* All are there without us, or it is left over: the list tells. */
        go_on (self, STEP_LIST);
    }
}

static int by_age (const void *a, const void *b)
{
    const cohort_child_t *one = *(const cohort_child_t *const *) a;
    const cohort_child_t *other = *(const cohort_child_t *const *) b;
    return one->stat.czxid < other->stat.czxid ? -1 : one->stat.czxid > other->stat.czxid;
}

/* Those that are listed, in the order in which they came: to be freed; NULL: no memory. */
static const cohort_child_t **in_order (const cohort_result_t *result)
{
    const cohort_child_t **sorted = malloc ((result->listed_count + 1) * sizeof (*sorted));
    for (size_t i = 0; sorted != NULL && i < result->listed_count; i++) {
        sorted[i] = &result->listed[i];
    }
    if (sorted != NULL && result->listed_count > 0) {
        qsort (sorted, result->listed_count, sizeof (*sorted), by_age);
    }
    return sorted;
}

/* Says that these are all. */
static int send_ready (cohort_barrier_t *self, const cohort_child_t *const *members)
{
    const cohort_node_t *stale = ready_node (self);
    size_t count = (size_t) self->parties;
    struct barrier_call *call = call_new (STEP_READY);
    char *data = malloc (count * NAMED_SIZE + 1);
    cohort_txn_t *txn = call == NULL || data == NULL ? NULL : cohort_txn_new ();
    int rc = txn == NULL ? COHORT_ENOMEM : 0;
    if (txn != NULL && stale != NULL) {
        cohort_txn_check_czxid (txn, self->ready_path, stale->stat.czxid);
        cohort_txn_delete (txn, self->ready_path, COHORT_ANY_VERSION);
    }
    for (size_t i = 0; i < count && rc == 0; i++) {
        const cohort_child_t *child = members[i];
        char *member = barrier_path (self->folder, child->name);
        rc = member == NULL ? COHORT_ENOMEM : 0;
        if (member != NULL) {
            cohort_txn_check_czxid (txn, member, child->stat.czxid);
        }
        free (member);
        snprintf (data + i * NAMED_SIZE, NAMED_SIZE + 1, "%016" PRIx64 "\n", child->stat.czxid);
    }
    if (rc == 0) {
        cohort_txn_create (txn, self->ready_path, data, count * NAMED_SIZE, COHORT_PERSISTENT,
                           NULL);
        rc = cohort_multi_async (self->client, txn, on_result, call);
    }
    if (txn != NULL) {
        cohort_txn_destroy (&txn);
    }
    free (data);
    return sent (self, call, rc);
}

static void created (cohort_barrier_t *self, bool whole, const cohort_result_t *result)
{
    self->creating = NULL;
    if (result->rc == COHORT_ENONODE && !whole) {
        int rc = barrier_begin (self, STEP_CREATE, true);
        if (rc != 0) {
            barrier_fail (self, rc);
        }
        return;
    }
    const cohort_op_result_t *made =
        result->rc == 0 && result->ops_count > 0 ? &result->ops[result->ops_count - 1] : NULL;
    if (made == NULL || made->path == NULL) {
        barrier_fail (self, result->rc != 0 ? result->rc : COHORT_EPROTOCOL);
        return;
    }
    self->czxid = made->stat.czxid;
    go_on (self, STEP_COUNT);
}

static void counted (cohort_barrier_t *self, const cohort_result_t *result)
{
    if (result->rc != 0 || result->stat == NULL) {
        barrier_fail (self, result->rc != 0 ? result->rc : COHORT_EPROTOCOL);
    } else if (barrier_parties (result->data, result->size) != self->parties) {
        barrier_fail (self, COHORT_ECONFIG);
    } else if (result->stat->child_count >= (uint32_t) self->parties) {
        go_on (self, STEP_LIST);
    }
}

/* Is our znode among those listed? */
static bool is_listed (const cohort_barrier_t *self, const cohort_result_t *result)
{
    for (size_t i = 0; i < result->listed_count; i++) {
        if (result->listed[i].stat.czxid == self->czxid) {
            return true;
        }
    }
    return false;
}

/* Who is there, in the order in which they came. */
static int take_members (cohort_barrier_t *self, const cohort_child_t *const *members, size_t count)
{
    const cohort_node_t *node = ready_node (self);
    if (count > 0 && node != NULL) {
        if (barrier_names (node->data, self->czxid)) {
            return 0; /* the mirror has told, or will */
        }
        if (barrier_names (node->data, members[0]->stat.czxid)) {
            return COHORT_ELIMIT;
        }
    }
    return count >= (size_t) self->parties ? send_ready (self, members) : 0;
}

static void listed_entering (cohort_barrier_t *self, const cohort_result_t *result)
{
    const cohort_child_t **members = in_order (result);
    int rc;
    if (members == NULL) {
        rc = COHORT_ENOMEM;
    } else if (result->next != NULL) {
        rc = COHORT_ELIMIT; /* so many that they do not fit into an answer */
    } else if (!is_listed (self, result)) {
        rc = COHORT_ENONODE; /* somebody has deleted it */
    } else {
        rc = take_members (self, members, result->listed_count);
    }
    free (members);
    if (rc != 0) {
        barrier_fail (self, rc);
    }
}

static void ready_made (cohort_barrier_t *self, const cohort_result_t *result)
{
    if (result->rc == COHORT_ENONODE || result->rc == COHORT_EBADCZXID) {
        /* One of them has gone meanwhile, or the leftover. */
        go_on (self, STEP_LIST);
    } else if (result->rc != 0 && result->rc != COHORT_ENODEEXISTS) {
        barrier_fail (self, result->rc);
    }
}

/* ---- Leaving ------------------------------------------------------------------------------- */

static cohort_mirror_fn on_awaited;

static void await (cohort_barrier_t *self, const char *name)
{
    char *path = barrier_path (self->folder, name);
    self->awaited = path == NULL ? NULL : cohort_mirror_new (self->client, path, NULL);
    free (path);
    if (self->awaited == NULL) {
        barrier_fail (self, COHORT_ENOMEM);
        return;
    }
    cohort_mirror_set_handler (self->awaited, on_awaited, self);
}

static void listed_leaving (cohort_barrier_t *self, const cohort_result_t *result)
{
    const cohort_child_t *first = NULL, *last = NULL;
    bool here = is_listed (self, result);
    for (size_t i = 0; i < result->listed_count; i++) {
        const cohort_child_t *child = &result->listed[i];
        if (barrier_names (self->crew, child->stat.czxid)) {
            first = first == NULL || child->stat.czxid < first->stat.czxid ? child : first;
            last = last == NULL || child->stat.czxid > last->stat.czxid ? child : last;
        }
    }
    if (first == NULL) {
        barrier_left (self, result->zxid);
    } else if (here && first->stat.czxid != self->czxid) {
        go_on (self, STEP_GO);
    } else if (here && first == last) {
        go_on (self, STEP_END);
    } else {
        await (self, here ? last->name : first->name);
    }
}

/* The party that is waited for has gone: who else is there? */
static void on_awaited (cohort_mirror_t *mirror, const cohort_mirror_event_t *event, void *arg)
{
    cohort_barrier_t *self = arg;
    recipe_enter (&self->guard);
    if (event->kind == COHORT_MIRROR_ERROR) {
        barrier_fail (self, event->rc);
    } else if ((event->kind == COHORT_MIRROR_REMOVED || event->kind == COHORT_MIRROR_SYNCED) &&
               cohort_mirror_count (mirror) == 0) {
        cohort_mirror_destroy (&self->awaited);
        go_on (self, STEP_LIST);
    }
    barrier_unguard (self);
}

/* ---- Answers and events -------------------------------------------------------------------- */

static void answered (cohort_barrier_t *self, enum barrier_step step, bool whole,
                      const cohort_result_t *result)
{
    bool gone = result->rc == COHORT_ENONODE || result->rc == COHORT_EBADCZXID;
    if (result->rc == COHORT_ESESSIONEXPIRED) {
        barrier_fail (self, result->rc);
        return;
    }
    switch (step) {
    case STEP_CREATE:
        created (self, whole, result);
        break;
    case STEP_COUNT:
        counted (self, result);
        if (self->phase == BARRIER_ENTERING) {
            look_at_ready (self, result->zxid);
        }
        break;
    case STEP_LIST:
        if (result->rc != 0 && result->rc != COHORT_ENONODE) {
            barrier_fail (self, result->rc);
        } else if (self->phase == BARRIER_ENTERING) {
            listed_entering (self, result);
        } else {
            listed_leaving (self, result);
        }
        break;
    case STEP_READY:
        ready_made (self, result);
        break;
    case STEP_GO:
        if (result->rc != 0 && !gone) {
            barrier_fail (self, result->rc);
        } else {
            free (self->member);
            self->member = NULL;
            go_on (self, STEP_LIST);
        }
        break;
    case STEP_END:
        if (gone) {
            /* `ready` is another's, or was deleted by hand: our own znode goes alone. */
            (void) recipe_withdraw (self->client, self->member, self->czxid);
        }
        if (result->rc == 0 || gone) {
            barrier_left (self, result->zxid);
        } else {
            barrier_fail (self, result->rc);
        }
        break;
    }
}

static void on_result (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct barrier_call *call = arg;
    cohort_barrier_t *self = call->base.owner;
    if (self == NULL) {
        const cohort_op_result_t *made = call->undo && result->rc == 0 && result->ops_count > 0
                                             ? &result->ops[result->ops_count - 1]
                                             : NULL;
        if (made != NULL && made->path != NULL) {
            (void) recipe_withdraw (client, made->path, made->stat.czxid);
        }
        free (call);
        return;
    }
    recipe_enter (&self->guard);
    recipe_call_end (&call->base);
    answered (self, call->step, call->whole, result);
    free (call);
    barrier_unguard (self);
}

void barrier_on_ready (cohort_mirror_t *mirror, const cohort_mirror_event_t *event, void *arg)
{
    cohort_barrier_t *self = arg;
    (void) mirror;
    recipe_enter (&self->guard);
    switch (event->kind) {
    case COHORT_MIRROR_ADDED:
    case COHORT_MIRROR_CHANGED:
        look_at_ready (self, event->zxid);
        break;
    case COHORT_MIRROR_LOST:
    case COHORT_MIRROR_ERROR:
        barrier_fail (self, event->rc != 0 ? event->rc : COHORT_ESESSIONEXPIRED);
        break;
    case COHORT_MIRROR_REMOVED:
    case COHORT_MIRROR_BATCH:
    case COHORT_MIRROR_SYNCED:
        break;
    }
    barrier_unguard (self);
}
