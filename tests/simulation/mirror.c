/* What the clients of a simulated world are told by a stream: each keeps a mirror of the whole
 * tree.
 *
 * Every batch must continue what came before: nothing is created twice, nothing is changed or
 * deleted that is not there, each change of data is the next version, and parents come before their
 * children. So an event that is lost, doubled or overtaken shows at once. With the coming and going
 * of children counted in their parents' stats, the mirror must equal the tree at the end: that
 * shows whether a snapshot was exact that was made while the tree changed. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/base/hash.h"
#include "client/src/requests.h"
#include "client/src/streams.h"
#include "tests/simulation/world.h"

enum { PATH_MAX_SIZE = 4096 };

/* What is hidden now and then, and of whose children only some are told, is left out. */
static bool is_left_out (const char *path)
{
    return strncmp (path, "/v-", 3) == 0;
}

/* A znode as the client knows it. */
struct image {
    struct map_node node;
    cohort_stat_t stat;
    char path[];
};

static bool image_equal (const struct map_node *node, const void *key)
{
    return strcmp (map_entry (node, struct image, node)->path, key) == 0;
}

static uint64_t path_hash (const char *path)
{
    return hash64 (path, strlen (path), 0);
}

static struct image *find (const struct sim_client *client, const char *path)
{
    struct map_node *node = map_find (&client->mirror, path_hash (path), image_equal, path);
    return node != NULL ? map_entry (node, struct image, node) : NULL;
}

static void free_image (struct map_node *node, void *arg)
{
    (void) arg;
    free (map_entry (node, struct image, node));
}

/* A change of a transaction that is not whole yet. */
struct news {
    struct list_node node;
    cohort_change_t change;
    char path[];
};

static void forget_news (struct sim_client *client)
{
    struct list_node *node;
    while ((node = list_pop_front (&client->mirror_news)) != NULL) {
        free (list_entry (node, struct news, node));
    }
}

static void keep_news (struct sim_client *client, const cohort_change_t *change)
{
    const char *path = change->path != NULL ? change->path : "";
    size_t size = strlen (path) + 1;
    struct news *news = calloc (1, sizeof *news + size);
    COHORT_ASSERT (news != NULL);
    news->change = *change;
    news->change.path = memcpy (news->path, path, size);
    list_push_back (&client->mirror_news, &news->node);
}

static void clear (struct sim_client *client)
{
    forget_news (client);
    map_drain (&client->mirror, free_image, NULL);
    client->mirror_zxid = 0;
    client->mirror_whole = false;
}

void mirror_open (struct world *self, struct sim_client *client)
{
    COHORT_ASSERT (client->stream == NULL);
    list_init (&client->mirror_news);
    client->stream = stream_new (++client->streams, "", "/");
    struct request *open = request_new (WIRE_STREAM_OPEN, "", "/", NULL, 0);
    COHORT_ASSERT (client->stream != NULL && open != NULL);
    stream_retain (client->stream);
    open->stream = client->stream;
    session_submit (client->session, open, client_now_ms (self, client));
}

void mirror_close (struct sim_client *client)
{
    if (client->stream != NULL) {
        stream_release (client->stream);
        client->stream = NULL;
    }
    clear (client);
}

/* ---- Batches --------------------------------------------------------------------------------- */

static void put (struct sim_client *client, const cohort_change_t *change)
{
    size_t size = strlen (change->path) + 1;
    struct image *image = malloc (sizeof *image + size);
    COHORT_ASSERT (image != NULL);
    *image = (struct image){.node.hash = path_hash (change->path), .stat = change->stat};
    memcpy (image->path, change->path, size);
    map_insert (&client->mirror, &image->node);
}

static struct image *find_parent (const struct sim_client *client, const char *path)
{
    char parent[PATH_MAX_SIZE];
    size_t size = (size_t) (strrchr (path, '/') - path);
    COHORT_ASSERT (size < sizeof parent);
    size = size > 0 ? size : 1;
    memcpy (parent, path, size);
    parent[size] = '\0';
    return find (client, parent);
}

/* In a transaction; a snapshot's stats are whole. */
static void count_child (struct image *parent, bool created, uint64_t zxid)
{
    parent->stat.child_count += created ? 1u : -1u;
    parent->stat.cversion++;
    parent->stat.pzxid = zxid;
}

/* All of a session's ephemerals are another's. */
static void change_owner (struct sim_client *client, const cohort_change_t *change)
{
    for (struct map_node *node = map_first (&client->mirror); node != NULL;
         node = map_next (&client->mirror, node)) {
        cohort_stat_t *stat = &map_entry (node, struct image, node)->stat;
        if (stat->ephemeral_owner == change->from && stat->ozxid <= change->stat.ozxid) {
            stat->ephemeral_owner = change->stat.ephemeral_owner;
            stat->ozxid = change->stat.ozxid;
        }
    }
}

/* Of what is there: the next version of its data, or of its list. */
static const char *renew (struct image *image, const cohort_change_t *change)
{
    bool data = change->kind == COHORT_CHANGE_DATA;
    if (image == NULL) {
        return "it is not there";
    }
    if (change->stat.version != image->stat.version + (data ? 1 : 0) ||
        change->stat.aversion != image->stat.aversion + (data ? 0 : 1) ||
        change->stat.czxid != image->stat.czxid) {
        return "it is not the next version";
    }
    image->stat = change->stat;
    return NULL;
}

