/* Who is ahead in the line? Small pages of names, each answered from an order that the servers
 * keep: what they cost does not depend on how many wait. See line.h.
 *
 * Numbers are written with ten digits at least, so that up to there the order of names is the order
 * of numbers. A contender with a longer number looks through all names; to others a longer number
 * is behind, wherever it is listed. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "line.h"

#define DIGITS_MIN       10
#define NUMBER_SHORT_MAX UINT64_C (9999999999)

static const char *const prefixes[LINE_KINDS] = {
    [LINE_EXCLUSIVE] = "exclusive-", [LINE_SHARED] = "shared-", [LINE_PERMITS] = "permits-"};

/* What is asked in one round trip: a page for each kind that may be in the way. */
struct line_look {
    struct line *line; /* NULL: nobody waits for it any more */
    unsigned pending;  /* answers to come */
    bool first;        /* for the first ones of the line */
    bool whole;        /* through all names */
    bool unclear;      /* the answer does not say enough */
    uint64_t below;
    bool found;
    enum line_kind kind; /* of what was found: the nearest, or with `first` the first one */
    uint64_t number;
    int rc;
};

/* ---- Names ----------------------------------------------------------------------------------- */

const char *line_prefix (enum line_kind kind)
{
    return prefixes[kind];
}

void line_name (char name[LINE_NAME_SIZE], enum line_kind kind, uint64_t number)
{
    snprintf (name, LINE_NAME_SIZE, "%s%010" PRIu64, prefixes[kind], number);
}

static bool parse_number (const char *digits, uint64_t *number)
{
    size_t length = strlen (digits);
    /* The servers count in 63 bits, and write no zero in front of more than ten digits. */
    if (length < DIGITS_MIN || length > 18 || strspn (digits, "0123456789") != length ||
        (length > DIGITS_MIN && digits[0] == '0')) {
        return false;
    }
    *number = strtoull (digits, NULL, 10);
    return true;
}

bool line_parse (const char *name, enum line_kind *kind, uint64_t *number)
{
    for (int i = 0; i < LINE_KINDS; i++) {
        size_t length = strlen (prefixes[i]);
        if (strncmp (name, prefixes[i], length) == 0 && parse_number (name + length, number)) {
            *kind = (enum line_kind) i;
            return true;
        }
    }
    return false;
}

/* ---- Questions ------------------------------------------------------------------------------- */

static cohort_result_fn on_exclusive, on_shared;

static int ask (struct line_look *look, cohort_t *client, const char *path, enum line_kind kind,
                const char *after)
{
    cohort_list_options_t options = {.size = sizeof (options),
                                     .limit = look->whole ? 0 : 1,
                                     .prefix = prefixes[kind],
                                     .after = after};
    if (!look->first && !look->whole) {
        options.flags = COHORT_LIST_DESCENDING;
    }
    int rc = cohort_list_async (client, path, &options, NULL, NULL,
                                kind == LINE_EXCLUSIVE ? on_exclusive : on_shared, look);
    if (rc == 0) {
        look->pending++;
    }
    return rc;
}

static bool in_the_way (const struct line *line, enum line_kind kind)
{
    return kind == LINE_EXCLUSIVE || (kind == LINE_SHARED && line->kind == LINE_EXCLUSIVE);
}

static int start (struct line *self, const struct line_look *question)
{
    RECIPE_ASSERT (self->look == NULL);
    struct line_look *look = malloc (sizeof (*look));
    if (look == NULL) {
        return COHORT_ENOMEM;
    }
    *look = *question;
    look->line = self;
    int rc = 0;
    for (int i = 0; i < LINE_KINDS && rc == 0; i++) {
        enum line_kind kind = (enum line_kind) i;
        if (in_the_way (self, kind)) {
            char after[LINE_NAME_SIZE];
            line_name (after, kind, look->below);
            bool from_end = look->first || look->whole;
            rc = ask (look, self->client, self->path, kind, from_end ? NULL : after);
        }
    }
    if (rc == 0) {
        self->look = look;
    } else if (look->pending > 0) {
        look->line = NULL;
    } else {
        free (look);
    }
    return rc;
}

