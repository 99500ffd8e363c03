/*
 * server/node/bounds.h - what a server keeps for others, and how much of it there may be
 *
 * Every queue has a bound, stated where the queue is.  Here somebody looks at all of them at once,
 * and learns of one that is not kept: the simulator does, after each turn of a server.
 */
#ifndef SERVER_NODE_BOUNDS_H
#define SERVER_NODE_BOUNDS_H

#include <stddef.h>
#include <stdint.h>

/* The first that was found to be exceeded. */
struct bounds {
    const char *what; /* static; NULL: none is */
    uint64_t who;     /* the session, or the peer, that it is kept for; 0: all of them */
    uint64_t has, may;
};

static inline void bounds_look (struct bounds *self, const char *what, uint64_t who, uint64_t has,
                                uint64_t may)
{
    if (has > may && self->what == NULL) {
        *self = (struct bounds){what, who, has, may};
    }
}

#endif
