/* What reads show beside a znode itself: pages of children, access control lists, administrators.
 */

#ifndef TESTS_HISTORY_SHOWN_H
#define TESTS_HISTORY_SHOWN_H

#include "tests/history/facts.h"
#include "tests/support/objection.h"

/* A page of the children that there were: told->value is not 0 if it has more behind it. */
bool shown_page_fits (const struct fact_call *call, const struct model_who *who, uint64_t zxid,
                      const struct model_znode *znode, const struct history_result *told,
                      struct objection *objection);

/* The list of the znode, or the one that is the default below it, with what people need not see of
 * the others if it is not theirs to change; who: NULL: there never was a list. */
bool shown_list_fits (const struct fact_call *call, const struct model_who *who,
                      const struct model_version *version, const struct history_result *told,
                      struct objection *objection);

/* Who there was: told->value is not 0 if there are more behind them. */
bool shown_sessions_fit (const struct facts *facts, const struct fact_call *call, uint64_t zxid,
                         const struct history_result *told, struct objection *objection);

/* Who the administrators were. */
bool shown_admins_fit (const struct facts *facts, const struct fact_call *call, uint64_t zxid,
                       const struct history_result *told, struct objection *objection);

#endif
