/* cluster.c for bench_turns.c, which stands between it and the nodes. */

#include "server/node/node.h"

void bench_frame (struct node *node, const uint8_t *data, size_t size);
bool bench_flush (struct node *node);

#define node_peer_frame bench_frame
#define node_flush      bench_flush

#include "tests/unit/node/cluster.c"
