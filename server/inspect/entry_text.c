/* server/inspect/entry_text.c - what an entry of the log asks for, in words */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/base/buf.h"
#include "cohort/error.h"
#include "cohort/types.h"
#include "server/inspect/inspect.h"
#include "server/tree/entry.h"

enum { OPS_SHOWN = 16 };

static void say (struct buf *out, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

static void say (struct buf *out, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start (args, format);
    int size = vsnprintf (text, sizeof text, format, args);
    va_end (args);
    if (size > 0) {
        buf_append (out, text, (size_t) size < sizeof text ? (size_t) size : sizeof text - 1);
    }
}

/* What is not printable ASCII becomes \xNN: one line, whatever the bytes. */
static void say_bytes (struct buf *out, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char) bytes[i];
        if (byte > 0x20 && byte < 0x7f && byte != '\\') {
            buf_u8 (out, byte);
        } else {
            say (out, "\\x%02x", byte);
        }
    }
}

static void say_id (struct buf *out, const uint8_t id[16])
{
    for (size_t i = 0; i < 16; i++) {
        say (out, "%02x", id[i]);
    }
}

static void say_create (struct buf *out, const struct op *op)
{
    say (out, "%s%s%s%s", op->mode & COHORT_EPHEMERAL ? ", ephemeral" : "",
         op->mode & COHORT_CONTAINER ? ", container" : "",
         op->mode & COHORT_SEQUENTIAL ? ", sequential" : "", op->if_absent ? ", if absent" : "");
    if (op->ttl_ms > 0) {
        say (out, ", lives %" PRIu64 " ms", op->ttl_ms);
    }
    say (out, ", %" PRIu32 " bytes", op->data_size);
}

static void say_op (struct buf *out, const struct op *op)
{
    static const char *const names[] = {[OP_CREATE] = "create",
                                        [OP_DELETE] = "delete",
                                        [OP_SET] = "set",
                                        [OP_CHECK_VERSION] = "check-version",
                                        [OP_CHECK_CZXID] = "check-czxid",
                                        [OP_CHECK_OWNER] = "check-owner",
                                        [OP_CLOSE_SESSION] = "close",
                                        [OP_REJECT] = "reject",
                                        [OP_CHECK_ABSENT] = "check-absent",
                                        [OP_ADD] = "add",
                                        [OP_DELETE_TREE] = "delete-tree",
                                        [OP_SET_ACL] = "set-acl",
                                        [OP_ADD_AUTH] = "add-auth",
                                        [OP_SET_ADMINS] = "set-administrators",
                                        [OP_KILL_SESSION] = "kill-session",
                                        [OP_DELETE_IF_PRESENT] = "delete-if-present",
                                        [OP_HAND_OVER] = "hand-over"};
    say (out, "%s", names[op->kind]);
    if (op->path_size > 0) {
        say (out, " ");
        say_bytes (out, op->path, op->path_size);
    }
    switch (op->kind) {
    case OP_CREATE:
        say_create (out, op);
        break;
    case OP_SET:
        say (out, ", %" PRIu32 " bytes", op->data_size);
        break;
    case OP_ADD:
        say (out, " %" PRId64, op->delta);
        break;
    case OP_CHECK_CZXID:
        say (out, " 0x%" PRIx64, op->czxid);
        break;
    case OP_CHECK_OWNER:
    case OP_KILL_SESSION:
    case OP_HAND_OVER:
        say (out, " session 0x%" PRIx64, op->session);
        break;
    case OP_REJECT:
        say (out, " %s", cohort_error_name (op->code));
        break;
    default:
        break;
    }
    bool versioned = op->kind == OP_DELETE || op->kind == OP_SET || op->kind == OP_CHECK_VERSION ||
                     op->kind == OP_DELETE_TREE || op->kind == OP_DELETE_IF_PRESENT;
    if (versioned && op->version != -1) {
        say (out, ", version %" PRId32, op->version);
    }
}

static void say_write (struct buf *out, const struct entry_write *write)
{
    struct reader ops = write->ops;
    struct op op;
    say (out, "session 0x%" PRIx64 " request %" PRIu64 ": ", write->session, write->number);
    if (write->multi) {
        say (out, "multi of %" PRIu32 ": ", write->count);
    }
    for (uint32_t i = 0; i < write->count && op_decode (&op, &ops); i++) {
        if (i == OPS_SHOWN) {
            say (out, "; ...");
            return;
        }
        say (out, "%s", i > 0 ? "; " : "");
        say_op (out, &op);
    }
}

static void say_cluster (struct buf *out, const struct entry_cluster *cluster)
{
    say (out, "cluster ");
    say_id (out, cluster->cluster_id);
    for (size_t i = 0; i < cluster->config.count; i++) {
        const struct config_member *member = &cluster->config.members[i];
        say (out, ", %s %" PRIu32, member->role == CONFIG_VOTER ? "voter" : "observer", member->id);
    }
}

static void say_close (struct buf *out, const struct entry_close *close)
{
    static const char *const reasons[] = {[ENTRY_EXPIRED] = "expired",
                                          [ENTRY_DISCONNECTED] = "disconnected",
                                          [ENTRY_KILLED] = "killed"};
    say (out, "close session 0x%" PRIx64 ": %s", close->session, reasons[close->reason]);
}

void inspect_entry_text (struct buf *out, const uint8_t *data, size_t size)
{
    struct entry entry;
    if (!entry_decode (&entry, data, size)) {
        say (out, "not an entry that this version knows");
        return;
    }
    switch (entry.kind) {
    case ENTRY_CLUSTER:
        say_cluster (out, &entry.u.cluster);
        return;
    case ENTRY_MEMBER_STORE:
        say (out, "member %" PRIu32 " counts with store 0x%" PRIx64, entry.u.member_store.id,
             entry.u.member_store.new_store_id);
        return;
    case ENTRY_CREATE_SESSION:
        say (out, "create session, timeout %" PRIu32 " ms, at server %" PRIu32,
             entry.u.create_session.timeout_ms, entry.u.create_session.server);
        return;
    case ENTRY_ATTACH:
        say (out, "attach session 0x%" PRIx64 " to server %" PRIu32, entry.u.attach.session,
             entry.u.attach.server);
        return;
    case ENTRY_CLOSE:
        say_close (out, &entry.u.close);
        return;
    case ENTRY_REAP:
        say (out, "reap session 0x%" PRIx64, entry.u.reap.session);
        return;
    case ENTRY_WRITE:
        say_write (out, &entry.u.write);
        return;
    case ENTRY_LAPSE:
        say (out, "lapse of %" PRIu32 " znodes", entry.u.lapse.count);
        return;
    case ENTRY_ADMINS:
        say (out, "administrators of an ensemble that has none");
        return;
    case ENTRY_REPLACE_ADMINS:
        say (out, "administrators, in place of all that were");
        return;
    }
}
