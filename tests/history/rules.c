/* What must hold of a history, as a table of rules. */

#include "tests/history/rules.h"

enum {
    RETURN = HISTORY_BIT (HISTORY_RETURN),
    CALL = HISTORY_BIT (HISTORY_CALL),
    UNKNOWN = HISTORY_BIT (HISTORY_UNKNOWN),
    FIRED = HISTORY_BIT (HISTORY_FIRED),
    BATCH = HISTORY_BIT (HISTORY_BATCH),
    TOLD = HISTORY_BIT (HISTORY_TOLD),
    REFUSED = HISTORY_BIT (HISTORY_REFUSED),
    ENTRY = HISTORY_BIT (HISTORY_ENTRY),
    VALID = HISTORY_BIT (HISTORY_VALID),
    SEEN = HISTORY_BIT (HISTORY_SEEN),
    LOST = HISTORY_BIT (HISTORY_LOST),
    UNSERVED = HISTORY_BIT (HISTORY_UNSERVED),
    UNCALM = HISTORY_BIT (HISTORY_UNCALM),
    SETTLED = HISTORY_BIT (HISTORY_SETTLED),
    ANY = (1 << (HISTORY_SETTLED + 1)) - 2
};

const struct history_rule history_rules[HISTORY_RULES_COUNT] = {
    {"well formed", ANY, rule_well_formed},
    {"real time", RETURN, rule_real_time},
    {"results of writes", RETURN, rule_write_result},
    {"linearizable reads", RETURN, rule_linearizable_read},
    {"acknowledged once", RETURN, rule_acknowledged_once},
    {"logged as asked for", ENTRY, rule_logged_as_asked},
    {"sequential names", RETURN, rule_names_differ},
    {"reads go forward", RETURN, rule_reads_go_forward},
    {"order of a session", RETURN, rule_order_of_session},
    {"values of reads", RETURN, rule_read_value},
    {"watches fire", FIRED, rule_watch_fires},
    {"no watch is lost", RETURN | FIRED | SEEN | SETTLED, rule_no_watch_lost},
    {"watches taken back", RETURN, rule_unwatched},
    {"sessions are kept", ENTRY | VALID, rule_session_kept},
    {"sessions survive stalls", ENTRY, rule_session_survives_stall},
    {"sessions are ended", ENTRY | SETTLED, rule_session_ended},
    {"sessions are lost for a reason", LOST, rule_session_lost},
    {"sessions have their time", ENTRY, rule_session_has_time},
    {"sessions end in time", ENTRY | UNCALM | SETTLED, rule_session_ends_in_time},
    {"sessions of the served", ENTRY, rule_session_of_served},
    {"answers in calm", RETURN | UNSERVED | SETTLED, rule_answered_in_time},
    {"time to live", ENTRY | SETTLED, rule_lapsed},
    {"streams", BATCH | TOLD | REFUSED | RETURN | SEEN | VALID | SETTLED, rule_stream},
};

const struct history_rule *history_see (struct facts *facts, const struct history_event *event,
                                        struct objection *objection)
{
    for (size_t i = 0; i < HISTORY_RULES_COUNT; i++) {
        const struct history_rule *rule = &history_rules[i];
        if ((rule->when & HISTORY_BIT (event->kind)) != 0 &&
            !rule->holds (facts, event, objection)) {
            return rule;
        }
    }
    facts_see (facts, event);
    return NULL;
}
