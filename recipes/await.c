/* Waiting for a znode: the recipe behind cohort/await.h.
 *
 * A stream on the znode begins; behind it a sync is asked for, and behind that the state. What the
 * stream shows before that state has come is part of it; if it is not, for the stream was faster,
 * the state is asked for once more. What the stream shows later is tested, a change at a time;
 * children are listed anew. May include: the client's public headers, recipes' calls and support,
 * libc. */

#include "cohort/await.h"

#include <stdlib.h>
#include <string.h>

#include "calls.h"

struct await_call {
    struct recipe_call base; /* its owner is the await */
    bool sync;
};

struct cohort_await {
    cohort_t *client;
    char *path;
    int flags;
    cohort_await_test_fn *test;
    void *test_arg;
    cohort_stream_t *stream; /* NULL: it has ended */
    bool known;              /* the first state has come */
    uint64_t early;          /* zxid of what the stream has shown before */
    bool asking, again;      /* a list is on its way, and not the last one */
    bool news;               /* in the fragments so far */
    int outcome;             /* 0: not yet; 1: it has passed; or why it never will */
    cohort_seen_t seen;
    char *data;
    cohort_strings_t *children;
    struct recipe_calls calls;
    struct recipe_guard guard;
    cohort_await_fn *fn;
    void *arg;
};

static cohort_result_fn on_result;
static cohort_batch_fn on_batch;

static void await_free (cohort_await_t *self)
{
    free (self->path);
    free (self->data);
    free (self->children);
    free (self);
}

static void await_leave (cohort_await_t *self)
{
    if (recipe_leave (&self->guard)) {
        await_free (self);
    }
}

/* ---- The end --------------------------------------------------------------------------------- */

static void stop (cohort_await_t *self)
{
    recipe_calls_forget (&self->calls);
    if (self->stream != NULL) {
        cohort_stream_destroy (&self->stream);
    }
}

static void end (cohort_await_t *self, int outcome)
{
    RECIPE_ASSERT (outcome != 0);
    stop (self);
    self->outcome = outcome;
    if (self->fn != NULL && !self->guard.destroyed) {
        bool passed = outcome > 0;
        self->fn (self, passed ? 0 : outcome, passed ? &self->seen : NULL, self->arg);
    }
}

static void try_state (cohort_await_t *self)
{
    int rc = self->test (&self->seen, self->test_arg);
    if (rc != 0) {
        end (self, rc > 0 ? 1 : rc);
    }
}

/* ---- States ---------------------------------------------------------------------------------- */

static void see_nothing (cohort_await_t *self, uint64_t zxid)
{
    free (self->data);
    free (self->children);
    self->data = NULL;
    self->children = NULL;
    self->seen = (cohort_seen_t){.zxid = zxid};
}

static int see (cohort_await_t *self, const void *data, size_t size, const cohort_stat_t *stat,
                uint64_t zxid)
{
    char *copy = recipe_copy (data, size);
    if (copy == NULL) {
        return COHORT_ENOMEM;
    }
    see_nothing (self, zxid);
    self->data = copy;
    self->seen.exists = 1;
    self->seen.data = copy;
    self->seen.size = size;
    self->seen.stat = *stat;
    return 0;
}

/* A copy of names in one allocation. */
static cohort_strings_t *copy_names (const cohort_strings_t *names)
{
    size_t size = sizeof (*names) + names->count * sizeof (char *);
    for (size_t i = 0; i < names->count; i++) {
        size += strlen (names->items[i]) + 1;
    }
    cohort_strings_t *copy = malloc (size);
    if (copy == NULL) {
        return NULL;
    }
    const char **items = (const char **) (void *) (copy + 1);
    char *at = (char *) (items + names->count);
    for (size_t i = 0; i < names->count; i++) {
        size_t length = strlen (names->items[i]) + 1;
        memcpy (at, names->items[i], length);
        items[i] = at;
        at += length;
    }
    *copy = (cohort_strings_t){.count = names->count, .items = items};
    return copy;
}

static int see_children (cohort_await_t *self, const cohort_result_t *result)
{
    cohort_strings_t *names = copy_names (result->children);
    if (names == NULL) {
        return COHORT_ENOMEM;
    }
    see_nothing (self, result->zxid);
    self->children = names;
    self->seen.exists = 1;
    self->seen.children = names;
    self->seen.stat = *result->stat;
    return 0;
}

static bool wants_children (const cohort_await_t *self)
{
    return (self->flags & COHORT_AWAIT_CHILDREN) != 0;
}

/* ---- Questions ------------------------------------------------------------------------------- */

