/*
 *  server/store/store.h - what a server remembers: log, snapshots, metadata
 *
 *  Two sides.  The owner (the core's thread) submits requests and never waits; the worker (the
 *  disk thread, or the simulator) carries them out in order with store_work: everything that is
 *  waiting is written and made durable by one fdatasync (group commit).  The two meet at one
 *  queue.  Reads of the log's tail come from memory.
 *
 *  On disk (formats in format.h; every file names magic, version, cluster id, store id):
 *    meta.0 meta.1   metadata, two checksummed, numbered copies, both written and synced
 *    manifest        which snapshot and which log segments count; changed by rename alone
 *    log.<n>         segments, filled with zeros ahead of time (more of them where more is
 *                    written); chained, checksummed records
 *    snap.<zxid>.<n> snapshots: temporary name, sync, verify, rename, sync of names, manifest
 *    reserve         a little space for the manifest on a full disk; lock
 *    damaged.<n>.<name>  what recovery has set aside
 *    restoring       a backup is being restored (server/backup), or was and never to the end
 *
 *  Errors: any failed write (but for want of space), sync or rename is final: store_failure says
 *  so, nothing more is acknowledged, and the server must stop.  No space: see store_space.
 */
#ifndef SERVER_STORE_STORE_H
#define SERVER_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/zab.h"
#include "server/store/disk.h"

struct store;

/*  cluster_id all zero: an empty store (never part of an ensemble). */
struct store_meta {
    uint32_t server_id;
    uint64_t store_id;
    uint8_t cluster_id[16];
    bool bootstrapped;    /*  the ensemble's first round has ended: elections may begin        */
    struct config config; /*  as of bootstrap; the log's own entry counts once it is there      */
    uint32_t accepted_epoch;
    uint32_t current_epoch;
    /*  Whether the log holds all that it ever held: set by recovery, durable before anything else
     * is changed; zab_persist.whole ends it. */
    enum zab_trust trust;
    zxid_t suspect;
    /*  What this folder makes is wrong, as the other servers have found: the next store_open uses
     * nothing of its history, as if that were damaged. */
    bool condemned;
    /*  The state was taken over from another server (store_writer_copy), and not proven since. */
    bool heir;
};

struct store_snapshot_info;
struct store_reader;

struct store_options {
    struct disk *disk; /*  taken over, also on failure                                          */
    uint32_t server_id;
    uint64_t store_id; /*  for a new, empty store (random, not 0)                               */
    uint64_t segment_bytes;  /*  0: 64 MiB                                                    */
    uint64_t cache_bytes;    /*  0: 8 MiB of the log's tail in memory                         */
    unsigned snapshots_kept; /*  0: 2; and the log since the oldest of them                   */
    int snapshot_level; /*  of compression, 1 to 9; 0: the default, 1; -1: none               */
    bool repair; /*  others can bring back what is damaged: see store_open                       */
    bool reads_ahead; /*  store_reader_next has a thread of its own                             */
    bool restoring;   /*  whoever opens it restores a backup: anybody else is refused meanwhile */
    /*  With reads_ahead: store_open calls it, if there is a snapshot, while another thread reads
     *  the log, so that the newest may be loaded meanwhile.  What comes of it is of use if in the
     *  end store_snapshot_newest gives the same point; where something was damaged it may be called
     *  again, and the last time counts.  NULL: nobody. */
    void (*meanwhile) (void *arg, struct store_reader *reader,
                       const struct store_snapshot_info *info);
    void *meanwhile_arg;
};

/*  Opens and recovers: reads metadata, manifest, newest valid snapshot, log; cuts a torn tail;
 *  0, or COHORT_E... with an English text in error[error_size] that names file, place and what
 *  to do: COHORT_EINUSE (locked), COHORT_ECORRUPT, COHORT_ECONFIG (another server's folder, an
 *  unknown version, or a restore that did not end), COHORT_EDISKFULL, COHORT_ESYSTEM.  Blocks.
 *
 *  Damage.  Without `repair` it is COHORT_ECORRUPT, and nothing has changed.  With it the store
 *  opens with what is sound, marked (store_meta.trust); what is not is kept as damaged.<n>.<name>,
 *  for people to look at, and never touched again.  If both copies of the metadata are lost the
 *  store is an empty one with a new store id, and marked. */
