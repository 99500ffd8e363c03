/* Asks servers who they are: client.proto's StatusQuery, which needs no session. One connection a
 * server, all at the same time.
 * May include: endpoints, security, the protocol, libzmq. */

#ifndef COHORT_CLI_STATUS_QUERY_H
#define COHORT_CLI_STATUS_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/cli/endpoints.h"
#include "client/cli/security.h"

#define STATUS_ROLE_SIZE    16
#define STATUS_LOG_SIZE     16
#define STATUS_DISK_SIZE    16
#define STATUS_STATE_SIZE   16
#define STATUS_REASON_SIZE  256
#define STATUS_CLUSTER_SIZE 16

struct server_status {
    bool answered;
    bool has_id; /* it answered, or another server named it */
    uint32_t id;
    /* The rest only if it answered. */
    char role[STATUS_ROLE_SIZE];
    uint32_t epoch;
    uint64_t zxid;
    uint32_t connections;
    char log[STATUS_LOG_SIZE];     /* "whole", "suspect", "damaged"; "": it did not say */
    char disk[STATUS_DISK_SIZE];   /* "ok", "full"; "": it did not say */
    char state[STATUS_STATE_SIZE]; /* "sound", "contested", "quarantined"; "": it did not say */
    char state_reason[STATUS_REASON_SIZE];
    uint64_t turn_us_max; /* 0: it did not say */
    uint64_t long_turns;
    uint8_t cluster_id[STATUS_CLUSTER_SIZE];
};

struct ensemble_status {
    struct endpoints addresses; /* in the order of the list, then those that servers named */
    struct server_status servers[ENDPOINTS_MAX];
    uint32_t hidden_ids[ENDPOINTS_MAX]; /* members of whom no client address is known */
    size_t hidden_count;
};

/* Asks every server of the list and every member that one of them names; each has limit_ms to
 * answer from when it is asked. 0, COHORT_ENOMEM or COHORT_ESYSTEM. Blocks. */
int status_query (struct ensemble_status *self, const char *servers,
                  const struct security *security, int limit_ms);

/* How many answered; whether the server with that id did; whether one of them leads or stands
 * alone. */
size_t status_answered (const struct ensemble_status *self);
bool status_has_answered (const struct ensemble_status *self, uint32_t id);
bool status_has_leader (const struct ensemble_status *self);

/* 0, 3 or 8: see exit_code.h. */
int status_exit_code (const struct ensemble_status *self);

#endif
