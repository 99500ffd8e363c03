/* What clients receive, and servers are told, line by line: for clients_world.c. Its header has
 * what tests ask of these lines. */

#ifndef TESTS_UNIT_NODE_CLIENTS_TRACE_H
#define TESTS_UNIT_NODE_CLIENTS_TRACE_H

#include "tests/unit/node/clients_world.h"

/* The id of the cluster that all servers of a world are. */
extern const uint8_t world_cluster[16];

#if defined(__GNUC__)
__attribute__ ((format (printf, 2, 3)))
#endif
void trace_text (struct buf *out, const char *format, ...);

/* Writes down all that is in it, and checks that nothing came before an event up to it. */
void trace_frame (struct peer *peer, const Cohort__Wire__ServerFrame *frame);

#endif