int store_open (const struct store_options *options, struct store **store, char *error,
                size_t error_size);

/*  What this opening has found damaged and set aside, for the log; "": nothing. */
const char *store_damage (const struct store *self);

/*  Ends; the worker must have stopped.  What was not synced may be lost, as in a crash. */
void store_close (struct store **self_p);

/*  Owner, with nothing waiting (a running thread does it meanwhile): writes both copies; blocks.
 *  0 or COHORT_E...; COHORT_EDISKFULL: a restart may find either, and nothing may depend on it; it
 *  may be tried again. */
int store_set_meta (struct store *self, const struct store_meta *meta);

/*  As submitted last: the epochs of store_persist show here at once.  The owner's. */
const struct store_meta *store_meta (const struct store *self);

/*  The state is right, whoever made it: this server is no heir any more, and soon its disk says so,
 *  too.  false: not now, for memory is short or another state is being installed. */
bool store_prove (struct store *self);

/* ---- The log: owner ---------------------------------------------------------------------- */

/*  The log begins behind base (zero, or the snapshot it was cut at). */
void store_base (const struct store *self, struct zab_point *base, int64_t *stamp_ms);
zxid_t store_last (const struct store *self);      /*  last entry submitted                     */
zxid_t store_committed (const struct store *self); /*  highest commit index found by recovery   */

/*  The log as recovery has read it, for zab_recover: once, before anything is submitted.  NULL: the
 *  entry behind *chained is not what its chain of hashes says, which no checksum of a record tells.
 */
struct zab_past *store_take_past (struct store *self, zxid_t *chained);

/*  Submits: data is copied.  Completed in order; see store_completed.  Numbers rise.  Entries must
 *  follow the last one submitted (asserted), truncate_to be in the log, and neither is allowed
 *  between store_writer_finish (install) and its end. */
void store_persist (struct store *self, const struct zab_persist *persist);

/*  Entries with a zxid > after and <= through, at most max_bytes of data (but at least one), at
 *  most `room` of them, into entries; the data lives until the next store_persist, store_compacted
 *  or installation, or the next store_read of entries no longer cached.  Returns how many, perhaps
 *  fewer than there are (go on from the last one); 0 also if `after` is older than base, or, with
 *  store_failure set, if the disk cannot give them.  Entries older than the cache are read from
 *  disk: blocks. */
size_t store_read (struct store *self, zxid_t after, zxid_t through, size_t max_bytes,
                   struct zab_entry *entries, size_t room);

/*  The highest request number that is durable, with all before it.  0: none yet. */
uint64_t store_completed (struct store *self);

/*  0, or COHORT_ESYSTEM, COHORT_ECORRUPT, COHORT_ENOMEM: stop the server; text (may be NULL): of
 *  the store. */
int store_failure (struct store *self, const char **text);

/*  COHORT_EDISKFULL from when space cannot be reserved ahead until all of it can (5 MiB, or less
 *  with small segments).  No byte of a record was written then, and what is still reserved is used:
 *  so submit nothing new.  Appends that find no space wait, with everything behind them, and are
 *  completed when there is space again.  Epochs, and what goes where space is reserved, are
 *  overwritten in place and need none; on a file system that writes elsewhere and exchanges they
 * may find none all the same, and wait likewise. */
int store_space (struct store *self);

/*  While it is: the bytes that were free when the store last looked. */
uint64_t store_space_left (struct store *self);

/*  On a full disk: gives up what was submitted and waits for space, so that it is certain that it
 *  will not be written.  Nothing may be submitted before store_withdrawn has given true, or all of
 * it is durable after all.  Requests that were given up are never completed.  What comes behind a
 *  truncation that waits, or behind what may be on the disk by half, is kept, and waits on. */
void store_withdraw (struct store *self);

/*  true, once: it is done, the log ends at *last (perhaps in the middle of a request), and
 *  store_meta gives the epochs that are on the disk. */
bool store_withdrawn (struct store *self, struct zab_point *last);

/*  Bytes submitted and not yet durable. */
uint64_t store_backlog (struct store *self);

/*  Bytes of log since the newest snapshot. */
uint64_t store_log_bytes (const struct store *self);

/*  It is calm: gives back the memory that the log's tail is read from; who asks for it is given it
 *  from the disk, once. */
