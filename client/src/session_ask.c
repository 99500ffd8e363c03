/* The session machine: whether its server answers.
 *
 * A server that is stopped keeps its connections and says nothing. Others notice within their peer
 * timeout; a client that waited for two thirds of its session's timeout would hang on for seconds.
 * So whoever has sent something and hears nothing asks the server whether it is there, which it
 * answers at once, whatever holds up what was sent. Whoever is not answered within the limit that
 * the server has named looks for another one, and keeps this one until it has it.
 *
 * What passes while this process itself does not run is nobody's silence: a question whose time is
 * over much later than it should be is given its time again. And each alarm doubles the patience,
 * for it may be the network that is slow.
 * May include: session_state and what it includes. */

#include "client/base/assert.h"
#include "client/base/mutation.h"
#include "client/src/session_state.h"

static bool can_ask (const struct session *self)
{
    return self->asking.limit_ms > 0 && self->hosts.count > 1 &&
           self->active.phase == LINK_ATTACHED;
}

/* A third of the patience passes before the question, the rest waits for the answer. */
static int64_t first_pause (const struct asking *asking)
{
    return asking->patience_ms / 3;
}

static int64_t answer_ms (const struct asking *asking)
{
    return asking->patience_ms - first_pause (asking);
}

static int64_t bounded (int64_t value, int64_t most)
{
    return value < most ? value : most;
}

static void rest (struct asking *asking)
{
    asking->waiting = asking->asked = asking->owed = asking->alarmed = false;
    asking->excuses = 0;
}

void ask_welcomed (struct session *self, uint32_t silence_ms)
{
    struct asking *asking = &self->asking;
    int64_t most = session_silence_ms (self);
    int64_t least = silence_ms > SESSION_ASK_MS_MIN ? silence_ms : SESSION_ASK_MS_MIN;
    rest (asking);
    asking->limit_ms = silence_ms > 0 ? bounded (least, most) : 0;
    if (asking->patience_ms < asking->limit_ms) {
        asking->patience_ms = asking->limit_ms;
    }
    asking->patience_ms = bounded (asking->patience_ms, most);
    asking->pause_ms = first_pause (asking);
}

void ask_sent (struct session *self, bool question, int64_t now_ms)
{
    struct asking *asking = &self->asking;
    asking->owed &= !question;
    if (!asking->waiting) {
        asking->waiting = true;
        asking->since_ms = now_ms;
    }
}

void ask_heard (struct session *self, bool answer, int64_t now_ms)
{
    struct asking *asking = &self->asking;
    /* What waits with good reason is asked about less and less often. */
    asking->pause_ms =
        answer ? bounded (asking->pause_ms * 2, asking->limit_ms * 4) : first_pause (asking);
    rest (asking);
    if (self->requests.flight > 0) {
        ask_sent (self, false, now_ms);
    }
    if (now_ms - self->active.since_ms >= SESSION_ASK_STEADY_MS) {
        asking->patience_ms = asking->limit_ms;
    }
}

bool ask_alarmed (struct session *self, int64_t now_ms)
{
    struct asking *asking = &self->asking;
    if (!can_ask (self) || !asking->waiting || asking->alarmed) {
        return can_ask (self) && asking->alarmed;
    }
    if (!asking->asked) {
        if (now_ms - asking->since_ms >= asking->pause_ms) {
            asking->asked = asking->owed = true;
            asking->asked_ms = now_ms;
        }
        return false;
    }
    int64_t late_ms = now_ms - asking->asked_ms - answer_ms (asking);
    if (late_ms < 0) {
        return false;
    }
    if (late_ms > asking->limit_ms / 4 && asking->excuses < SESSION_ASK_EXCUSES_MAX) {
        asking->excuses++;
        asking->asked_ms = now_ms;
        return false;
    }
    session_note (self, "%s does not answer", self->active.endpoint);
    asking->alarmed = !COHORT_MUTATED (never_alarmed);
    asking->owed = false;
    asking->patience_ms = bounded (asking->patience_ms * 2, session_silence_ms (self));
    return true;
}

int64_t ask_deadline (const struct session *self)
{
    const struct asking *asking = &self->asking;
    if (!can_ask (self) || !asking->waiting || asking->alarmed) {
        return INT64_MAX;
    }
    return asking->asked ? asking->asked_ms + answer_ms (asking)
                         : asking->since_ms + asking->pause_ms;
}
