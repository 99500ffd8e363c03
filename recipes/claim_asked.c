/* What is asked of an owner: others want what it has; see claim_private.h.
 *
 * Each request is a znode with a time to live, the grace, in a folder of the owner's: one stream
 * follows them all. When it goes the grace is over, or the one who asked has got the claim. Who
 * takes a claim when the grace is over leaves a note in the place of the request, so that an owner
 * hears of it also when it was away all the time, and what happened is not known any more. An
 * answer to a taking and what is asked for it may overtake each other after a reconnect, so a
 * request is kept for as long as it is there. May include: claim_private.h, libc. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "claim_private.h"

static cohort_batch_fn on_inbox;

/* ---- Letters --------------------------------------------------------------------------------- */

static void letter_free (struct claim_letter *letter)
{
    if (letter->claim != NULL) {
        letter->claim->deadline_ms = 0;
    }
    free (letter->text);
    free (letter);
}

static struct claim_letter **letter_find (cohort_claims_t *self, uint64_t czxid)
{
    struct claim_letter **at = &self->letters;
    while (*at != NULL && (*at)->czxid != czxid) {
        at = &(*at)->next;
    }
    return at;
}

/* The claim that this czxid has created, or NULL. There may be very many, but who asks is rare. */
static cohort_claim_t *claim_of (cohort_claims_t *self, uint64_t czxid)
{
    for (struct nodemap_entry *entry = nodemap_first (&self->held); entry != NULL;
         entry = nodemap_next (entry)) {
        cohort_claim_t *claim = nodemap_owner (entry, cohort_claim_t, entry);
        if (claim->token.czxid == czxid) {
            return claim;
        }
    }
    return NULL;
}

void claims_forget (cohort_claims_t *self, const cohort_claim_t *claim)
{
    struct claim_letter *letter = *letter_find (self, claim->token.czxid);
    if (letter != NULL) {
        letter->claim = NULL;
    }
}

/* The one that is asked for is told, once. */
static void letter_deliver (cohort_claims_t *self, struct claim_letter *letter)
{
    cohort_claim_t *claim = letter->text == NULL ? NULL : claim_of (self, letter->czxid);
    if (claim == NULL) {
        return;
    }
    letter->claim = claim;
    claim->deadline_ms = letter->deadline_ms;
    cohort_claim_holder_t holder =
        claim_holder (letter->text, (cohort_token_t){0}, letter->since_ms);
    struct claim_text *text = letter->text;
    letter->text = NULL; /* the handler may end the letter */
    claim_report (claim, (cohort_claim_event_t){.kind = COHORT_CLAIM_ASKED,
                                                .token = claim->token,
                                                .holder = &holder,
                                                .grace_ms = text->grace_ms});
    free (text);
}

static void letter_drop (cohort_claims_t *self, uint64_t czxid)
{
    struct claim_letter **at = letter_find (self, czxid);
    struct claim_letter *letter = *at;
    if (letter != NULL) {
        *at = letter->next;
        letter_free (letter);
    }
}

/* The grace is over. The one who asked may have gone meanwhile, so the name is given up. */
static void lapse (cohort_claims_t *self, uint64_t czxid)
{
    letter_drop (self, czxid);
    cohort_claim_t *claim = claim_of (self, czxid);
    if (claim != NULL) {
        (void) recipe_withdraw (self->client, claim->entry.path, czxid);
        claim_end (claim, COHORT_EFENCED, NULL);
    }
}

/* It has been taken; the note has served. */
static void taken (cohort_claims_t *self, uint64_t czxid, const char *note)
{
    cohort_claim_t *claim = claim_of (self, czxid);
    if (claim == NULL && czxid > self->granted) {
        return; /* the answer is still on its way */
    }
    /* If there is no memory for it, it goes when its time is over. */
    int rc = cohort_delete_async (self->client, note, COHORT_ANY_VERSION, NULL, NULL);
    (void) rc;
    letter_drop (self, czxid);
    if (claim != NULL) {
        claim_end (claim, COHORT_EFENCED, NULL);
    }
}

/* ---- The inbox ------------------------------------------------------------------------------- */

/* The czxid that a znode of the inbox is about; 0: it is none of ours. */
static uint64_t czxid_of (const cohort_claims_t *self, const char *path)
{
    size_t length = strlen (self->inbox_path);
    if (strncmp (path, self->inbox_path, length) != 0 || path[length] != '/') {
        return 0;
    }
    const char *name = path + length + 1;
    size_t digits = strspn (name, "0123456789abcdef");
    return digits == CLAIM_HEX_SIZE && name[digits] == 0 ? strtoull (name, NULL, 16) : 0;
}

