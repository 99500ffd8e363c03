/* Channels: one session's share of a connection. May include: handle, io, base, libc. */

#include "client/src/channel.h"

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/secret.h"
#include "client/src/handle.h"

/* What may wait for a session that takes nothing, while others of its connection do: as much as a
 * server would let wait. */
#define WAITING_BYTES_MAX ((size_t) 16 << 20)

/* ---- Opening and closing --------------------------------------------------------------------- */

static void await_refresh (struct channel *self)
{
    if (!list_linked (&self->fresh)) {
        list_push_back (&self->connection->fresh, &self->fresh);
    }
    connection_mark (self->connection);
}

static void set_blocked (struct channel *self, bool blocked)
{
    size_t *count = &self->connection->blocked;
    COHORT_ASSERT (self->blocked || !blocked || *count < map_count (&self->connection->channels));
    *count += (size_t) blocked - (size_t) self->blocked;
    self->blocked = blocked;
}

struct channel *channel_open (struct cohort *handle, uint32_t link, const char *endpoint)
{
    cohort_loop_t *loop = handle->loop;
    struct channel *self = mem_calloc (1, sizeof (*self));
    if (self == NULL) {
        return NULL;
    }
    struct connection *connection = connection_get (
        loop, endpoint, handle->encrypted ? &handle->keys : NULL, loop_now_ms (loop));
    if (connection == NULL) {
        mem_free (self);
        return NULL;
    }
    self->connection = connection;
    self->handle = handle;
    self->link = link;
    self->node.hash = ++connection->last_channel;
    map_insert (&connection->channels, &self->node);
    connection->watched += handle->watchdog_ms > 0;
    set_blocked (self, handle->paused);
    if (connection->up) {
        await_refresh (self);
    }
    return self;
}

void channel_close (struct channel *self)
{
    struct connection *connection = self->connection;
    set_blocked (self, false);
    map_remove (&connection->channels, &self->node);
    connection->watched -= self->handle->watchdog_ms > 0;
    if (list_linked (&self->fresh)) {
        list_remove (&self->fresh);
    }
    if (map_count (&connection->channels) == 0) {
        connection_close (connection);
    } else {
        if (self->used && !connection->down) {
            connection_end (connection, (uint32_t) self->node.hash,
                            loop_now_ms (self->handle->loop));
        }
        connection_mark (connection); /* it may be read again */
    }
    secret_wipe (self->kept.buf.data, self->kept.buf.size);
    bundle_deinit (&self->kept);
    buf_deinit (&self->waiting);
    mem_free (self);
}

/* ---- What arrives ---------------------------------------------------------------------------- */

void channel_tell_up (struct channel *self)
{
    if (!self->up && !self->down) {
        self->up = true;
        session_link_up (self->handle->session, self->link, loop_now_ms (self->handle->loop));
        loop_touch (self->handle);
    }
}

void channel_tell_down (struct channel *self, int rc)
{
    if (!self->down) {
        self->down = true;
        session_link_down (self->handle->session, self->link, rc, loop_now_ms (self->handle->loop));
        loop_touch (self->handle);
    }
}

void channel_cut (struct channel *self)
{
    channel_tell_down (self, COHORT_ECONNECT);
}

/* Hands a frame to the session, unless a test wants otherwise; false: it is to wait. */
static bool deliver (struct channel *self, const void *data, size_t size, struct shared *shared)
{
    switch (faults_judge (&self->handle->faults, data, size)) {
    case FAULTS_PASS:
        self->handle->received += size;
        session_frame_shared (self->handle->session, self->link, data, size, shared,
                              loop_now_ms (self->handle->loop));
        loop_touch (self->handle);
        return true;
    case FAULTS_HOLD:
        return false;
    default:
        channel_cut (self);
        return true;
    }
}

void channel_take (struct channel *self, const void *data, size_t size, struct shared *shared)
{
    if (self->down || (!self->blocked && deliver (self, data, size, shared))) {
        return;
    }
    if (self->waiting.size - self->given > WAITING_BYTES_MAX) {
        channel_cut (self); /* with all that waits */
        return;
    }
    buf_blob (&self->waiting, data, size);
    if (self->waiting.failed) {
        channel_cut (self);
    }
    set_blocked (self, true);
}

/* What has waited goes first, as much as may. */
static void deliver_waiting (struct channel *self)
{
    struct reader reader;
    reader_init (&reader, self->waiting.data + self->given, self->waiting.size - self->given);
    while (reader_left (&reader) > 0 && !self->down) {
        size_t size;
        const uint8_t *data = reader_blob (&reader, &size);
        COHORT_ASSERT (data != NULL);
        if (!deliver (self, data, size, NULL)) {
            break;
        }
        self->given = self->waiting.size - reader_left (&reader);
    }
    if (self->given == self->waiting.size || self->down) {
        buf_deinit (&self->waiting);
        self->given = 0;
    }
}

void channel_refresh (struct channel *self)
{
    if (self->connection->up) {
        channel_tell_up (self);
    }
    if (self->connection->down) {
        channel_tell_down (self, self->connection->down_rc);
    }
    if (!self->handle->paused && self->waiting.size > 0) {
        deliver_waiting (self);
    }
    set_blocked (self, self->handle->paused || self->waiting.size > 0);
}

void channel_resume (struct channel *self)
{
    if (self->waiting.size > 0 || self->blocked != self->handle->paused) {
        await_refresh (self);
    }
}

/* ---- Writing --------------------------------------------------------------------------------- */

bool channel_hung (struct channel *self, int64_t now_ms)
{
    return self->handle->watchdog_ms > 0 && loop_watch (self->handle, now_ms);
}

bool channel_stuck (const struct channel *self)
{
    return self->connection->stuck || self->kept.letters > 0;
}

/* Whether the session may be asked for a frame. A heartbeat may be in what was kept: it waits for
 * an application that lives. */
static bool may_write (struct channel *self, bool hung, int64_t now_ms)
{
    if (self->kept.letters > 0 &&
        (hung || !connection_put_all (self->connection, &self->kept, now_ms))) {
        return false;
    }
    return connection_room (self->connection, now_ms);
}

bool channel_write (struct channel *self)
{
    struct cohort *handle = self->handle;
    struct buf *frame = &handle->loop->frame;
    bool any = false;
    for (;;) {
        int64_t now_ms = loop_now_ms (handle->loop);
        if (!may_write (self, loop_watch (handle, now_ms), now_ms)) {
            return any;
        }
        buf_clear (frame);
        if (!session_next_frame (handle->session, self->link, frame, now_ms)) {
            return any;
        }
        any = true;
        self->used = true;
        bool secret = session_frame_secret (handle->session);
        /* At once, because a buffer that grows leaves copies behind; and because the application
         * must not have begun to hang when a heartbeat leaves. */
        bool at_once = secret || handle->watchdog_ms > 0;
        connection_put (self->connection, (uint32_t) self->node.hash, frame, secret, at_once,
                        now_ms);
        secret_wipe (frame->data, secret ? frame->size : 0);
    }
}
