/* Who is ahead in the line of a semaphore, and how many permits are left? See line.h.
 *
 * A look lists the first ones of the line, with what each wants, and stops where that is more than
 * there is: so many names, at most, as there are permits, and one. Then
 *
 *   enough is left for us        HELD
 *   all who are ahead hold       we are the first who waits: a stream on the line tells what they
 *                                give back, and when that is enough no further look is needed
 *   somebody ahead waits, too    the stream on the nearest one tells when that holds, or goes
 *
 * May include: line.h, libc. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "line.h"

#define NUMBER_SHORT_MAX UINT64_C (9999999999) /* up to there names are in the order of numbers */
#define HEADER           "permits="

/* One of the line, and how many permits it has, or wants. */
struct place {
    uint64_t number;
    int64_t count;
};

struct permits_look {
    struct line *line; /* NULL: nobody waits for it any more */
    unsigned pending;  /* answers to come */
    bool whole;        /* through all names, in any order */
    bool nearest;      /* for the nearest one ahead alone */
    int rc;
    struct place *places;
    size_t count, room;
};

struct line_permits {
    int64_t permits;
    struct permits_look *look;
    cohort_stream_t *holders; /* of the first one that waits */
    bool again;               /* something was given back while it looked */
    struct place *ahead;      /* who holds, as the last look and the stream have told */
    size_t ahead_count;
};

static cohort_result_fn on_line, on_container;
static cohort_batch_fn on_holders;

/* ---- What the container says ----------------------------------------------------------------- */

void line_permits_text (char text[LINE_PERMITS_SIZE], int64_t permits)
{
    snprintf (text, LINE_PERMITS_SIZE, HEADER "%" PRId64 "\n", permits);
}

int64_t line_permits_of (const void *data, size_t size)
{
    char text[LINE_PERMITS_SIZE] = "", expected[LINE_PERMITS_SIZE];
    if (size >= sizeof (text) || size <= strlen (HEADER)) {
        return 0;
    }
    memcpy (text, data, size);
    int64_t permits = strtoll (text + strlen (HEADER), NULL, 10);
    line_permits_text (expected, permits);
    return permits > 0 && strcmp (text, expected) == 0 ? permits : 0;
}

/* ---- Life ------------------------------------------------------------------------------------ */

struct line_permits *line_permits_new (int64_t permits)
{
    RECIPE_ASSERT (permits > 0);
    struct line_permits *self = malloc (sizeof (*self));
    if (self != NULL) {
        *self = (struct line_permits){.permits = permits};
    }
    return self;
}

int64_t line_permits_count (const struct line_permits *self)
{
    return self->permits;
}

static void look_free (struct permits_look *look)
{
    free (look->places);
    free (look);
}

void line_permits_drop (struct line *self)
{
    struct line_permits *permits = self->permits;
    if (permits->look != NULL) {
        permits->look->line = NULL;
        permits->look = NULL;
    }
    if (permits->holders != NULL) {
        cohort_stream_destroy (&permits->holders);
    }
    free (permits->ahead);
    permits->ahead = NULL;
    permits->ahead_count = 0;
    permits->again = false;
}

void line_permits_destroy (struct line_permits **self_p)
{
    RECIPE_ASSERT ((*self_p)->look == NULL && (*self_p)->holders == NULL);
    free (*self_p);
    *self_p = NULL;
}

/* ---- Questions ------------------------------------------------------------------------------- */

static int ask (struct permits_look *look, struct line *line, const char *after)
{
    int64_t limit = line->permits->permits < INT32_MAX ? line->permits->permits + 1 : 0;
    cohort_list_options_t options = {.size = sizeof (options),
                                     .flags = COHORT_LIST_DATA,
                                     .limit = look->whole ? 0 : (int) limit,
                                     .prefix = line_prefix (LINE_PERMITS),
                                     .after = after};
    if (look->nearest) {
        options.flags |= COHORT_LIST_DESCENDING;
        options.limit = 1;
    }
    int rc = cohort_list_async (line->client, line->path, &options, NULL, NULL, on_line, look);
    look->pending += rc == 0;
    return rc;
}

/* Behind the creation: do all agree about the number of permits? */
static int ask_container (struct permits_look *look, struct line *line)
{
    int rc = cohort_get_async (line->client, line->path, NULL, NULL, on_container, look);
    look->pending += rc == 0;
    return rc;
}