void store_rest (struct store *self);

/* ---- Snapshots: owner -------------------------------------------------------------------- */

struct store_snapshot_info {
    struct zab_point point;
    int64_t stamp_ms; /*  of point */
    uint64_t size;    /*  bytes of content, as they come out of store_reader_read              */
    uint64_t digest;  /*  of it                                                                */
    /*  Of sources only: */
    uint64_t stored;  /*  bytes of its blocks, packed                                          */
    uint32_t packing; /*  how: a number that another server has to know                        */
    uint64_t file_size;
};

/*  Newest valid snapshot; false: none. */
bool store_snapshot_newest (const struct store *self, struct store_snapshot_info *info);

/*  Writing.  One at a time: COHORT_ESTATE.  append copies and never blocks; pending tells how
 *  many bytes wait, so that the caller keeps within a bound. */
struct store_writer;
int store_writer_new (struct store *self, struct zab_point point, int64_t stamp_ms,
                      struct store_writer **writer);
/*  Likewise, of another server's snapshot: what is appended are whole blocks of it as they are
 *  stored there (see sources).  All of `original` is needed; that the content has its size and
 *  digest is verified at the end. */
int store_writer_copy (struct store *self, const struct store_snapshot_info *original,
                       struct store_writer **writer);
void store_writer_append (struct store_writer *self, const uint8_t *data, size_t size);
uint64_t store_writer_pending (struct store_writer *self);

/*  Finishes in the background: file synced, read back and verified, renamed, named in the
 *  manifest; then old snapshots and segments are removed.  install: it replaces the whole log
 *  (one flip of the manifest): store_base and store_last are its point from then on, as seen by
 *  the owner once store_writer_state gives 1. */
void store_writer_finish (struct store_writer *self, bool install);

/*  0: under way, 1: done, negative COHORT_E...: failed, nothing has changed. */
int store_writer_state (struct store_writer *self);

/*  Ends it; not given to store_writer_finish: the temporary file is removed.  A finished one goes
 *  on in the background and counts; but an installation must not be left before its state is
 *  final (asserted; a stopped worker excepted): the owner has to know its log. */
void store_writer_destroy (struct store_writer **self_p);

/*  Likewise, but it shall not count, even if it is finished already; unless store_writer_state has
 *  said so.  Not for an installation. */
void store_writer_cancel (struct store_writer **self_p);

/*  Reading the content of the newest; COHORT_ESTATE: there is none; with any other code *info says
 *  which it is, and *reader is NULL unless that is 0.  Several at a time; the file, and the log
 *  behind it, are kept while it is open.  read: bytes from offset, best one behind the
 *  other; *done 0 at the end; COHORT_ECORRUPT, COHORT_ESYSTEM, COHORT_ENOMEM.  Both block on the
 *  disk: for recovery. */
struct store_reader;
int store_reader_new (struct store *self, struct store_reader **reader,
                      struct store_snapshot_info *info);
/*  Likewise, of the newest below a zxid. */
int store_reader_below (struct store *self, zxid_t zxid, struct store_reader **reader,
                        struct store_snapshot_info *info);
int store_reader_read (struct store_reader *self, uint64_t offset, uint8_t *data, size_t size,
                       size_t *done);
/*  The whole content, from its beginning: the next piece of it, valid until the next call; *size 0:
 *  the end.  Codes as above.  With options.reads_ahead a thread reads and unpacks those behind it
 *  meanwhile (COHORT_ESYSTEM: it cannot be started).  Of one reader either this or read. */
int store_reader_next (struct store_reader *self, const uint8_t **data, size_t *size);
void store_reader_destroy (struct store_reader **self_p);

/*  Before a worker is there: the newest snapshot is of no use, although its checksums are right
 * (its content does not unpack, or not load).  It is struck off, and the one before it counts, with
 * the log since.  COHORT_ECORRUPT: there is none before it; else as store_open.  Blocks. */
int store_snapshot_reject (struct store *self, char *error, size_t error_size);

/*  A source gives the newest as it is stored, for another server; nothing of it blocks, the worker
 *  reads.  COHORT_ESTATE: there is none.  Several at a time; the file and the log behind it are
 *  kept likewise.  bytes_max: of one answer. */
struct store_source;
int store_source_new (struct store *self, size_t bytes_max, struct store_source **source,
                      struct store_snapshot_info *info);

