/*
 *  server/store/named_files.h - the files of a disk that is in memory: names, users, blocks
 *
 *  A file is there as long as it has a name or a user.  What else belongs to it stands around the
 *  struct, and is freed by the function that the list was given.  No locks.
 */
#ifndef SERVER_STORE_NAMED_FILES_H
#define SERVER_STORE_NAMED_FILES_H

#include "client/base/list.h"
#include "server/store/disk.h"

struct named_file {
    struct list_node node; /*  in the list while it has a name */
    char *name;
    unsigned opened;
    uint64_t size;
    uint8_t **blocks; /*  as large as the disk likes; NULL: not written */
    size_t blocks_count;
};

typedef void named_file_free_fn (struct named_file *file);

struct named_files {
    struct list list;
    named_file_free_fn *free; /*  of what stands around the struct; name and blocks are gone */
};

void named_files_init (struct named_files *self, named_file_free_fn *free_file);
/*  Nothing may be open. */
void named_files_deinit (struct named_files *self);

/*  NULL: none of that name. */
struct named_file *named_files_find (struct named_files *self, const char *name);
/*  A file that is zero but for what stands around it; false: out of memory, and nothing is done. */
bool named_files_add (struct named_files *self, struct named_file *file, const char *name);
/*  One user less. */
void named_files_close (struct named_files *self, struct named_file *file);

/*  As disk_ops. */
int named_files_unlink (struct named_files *self, const char *name);
int named_files_rename (struct named_files *self, const char *from, const char *to);
void named_files_list (struct named_files *self, disk_name_fn *fn, void *arg);

/*  Blocks from `count` on go. */
void named_file_cut (struct named_file *file, size_t count);
/*  At least so many, the new ones NULL; false: out of memory. */
bool named_file_grow (struct named_file *file, size_t count);

#endif