static int start (struct line *self, struct permits_look given)
{
    RECIPE_ASSERT (self->permits->look == NULL);
    struct permits_look *look = malloc (sizeof (*look));
    char after[LINE_NAME_SIZE];
    if (look == NULL) {
        return COHORT_ENOMEM;
    }
    *look = given;
    look->line = self;
    line_name (after, LINE_PERMITS, self->number);
    int rc = self->node == NULL ? ask_container (look, self) : 0;
    rc = rc != 0 ? rc : ask (look, self, look->nearest ? after : NULL);
    if (rc == 0) {
        self->permits->look = look;
        self->permits->again = false;
    } else if (look->pending > 0) {
        look->line = NULL;
    } else {
        look_free (look);
    }
    return rc;
}

int line_permits_look (struct line *self)
{
    return start (self, (struct permits_look){.whole = false});
}

/* After an event, when nobody else would hear of a failure. */
static void look_on (struct line *self, struct permits_look given)
{
    self->phase = LINE_LOOKING;
    int rc = start (self, given);
    if (rc != 0) {
        line_end (self, rc);
    }
}

/* ---- What a look has found ------------------------------------------------------------------- */

static int64_t add (int64_t sum, int64_t count)
{
    return sum > INT64_MAX - count ? INT64_MAX : sum + count;
}

static int64_t sum_of (const struct place *places, size_t count)
{
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum = add (sum, places[i].count);
    }
    return sum;
}

/* Whoever wrote it, it has a place. If it does not say how much it has, because somebody has
 * overwritten it, it may be all there is. */
static int64_t wanted_by (const struct line_permits *self, const void *data, size_t size)
{
    struct record record;
    record_parse (&record, data, size);
    return record.count > 0 ? record.count : self->permits;
}

static int keep (struct permits_look *look, const struct line *line, const cohort_child_t *child)
{
    enum line_kind kind;
    struct place place = {.count = wanted_by (line->permits, child->data, child->size)};
    if (!line_parse (child->name, &kind, &place.number) || kind != LINE_PERMITS) {
        return 0;
    }
    if (look->count == look->room) {
        size_t room = look->room == 0 ? 16 : 2 * look->room;
        struct place *places = realloc (look->places, room * sizeof (*places));
        if (places == NULL) {
            return COHORT_ENOMEM;
        }
        look->places = places;
        look->room = room;
    }
    look->places[look->count++] = place;
    return 0;
}

/* Whether more names could tell anything. */
static bool is_enough (const struct line *line, const struct permits_look *look)
{
    if (look->whole) {
        return false;
    }
    const struct place *last = look->count == 0 ? NULL : &look->places[look->count - 1];
    return (look->nearest && last != NULL) || (last != NULL && last->number > line->number) ||
           sum_of (look->places, look->count) > line->permits->permits;
}

static int take_page (struct permits_look *look, struct line *line, const cohort_result_t *result)
{
    int rc = result->rc;
    for (size_t i = 0; i < result->listed_count && rc == 0; i++) {
        rc = keep (look, line, &result->listed[i]);
    }
    if (rc == 0 && result->next != NULL && !is_enough (line, look)) {
        rc = ask (look, line, result->next);
    }
    return rc;
}

static int by_number (const void *a, const void *b)
{
    const struct place *one = a, *other = b;
    return one->number < other->number ? -1 : one->number > other->number;
}

/* All who are ahead hold: what they give back is told by a stream. Only a look behind its beginning
 * is the truth. */
static void follow_holders (struct line *self, struct permits_look *look, size_t ahead)
{
    struct line_permits *permits = self->permits;
    if (permits->holders == NULL) {
        cohort_stream_options_t options = {.size = sizeof (options),
                                           .flags = COHORT_STREAM_NO_SNAPSHOT};
        permits->holders =
            cohort_stream_new_with (self->client, self->path, &options, on_holders, self);
        if (permits->holders == NULL) {
            line_end (self, COHORT_ENOMEM);
        } else {
            look_on (self, (struct permits_look){.whole = look->whole});
        }
        return;
    }
    if (permits->again) {
        look_on (self, (struct permits_look){.whole = look->whole});
        return;
    }
    free (permits->ahead);
    permits->ahead = look->places;
    permits->ahead_count = ahead;
    look->places = NULL;
    self->phase = LINE_WAITING;
    line_behind (self);
}

static void grant (struct line *self, bool followed)
{
    line_permits_drop (self);
    self->followed = followed;
    line_found_none (self);
}

static void follow_nearest (struct line *self, const struct permits_look *look, size_t ahead)
{
    if (ahead > 0 && (look->nearest || look->whole || ahead < look->count)) {
        line_permits_drop (self);
        line_found (self, LINE_PERMITS, look->places[ahead - 1].number);
    } else if (!look->nearest) {
        look_on (self, (struct permits_look){.nearest = true});
    } else {
        look_on (self, (struct permits_look){.whole = false}); /* all who were ahead have gone */
    }
}

