/* link_twin.c: see link_twin.h. */

#include "server/node/link_twin.h"

#include <inttypes.h>
#include <string.h>

#define LONG_AGO (INT64_MIN / 2)

void link_twin_init (struct link_twin *self)
{
    memset (self, 0, sizeof *self);
    self->last_ms = self->told_ms = self->heard_ms = LONG_AGO;
}

void link_twin_note (struct link_twin *self, uint64_t process, uint64_t store_id, int64_t now_ms)
{
    if (now_ms - self->last_ms >= LINK_TWIN_GAP_MS) {
        self->since_ms = now_ms;
    }
    self->process = process;
    self->store_id = store_id;
    self->last_ms = now_ms;
}

void link_twin_settle (struct link_twin *self, uint64_t process)
{
    if (self->process == process) {
        self->last_ms = LONG_AGO;
    }
}

bool link_twin_goes_on (const struct link_twin *self)
{
    return self->last_ms - self->since_ms >= LINK_TWIN_MS;
}

bool link_twin_address_known (const struct link_twin *self, int64_t attempt_ms)
{
    return attempt_ms >= self->since_ms;
}

bool link_twin_present (const struct link_twin *self, int64_t attempt_ms, int64_t now_ms)
{
    return now_ms - self->last_ms < LINK_TWIN_MS && link_twin_goes_on (self) &&
           link_twin_address_known (self, attempt_ms);
}

static const char *folder_of (bool copied)
{
    return copied ? "a copy of its data folder" : "a data folder of its own";
}

bool link_twin_tell (struct link_twin *self, uint32_t peer, uint64_t store_id,
                     const struct logger *logger, int64_t now_ms)
{
    if (now_ms - self->told_ms < LINK_TELL_AGAIN_MS) {
        return false;
    }
    self->told_ms = now_ms;
    logger_write (logger, LOG_ERROR, "peer-twin",
                  "peer=%" PRIu32 " reason=\"two servers say that they are server %" PRIu32
                  ": the one at its configured address counts; the other has %s: stop it\"",
                  peer, peer, folder_of (self->store_id == store_id));
    return true;
}

void link_twin_hear (struct link_twin *self, uint32_t peer, uint32_t id, uint64_t store_id,
                     uint64_t twin_store, const struct logger *logger, int64_t now_ms)
{
    if (now_ms - self->heard_ms >= LINK_TELL_AGAIN_MS) {
        self->heard_ms = now_ms;
        logger_write (logger, LOG_ERROR, "twin",
                      "peer=%" PRIu32 " reason=\"another server tells it that it is server %" PRIu32
                      ", too; it has %s: stop it\"",
                      peer, id, folder_of (twin_store == store_id));
    }
}
