/* The sessions of an ensemble: what people who look after it ask for. May include: client, handle,
 * libc. */

#include <string.h>

#include "client/base/alloc.h"
#include "client/src/client.h"
#include "client/src/requests.h"

/* One allocation. */
static cohort_sessions_t *page_of (const struct wire_reply *reply)
{
    size_t count = reply->more->sessions_count;
    cohort_sessions_t *page = mem_alloc (sizeof (*page) + count * sizeof (cohort_session_info_t));
    if (page != NULL) {
        cohort_session_info_t *items = (cohort_session_info_t *) (void *) (page + 1);
        if (count > 0) {
            memcpy (items, reply->more->sessions, count * sizeof (*items));
        }
        *page =
            (cohort_sessions_t){.count = count, .items = items, .more = reply->more->more_sessions};
    }
    return page;
}

int cohort_sessions (cohort_t *self, uint64_t after, int limit, cohort_sessions_t **page)
{
    if (self != NULL && page == NULL) {
        return client_fail (self, COHORT_EINVAL, "sessions: page is NULL");
    }
    struct client_call call = {.kind = WIRE_SESSIONS, .session = after, .limit = limit};
    struct request *request = NULL;
    cohort_result_t result;
    int rc = client_call_blocking (self, &call, &request, &result);
    if (rc != COHORT_OK) {
        return rc;
    }
    cohort_sessions_t *copy = page_of (request->reply);
    if (copy == NULL) {
        rc = client_fail (self, COHORT_ENOMEM, "sessions: out of memory for the result");
    } else {
        *page = copy;
    }
    client_finish (self, request);
    return rc;
}

void cohort_sessions_destroy (cohort_sessions_t **page_p)
{
    if (page_p != NULL) {
        mem_free (*page_p);
        *page_p = NULL;
    }
}

int cohort_session_kill (cohort_t *self, uint64_t session, int *existed)
{
    struct client_call call = {.kind = WIRE_KILL, .session = session};
    return client_call_existed (self, &call, existed);
}
