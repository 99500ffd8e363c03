/* What clients look at in other ways than one znode at a time: several reads of one state, pages,
 * counts, lists, ephemerals, sessions; and watches in all places, and that they take back, or ask
 * for. */

#include <stdio.h>

#include "client/base/assert.h"
#include "client/src/watches.h"
#include "tests/simulation/workload.h"

enum { READS_MAX = 5, PAGE_MAX = 4 };

static const char *some_place (struct world *self, struct sim_client *client, char path[PATH_SIZE])
{
    static const char *const prefixes[] = {"/d", "/box", "/tree", "/t", "/lock", "/r", "/r", "/a"};
    size_t place = prng_below (&client->prng, 10);
    if (place == 9) {
        return "/";
    }
    return place == 8 ? client->own
                      : path_of (path, prefixes[place],
                                 place < 5 ? 0 : prng_below (&client->prng, SIM_REGISTERS),
                                 window_of (self));
}

static void read_several (struct world *self, struct sim_client *client)
{
    static const enum wire_kind kinds[] = {WIRE_GET, WIRE_EXISTS, WIRE_CHILDREN, WIRE_COUNT};
    char paths[READS_MAX][PATH_SIZE];
    struct wire_op ops[READS_MAX];
    size_t count = 1 + prng_below (&client->prng, READS_MAX);
    for (size_t i = 0; i < count; i++) {
        ops[i] = (struct wire_op){.kind = kinds[prng_below (&client->prng, 4)],
                                  .path = some_place (self, client, paths[i])};
    }
    struct request *request = request_new_multi (WIRE_MULTI_READ, "", ops, count);
    COHORT_ASSERT (request != NULL);
    request->wire.op.linearizable = prng_chance (&client->prng, 1, 3);
    submit (self, client, request, &(struct purpose){.what = NOTHING});
}

static void count_below (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE];
    ask_for (self, client, WIRE_COUNT, some_place (self, client, path), NULL, 0);
}

static void list_ephemerals (struct world *self, struct sim_client *client)
{
    static const char *const prefixes[] = {"", "/e-", "/box", "/lock-"};
    struct wire_list page = {
        .prefix = prefixes[prng_below (&client->prng, 4)],
        .after = prng_chance (&client->prng, 1, 2) ? client->owned_next : "",
        .limit = (uint32_t) prng_below (&client->prng, PAGE_MAX),
    };
    struct request *request = request_new_list (WIRE_EPHEMERALS, "", NULL, &page);
    COHORT_ASSERT (request != NULL);
    request->wire.op.session =
        prng_chance (&client->prng, 1, 3) ? workload_session (self, client) : 0;
    submit (self, client, request, &(struct purpose){.what = OWNED});
}

static void list_sessions (struct world *self, struct sim_client *client)
{
    struct request *request = request_of (WIRE_SESSIONS, NULL, NULL, 0, 0);
    request->wire.op.session =
        prng_chance (&client->prng, 1, 2) ? workload_session (self, client) : 0;
    request->wire.op.limit = (uint32_t) prng_below (&client->prng, PAGE_MAX);
    submit (self, client, request, &(struct purpose){.what = NOTHING});
}

/* Of folders; from the beginning, from where the last page ended, or from anywhere. */
static void list_page (struct world *self, struct sim_client *client)
{
    static const char *const prefixes[] = {"", "", "q-", "e", "a", "q-00000000"};
    static const char *const folders[] = {"/d", "/d", "/d", "/box", "/tree", "/a", "/quota"};
    char path[PATH_SIZE], anywhere[PATH_SIZE];
    size_t folder = prng_below (&client->prng, sizeof folders / sizeof folders[0]);
    (void) snprintf (anywhere, sizeof anywhere, "q-%010d", (int) prng_below (&client->prng, 20));
    const char *const places[] = {"", client->page_next, anywhere};
    struct wire_list page = {
        .filter = (int) prng_below (&client->prng, 3),
        .with_stat = prng_chance (&client->prng, 1, 3),
        .with_data = prng_chance (&client->prng, 1, 3),
        .descending = prng_chance (&client->prng, 1, 3),
        .limit = (uint32_t) prng_below (&client->prng, PAGE_MAX),
        .prefix = prefixes[prng_below (&client->prng, sizeof prefixes / sizeof prefixes[0])],
        .after = places[prng_below (&client->prng, 3)],
    };
    if (prng_chance (&client->prng, 1, 8)) {
        (void) snprintf (path, sizeof path, "/");
    } else {
        (void) path_of (path, folders[folder], 0, window_of (self));
    }
    struct request *request = request_new_list (WIRE_CHILDREN, "", path, &page);
    COHORT_ASSERT (request != NULL);
    request->wire.op.linearizable = prng_chance (&client->prng, 1, 3);
    submit (self, client, request, &(struct purpose){.what = PAGE});
}

static void get_list (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE];
    bool any = prng_chance (&client->prng, 1, 4);
    const char *place = any ? some_place (self, client, path)
                            : path_of (path, "/a", prng_below (&client->prng, 2), window_of (self));
    struct request *request = request_of (WIRE_GET_ACL, place, NULL, 0, 0);
    request->wire.op.inherited = prng_chance (&client->prng, 1, 4);
    request->wire.op.linearizable = prng_chance (&client->prng, 1, 3);
    submit (self, client, request, &(struct purpose){.what = NOTHING});
}

static void get_admins (struct world *self, struct sim_client *client)
{
    ask_for (self, client, WIRE_GET_ADMINS, NULL, NULL, 0);
}

static void watch_place (struct world *self, struct sim_client *client)
{
    static const enum wire_kind kinds[] = {WIRE_GET, WIRE_EXISTS, WIRE_CHILDREN};
    char path[PATH_SIZE];
    const char *place = some_place (self, client, path);
    struct request *request =
        workload_watching (client, kinds[prng_below (&client->prng, 3)], place, true);
    submit (self, client, request, &(struct purpose){.what = NOTHING});
}

/* The watches that it has set in some place, all of a kind, or of both. */
static void unwatch (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE];
    const char *place = some_place (self, client, path);
    struct request *request = request_of (WIRE_UNWATCH, place, NULL, 0, 0);
    request->watch = watch_new (WIRE_WATCH_DATA, "", place, NULL, NULL);
    COHORT_ASSERT (request->watch != NULL);
    request->wire.op.watcher = 1 + (int) prng_below (&client->prng, COHORT_WATCHER_ANY);
    request->check = request->wire.op.check = prng_chance (&client->prng, 1, 2);
    submit (self, client, request, &(struct purpose){.what = NOTHING});
}

void workload_look (struct world *self, struct sim_client *client)
{
    static ask_fn *const asks[] = {
        read_several, read_several, count_below, list_ephemerals, list_ephemerals, list_page,
        list_page,    list_page,    get_list,    get_list,        get_admins,      watch_place,
        watch_place,  unwatch,      unwatch,     list_sessions,   list_sessions};
    asks[prng_below (&client->prng, sizeof asks / sizeof asks[0])](self, client);
}
