/* What an actor asks for, and checks of what it is told: see pair_world.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/hand_over.h"
#include "client/src/streams.h"
#include "client/src/watches.h"
#include "tests/unit/node/pair_world.h"

/* ---- What an actor wants --------------------------------------------------------------------- */

struct request *actor_make (enum wire_kind kind, const char *path, const char *data)
{
    struct request *request = request_new (kind, "", path, data, data != NULL ? strlen (data) : 0);
    assert_non_null (request);
    return request;
}

void actor_read_shared (struct actor *actor)
{
    struct request *request = actor_make (WIRE_GET, "/shared", NULL);
    request->watch = watch_new (WIRE_WATCH_DATA, "", "/shared", NULL, actor);
    request->wire.op.watch = true;
    assert_non_null (request->watch);
    actor->reading = true;
    session_submit (actor->session, request, actor->net->world->now_ms);
}

static void create_ephemeral (struct actor *actor)
{
    char path[32];
    if (actor->ephemerals < EPHEMERALS) {
        snprintf (path, sizeof path, "/m/e%zu-%u", actor->index, actor->ephemerals++);
        struct request *request = actor_make (WIRE_CREATE, path, "");
        request->wire.op.mode = COHORT_EPHEMERAL;
        session_submit (actor->session, request, actor->net->world->now_ms);
    }
}

static void hand_over (struct actor *actor)
{
    struct net *net = actor->net;
    size_t other = (actor->index + prng_between (&net->prng, 1, ACTORS - 1)) % ACTORS;
    struct session_view mine, theirs;
    uint8_t hash[ENTRY_PASSWORD_HASH], token[HAND_OVER_TOKEN_SIZE];
    session_view (actor->session, &mine);
    session_view (net->actors[other].session, &theirs);
    if (mine.id == 0 || theirs.id == 0) {
        return;
    }
    tree_password_hash (theirs.password, hash);
    hand_over_token (mine.id, theirs.id, hash, token);
    struct request *request = request_new (WIRE_HAND_OVER, "", NULL, token, sizeof token);
    assert_non_null (request);
    request->wire.op.session = theirs.id;
    session_submit (actor->session, request, net->world->now_ms);
}

void actor_act (struct actor *actor)
{
    struct net *net = actor->net;
    char path[32], data[16];
    int64_t now_ms = net->world->now_ms;
    switch (prng_below (&net->prng, 10)) {
    case 0:
    case 1:
    case 2:
        if (actor->sets < WRITES) {
            snprintf (path, sizeof path, "/m/%zu", actor->index);
            snprintf (data, sizeof data, "%u", ++actor->sets);
            struct request *request = actor_make (WIRE_SET, path, data);
            request->wire.op.version = -1;
            session_submit (actor->session, request, now_ms);
        }
        break;
    case 3:
        if (actor->creates < 20) {
            snprintf (path, sizeof path, "/q/%zu-", actor->index);
            struct request *request = actor_make (WIRE_CREATE, path, "");
            request->wire.op.mode = COHORT_SEQUENTIAL;
            actor->creates++;
            session_submit (actor->session, request, now_ms);
        }
        break;
    case 4:
        snprintf (data, sizeof data, "%u", (unsigned) prng_below (&net->prng, 1000));
        struct request *shared = actor_make (WIRE_SET, "/shared", data);
        shared->wire.op.version = -1;
        session_submit (actor->session, shared, now_ms);
        break;
    case 5:
        session_submit (actor->session, actor_make (WIRE_SYNC, NULL, NULL), now_ms);
        break;
    case 6:
        create_ephemeral (actor);
        break;
    case 7:
        hand_over (actor);
        break;
    default:
        snprintf (path, sizeof path, "/m/%zu", actor->index);
        session_submit (actor->session, actor_make (WIRE_GET, path, NULL), now_ms);
        break;
    }
}

/* ---- What it gets ---------------------------------------------------------------------------- */

static int number_of (const void *data, size_t size)
{
    char text[16] = "";
    memcpy (text, data, size < sizeof text ? size : sizeof text - 1);
    return (int) strtol (text, NULL, 10);
}

