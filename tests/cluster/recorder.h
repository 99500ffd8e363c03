/* Writes down what clients of real servers ask for and are told, as a history (tests/history).
 *
 * Clients do not see the log. So the events go to a file as they happen, and in the end the log,
 * which was read out of the servers' folders (log_copy.h), is put between them: an entry stands
 * before the first event that anybody could have known it by, and behind what it answers; between
 * these, where its time stamp says that a leader had proposed it. One thread. Memory that runs out
 * and files that cannot be written end the program. May include: history, log_copy.h. */

#ifndef TESTS_CLUSTER_RECORDER_H
#define TESTS_CLUSTER_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/cluster/log_copy.h"
#include "tests/history/history.h"

struct recorder;

/* path: of the file for the events alone. */
struct recorder *recorder_new (const char *path);
void recorder_free (struct recorder **self_p);

/* Milliseconds since the recorder was made; the time of the next event. */
int64_t recorder_now_ms (const struct recorder *self);

/* Notes the event, with the present time. */
void recorder_note (struct recorder *self, struct history_event event);

/* From now on nothing is said by the time stamps of servers: a clock of theirs is being set. The
 * recorder notices by itself if that of its own machine is. */
void recorder_doubt (struct recorder *self);

/* All clocks are right again, and no stamp that was given meanwhile is later than now: entries with
 * a later one are to be believed. */
void recorder_trust (struct recorder *self);

/* Since this event (of so many before it) the machine has had too much else to do: that there was
 * calm, that somebody led or was served since then is not said. */
void recorder_withdraw_calm (struct recorder *self, uint64_t since);

/* Numbers that were not given before, from 1 on. */
uint32_t recorder_new_client (struct recorder *self);
uint64_t recorder_new_call (struct recorder *self);

/* The highest zxid that any event has named; how many events there are. */
uint64_t recorder_zxid (const struct recorder *self);
uint64_t recorder_events (const struct recorder *self);

/* Writes the whole history to a new file: the events, and all of the log that they name. false: the
 * log lacks some of that. */
bool recorder_merge (struct recorder *self, const struct log_copy *log, const char *path);

#endif
