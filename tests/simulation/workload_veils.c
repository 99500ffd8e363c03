/* What clients ask for of znodes that not everybody may see:
 *
 *      /v-W  with /v-W/x and that with /v-W/x/y, whose lists now hide them, now show them
 *
 * Everybody may change them, and some may not read them: so what hides from one client is changed
 * by others, while it watches and follows it. In some worlds only, and while little is there: what
 * changes what a client sees makes its streams begin anew, with all that there is. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/base/assert.h"
#include "client/src/requests.h"
#include "tests/simulation/workload.h"

enum { VEILED_WORLDS = 4, VEILED_WINDOWS = 4, LIST_SIZE = 512, PLACES = 3 };

bool workload_veils (const struct world *self)
{
    return window_of (self) < VEILED_WINDOWS &&
           world_draw (self, SIM_DRAW_VEILS, 0, 0, 0) % VEILED_WORLDS == 0;
}

/* For longer than others, so that what is hidden is shown again. */
static const char *place (const struct world *self, size_t which, char path[PATH_SIZE])
{
    static const char *const below[PLACES] = {"", "/x", "/x/y"};
    (void) snprintf (path, PATH_SIZE, "/v-%" PRIu64 "%s", window_of (self) / 2, below[which]);
    return path;
}

const char *workload_veiled (struct world *self, struct sim_client *client, char path[PATH_SIZE])
{
    return place (self, prng_below (&client->prng, PLACES), path);
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static const char *open_list (void)
{
    return "world:anyone:rwcda";
}

/* All but one may read it; or nobody but administrators. */
static const char *veil (struct world *self, struct sim_client *client, char list[LIST_SIZE])
{
    size_t hidden_from = prng_below (&client->prng, self->clients_count);
    size_t size = (size_t) snprintf (list, LIST_SIZE, "world:anyone:wcda");
    bool from_all = prng_chance (&client->prng, 1, 8);
    for (size_t i = 0; i < self->clients_count && !from_all; i++) {
        char address[WORLD_ADDRESS_SIZE];
        if (i != hidden_from) {
            size += (size_t) snprintf (list + size, LIST_SIZE - size, "\nip:%s:r",
                                       world_address (i, address));
        }
    }
    return list;
}

static const char *some_list (struct world *self, struct sim_client *client, char list[LIST_SIZE])
{
    return prng_chance (&client->prng, 1, 2) ? open_list () : veil (self, client, list);
}

/* ---- Changes --------------------------------------------------------------------------------- */

static void submit_all (struct world *self, struct sim_client *client, const struct wire_op *ops,
                        size_t count)
{
    struct request *request = request_new_multi (WIRE_MULTI, "", ops, count);
    COHORT_ASSERT (request != NULL);
    submit (self, client, request, &(struct purpose){.what = NOTHING});
}

/* Whatever of it is missing. */
static void plant (struct world *self, struct sim_client *client)
{
    char paths[PLACES][PATH_SIZE], lists[PLACES][LIST_SIZE];
    struct wire_op ops[PLACES];
    for (size_t i = 0; i < PLACES; i++) {
        ops[i] = (struct wire_op){.kind = WIRE_CREATE,
                                  .path = place (self, i, paths[i]),
                                  .acl = some_list (self, client, lists[i]),
                                  .if_absent = true};
    }
    submit_all (self, client, ops, 1 + prng_below (&client->prng, PLACES));
}

static struct wire_op list_of (const char *path, const char *list)
{
    return (struct wire_op){
        .kind = WIRE_SET_ACL, .path = path, .version = COHORT_ANY_VERSION, .acl = list};
}

static void set_veil (struct world *self, struct sim_client *client)
{
    char path[PATH_SIZE], list[LIST_SIZE];
    struct wire_op op =
        list_of (workload_veiled (self, client, path), some_list (self, client, list));
    submit_all (self, client, &op, 1);
}

static void change_veiled (struct world *self, struct sim_client *client)
{
    static const enum wire_kind kinds[] = {WIRE_SET, WIRE_SET, WIRE_CREATE, WIRE_DELETE};
    char path[PATH_SIZE];
    enum wire_kind kind = kinds[prng_below (&client->prng, 4)];
    ask_for (self, client, kind, workload_veiled (self, client, path),
             kind == WIRE_DELETE ? NULL : "veiled", 0);
}

/* It is hidden, as is what lists it; changes; is shown; and changes: who waits for it hears of
 * neither the first nor nothing. */
static void act (struct world *self, struct sim_client *client)
{
    char above[PATH_SIZE], path[PATH_SIZE], list[LIST_SIZE];
    size_t which = 1 + prng_below (&client->prng, PLACES - 1);
    (void) veil (self, client, list);
    const struct wire_op hide[] = {list_of (place (self, which - 1, above), list),
                                   list_of (place (self, which, path), list)};
    const struct wire_op show[] = {list_of (above, open_list ()), list_of (path, open_list ())};
    submit_all (self, client, hide, 2);
    ask_for (self, client, WIRE_SET, path, "hidden", 0);
    if (prng_chance (&client->prng, 2, 3)) {
        size_t first = prng_below (&client->prng, 2);
        submit_all (self, client, show + first, 1 + prng_below (&client->prng, 2 - first));
        ask_for (self, client, WIRE_SET, path, "shown", 0);
    }
}

/* ---- Looks ----------------------------------------------------------------------------------- */

static void look (struct world *self, struct sim_client *client)
{
    static const enum wire_kind kinds[] = {WIRE_GET, WIRE_EXISTS, WIRE_EXISTS, WIRE_CHILDREN};
    char path[PATH_SIZE];
    struct request *request =
        workload_watching (client, kinds[prng_below (&client->prng, 4)],
                           workload_veiled (self, client, path), prng_chance (&client->prng, 3, 4));
    submit (self, client, request, &(struct purpose){.what = NOTHING});
}

void workload_hide (struct world *self, struct sim_client *client)
{
    static ask_fn *const asks[] = {plant,         plant, set_veil, act,
                                   act,           look,  look,     change_veiled,
                                   change_veiled, look,  look,     follower_change};
    asks[prng_below (&client->prng, sizeof asks / sizeof asks[0])](self, client);
}
