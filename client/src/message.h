/* A ZeroMQ message that outlives the turn in which it came: frames are read where they lie in it,
 * until the last of them is let go. May include: shared, ZeroMQ, libc. */

#ifndef COHORT_CLIENT_MESSAGE_H
#define COHORT_CLIENT_MESSAGE_H

#include <zmq.h>

#include "client/base/shared.h"

struct message {
    struct shared shared;
    zmq_msg_t content;
};

/* Takes the content of `from`, which is empty then, with one reference; NULL: there is no memory,
 * and `from` is as it was. */
struct message *message_take (zmq_msg_t *from);

#endif
