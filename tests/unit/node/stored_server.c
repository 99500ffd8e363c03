#include "tests/unit/node/stored_server.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/prng.h"
#include "cohort/types.h"
#include "server/tree/entry.h"
#include "server/tree/ops.h"

void server_work (struct server *server)
{
    while (store_work (server->store)) {
    }
}

static void append (struct server *server, struct buf *bytes)
{
    zxid_t zxid = server->applied.zxid == 0 ? zxid_make (1, 1) : server->applied.zxid + 1;
    struct zab_entry entry = {
        .zxid = zxid,
        .stamp_ms = 1000,
        .chain = zab_chain (server->applied.chain, zxid, 1000, bytes->data, bytes->size),
        .data = bytes->data,
        .size = (uint32_t) bytes->size};
    struct zab_persist persist = {.number = ++server->number,
                                  .entries = &entry,
                                  .entries_count = 1,
                                  .commit = server->applied.zxid};
    struct tree_outcome outcome;
    store_persist (server->store, &persist);
    assert_true (tree_apply (server->tree, zxid, 1000, bytes->data, bytes->size, &outcome));
    assert_int_equal (outcome.code, 0);
    server->applied = (struct zab_point){zxid, entry.chain};
    buf_clear (bytes);
}

void server_init (struct server *server, uint32_t id)
{
    char error[200];
    server->disk = crash_disk_new (id);
    struct store_options options = {.disk = crash_disk_open (server->disk),
                                    .server_id = id,
                                    .store_id = id,
                                    .segment_bytes = 1 << 20};
    assert_int_equal (store_open (&options, &server->store, error, sizeof error), 0);
    struct store_meta meta = *store_meta (server->store);
    meta.cluster_id[0] = 1;
    assert_int_equal (store_set_meta (server->store, &meta), 0);
    server->tree = tree_new (&(struct tree_options){0});
    struct buf bytes;
    buf_init (&bytes);
    struct entry cluster = {.kind = ENTRY_CLUSTER,
                            .u.cluster = {.cluster_id = {1},
                                          .config = {.count = 1, .members = {{1, CONFIG_VOTER, 1}}},
                                          .limits = {1 << 20, 4096, 1024, 1 << 20, 100, 60000, 0}}};
    entry_encode (&bytes, &cluster);
    append (server, &bytes);
    struct entry session = {
        .kind = ENTRY_CREATE_SESSION,
        .u.create_session = {.nonce = {1}, .timeout_ms = 1000, .server = 1, .attach_no = 1}};
    entry_encode (&bytes, &session);
    append (server, &bytes);
    buf_deinit (&bytes);
    server_work (server);
}

/* Creates `count` znodes of `size` bytes. */
void server_create (struct server *server, unsigned count, size_t size, uint8_t mode)
{
    static uint8_t data[1 << 16];
    struct tree_session session;
    struct buf bytes;
    struct prng prng; /* so that nothing of it can be compressed */
    prng_seed (&prng, server->applied.zxid);
    buf_init (&bytes);
    assert_true (tree_session_next (server->tree, 0, &session));
    for (unsigned i = 0; i < count; i++) {
        char path[32];
        uint64_t number = session.last_number + 1 + i;
        snprintf (path, sizeof path, "/%llu", (unsigned long long) number);
        for (size_t k = 0; k < size; k++) {
            data[k] = (uint8_t) prng_u64 (&prng);
        }
        struct entry entry = {.kind = ENTRY_WRITE,
                              .u.write = {.session = session.id,
                                          .incarnation = 1,
                                          .number = number,
                                          .ack_to = number - 1,
                                          .count = 1}};
        struct op op = {.kind = OP_CREATE,
                        .path = path,
                        .path_size = (uint32_t) strlen (path),
                        .data = data,
                        .data_size = (uint32_t) size,
                        .mode = mode};
        entry_encode (&bytes, &entry);
        op_encode (&bytes, &op);
        append (server, &bytes);
    }
    buf_deinit (&bytes);
    server_work (server);
}

void server_deinit (struct server *server)
{
    tree_destroy (&server->tree);
    store_close (&server->store);
    crash_disk_destroy (&server->disk);
}

const char *server_snapshot_name (const struct server *server)
{
    const char *last = NULL;
    const char *name = NULL;
    for (size_t i = 0; (name = crash_disk_name (server->disk, i)) != NULL; i++) {
        last = strncmp (name, "snap.", 5) == 0 ? name : last;
    }
    assert_non_null (last);
    return last;
}

size_t server_snapshot_files (const struct server *server)
{
    size_t count = 0;
    const char *name = NULL;
    for (size_t i = 0; (name = crash_disk_name (server->disk, i)) != NULL; i++) {
        count += strncmp (name, "snap.", 5) == 0;
    }
    return count;
}
