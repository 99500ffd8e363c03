/* Pages of children, access control lists, administrators. */

#include "tests/history/shown.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/base/assert.h"

/* ---- Pages ----------------------------------------------------------------------------------- */

static bool is_of_page (const struct history_op *op, const struct model_znode *child,
                        const struct model_version *version)
{
    bool ephemeral = version->stat.ephemeral_owner != 0;
    const char *after = op->after != NULL ? op->after : "";
    int order = strcmp (child->name, after);
    bool descending = (op->mode & HISTORY_PAGE_DESCENDING) != 0;
    bool behind = after[0] == '\0' || (descending ? order < 0 : order > 0);
    return behind && strncmp (child->name, op->value, strlen (op->value)) == 0 &&
           ((op->mode & HISTORY_PAGE_EPHEMERAL) == 0 || ephemeral) &&
           ((op->mode & HISTORY_PAGE_PERSISTENT) == 0 || !ephemeral);
}

/* Whether the text begins with the mark and the part behind it; *told is then what follows. */
static bool passes (const char **told, const char *mark, const char *part)
{
    size_t size = strlen (mark);
    bool begins =
        strncmp (*told, mark, size) == 0 && strncmp (*told + size, part, strlen (part)) == 0;
    *told += begins ? size + strlen (part) : 0;
    return begins;
}

/* NAME, of a page with stats NAME@STAT, and of one with data with /DATA behind that; /? is what the
 * client may not read. */
static bool is_told (const char *told, const struct history_op *op, const struct model_who *who,
                     const struct model_znode *child, const struct model_version *version)
{
    char stat[HISTORY_STAT_SIZE];
    bool may = who == NULL || model_may (*who, version, COHORT_PERM_READ);
    return passes (&told, "", child->name) &&
           ((op->mode & HISTORY_PAGE_STAT) == 0 ||
            passes (&told, "@", history_stat (&version->stat, stat))) &&
           ((op->mode & HISTORY_PAGE_DATA) == 0 ||
            passes (&told, "/", may ? version->value : "?")) &&
           told[0] == '\0';
}

static bool page_is (const struct history_op *op, const struct model_who *who, uint64_t zxid,
                     const struct model_znode *znode, const struct history_result *told)
{
    size_t count = 0;
    for (size_t n = 0; n < znode->children_count; n++) {
        bool descending = (op->mode & HISTORY_PAGE_DESCENDING) != 0;
        const struct model_znode *child =
            znode->children[descending ? znode->children_count - 1 - n : n];
        const struct model_version *version = model_at (child, zxid);
        if (version == NULL || !is_of_page (op, child, version)) {
            continue;
        }
        if (count == told->children_count) {
            return told->value != 0; /* more of them is announced */
        }
        if (!is_told (told->children[count], op, who, child, version)) {
            return false;
        }
        count++;
    }
    return count == told->children_count;
}

bool shown_page_fits (const struct fact_call *call, const struct model_who *who, uint64_t zxid,
                      const struct model_znode *znode, const struct history_result *told,
                      struct objection *objection)
{
    const struct history_op *op = &call->ops[0];
    bool fits = op->limit == 0 || told->children_count <= op->limit;
    return (fits && page_is (op, who, zxid, znode, told)) ||
           object (objection,
                   "call %" PRIu64 " reads a page of the children of %s at %#" PRIx64
                   " behind '%s', %zu of them: not those that there were",
                   call->id, op->path, zxid, op->after != NULL ? op->after : "",
                   told->children_count);
}

/* ---- Lists ----------------------------------------------------------------------------------- */

#define DIGEST "digest:"

/* As the list, with an x for the hash of each password. */
static void mask (const char *list, char *masked)
{
    bool begins = true;
    while (*list != '\0') {
        size_t size = strlen (DIGEST);
        if (!begins || strncmp (list, DIGEST, size) != 0) {
            begins = *list == ',';
            *masked++ = *list++;
            continue;
        }
        size += strcspn (list + size, ":") + 1; /* the user */
        memcpy (masked, list, size);
        masked += size;
        *masked++ = 'x';
        list += size;
        list += strcspn (list, ":");
        begins = false;
    }
    *masked = '\0';
}

