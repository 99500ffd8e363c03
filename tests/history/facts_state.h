/* Between the files of the facts. */

#ifndef TESTS_HISTORY_FACTS_STATE_H
#define TESTS_HISTORY_FACTS_STATE_H

#include "tests/history/facts.h"

/* An array with room for one more. */
void *facts_grow (void *items, size_t count, size_t *capacity, size_t size);

char *facts_copy (const char *text);

/* ---- facts_streams.c: taking in -------------------------------------------------------------- */

void facts_see_opened (struct facts *self, struct fact_client *client,
                       const struct history_stream *opened);
void facts_see_resumed (const struct facts *self, struct fact_client *client);
void facts_see_closed (struct fact_client *client, uint64_t id);
/* Its client is taken to have seen something. */
void facts_see_seen (struct fact_client *client);
void facts_see_batch (struct facts *self, struct fact_client *client,
                      const struct history_batch *batch);
void facts_see_told (struct facts *self, struct fact_client *client,
                     const struct history_told *told);

/* The call was answered. */
void facts_locate_streams (struct facts *self, struct fact_client *client,
                           const struct fact_call *call, uint64_t zxid);
void facts_pass_untold (struct facts *self, struct fact_client *client,
                        const struct fact_call *call, uint64_t zxid);

/* ---- facts_time.c ---------------------------------------------------------------------------- */

void facts_forget_times (struct facts *self);
void facts_see_led (struct facts *self, uint32_t epoch);
void facts_see_attach (struct facts *self, const struct history_entry *entry);
void facts_see_valid (struct fact_client *client, int64_t until_ms);
/* client: NULL: unknown. */
void facts_see_ended (struct facts *self, struct fact_client *client,
                      const struct history_ended *ended);
void facts_see_forgot (struct facts *self, uint32_t server);
void facts_see_heard (struct facts *self, uint32_t server);
void facts_see_stall (struct facts *self, const struct history_stall *stalled);

#endif