static void letter_come (cohort_claims_t *self, uint64_t czxid, const cohort_change_t *change)
{
    struct claim_letter *letter = *letter_find (self, czxid);
    struct claim_text *text = claim_text_parse (change->data, change->size);
    if (letter == NULL) {
        letter = malloc (sizeof (*letter));
        if (letter == NULL || text == NULL || text->owner == NULL) {
            /* Of what cannot be read the owner hears when its time is over. */
            free (letter);
            free (text);
            return;
        }
        *letter = (struct claim_letter){.next = self->letters,
                                        .czxid = czxid,
                                        .text = text,
                                        .since_ms = change->stat.mtime_ms,
                                        .deadline_ms = recipe_clock (NULL) + text->grace_ms,
                                        .taken = text->taken};
        self->letters = letter;
    } else {
        letter->taken = letter->taken || (text != NULL && text->taken);
        free (text);
    }
    letter->listed = true;
    if (letter->taken) {
        taken (self, czxid, change->path);
    } else {
        letter_deliver (self, letter);
    }
}

/* Those that the snapshot did not list have gone while nobody looked. */
static void lapse_unlisted (cohort_claims_t *self, const cohort_stream_t *stream)
{
    struct claim_letter *letter = self->letters;
    while (letter != NULL && self->inbox == stream) {
        if (letter->listed) {
            letter = letter->next;
        } else {
            lapse (self, letter->czxid);
            letter = self->letters;
        }
    }
}

static void take_batch (cohort_claims_t *self, const cohort_batch_t *batch)
{
    const cohort_stream_t *stream = self->inbox;
    bool snapshot = batch->snapshot != 0;
    for (struct claim_letter *letter = self->letters; batch->first && letter != NULL;
         letter = letter->next) {
        letter->listed = !snapshot;
    }
    /* A handler may end it all. */
    for (size_t i = 0; i < batch->count && self->inbox == stream; i++) {
        const cohort_change_t *change = &batch->changes[i];
        uint64_t czxid = change->kind == COHORT_CHANGE_OWNER ? 0 : czxid_of (self, change->path);
        if (czxid != 0 && change->kind == COHORT_CHANGE_DELETED) {
            lapse (self, czxid);
        } else if (czxid != 0) {
            letter_come (self, czxid, change);
        }
    }
    if (snapshot && !batch->more && self->inbox == stream) {
        lapse_unlisted (self, stream);
    }
}

static void on_inbox (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    cohort_claims_t *self = arg;
    RECIPE_ASSERT (stream == self->inbox);
    claims_enter (self);
    if (batch != NULL) {
        take_batch (self, batch);
    } else {
        /* Of the end of the session the owner's stream tells. */
        int rc = cohort_stream_error (stream);
        claims_close_inbox (self);
        if (rc != COHORT_ESESSIONEXPIRED) {
            claims_fail (self, rc);
        }
    }
    claims_leave (self);
}

int claims_open_inbox (cohort_claims_t *self)
{
    char owner[CLAIM_HEX_SIZE + 1];
    RECIPE_ASSERT (self->inbox == NULL);
    snprintf (owner, sizeof (owner), "%016" PRIx64, self->czxid);
    free (self->inbox_path);
    self->inbox_path = claim_path (self, CLAIM_ASKED, owner);
    self->granted = 0;
    if (self->inbox_path != NULL) {
        self->inbox = cohort_stream_new (self->client, self->inbox_path, on_inbox, self);
    }
    return self->inbox == NULL ? COHORT_ENOMEM : 0;
}

void claims_close_inbox (cohort_claims_t *self)
{
    if (self->inbox != NULL) {
        cohort_stream_destroy (&self->inbox);
    }
    while (self->letters != NULL) {
        struct claim_letter *letter = self->letters;
        self->letters = letter->next;
        letter_free (letter);
    }
}

void claims_granted (cohort_claims_t *self, cohort_claim_t *claim)
{
    uint64_t czxid = claim->token.czxid;
    self->granted = czxid > self->granted ? czxid : self->granted;
    struct claim_letter *letter = *letter_find (self, czxid);
    if (letter != NULL && letter->taken) {
        letter_drop (self, czxid);
        claim_end (claim, COHORT_EFENCED, NULL);
    } else if (letter != NULL) {
        letter_deliver (self, letter);
    }
}