int line_look_first (struct line *self)
{
    return start (self, &(struct line_look){.first = true});
}

void line_look_below (struct line *self, uint64_t below)
{
    RECIPE_ASSERT (below <= self->number);
    self->phase = LINE_LOOKING;
    int rc =
        start (self, &(struct line_look){.below = below, .whole = self->number > NUMBER_SHORT_MAX});
    if (rc != 0) {
        line_end (self, rc);
    }
}

void line_look_drop (struct line *self)
{
    if (self->look != NULL) {
        self->look->line = NULL;
        self->look = NULL;
    }
}

/* ---- Answers --------------------------------------------------------------------------------- */

/* The nearest one ahead; true: no other name of this page can be nearer. */
static bool take_nearest (struct line_look *look, enum line_kind kind, const char *name)
{
    enum line_kind named;
    uint64_t number;
    if (!line_parse (name, &named, &number) || named != kind || number >= look->below) {
        return false;
    }
    if (!look->found || number > look->number) {
        look->found = true;
        look->kind = kind;
        look->number = number;
    }
    return !look->whole;
}

/* The first one of its kind. */
static void take_first (struct line_look *look, enum line_kind kind, const char *name)
{
    enum line_kind named;
    uint64_t number;
    if (!line_parse (name, &named, &number) || named != kind || number > NUMBER_SHORT_MAX) {
        look->unclear = true;
    } else if (!look->found || number < look->number) {
        look->found = true;
        look->kind = kind;
        look->number = number;
    }
}

static int take_page (struct line_look *look, cohort_t *client, enum line_kind kind,
                      const cohort_result_t *result)
{
    if (result->rc != 0) {
        return result->rc;
    }
    size_t count = result->children == NULL ? 0 : result->children->count;
    if (look->first) {
        look->unclear = look->unclear || (count == 0 && result->next != NULL);
        if (count > 0) {
            take_first (look, kind, result->children->items[0]);
        }
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (take_nearest (look, kind, result->children->items[i])) {
            return 0;
        }
    }
    return result->next == NULL ? 0 : ask (look, client, look->line->path, kind, result->next);
}

/* All answers are there. */
static void conclude (struct line *line, const struct line_look *look)
{
    if (look->rc != 0) {
        line_end (line, look->rc);
    } else if (!look->first && look->found) {
        line_found (line, look->kind, look->number);
    } else if (!look->first) {
        line_found_none (line);
    } else if (look->unclear || line->number > NUMBER_SHORT_MAX) {
        line_look_below (line, line->number);
    } else if (look->found && look->number < line->number) {
        line->first_known = true;
        line->first_number = look->number;
        line_look_below (line, line->number);
        /* A shared one learns from the znode whether it is in the way. */
        if (line->phase == LINE_LOOKING && line->kind == LINE_EXCLUSIVE) {
            line_behind (line);
        }
    } else {
        line_found_none (line);
    }
}

static void on_page (cohort_t *client, enum line_kind kind, const cohort_result_t *result,
                     struct line_look *look)
{
    struct line *line = look->line;
    look->pending--;
    if (line == NULL) {
        if (look->pending == 0) {
            free (look);
        }
        return;
    }
    struct line_owner *owner = line->owner;
    recipe_enter (&owner->guard);
    RECIPE_ASSERT (line->look == look);
    int rc = take_page (look, client, kind, result);
    look->rc = look->rc != 0 ? look->rc : rc;
    if (look->pending == 0) {
        line->look = NULL;
        conclude (line, look);
        free (look);
    }
    if (recipe_leave (&owner->guard)) {
        owner->free (owner);
    }
}

static void on_exclusive (cohort_t *client, const cohort_result_t *result, void *arg)
{
    on_page (client, LINE_EXCLUSIVE, result, arg);
}

static void on_shared (cohort_t *client, const cohort_result_t *result, void *arg)
{
    on_page (client, LINE_SHARED, result, arg);
}
