/* Inside the simulated network: what its two files, between servers and to clients, share. */

#ifndef TESTS_SIMULATION_NETWORK_H
#define TESTS_SIMULATION_NETWORK_H

#include "tests/simulation/world.h"

uint8_t *network_copy (const uint8_t *data, size_t size);

/* How long the nth frame from a on the way b takes. */
int64_t network_latency (const struct world *self, uint32_t a, uint64_t b, uint64_t nth);

/* When node a notices that its nth connection to b has ended; false: it never does. */
bool network_notice (struct world *self, uint32_t a, uint32_t b, uint64_t nth, int64_t *at_ms);

/* Whether a connection takes no more, with so many frames that are still on their way. */
bool network_is_full (const struct world *self, uint32_t flying);

/* ---- network_clients.c ----------------------------------------------------------------------- */

/* A rogue connects to a server (an index), for the nth time; links: its connections. The number. */
uint64_t network_rogue_connect (struct world *self, uint32_t rogue, uint32_t server,
                                struct list *links, uint64_t nth);
void network_rogue_disconnect (struct world *self, struct sim_connection *connection);

bool network_client_send (void *arg, uint64_t connection, const uint8_t *data, size_t size);
void network_client_drop (void *arg, uint64_t connection);
void network_client_origin (void *arg, uint64_t connection, struct buf *identities);
void network_clients_server_down (struct world *self, struct sim_server *server);
void network_clients_event (struct world *self, struct sim_event *event);

#endif