static void take_result (struct actor *actor, const struct request *request)
{
    struct net *net = actor->net;
    const struct wire_reply *reply = request->reply;
    if (request->rc != COHORT_OK) {
        fail_msg ("seed %llu: request %llu of kind %d: %d", (unsigned long long) net->seed,
                  (unsigned long long) request->wire.xid, (int) request->wire.op.kind, request->rc);
    }
    REQUIRE (reply != NULL);
    const char *path = request->wire.op.path;
    switch (request->wire.op.kind) {
    case WIRE_SET:
        if (strcmp (path, "/shared") != 0) {
            /* Each once, in order. */
            actor->set_done++;
            REQUIRE (reply->stat->version == (int32_t) actor->set_done);
            actor->version = reply->stat->version;
        }
        break;
    case WIRE_CREATE:
        actor->created += path[1] == 'q';
        break;
    case WIRE_HAND_OVER:
        actor->given += reply->value > 0;
        break;
    case WIRE_GET:
        if (request->wire.op.watch) {
            memset (actor->shared, 0, sizeof actor->shared);
            memcpy (actor->shared, reply->data, reply->size);
        } else {
            int value = number_of (reply->data, reply->size);
            REQUIRE (value >= (int) actor->set_done);
            REQUIRE (value >= actor->value_seen);
            actor->value_seen = value;
        }
        break;
    default:
        break;
    }
}

static void mirror_owner (struct actor *actor, const cohort_change_t *change)
{
    for (size_t i = 0; i < actor->mirror_count; i++) {
        struct mirrored *mirrored = &actor->mirror[i];
        if (mirrored->owner == change->from && mirrored->ozxid <= change->stat.ozxid) {
            mirrored->owner = change->stat.ephemeral_owner;
            mirrored->ozxid = change->stat.ozxid;
        }
    }
}

static void mirror_change (struct actor *actor, const cohort_change_t *change)
{
    struct net *net = actor->net;
    struct mirrored *found = NULL;
    if (change->kind == COHORT_CHANGE_OWNER) {
        mirror_owner (actor, change);
        return;
    }
    for (size_t i = 0; i < actor->mirror_count; i++) {
        if (strcmp (actor->mirror[i].path, change->path) == 0) {
            found = &actor->mirror[i];
        }
    }
    /* None missing, none twice. */
    REQUIRE ((found == NULL) == (change->kind == COHORT_CHANGE_CREATED));
    if (change->kind == COHORT_CHANGE_DELETED) {
        *found = actor->mirror[--actor->mirror_count];
        return;
    }
    if (found == NULL) {
        REQUIRE (actor->mirror_count < MIRROR_MAX);
        found = &actor->mirror[actor->mirror_count++];
        snprintf (found->path, sizeof found->path, "%s", change->path);
    } else {
        REQUIRE (number_of (change->data, change->size) >
                     number_of (found->data, strlen (found->data)) ||
                 strcmp (found->path, "/m") == 0);
    }
    snprintf (found->data, sizeof found->data, "%.*s", (int) change->size,
              (const char *) change->data);
    found->owner = change->stat.ephemeral_owner;
    found->ozxid = change->stat.ozxid;
}

static void take_batch (struct actor *actor, const cohort_batch_t *batch)
{
    struct net *net = actor->net;
    if (batch->snapshot && batch->first) {
        actor->mirror_count = 0;
        actor->resets++;
    } else if (!batch->snapshot) {
        REQUIRE (batch->zxid > actor->batch_zxid || !batch->first);
    }
    for (size_t i = 0; i < batch->count; i++) {
        mirror_change (actor, &batch->changes[i]);
    }
    actor->batch_zxid = batch->zxid;
}

static void take_batches (struct actor *actor, struct batch_event *event)
{
    bool more = true;
    while (more) {
        cohort_batch_t batch;
        cohort_change_t *changes;
        more = batch_event_next (event, &batch, &changes);
        take_batch (actor, &batch);
    }
}

void actor_take_events (struct actor *actor)
{
    struct net *net = actor->net;
    struct list events;
    struct list_node *node;
    list_init (&events);
    session_take_events (actor->session, &events);
    while ((node = list_pop_front (&events)) != NULL) {
        struct event *event = list_entry (node, struct event, node);
        switch (event->kind) {
        case EVENT_RESULT:
            take_result (actor, container_of (event, struct request, event));
            break;
        case EVENT_WATCH:
            actor->events++;
            actor->reading = false;
            break;
        case EVENT_BATCH:
            take_batches (actor, container_of (event, struct batch_event, event));
            break;
        case EVENT_STATE:
            REQUIRE (container_of (event, struct state_event, event)->state != COHORT_LOST);
            break;
        default:
            REQUIRE (false);
        }
        event_free (event);
    }
}
