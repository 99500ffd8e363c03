/* The ensemble behind the fake client: see fake_tree.h. */

#include "tests/unit/recipes/fake_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/recipes/fake.h"

struct fake_tree fake_tree;

void *fake_must (void *memory)
{
    if (memory == NULL) {
        abort ();
    }
    return memory;
}

void *fake_copy (const void *data, size_t size)
{
    char *copy = fake_must (malloc (size + 1));
    if (size > 0) {
        memcpy (copy, data, size);
    }
    copy[size] = 0;
    return copy;
}

char *fake_copy_text (const char *text)
{
    return fake_copy (text, strlen (text));
}

/* ---- The tree -------------------------------------------------------------------------------- */

struct fake_node *fake_find (const char *path)
{
    for (size_t i = 0; i < fake_tree.nodes_count; i++) {
        if (strcmp (fake_tree.nodes[i].path, path) == 0) {
            return &fake_tree.nodes[i];
        }
    }
    return NULL;
}

static void note (cohort_change_kind_t kind, const struct fake_node *node)
{
    assert_true (fake_tree.changes_count < FAKE_CHANGES_MAX);
    cohort_change_t *change = &fake_tree.changes[fake_tree.changes_count++];
    *change = (cohort_change_t){.kind = kind, .path = fake_copy_text (node->path)};
    if (kind != COHORT_CHANGE_DELETED) {
        change->data = fake_copy (node->data, node->size);
        change->size = node->size;
        change->stat = node->stat;
    }
}

struct fake_node *fake_parent (const char *path)
{
    const char *slash = strrchr (path, '/');
    char *parent = fake_copy (path, (size_t) (slash - path));
    struct fake_node *found = fake_find (parent);
    free (parent);
    return found;
}

bool fake_is_in (const char *path, const char *top)
{
    size_t length = strlen (top);
    return length == 1 ||
           (strncmp (path, top, length) == 0 && (path[length] == 0 || path[length] == '/'));
}

/* A child has come or gone. */
static void count_child (const char *path, int change)
{
    struct fake_node *parent = fake_parent (path);
    if (parent != NULL) {
        parent->stat.child_count = (uint32_t) ((int) parent->stat.child_count + change);
        parent->stat.cversion++;
        parent->stat.pzxid = fake_tree.zxid;
    }
}

int fake_tree_create (const char *path, const void *data, size_t size, int mode, uint64_t session)
{
    if (fake_find (path) != NULL) {
        return COHORT_ENODEEXISTS;
    }
    const struct fake_node *parent = fake_parent (path);
    if (parent == NULL && strrchr (path, '/') != path) {
        return COHORT_ENONODE;
    }
    assert_true (fake_tree.nodes_count < FAKE_NODES_MAX);
    struct fake_node *node = &fake_tree.nodes[fake_tree.nodes_count++];
    *node = (struct fake_node){
        .path = fake_copy_text (path), .data = fake_copy (data, size), .size = size};
    node->stat = (cohort_stat_t){.czxid = fake_tree.zxid,
                                 .mzxid = fake_tree.zxid,
                                 .pzxid = fake_tree.zxid,
                                 .ozxid = fake_tree.zxid,
                                 .ctime_ms = fake_now_ms,
                                 .mtime_ms = fake_now_ms,
                                 .data_size = (int32_t) size,
                                 .mode = mode,
                                 .ephemeral_owner = (mode & COHORT_EPHEMERAL) ? session : 0};
    note (COHORT_CHANGE_CREATED, node);
    count_child (path, 1);
    return 0;
}

int fake_tree_set (const char *path, const void *data, size_t size, int32_t version)
{
    struct fake_node *node = fake_find (path);
    if (node == NULL) {
        return COHORT_ENONODE;
    }
    if (version != COHORT_ANY_VERSION && version != node->stat.version) {
        return COHORT_EBADVERSION;
    }
    char *fresh = fake_copy (data, size);
    free (node->data);
    node->data = fresh;
    node->size = size;
    node->stat.mzxid = fake_tree.zxid;
    node->stat.mtime_ms = fake_now_ms;
    node->stat.version++;
    node->stat.data_size = (int32_t) size;
    note (COHORT_CHANGE_DATA, node);
    return 0;
}

