/* What goes wrong in a soak with connections and clients, for the table of soak_faults.c. */

#ifndef TESTS_CLUSTER_SOAK_LINKS_H
#define TESTS_CLUSTER_SOAK_LINKS_H

#include "tests/cluster/soak.h"

soak_links_fn soak_links_partition, soak_links_one_way, soak_links_mute, soak_links_half_open,
    soak_links_delay, soak_links_throttle, soak_links_rough, soak_links_refuse,
    soak_links_client_stall, soak_links_client_half_open, soak_links_client_slow;
soak_fault_fn soak_begin_shape, soak_end_shape, soak_begin_cut, soak_begin_client_cut,
    soak_begin_client_kill, soak_begin_client_stop, soak_end_client_stop, soak_begin_client_close;
soak_may_fn soak_may_stop_client;

#endif
