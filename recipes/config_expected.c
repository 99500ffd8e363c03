/* What keys have to be, and their last good values: a part of the recipe config. A key that is not
 * what it has to be is one bad entry, and nothing else stops.
 * May include: the client's public headers, cohort/mirror.h, recipes' support, libc. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_private.h"

enum config_type { CONFIG_TEXT, CONFIG_INTEGER, CONFIG_BOOL };

struct config_expected {
    struct config_expected *next;
    enum config_type type;
    int64_t floor, ceiling;
    size_t size_max;
    char what[80];

    uint64_t mzxid; /* of the value that was looked at last; 0: there was none */
    bool hidden;
    int rc;    /* what came of it */
    bool bad;  /* the handler is still to hear of it */
    bool good; /* there is a good value, the last one: */
    int64_t number;
    char *text;

    const char *key;
    char *path;
};

/* ---- Values ---------------------------------------------------------------------------------- */

static int parse_text (struct config_expected *self, const char *data, size_t size)
{
    if (size > self->size_max || memchr (data, 0, size) != NULL) {
        return COHORT_ECONFIG;
    }
    char *text = recipe_copy (data, size);
    if (text == NULL) {
        return COHORT_ENOMEM;
    }
    free (self->text);
    self->text = text;
    return 0;
}

static int parse_integer (struct config_expected *self, const char *data, size_t size)
{
    int64_t number;
    if (size == 0 || recipe_parse_number (data, size, &number) != 0 || number < self->floor ||
        number > self->ceiling) {
        return COHORT_ECONFIG;
    }
    self->number = number;
    return 0;
}

static int parse_bool (struct config_expected *self, const char *data, size_t size)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof (words) / sizeof (words[0]); i++) {
        if (size == strlen (words[i]) && memcmp (data, words[i], size) == 0) {
            self->number = i % 2;
            return 0;
        }
    }
    return COHORT_ECONFIG;
}

static int parse (struct config_expected *self, const cohort_node_t *node)
{
    if (node->hidden) {
        return COHORT_ENOAUTH;
    }
    switch (self->type) {
    case CONFIG_TEXT:
        return parse_text (self, node->data, node->size);
    case CONFIG_INTEGER:
        return parse_integer (self, node->data, node->size);
    case CONFIG_BOOL:
        return parse_bool (self, node->data, node->size);
    }
    return COHORT_EUNSUPPORTED;
}

/* Looks at the key if it is another one than it was, or there was no memory for it. */
static void look (cohort_config_t *config, struct config_expected *self)
{
    const cohort_node_t *node = cohort_mirror_get (config->mirror, self->path);
    cohort_config_value_t now = config_value (node);
    bool hidden = now.hidden != 0;
    if (now.mzxid == self->mzxid && hidden == self->hidden && self->rc != COHORT_ENOMEM) {
        return;
    }
    self->mzxid = now.mzxid;
    self->hidden = hidden;
    self->rc = node == NULL ? COHORT_ENONODE : parse (self, node);
    self->bad = node != NULL && self->rc != 0;
    self->good = self->rc == 0 || (self->good && node != NULL);
}

void config_look (cohort_config_t *self)
{
    for (struct config_expected *it = self->expected; it != NULL; it = it->next) {
        look (self, it);
    }
    for (struct config_expected *it = self->expected; it != NULL && !self->guard.destroyed;
         it = it->next) {
        if (it->bad) {
            it->bad = false;
            const cohort_node_t *node = cohort_mirror_get (self->mirror, it->path);
            config_report (self, (cohort_config_event_t){.kind = COHORT_CONFIG_BAD,
                                                         .rc = it->rc,
                                                         .key = it->key,
                                                         .expected = it->what,
                                                         .value = config_value (node)});
        }
    }
}

/* ---- Expectations ---------------------------------------------------------------------------- */

static void expected_free (struct config_expected *self)
{
    free (self->text);
    free (self->path);
    free (self);
}

void config_expected_free (cohort_config_t *self)
{
    while (self->expected != NULL) {
        struct config_expected *expected = self->expected;
        self->expected = expected->next;
        expected_free (expected);
    }
}

static struct config_expected *find (const cohort_config_t *self, const char *key)
{
    struct config_expected *it = self->expected;
    while (it != NULL && strcmp (it->key, key) != 0) {
        it = it->next;
    }
    return it;
}

static int expect (cohort_config_t *self, const char *key, struct config_expected given)
{
    if (!config_is_key (key)) {
        return COHORT_EINVAL;
    }
    if (find (self, key) != NULL) {
        return COHORT_ESTATE;
    }
    struct config_expected *expected = malloc (sizeof (*expected));
    if (expected == NULL) {
        return COHORT_ENOMEM;
    }
    *expected = given;
    expected->path = config_path (self, key);
    if (expected->path == NULL) {
        expected_free (expected);
        return COHORT_ENOMEM;
    }
    expected->key = expected->path + strlen (self->path) + 1;
    expected->rc = COHORT_ENONODE;
    struct config_expected **last = &self->expected;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = expected;
    return 0;
}

int cohort_config_expect_text (cohort_config_t *self, const char *key, size_t size_max)
{
    struct config_expected given = {.type = CONFIG_TEXT, .size_max = size_max};
    snprintf (given.what, sizeof (given.what), "a text of at most %zu bytes, none of them 0",
              size_max);
    return expect (self, key, given);
}

int cohort_config_expect_integer (cohort_config_t *self, const char *key, int64_t floor,
                                  int64_t ceiling)
{
    struct config_expected given = {.type = CONFIG_INTEGER, .floor = floor, .ceiling = ceiling};
    snprintf (given.what, sizeof (given.what), "an integer from %" PRId64 " to %" PRId64, floor,
              ceiling);
    return floor > ceiling ? COHORT_EINVAL : expect (self, key, given);
}

int cohort_config_expect_bool (cohort_config_t *self, const char *key)
{
    return expect (self, key,
                   (struct config_expected){.type = CONFIG_BOOL,
                                            .what = "true, yes, on, 1, false, no, off or 0"});
}

/* ---- Getters --------------------------------------------------------------------------------- */

/* What came of the key; *found NULL: there is no good value. */
static int get (cohort_config_t *self, const char *key, enum config_type type,
                const struct config_expected **found)
{
    struct config_expected *expected = key == NULL ? NULL : find (self, key);
    *found = NULL;
    if (expected == NULL || expected->type != type) {
        return COHORT_EINVAL;
    }
    if (cohort_mirror_zxid (self->mirror) == 0) {
        return COHORT_ESTATE;
    }
    look (self, expected);
    *found = expected->good ? expected : NULL;
    return expected->rc;
}

int cohort_config_text (cohort_config_t *self, const char *key, const char **value)
{
    const struct config_expected *found;
    int rc = get (self, key, CONFIG_TEXT, &found);
    if (found != NULL) {
        *value = found->text;
    }
    return rc;
}

int cohort_config_integer (cohort_config_t *self, const char *key, int64_t *value)
{
    const struct config_expected *found;
    int rc = get (self, key, CONFIG_INTEGER, &found);
    if (found != NULL) {
        *value = found->number;
    }
    return rc;
}

int cohort_config_bool (cohort_config_t *self, const char *key, int *value)
{
    const struct config_expected *found;
    int rc = get (self, key, CONFIG_BOOL, &found);
    if (found != NULL) {
        *value = (int) found->number;
    }
    return rc;
}