/* All answers are there. */
static void conclude (struct line *self, struct permits_look *look)
{
    int64_t permits = self->permits->permits;
    bool complete = look->whole || look->nearest;
    size_t ahead = 0;
    if (look->count > 0) {
        qsort (look->places, look->count, sizeof (look->places[0]), by_number);
        complete = complete || (self->number <= NUMBER_SHORT_MAX &&
                                look->places[look->count - 1].number <= NUMBER_SHORT_MAX);
    }
    while (ahead < look->count && look->places[ahead].number < self->number) {
        ahead++;
    }
    if (look->rc != 0) {
        line_end (self, look->rc);
    } else if (look->count > 0 && !complete) {
        look_on (self, (struct permits_look){.whole = true});
    } else if (look->nearest || sum_of (look->places, ahead) > permits) {
        follow_nearest (self, look, ahead);
    } else if (ahead == look->count || look->places[ahead].number != self->number) {
        self->phase =
            LINE_LOOKING; /* somebody has deleted our znode: its stream is about to tell */
    } else if (sum_of (look->places, ahead) > permits - self->record.count) {
        follow_holders (self, look, ahead);
    } else {
        grant (self, ahead + 1 < look->count);
    }
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void answered (struct permits_look *look, int rc)
{
    struct line *line = look->line;
    look->rc = look->rc != 0 ? look->rc : rc;
    if (look->pending > 0) {
        return;
    }
    struct line_owner *owner = line->owner;
    recipe_enter (&owner->guard);
    line->permits->look = NULL;
    conclude (line, look);
    look_free (look);
    if (recipe_leave (&owner->guard)) {
        owner->free (owner);
    }
}

/* True: nobody waits for this answer. */
static bool is_dropped (struct permits_look *look)
{
    look->pending--;
    if (look->line == NULL && look->pending == 0) {
        look_free (look);
        return true;
    }
    return look->line == NULL;
}

static void on_line (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct permits_look *look = arg;
    (void) client;
    if (!is_dropped (look)) {
        answered (look, take_page (look, look->line, result));
    }
}

static void on_container (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct permits_look *look = arg;
    (void) client;
    if (!is_dropped (look)) {
        int64_t permits = result->rc == 0 ? line_permits_of (result->data, result->size) : 0;
        bool agreed = permits == look->line->permits->permits;
        answered (look, result->rc == 0 && !agreed ? COHORT_ECONFIG : result->rc);
    }
}

/* ---- Waiting --------------------------------------------------------------------------------- */

void line_permits_ahead (struct line *self)
{
    const struct line_view *view = &self->ahead.view;
    if (view->exists && !view->record.granted) {
        self->phase = LINE_WAITING;
        line_behind (self);
        return;
    }
    cohort_stream_destroy (&self->ahead.stream);
    self->ahead = (struct line_watch){0};
    look_on (self, (struct permits_look){.whole = false});
}

/* What became of one who is ahead; true: that is what it was about. */
static bool take_change (struct line_permits *self, const struct line *line,
                         const cohort_change_t *change)
{
    enum line_kind kind;
    uint64_t number;
    if (change->kind != COHORT_CHANGE_DELETED && change->kind != COHORT_CHANGE_DATA) {
        return false;
    }
    const char *slash = strrchr (change->path, '/');
    if (!line_parse (slash + 1, &kind, &number) || kind != LINE_PERMITS || number >= line->number) {
        return false;
    }
    for (size_t i = 0; i < self->ahead_count; i++) {
        if (self->ahead[i].number == number) {
            self->ahead[i].count = change->kind == COHORT_CHANGE_DELETED
                                       ? 0
                                       : wanted_by (self, change->data, change->size);
        }
    }
    return true;
}

static void take_batch (struct line *self, const cohort_batch_t *batch)
{
    struct line_permits *permits = self->permits;
    bool news = false;
    for (size_t i = 0; i < batch->count; i++) {
        news = take_change (permits, self, &batch->changes[i]) || news;
    }
    if (permits->look != NULL) {
        permits->again = permits->again || news || batch->reset != 0;
    } else if (batch->reset) {
        look_on (self, (struct permits_look){.whole = self->number > NUMBER_SHORT_MAX});
    } else if (!batch->more && permits->ahead != NULL &&
               sum_of (permits->ahead, permits->ahead_count) <=
                   permits->permits - self->record.count) {
        grant (self, true);
    }
}

static void on_holders (cohort_stream_t *stream, const cohort_batch_t *batch, void *arg)
{
    struct line *self = arg;
    struct line_owner *owner = self->owner;
    RECIPE_ASSERT (stream == self->permits->holders);
    recipe_enter (&owner->guard);
    if (batch == NULL) {
        line_end (self, cohort_stream_error (stream));
    } else {
        take_batch (self, batch);
    }
    if (recipe_leave (&owner->guard)) {
        owner->free (owner);
    }
}
