/*
 * server/tree/watch.h - who on this server wants to hear of which path
 *
 * Not replicated: registrations of the clients of this server.  One-shot watches and streams,
 * both driven by the effects of tree.h.  An owner is a number of the caller's (a client).  PURE.
 */
#ifndef SERVER_TREE_WATCH_H
#define SERVER_TREE_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/list.h"
#include "cohort/types.h"
#include "server/tree/tree.h"

/* The numbers are those of client.proto's WatchKind. */
enum watch_kind { WATCH_DATA = 1, WATCH_EXISTS = 2, WATCH_CHILDREN = 3 };

struct watches;

/* hash_seed: as tree_options has it. */
struct watches *watches_new (uint64_t hash_seed);
void watches_destroy (struct watches **self_p);

/* Registers; the same owner, kind and path twice is one watch.  false: out of memory. */
bool watches_add (struct watches *self, uint64_t owner, enum watch_kind kind, const char *path,
                  size_t path_size);
/* Whether there is one; and ends it, if there is. */
bool watches_has (const struct watches *self, uint64_t owner, enum watch_kind kind,
                  const char *path, size_t path_size);
bool watches_remove (struct watches *self, uint64_t owner, enum watch_kind kind, const char *path,
                     size_t path_size);
void watches_remove_owner (struct watches *self, uint64_t owner);
/* Ends up to `count` watches of an owner, for an end in slices; true: it has more. */
bool watches_remove_some (struct watches *self, uint64_t owner, size_t count);
size_t watches_count (const struct watches *self);

/* Removes and reports the watches that the effect fires:
 *    CREATED  EXISTS on the path -> CREATED; CHILDREN on the parent -> CHILDREN
 *    DELETED  DATA and EXISTS on the path -> DELETED; CHILDREN on the path -> DELETED;
 *             CHILDREN on the parent -> CHILDREN
 *    DATA     DATA and EXISTS on the path -> CHANGED
 * A change of a list or of an owner fires none. */
typedef void watches_fn (void *arg, uint64_t owner, enum watch_kind kind, cohort_event_type_t type,
                         const char *path, size_t path_size, zxid_t zxid);
void watches_fire (struct watches *self, const struct effect *effect, watches_fn *fn, void *arg);

/* What a watch registered again by a client that saw everything up to `seen` has missed: the
 * event to report at once (and not to register), or 0: register it.  From the ring if `seen` is
 * at or above its floor, and *looks, from which they are taken, has enough for the changes behind
 * it; else by comparing the znode: a data watch fires if the znode is gone or
 * mzxid > seen; an exists watch if it is there and changed since, or absent and the nearest
 * existing ancestor's pzxid > seen; a child watch if it is gone or pzxid > seen. */
int watch_missed (const struct tree *tree, enum watch_kind kind, const char *path, size_t path_size,
                  zxid_t seen, uint64_t *looks, zxid_t *zxid);

/* ---- Streams ----------------------------------------------------------------------------- */

struct streams;
struct stream_root;

/* A stream on the subtree of a path; inside of what is told.  All zeros: not registered. */
struct stream {
    struct list_node node; /* of its root's streams, or of those that are deaf */
    struct stream_root *root;
    bool deaf;
};

struct streams *streams_new (uint64_t hash_seed);
/* None may be registered any more. */
void streams_destroy (struct streams **self_p);

/* One look-up.  false: no memory. */
bool streams_add (struct streams *self, struct stream *stream, const char *path, size_t path_size);
/* No look-up, however many there are; nothing for one that is not registered. */
void streams_remove (struct streams *self, struct stream *stream);

/* It stays registered, and no change is matched with it, until it hears again. */
void stream_deafen (struct stream *stream, bool deaf);

/* The streams whose subtree holds the path (itself included) and that hear, for each subtree in the
 * order in which they were registered or heard again: one look-up an ancestor.  fn may remove or
 * deafen the one that it is told. */
typedef void streams_fn (void *arg, struct stream *stream);
void streams_match (const struct streams *self, const char *path, size_t path_size, streams_fn *fn,
                    void *arg);

/* Whether a stream of this subtree is told of it: a change of owner concerns all. */
bool stream_concerns (const char *root, size_t root_size, const struct effect *effect);

/* Whether `path` lies in the subtree of `root`. */
bool stream_covers (const char *root, size_t root_size, const char *path, size_t path_size);

/* Whether a change of the subtree concerns what a walk of it (tree_walk) has taken so far: the
 * node, or by its coming and going its parent.  With all of these in order, behind what the walk
 * had taken before each, and with the coming and going of children counted in their parents' stats,
 * what a whole walk has taken is the subtree as it is at its end. */
bool stream_has_passed (const struct buf *place, size_t root_size, const struct effect *effect);

#endif