static const char *apply (struct sim_client *client, const cohort_batch_t *batch,
                          const cohort_change_t *change)
{
    if (change->kind == COHORT_CHANGE_OWNER) {
        change_owner (client, change);
        return NULL;
    }
    bool outer = strchr (change->path + 1, '/') == NULL;
    if (is_left_out (change->path) && !outer) {
        return NULL;
    }
    struct image *image = find (client, change->path);
    struct image *parent =
        strcmp (change->path, "/") != 0 ? find_parent (client, change->path) : NULL;
    bool created = change->kind == COHORT_CHANGE_CREATED;
    if (parent == NULL && strcmp (change->path, "/") != 0) {
        return "its parent is not there";
    }
    bool deleted = change->kind == COHORT_CHANGE_DELETED;
    if (!batch->snapshot && (created || deleted) && parent != NULL) {
        count_child (parent, created, batch->zxid);
    }
    if (is_left_out (change->path)) {
        return NULL;
    }
    switch (change->kind) {
    case COHORT_CHANGE_CREATED:
        if (image != NULL) {
            return "it is there already";
        }
        put (client, change);
        return NULL;
    case COHORT_CHANGE_DATA:
    case COHORT_CHANGE_ACL:
        return renew (image, change);
    default:
        if (image == NULL) {
            return "it is not there";
        }
        map_remove (&client->mirror, &image->node);
        free (image);
        return NULL;
    }
}

/* It is whole. */
static void take_news (struct world *self, struct sim_client *client, const cohort_batch_t *batch)
{
    for (struct list_node *at = list_first (&client->mirror_news); at != NULL;
         at = list_next (&client->mirror_news, at)) {
        const cohort_change_t *change = &list_entry (at, struct news, node)->change;
        const char *wrong = apply (client, batch, change);
        if (wrong != NULL) {
            world_fail (self,
                        "client %zu: its stream, at %#" PRIx64 " after %#" PRIx64
                        ", tells change %d of %s: %s",
                        (size_t) (client - self->clients), batch->zxid, client->mirror_zxid,
                        (int) change->kind, change->path, wrong);
        }
    }
    forget_news (client);
    client->mirror_zxid = batch->zxid;
}

static void take_batch (struct world *self, struct sim_client *client, const cohort_batch_t *batch)
{
    size_t number = (size_t) (client - self->clients);
    record_batch (self, client, client->stream, batch);
    if (batch->snapshot && batch->first) {
        clear (client);
    }
    if (batch->zxid < client->mirror_zxid) {
        world_fail (self, "client %zu: its stream goes back from %#" PRIx64 " to %#" PRIx64, number,
                    client->mirror_zxid, batch->zxid);
    }
    if (batch->first) {
        forget_news (client); /* of a transaction that is told anew */
    }
    for (size_t i = 0; i < batch->count; i++) {
        keep_news (client, &batch->changes[i]);
    }
    client->mirror_whole = !batch->more;
    self->batches++;
    if (!batch->more) {
        take_news (self, client, batch);
    }
}

void mirror_batch (struct world *self, struct sim_client *client, struct batch_event *event)
{
    bool more = event->stream == client->stream; /* else of one that is over */
    while (more) {
        cohort_batch_t batch;
        cohort_change_t *changes;
        more = batch_event_next (event, &batch, &changes);
        take_batch (self, client, &batch);
    }
}

void mirror_ended (struct world *self, struct sim_client *client, const struct event *event)
{
    if (client->stream != NULL && event == &client->stream->ended) {
        mirror_close (client);
        world_tell (self, "client %zu: its stream has ended", (size_t) (client - self->clients));
    }
}

/* ---- At rest --------------------------------------------------------------------------------- */

struct comparison {
    const struct sim_client *client;
    uint64_t count;
    bool equal;
};

static bool same_stat (const cohort_stat_t *a, const cohort_stat_t *b)
{
    return a->czxid == b->czxid && a->mzxid == b->mzxid && a->pzxid == b->pzxid &&
           a->version == b->version && a->cversion == b->cversion && a->aversion == b->aversion &&
           a->data_size == b->data_size && a->ephemeral_owner == b->ephemeral_owner &&
           a->ozxid == b->ozxid && a->child_count == b->child_count;
}

static bool compare (void *arg, const struct tree_node *node)
{
    struct comparison *comparison = arg;
    if (is_left_out (node->path)) {
        return true;
    }
    const struct image *image = find (comparison->client, node->path);
    comparison->count++;
    comparison->equal = image != NULL && same_stat (&image->stat, &node->stat);
    return comparison->equal;
}

bool mirror_equal (const struct sim_client *client, const struct tree *tree)
{
    struct comparison comparison = {.client = client, .equal = true};
    COHORT_ASSERT (tree_walk (tree, "/", 1, NULL, compare, &comparison) == 0);
    return client->mirror_whole && comparison.equal &&
           comparison.count == map_count (&client->mirror);
}