bool shown_list_fits (const struct fact_call *call, const struct model_who *who,
                      const struct model_version *version, const struct history_result *told,
                      struct objection *objection)
{
    const struct history_op *op = &call->ops[0];
    const char *list = op->inherited          ? version->inherited
                       : version->acl != NULL ? version->acl
                                              : "world:anyone:rwcda";
    bool whole = who == NULL || model_may (*who, version, COHORT_PERM_ADMIN);
    list = list != NULL ? list : "";
    char *masked = malloc (strlen (list) + 1);
    COHORT_ASSERT (masked != NULL);
    mask (list, masked);
    const char *expected = whole ? list : masked;
    bool fits = told->data != NULL && strcmp (told->data, expected) == 0;
    if (!fits) {
        (void) object (objection, "call %" PRIu64 " is told that %s has %s\"%s\", it is \"%s\"",
                       call->id, op->path, op->inherited ? "below it " : "",
                       told->data != NULL ? told->data : "", expected);
    }
    free (masked);
    return fits;
}

/* Whether the client was no administrator, and there were some. */
static bool is_refused (const struct facts *facts, const struct fact_call *call, uint64_t zxid)
{
    const struct fact_client *client = facts_client (facts, call->client);
    struct model_who who =
        model_who (&facts->model, model_session (&facts->model, client->session), zxid);
    return model_has_admins (&facts->model, zxid) && !model_is_admin (who);
}

bool shown_admins_fit (const struct facts *facts, const struct fact_call *call, uint64_t zxid,
                       const struct history_result *told, struct objection *objection)
{
    const struct fact_client *client = facts_client (facts, call->client);
    struct model_who who =
        model_who (&facts->model, model_session (&facts->model, client->session), zxid);
    bool fits = is_refused (facts, call, zxid)
                    ? told->code == COHORT_ENOAUTH
                    : told->code == 0 && told->data != NULL && strcmp (told->data, who.admins) == 0;
    return fits ||
           object (objection,
                   "call %" PRIu64 " asks for the administrators at %#" PRIx64
                   " and is told %d, \"%s\": they are \"%s\"",
                   call->id, zxid, told->code, told->data != NULL ? told->data : "", who.admins);
}

/* ---- Sessions -------------------------------------------------------------------------------- */

enum { SESSION_SIZE = 96 };

static bool since (uint64_t then, uint64_t zxid)
{
    return then != 0 && then <= zxid;
}

/* As it was then. */
static const char *describe (const struct model_session *session, uint64_t zxid,
                             char text[SESSION_SIZE])
{
    uint32_t incarnation = 1;
    for (size_t i = 0; i < session->origins_count && session->origins[i].zxid <= zxid; i++) {
        incarnation = session->origins[i].incarnation;
    }
    int state = since (session->closed_zxid, zxid)   ? HISTORY_ENDS
                : since (session->killed_zxid, zxid) ? HISTORY_KILLED
                                                     : HISTORY_LIVES;
    (void) snprintf (text, SESSION_SIZE, "%" PRIu64 "/%" PRIu64 "/%" PRIu32 "/%d", session->id,
                     model_owned_count (session, zxid), incarnation, state);
    return text;
}

/* Each that there was, in the order of their ids, until the page ends. */
static bool sessions_are (const struct model *model, const struct history_op *op, uint64_t zxid,
                          const struct history_result *told)
{
    char text[SESSION_SIZE];
    size_t count = 0;
    for (uint64_t id = op->session + 1; id <= model->last_session; id++) {
        const struct model_session *session = model_session (model, id);
        if (!model_has_session (session, zxid)) {
            continue;
        }
        if (count == told->children_count) {
            return told->value != 0;
        }
        if (strcmp (told->children[count], describe (session, zxid, text)) != 0) {
            return false;
        }
        count++;
    }
    return count == told->children_count && told->value == 0;
}

bool shown_sessions_fit (const struct facts *facts, const struct fact_call *call, uint64_t zxid,
                         const struct history_result *told, struct objection *objection)
{
    const struct history_op *op = &call->ops[0];
    bool full = op->limit == 0 || told->children_count <= op->limit;
    bool fits = is_refused (facts, call, zxid)
                    ? told->code == COHORT_ENOAUTH
                    : told->code == 0 && full && sessions_are (&facts->model, op, zxid, told);
    return fits ||
           object (objection,
                   "call %" PRIu64 " asks for the sessions behind %" PRIx64 " at %#" PRIx64
                   " and is told %d, %zu of them, the first is \"%s\": not those that there were",
                   call->id, op->session, zxid, told->code, told->children_count,
                   told->children_count > 0 ? told->children[0] : "");
}
