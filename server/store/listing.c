/*
 *  server/store/listing.c - what is in the folder when a store is opened
 */
#include "server/store/listing.h"

#include <string.h>

#include "client/base/alloc.h"

static void add (struct listing *self, const char *name)
{
    if (self->count == self->room) {
        size_t room = self->room * 2 + 16;
        char (*names)[NAME_SIZE] = mem_realloc (self->names, room * sizeof *names);
        if (names == NULL) {
            self->failed = true;
            return;
        }
        self->names = names;
        self->room = room;
    }
    memcpy (self->names[self->count++], name, strlen (name) + 1);
}

static void collect (void *arg, const char *name)
{
    struct listing *self = arg;
    uint32_t number;
    zxid_t zxid;
    uint64_t serial;
    if (name_is_segment (name, &number)) {
        self->segment = number >= self->segment ? number + 1 : self->segment;
        self->history = true;
        add (self, name);
    } else if (name_is_snapshot (name, &zxid, &serial)) {
        self->serial = serial >= self->serial ? serial + 1 : self->serial;
        self->history = true;
        add (self, name);
    } else if (name_is_aside (name, &number)) {
        self->aside = number >= self->aside ? number + 1 : self->aside;
        self->history = true;
    } else if (strcmp (name, NAME_SNAPSHOT_NEW) == 0 || strcmp (name, NAME_MANIFEST_NEW) == 0) {
        add (self, name);
    } else if (strcmp (name, NAME_RESTORING) == 0) {
        self->restoring = true;
    } /*  else it is not ours, or looked at elsewhere */
}

int listing_read (struct listing *self, struct disk *disk, struct fault *fault)
{
    self->segment = 1;
    self->serial = 1;
    self->aside = 1;
    int rc = disk->ops->list (disk, collect, self);
    if (rc != 0) {
        return fault_final (fault, "the folder", "list", rc);
    }
    return self->failed ? fault_memory (fault) : 0;
}

void listing_deinit (struct listing *self)
{
    mem_free (self->names);
    *self = (struct listing){.names = NULL};
}