static int ask (cohort_await_t *self, bool sync)
{
    struct await_call *call = malloc (sizeof (*call));
    if (call == NULL) {
        return COHORT_ENOMEM;
    }
    *call = (struct await_call){.sync = sync};
    int rc;
    if (sync) {
        rc = cohort_sync_async (self->client, on_result, call);
    } else if (wants_children (self)) {
        cohort_list_options_t options = {.size = sizeof (options)};
        rc = cohort_list_async (self->client, self->path, &options, NULL, NULL, on_result, call);
    } else {
        rc = cohort_get_async (self->client, self->path, NULL, NULL, on_result, call);
    }
    if (rc != 0) {
        free (call);
        return rc;
    }
    self->asking = self->asking || !sync;
    recipe_call_begin (&self->calls, &call->base, self);
    return 0;
}

/* After an event, when nobody else would hear of a failure. */
static void ask_again (cohort_await_t *self)
{
    self->again = self->asking;
    int rc = self->asking ? 0 : ask (self, false);
    if (rc != 0) {
        end (self, rc);
    }
}

static void answered (cohort_await_t *self, const cohort_result_t *result)
{
    int rc = result->rc;
    bool told = rc == 0 || rc == COHORT_ENONODE;
    self->asking = false;
    if (told && result->zxid < (self->known ? self->seen.zxid : self->early)) {
        /* The stream was faster. */
        if (!self->known || self->again) {
            ask_again (self);
        }
        return;
    }
    if (rc == COHORT_ENONODE) {
        see_nothing (self, result->zxid);
        rc = 0;
    } else if (rc == 0 &&
               (result->stat == NULL || (wants_children (self) && result->children == NULL))) {
        rc = COHORT_EPROTOCOL;
    } else if (rc == 0 && wants_children (self)) {
        rc = see_children (self, result);
    } else if (rc == 0) {
        rc = see (self, result->data, result->size, result->stat, result->zxid);
    }
    if (rc != 0) {
        end (self, rc);
        return;
    }
    self->known = true;
    try_state (self);
    if (self->stream != NULL && self->again) {
        ask_again (self);
    }
}

static void on_result (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct await_call *call = arg;
    cohort_await_t *self = call->base.owner;
    bool sync = call->sync;
    (void) client;
    if (self == NULL) {
        free (call);
        return;
    }
    recipe_enter (&self->guard);
    recipe_call_end (&call->base);
    free (call);
    if (!sync) {
        answered (self, result);
    } else if (result->rc != 0) {
        end (self, result->rc);
    }
    await_leave (self);
}

/* ---- Changes --------------------------------------------------------------------------------- */

static int take_change (cohort_await_t *self, const cohort_change_t *change, uint64_t zxid)
{
    switch (change->kind) {
    case COHORT_CHANGE_CREATED:
    case COHORT_CHANGE_DATA:
    case COHORT_CHANGE_ACL:
        return see (self, change->data, change->size, &change->stat, zxid);
    case COHORT_CHANGE_DELETED:
        see_nothing (self, zxid);
        return 0;
    case COHORT_CHANGE_OWNER:
        (void) recipe_handed_over (change, &self->seen.stat.ephemeral_owner,
                                   &self->seen.stat.ozxid);
        return 0;
    }
    return 0;
}

/* A transaction, or a fragment of one, which is a state of this znode as well. */
static void take_batch (cohort_await_t *self, const cohort_batch_t *batch)
{
    bool news = self->news || batch->reset;
    int rc = 0;
    for (size_t i = 0; i < batch->count && rc == 0; i++) {
        const cohort_change_t *change = &batch->changes[i];
        bool own = change->kind == COHORT_CHANGE_OWNER || strcmp (change->path, self->path) == 0;
        if (own && !wants_children (self) && self->known && batch->zxid > self->seen.zxid) {
            rc = take_change (self, change, self->seen.zxid);
        }
        news = news || (change->kind != COHORT_CHANGE_OWNER && (own || wants_children (self)));
    }
    self->news = news && batch->more;
    if (rc != 0) {
        end (self, rc);
    } else if (batch->more) {
        return; /* only with the last fragment it is a state */
    } else if (news && !self->known) {
        self->early = batch->zxid;
    } else if (news && (batch->reset || wants_children (self))) {
        ask_again (self);
    } else if (news && batch->zxid > self->seen.zxid) {
        self->seen.zxid = batch->zxid;
        try_state (self);
    }
}