int fake_tree_delete (const char *path, int32_t version)
{
    struct fake_node *node = fake_find (path);
    if (node == NULL) {
        return COHORT_ENONODE;
    }
    if (version != COHORT_ANY_VERSION && version != node->stat.version) {
        return COHORT_EBADVERSION;
    }
    note (COHORT_CHANGE_DELETED, node);
    count_child (path, -1);
    free (node->path);
    free (node->data);
    *node = fake_tree.nodes[--fake_tree.nodes_count];
    return 0;
}

void fake_forget_changes (void)
{
    for (size_t i = 0; i < fake_tree.changes_count; i++) {
        free ((void *) fake_tree.changes[i].path);
        free ((void *) fake_tree.changes[i].data);
    }
    fake_tree.changes_count = 0;
}

void fake_begin (void)
{
    assert_false (fake_tree.open);
    fake_tree.open = true;
    fake_tree.zxid++;
}

void fake_commit (void)
{
    assert_true (fake_tree.open);
    fake_tree.open = false;
    fake_publish ();
    fake_forget_changes ();
}

static void alone (bool begin)
{
    static bool mine;
    if (begin && !fake_tree.open) {
        mine = true;
        fake_begin ();
    } else if (!begin && mine) {
        mine = false;
        fake_commit ();
    }
}

void fake_create (const char *path, const char *data, uint64_t owner)
{
    alone (true);
    assert_int_equal (fake_tree_create (path, data, strlen (data),
                                        owner != 0 ? COHORT_EPHEMERAL : COHORT_PERSISTENT, owner),
                      0);
    alone (false);
}

void fake_set (const char *path, const char *data)
{
    alone (true);
    assert_int_equal (fake_tree_set (path, data, strlen (data), COHORT_ANY_VERSION), 0);
    alone (false);
}

void fake_delete (const char *path)
{
    alone (true);
    assert_int_equal (fake_tree_delete (path, COHORT_ANY_VERSION), 0);
    alone (false);
}

void fake_hand_over (uint64_t from, uint64_t to)
{
    alone (true);
    for (size_t i = 0; i < fake_tree.nodes_count; i++) {
        cohort_stat_t *stat = &fake_tree.nodes[i].stat;
        if (stat->ephemeral_owner == from) {
            stat->ephemeral_owner = to;
            stat->ozxid = fake_tree.zxid;
        }
    }
    assert_true (fake_tree.changes_count < FAKE_CHANGES_MAX);
    fake_tree.changes[fake_tree.changes_count++] =
        (cohort_change_t){.kind = COHORT_CHANGE_OWNER,
                          .path = fake_copy_text (""),
                          .stat = {.ephemeral_owner = to, .ozxid = fake_tree.zxid},
                          .from = from};
    alone (false);
}

void fake_set_sequence (const char *path, uint64_t next)
{
    fake_find (path)->next = next;
}

const char *fake_data (const char *path)
{
    const struct fake_node *node = fake_find (path);
    return node == NULL ? NULL : node->data;
}

const cohort_stat_t *fake_stat (const char *path)
{
    const struct fake_node *node = fake_find (path);
    return node == NULL ? NULL : &node->stat;
}

size_t fake_count (const char *prefix)
{
    size_t count = 0;
    for (size_t i = 0; i < fake_tree.nodes_count; i++) {
        count += strncmp (fake_tree.nodes[i].path, prefix, strlen (prefix)) == 0;
    }
    return count;
}

bool fake_first_child (const char *path, char *child, size_t size)
{
    const char *first = NULL;
    size_t length = strlen (path);
    for (size_t i = 0; i < fake_tree.nodes_count; i++) {
        const char *other = fake_tree.nodes[i].path;
        bool below = strncmp (other, path, length) == 0 && other[length] == '/' &&
                     strchr (other + length + 1, '/') == NULL;
        if (below && (first == NULL || strcmp (other, first) < 0)) {
            first = other;
        }
    }
    if (first != NULL) {
        snprintf (child, size, "%s", first);
    }
    return first != NULL;
}

uint64_t fake_zxid (void)
{
    return fake_tree.zxid;
}

void fake_free_nodes (struct fake_node *nodes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free (nodes[i].path);
        free (nodes[i].data);
    }
}

void fake_tree_reset (void)
{
    fake_free_nodes (fake_tree.nodes, fake_tree.nodes_count);
    fake_forget_changes ();
    memset (&fake_tree, 0, sizeof (fake_tree));
}
