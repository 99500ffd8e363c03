/* Names for traces. May include: client/base, server/core. */

#include "server/core/zab.h"

const char *zab_message_name (enum zab_message_type type)
{
    static const char *const names[] = {
        [ZAB_VOTE] = "VOTE",
        [ZAB_FOLLOWERINFO] = "FOLLOWERINFO",
        [ZAB_LEADERINFO] = "LEADERINFO",
        [ZAB_ACKEPOCH] = "ACKEPOCH",
        [ZAB_TRY] = "TRY",
        [ZAB_TRY_ANSWER] = "TRY_ANSWER",
        [ZAB_DIFF] = "DIFF",
        [ZAB_SNAP] = "SNAP",
        [ZAB_SYNC_POINT] = "SYNC_POINT",
        [ZAB_NEWLEADER] = "NEWLEADER",
        [ZAB_ACK] = "ACK",
        [ZAB_UPTODATE] = "UPTODATE",
        [ZAB_PROPOSAL] = "PROPOSAL",
        [ZAB_COMMIT] = "COMMIT",
        [ZAB_PING] = "PING",
        [ZAB_PONG] = "PONG",
        [ZAB_LEAVING] = "LEAVING",
    };
    return type >= ZAB_VOTE && type <= ZAB_LEAVING ? names[type] : "?";
}

const char *zab_trust_name (enum zab_trust trust)
{
    static const char *const names[] = {
        [ZAB_WHOLE] = "whole", [ZAB_SUSPECT] = "suspect", [ZAB_DAMAGED] = "damaged"};
    return trust >= ZAB_WHOLE && trust <= ZAB_DAMAGED ? names[trust] : "?";
}

const char *zab_role_name (enum zab_role role)
{
    static const char *const names[] = {
        [ZAB_LOOKING] = "LOOKING",     [ZAB_FOLLOWING] = "FOLLOWING", [ZAB_LEADING] = "LEADING",
        [ZAB_OBSERVING] = "OBSERVING", [ZAB_HALTED] = "HALTED",
    };
    return role >= ZAB_LOOKING && role <= ZAB_HALTED ? names[role] : "?";
}