static void on_batch (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    cohort_await_t *self = arg;
    RECIPE_ASSERT (stream == self->stream);
    recipe_enter (&self->guard);
    if (batch == NULL) {
        end (self, cohort_stream_error (stream));
    } else {
        take_batch (self, batch);
    }
    await_leave (self);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static int start (cohort_await_t *self)
{
    cohort_stream_options_t options = {.size = sizeof (options),
                                       .flags = COHORT_STREAM_NO_SNAPSHOT | COHORT_STREAM_SHALLOW};
    int rc = recipe_renew (self->client, NULL);
    if (rc != 0) {
        return rc;
    }
    self->stream = cohort_stream_new_with (self->client, self->path, &options, on_batch, self);
    if (self->stream == NULL) {
        return COHORT_EPATH;
    }
    rc = ask (self, true);
    return rc != 0 ? rc : ask (self, false);
}

static int await_make (cohort_t *client, const char *path, int flags, cohort_await_test_fn *test,
                       void *arg, cohort_await_t **made)
{
    if (client == NULL || path == NULL || test == NULL || (flags & ~COHORT_AWAIT_CHILDREN) != 0) {
        return COHORT_EINVAL;
    }
    cohort_await_t *self = malloc (sizeof (*self));
    if (self == NULL) {
        return COHORT_ENOMEM;
    }
    *self = (cohort_await_t){.client = client, .flags = flags, .test = test, .test_arg = arg};
    self->path = recipe_copy (path, strlen (path));
    int rc = self->path == NULL ? COHORT_ENOMEM : start (self);
    if (rc != 0) {
        stop (self);
        await_free (self);
        return rc;
    }
    *made = self;
    return 0;
}

cohort_await_t *cohort_await_new (cohort_t *client, const char *path, int flags,
                                  cohort_await_test_fn *test, void *arg)
{
    cohort_await_t *self = NULL;
    return await_make (client, path, flags, test, arg, &self) == 0 ? self : NULL;
}

void cohort_await_destroy (cohort_await_t **self_p)
{
    cohort_await_t *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    RECIPE_ASSERT (!self->guard.destroyed);
    stop (self);
    if (recipe_bury (&self->guard)) {
        await_free (self);
    }
}

void cohort_await_set_handler (cohort_await_t *self, cohort_await_fn *fn, void *arg)
{
    self->fn = fn;
    self->arg = arg;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static int is_over (void *arg)
{
    const cohort_await_t *self = arg;
    return self->outcome;
}

int cohort_await_wait (cohort_await_t *self, int timeout_ms)
{
    recipe_enter (&self->guard);
    int rc = recipe_wait (self->client, &self->guard, timeout_ms, is_over, self);
    await_leave (self);
    return rc;
}

const cohort_seen_t *cohort_await_seen (const cohort_await_t *self)
{
    return self->outcome > 0 ? &self->seen : NULL;
}

static int await_once (cohort_t *client, const char *path, int flags, cohort_await_test_fn *test,
                       void *arg, int timeout_ms)
{
    cohort_await_t *self = NULL;
    int rc = await_make (client, path, flags, test, arg, &self);
    if (rc == 0) {
        rc = cohort_await_wait (self, timeout_ms);
        cohort_await_destroy (&self);
    }
    return rc;
}

int cohort_await_exists (cohort_t *client, const char *path, int timeout_ms)
{
    return await_once (client, path, 0, cohort_await_test_exists, NULL, timeout_ms);
}

int cohort_await_gone (cohort_t *client, const char *path, int timeout_ms)
{
    return await_once (client, path, 0, cohort_await_test_gone, NULL, timeout_ms);
}

int cohort_await_data (cohort_t *client, const char *path, cohort_await_test_fn *test, void *arg,
                       int timeout_ms)
{
    return await_once (client, path, 0, test, arg, timeout_ms);
}

int cohort_await_children (cohort_t *client, const char *path, int count, int timeout_ms)
{
    if (count < 0) {
        return COHORT_EINVAL;
    }
    return await_once (client, path, COHORT_AWAIT_CHILDREN, cohort_await_test_children, &count,
                       timeout_ms);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

int cohort_await_test_exists (const cohort_seen_t *seen, void *arg)
{
    (void) arg;
    return seen->exists;
}

int cohort_await_test_gone (const cohort_seen_t *seen, void *arg)
{
    (void) arg;
    return !seen->exists;
}

int cohort_await_test_children (const cohort_seen_t *seen, void *arg)
{
    const int *count = arg;
    int64_t there = seen->exists ? (int64_t) seen->stat.child_count : 0;
    return *count == 0 ? there == 0 : there >= *count;
}
