/*
 *  server/store/named_files.c - the files of a disk that is in memory: names, users, blocks
 */
#include "server/store/named_files.h"

#include <errno.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"

void named_files_init (struct named_files *self, named_file_free_fn *free_file)
{
    list_init (&self->list);
    self->free = free_file;
}

static void release (struct named_files *self, struct named_file *file)
{
    if (list_linked (&file->node) || file->opened > 0) {
        return;
    }
    named_file_cut (file, 0);
    mem_free (file->blocks);
    mem_free (file->name);
    self->free (file);
}

void named_files_deinit (struct named_files *self)
{
    struct list_node *node;
    while ((node = list_pop_front (&self->list)) != NULL) {
        struct named_file *file = list_entry (node, struct named_file, node);
        COHORT_ASSERT (file->opened == 0);
        release (self, file);
    }
}

/* ---- Names ------------------------------------------------------------------------------- */

struct named_file *named_files_find (struct named_files *self, const char *name)
{
    for (struct list_node *at = list_first (&self->list); at != NULL;
         at = list_next (&self->list, at)) {
        struct named_file *file = list_entry (at, struct named_file, node);
        if (strcmp (file->name, name) == 0) {
            return file;
        }
    }
    return NULL;
}

bool named_files_add (struct named_files *self, struct named_file *file, const char *name)
{
    COHORT_ASSERT (named_files_find (self, name) == NULL);
    file->name = mem_strdup (name);
    if (file->name == NULL) {
        return false;
    }
    list_push_back (&self->list, &file->node);
    return true;
}

void named_files_close (struct named_files *self, struct named_file *file)
{
    COHORT_ASSERT (file->opened > 0);
    file->opened--;
    release (self, file);
}

int named_files_unlink (struct named_files *self, const char *name)
{
    struct named_file *file = named_files_find (self, name);
    if (file == NULL) {
        return -ENOENT;
    }
    list_remove (&file->node);
    release (self, file);
    return 0;
}

int named_files_rename (struct named_files *self, const char *from, const char *to)
{
    struct named_file *file = named_files_find (self, from);
    if (file == NULL) {
        return -ENOENT;
    }
    char *name = mem_strdup (to);
    if (name == NULL) {
        return -ENOMEM;
    }
    if (strcmp (from, to) != 0) {
        (void) named_files_unlink (self, to); /*  if there is one */
    }
    mem_free (file->name);
    file->name = name;
    return 0;
}

void named_files_list (struct named_files *self, disk_name_fn *fn, void *arg)
{
    for (struct list_node *at = list_first (&self->list); at != NULL;
         at = list_next (&self->list, at)) {
        fn (arg, list_entry (at, struct named_file, node)->name);
    }
}

/* ---- Blocks ------------------------------------------------------------------------------ */

void named_file_cut (struct named_file *file, size_t count)
{
    while (file->blocks_count > count) {
        mem_free (file->blocks[--file->blocks_count]);
    }
}

bool named_file_grow (struct named_file *file, size_t count)
{
    if (count <= file->blocks_count) {
        return true;
    }
    size_t room = count + file->blocks_count / 2;
    uint8_t **blocks = mem_realloc (file->blocks, room * sizeof *blocks);
    if (blocks == NULL) {
        return false;
    }
    memset (blocks + file->blocks_count, 0, (room - file->blocks_count) * sizeof *blocks);
    file->blocks = blocks;
    file->blocks_count = room;
    return true;
}
