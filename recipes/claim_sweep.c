/* Claims of dead owners are cleared away: see cohort/claim.h.
 * May include: claim_private.h, libc. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "claim_private.h"

/* One owner that was looked at; names of one owner often follow each other. */
struct known {
    char *path;
    bool exists;
    uint64_t czxid;
};

static int look_up (cohort_t *client, struct known *known, const char *path)
{
    if (known->path != NULL && strcmp (known->path, path) == 0) {
        return 0;
    }
    cohort_stat_t stat = {0};
    char *copy = recipe_copy (path, strlen (path));
    int rc = copy == NULL ? COHORT_ENOMEM : cohort_exists (client, path, &stat);
    if (rc != 0 && rc != COHORT_ENONODE) {
        free (copy);
        return rc;
    }
    free (known->path);
    *known = (struct known){.path = copy, .exists = rc == 0, .czxid = stat.czxid};
    return 0;
}

/* Deletes a claim if its owner is dead. 1: it has; 0; an error. */
static int sweep_one (cohort_claims_t *self, struct known *known, const cohort_child_t *child,
                      const struct claim_text *text)
{
    int rc = look_up (self->client, known, text->owner);
    if (rc != 0 || (known->exists && known->czxid == text->czxid)) {
        return rc;
    }
    size_t size = strlen (self->path) + strlen (child->name) + 2;
    char *path = malloc (size);
    cohort_txn_t *txn = cohort_txn_new ();
    rc = COHORT_ENOMEM;
    if (path != NULL && txn != NULL) {
        snprintf (path, size, "%s/%s", self->path, child->name);
        if (known->exists) {
            cohort_txn_check_czxid (txn, known->path, known->czxid);
        } else {
            cohort_txn_check_absent (txn, known->path);
        }
        cohort_txn_check_czxid (txn, path, child->stat.czxid);
        cohort_txn_delete (txn, path, COHORT_ANY_VERSION);
        rc = cohort_multi (self->client, txn);
    }
    if (txn != NULL) {
        cohort_txn_destroy (&txn);
    }
    free (path);
    bool faster = rc == COHORT_ENONODE || rc == COHORT_EBADCZXID || rc == COHORT_ENODEEXISTS ||
                  rc == COHORT_ENOTEMPTY;
    return rc == 0 ? 1 : faster ? 0 : rc;
}

static int sweep_page (cohort_claims_t *self, const cohort_page_t *page)
{
    struct known known = {0};
    int count = 0, rc = 0;
    for (size_t i = 0; i < page->count && rc >= 0; i++) {
        const cohort_child_t *child = &page->children[i];
        struct claim_text *text = claim_text_parse (child->data, child->size);
        rc = text == NULL ? COHORT_ENOMEM : 0;
        if (rc == 0 && text->owner != NULL && text->czxid != 0 && !child->hidden) {
            rc = sweep_one (self, &known, child, text);
        }
        count += rc == 1;
        free (text);
    }
    free (known.path);
    return rc < 0 ? rc : count;
}

int cohort_claims_sweep (cohort_claims_t *self, const char *after, int limit, char **next)
{
    if (limit <= 0) {
        return COHORT_EINVAL;
    }
    cohort_list_options_t options = {.size = sizeof (options),
                                     .flags = COHORT_LIST_STAT | COHORT_LIST_DATA,
                                     .filter = COHORT_LIST_PERSISTENT,
                                     .limit = limit,
                                     .after = after};
    cohort_page_t *page = NULL;
    int rc = cohort_list (self->client, self->path, &options, &page, NULL);
    if (rc != 0) {
        if (rc == COHORT_ENONODE && next != NULL) {
            *next = NULL;
        }
        return rc == COHORT_ENONODE ? 0 : rc;
    }
    char *behind = NULL;
    if (page->next != NULL && next != NULL) {
        behind = recipe_copy (page->next, strlen (page->next));
        rc = behind == NULL ? COHORT_ENOMEM : 0;
    }
    rc = rc == 0 ? sweep_page (self, page) : rc;
    cohort_page_destroy (&page);
    if (rc >= 0 && next != NULL) {
        *next = behind;
    } else {
        free (behind);
    }
    return rc;
}
