/* What must hold of a history, as a table of rules.
 *
 * A rule is a predicate: given the facts, may this event be? It changes nothing. Each has a test
 * that shows it an event that must not be, and sees it object (tests/unit/history).
 *
 *   well_formed.c    the recorder's own mistakes
 *   linearizable.c   writes, syncs and reads behind a sync: real time, and the model
 *   once.c           every write once, as it was asked for
 *   sequential.c     local reads
 *   watches.c        in order, none lost, none doubled, none without cause; and taken back
 *   ephemerals.c     sessions end neither too early nor too late, and their clients hear of it
 *   deadlines.c      sessions end neither before their limits nor, in calm, much later; and in calm
 *                    everything is answered soon
 *   lapses.c         containers and znodes with a time to live go
 *   streams.c        a snapshot, then each change once, in order; persistent watches; and, in
 *                    streams_latest.c, what may stand for many changes
 *
 * That the ensemble's own order of things (the log, the zxids) is one that explains what clients
 * have seen is what these check; search.h does without that. */

#ifndef TESTS_HISTORY_RULES_H
#define TESTS_HISTORY_RULES_H

#include "tests/history/facts.h"
#include "tests/support/objection.h"

typedef bool history_rule_fn (const struct facts *facts, const struct history_event *event,
                              struct objection *objection);

struct history_rule {
    const char *name;
    unsigned when; /* bits: HISTORY_BIT (kind) */
    history_rule_fn *holds;
};

#define HISTORY_BIT(kind) (1u << (kind))

enum { HISTORY_RULES_COUNT = 23 };

enum { HISTORY_EPOCH_SHIFT = 40 }; /* of a zxid */

/* Whether the entry will end the session: what the model will find. */
bool rule_ends (const struct model_session *session, const struct history_entry *entry);

/* By how much clocks may err in so long a time, and what is rounded. */
int64_t rule_skew_ms (int64_t limit_ms);

extern const struct history_rule history_rules[HISTORY_RULES_COUNT];

/* Judges the event by all of them, then takes it in. The first that does not hold, or NULL. */
const struct history_rule *history_see (struct facts *facts, const struct history_event *event,
                                        struct objection *objection);

history_rule_fn rule_well_formed, rule_real_time, rule_write_result, rule_linearizable_read,
    rule_acknowledged_once, rule_logged_as_asked, rule_names_differ, rule_reads_go_forward,
    rule_order_of_session, rule_read_value, rule_watch_fires, rule_no_watch_lost, rule_unwatched,
    rule_session_kept, rule_session_survives_stall, rule_session_ended, rule_session_lost,
    rule_session_has_time, rule_session_ends_in_time, rule_session_of_served, rule_answered_in_time,
    rule_lapsed, rule_stream;

#endif
