/* Messages that are kept. May include: message, container, alloc, ZeroMQ, libc. */

#include "client/src/message.h"

#include "client/base/alloc.h"
#include "client/base/container.h"

static void message_end (struct shared *shared)
{
    struct message *self = container_of (shared, struct message, shared);
    int rc = zmq_msg_close (&self->content);
    COHORT_ASSERT (rc == 0);
    mem_free (self);
}

struct message *message_take (zmq_msg_t *from)
{
    struct message *self = mem_alloc (sizeof (*self));
    if (self == NULL) {
        return NULL;
    }
    shared_init (&self->shared, message_end);
    zmq_msg_init (&self->content);
    int rc = zmq_msg_move (&self->content, from);
    COHORT_ASSERT (rc == 0);
    return self;
}
