/*
 * server/tree/backlog.h - what a snapshot writes before its scan goes on
 *
 * PURE.  Internal to server/tree: of snapshot.c.
 *
 * First in, first out: records that apply has handed over, and znodes that must be written before
 * a record behind them refers to them.  A znode costs a few bytes however much data it has; when it
 * changes while it waits, what it was takes its place.
 */
#ifndef SERVER_TREE_BACKLOG_H
#define SERVER_TREE_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/list.h"

struct znode;

/* Private. */
struct backlog {
    struct list pieces;
};

/* The first of what waits: a znode, or the bytes of a record, which live until the next call. */
struct backlog_item {
    struct znode *znode; /* NULL: a record */
    const uint8_t *record;
    size_t size;
};

void backlog_init (struct backlog *self);
void backlog_clear (struct backlog *self);
bool backlog_empty (const struct backlog *self);

/* Both false: out of memory, nothing was added.  A record begins with its size; it is copied. */
bool backlog_add_record (struct backlog *self, const uint8_t *record, size_t size);
/* A znode with a family: family.waiting is set as long as it waits. */
bool backlog_add_znode (struct backlog *self, struct znode *znode);

/* The record of a znode that waits takes its place; false: out of memory, it still waits. */
bool backlog_replace_znode (struct znode *znode, const uint8_t *record, size_t size);

/* false: there is nothing. */
bool backlog_first (const struct backlog *self, struct backlog_item *item);
void backlog_pop (struct backlog *self);

#endif