/*  The same, but offsets count from the beginning of the file, and all of it is given: for who
 * wants the file as such (info.file_size bytes). */
int store_source_file (struct store *self, size_t bytes_max, struct store_source **source,
                       struct store_snapshot_info *info);

/*  0: under way, 1: it is there, negative COHORT_E...: it failed (text: why), for good. */
int store_source_state (struct store_source *self);
const char *store_source_text (const struct store_source *self);

/*  With the first state of 1: all of the info is known. */
void store_source_info (const struct store_source *self, struct store_snapshot_info *info);

/*  With a state of 1: asks for whole blocks from an offset on at which one begins, in what is
 *  stored (0; behind what was given before); once that is there, data gives them: 0 bytes at the
 *  end.  They live until the next call of ask or destroy. */
void store_source_ask (struct store_source *self, uint64_t offset);
size_t store_source_data (const struct store_source *self, const uint8_t **data);
void store_source_destroy (struct store_source **self_p);

/*  For who receives what a source gives: in memory alone, any thread.  original: what the source's
 *  info says.  new: COHORT_EUNSUPPORTED: packed in a way that is not known here; COHORT_ENOMEM. */
struct store_unpacker;
int store_unpacker_new (const struct store_snapshot_info *original,
                        struct store_unpacker **unpacker);
void store_unpacker_destroy (struct store_unpacker **self_p);

/*  Checks and unpacks the block that `data` begins with, the one behind the last.  *used: its bytes
 *  there; content lives until the next call, or as long as data.  COHORT_ECORRUPT, COHORT_ENOMEM:
 *  nothing has moved on. */
int store_unpacker_next (struct store_unpacker *self, const uint8_t *data, size_t size,
                         size_t *used, const uint8_t **content, size_t *content_size);

/*  Whether all of it has come, and the content is what was announced. */
bool store_unpacker_whole (const struct store_unpacker *self);

/*  The snapshots behind `last` are sound, but of a state that is wrong: from now on they do not
 *  count.  Nothing happens if there would be neither a snapshot left nor the beginning of the log.
 */
void store_snapshots_strike (struct store *self, zxid_t last);

/*  What the newest snapshot at or before `proven` makes, with the log behind it, is known to be
 *  right (0: of none is that known, so it may be the oldest alone).  It stays, beside the newest
 *  ones, as long as the log behind it has no more than log_bytes_max (at first 0). */
void store_keep_proven (struct store *self, zxid_t proven, uint64_t log_bytes_max);

/*  Drops what is not needed any more from the front of the log (the oldest of the snapshots kept,
 *  or the oldest open reader, is the new base) and says whether there was anything.  Nothing is
 *  dropped but here, so that the driver can tell the core at once (ZAB_EVENT_COMPACTED); to be
 *  called now and then, at least after each snapshot. */
bool store_compacted (struct store *self, struct zab_point *base, int64_t *stamp_ms);

/* ---- The worker -------------------------------------------------------------------------- */

/*  Does all that is waiting now, or, if nothing is, what store_work_due has announced, without
 *  looking at a clock: the caller waits.  Returns false if there was nothing to do.  Worker only.
 */
bool store_work (struct store *self);

/*  Milliseconds, from the last store_work on, until the worker has something to do by itself (the
 *  idle flush that writes the durable watermark 100 ms after the last batch, space reserved ahead,
 *  another try on a full disk); -1: nothing.  Worker only. */
int store_work_due (struct store *self);

/*  A thread that works, for servers.  notify runs on it after each piece of work; it must only
 *  wake the owner.  Stop: finishes what is waiting; a thread may be started again. */
struct store_thread;
typedef void store_notify_fn (void *arg);
int store_thread_start (struct store *store, store_notify_fn *notify, void *arg,
                        struct store_thread **thread);
void store_thread_stop (struct store_thread **self_p);

/*  Between the two, which the owner calls at the beginning and the end of a turn, a single small
 *  entry, with nothing else under way, is kept back; store_go then does it on the owner's thread,
 *  which saves a lone request two changes of threads.  Everything else goes to the thread at once,
 * as does all that follows a sync that was slow.  true: something was done, look for it.  Without a
 *  thread they do nothing. */
void store_gather (struct store *self);
bool store_go (struct store *self);

#endif
