/* Containers and znodes with a time to live. The model sees to it that none goes before its time,
 * as reads and streams would show; here none stays. */

#include <inttypes.h>

#include "tests/history/rules.h"

/* One may be noticed to be due this much later than it is, with a leader that has a quorum: the
 * next turn, the entry's way to the disks. */
enum { SLACK_MS = 5000 };

/* What ought to be gone goes, once somebody can make it. */
bool rule_lapsed (const struct facts *facts, const struct history_event *event,
                  struct objection *objection)
{
    if (!facts->led) {
        return true;
    }
    for (size_t i = 0; i < facts->model.lapses_count; i++) {
        const struct model_znode *znode = facts->model.lapses[i];
        int64_t since_ms = znode->overdue_ms > facts->led_ms ? znode->overdue_ms : facts->led_ms;
        if (znode->overdue_ms != 0 && event->time_ms > since_ms + SLACK_MS) {
            return object (objection, "%s ought to be gone for %" PRId64 " ms", znode->path,
                           event->time_ms - znode->overdue_ms);
        }
    }
    return true;
}
