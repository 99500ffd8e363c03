/* Histories as text: one line an event.
 *
 *      TIME cN KIND key=value ...
 *
 * TIME in milliseconds, cN the client (c0: none). Bytes of values that would be taken for something
 * else are written as %XX. `#` begins a comment, and the first line is `# cohort history 1`. What
 * the keys mean is in history.h; docs/testing.md shows a few lines.
 * May include: history.h, client/base. */

#ifndef TESTS_HISTORY_TEXT_H
#define TESTS_HISTORY_TEXT_H

#include "client/base/arena.h"
#include "client/base/buf.h"
#include "tests/history/history.h"
#include "tests/support/objection.h"

#define HISTORY_HEADER "# cohort history 1\n"

/* Appends the event as a line, with its end. out->failed: memory ran out. */
void history_format (struct buf *out, const struct history_event *event);

/* Reads a line, which it changes; *event lives in it and in the arena. false: it is not an event,
 * and the objection says why. */
bool history_parse (char *line, struct arena *arena, struct history_event *event,
                    struct objection *objection);

/* Whether there is nothing in the line, or a comment. */
bool history_is_blank (const char *line);

#endif
