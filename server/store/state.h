/*
 *  server/store/state.h - what owner and worker of a store have, each and together
 *
 *  Nothing is touched by both but what stands under "both", and the bytes of chunks: the owner
 *  reads its own fields and the data of records, the worker adds its fields before it completes
 *  the work; after that they are the owner's.
 */
#ifndef SERVER_STORE_STATE_H
#define SERVER_STORE_STATE_H

#include <stdatomic.h>

#include "client/base/list.h"
#include "server/store/ahead.h"
#include "server/store/aside.h"
#include "server/store/cache.h"
#include "server/store/log.h"
#include "server/store/meta.h"
#include "server/store/queue.h"
#include "server/store/snapshot.h"
#include "server/store/store.h"

/* ---- Work -------------------------------------------------------------------------------- */

enum work_type {
    /*  the log's lane */
    WORK_APPEND = 1,
    WORK_TRUNCATE,
    WORK_EPOCHS,
    WORK_META,
    WORK_PROVEN,
    WORK_NOTHING,  /*  only completes its number */
    WORK_WITHDRAW, /*  on a full disk ends what waits before it */
    /*  the snapshots' lane */
    WORK_SNAPSHOT_BEGIN,
    WORK_SNAPSHOT_BLOCK,
    WORK_SNAPSHOT_END,
    WORK_SNAPSHOT_DROP,
    WORK_SNAPSHOT_STRIKE,
    WORK_PURGE
};

struct work {
    struct list_node node;
    enum work_type type;
    uint64_t ticket; /*  of the log's lane: counted from 1 */
    uint64_t number; /*  the persist request that is complete with this; 0: none */
    /*  APPEND: records of a chunk, [records + done, records + size) still to be written */
    uint8_t *records;
    size_t size, done;
    /*  TRUNCATE: to this point; record: in memory, or NULL: it ends at `end` of `segment`, or is
     *  the base (segment 0), with its stamp.  PURGE: the new base, and its stamp. */
    struct zab_point point;
    const uint8_t *record;
    uint32_t segment;
    uint64_t end;
    int64_t stamp_ms;
    /*  EPOCHS */
    uint32_t accepted_epoch, current_epoch;
    bool whole; /*  the mark of damage, if there is one, ends */
    /*  META: the owner's, who waits */
    const struct store_meta *meta;
    int *meta_code;
    /*  SNAPSHOT */
    struct store_writer *writer;
    uint8_t *block; /*  this work's; released when done */
    size_t block_size;
    bool install;
    uint64_t serial; /*  STRIKE: this one counts no more */
    bool purged;     /*  PURGE: only the files are still to go */
};

/*  What has come of store_withdraw. */
enum withdrawal {
    WITHDRAWAL_NONE = 0,
    WITHDRAWAL_ASKED,
    WITHDRAWAL_DONE,    /*  `withdrawn` says what is left */
    WITHDRAWAL_NEEDLESS /*  everything before it is durable, or will be */
};

enum writer_phase { WRITER_WRITING = 0, WRITER_VERIFYING, WRITER_RENAMING, WRITER_OVER };

struct store_writer {
    struct store *store;
    /*  owner */
    uint8_t *block; /*  being filled; header first */
    size_t block_used;
    bool install, finished;
    bool copies;           /*  what is appended are stored blocks */
    bool applied;          /*  the owner's view has followed */
    bool left;             /*  by the caller: goes on by itself */
    uint64_t log_position; /*  of the point, in the stream of records */
    /*  set by the owner before the worker knows it */
    struct zab_point point;
    int64_t stamp_ms;
    struct store_snapshot_info original; /*  copies */
    /*  both */
    _Atomic int state;
    _Atomic uint64_t pending;
    _Atomic bool cancelled; /*  not to count */
    /*  worker; entry is the owner's once state is 1 */
    enum writer_phase phase;
    struct snapshot_writer file;
    struct snapshot_reader reader;
    struct snapshot_entry entry;
};

struct store_reader {
    struct list_node node;
    struct store *store;
    struct snapshot_reader file;
    /*  store_reader_next: one of them, once it was asked */
    struct ahead *ahead;
    uint8_t *piece;
    uint64_t offset;
};

/*  Who may touch a source. */
enum source_state {
    SOURCE_BUSY,     /*  the worker; the owner's next word will be that it lets go */
    SOURCE_READY,    /*  the owner */
    SOURCE_ABANDONED /*  the worker, who frees it */
};

struct store_source {
    struct list_node node;      /*  of store.sources, the owner's: keeps the file */
    struct list_node work_node; /*  BUSY: of the lane of reading */
    struct store *store;
    struct snapshot_entry entry;
    bool whole_file;
    _Atomic int state;
    /*  of whoever may touch it */
    bool opened;
    int code; /*  of what was asked for last */
    struct fault fault;
    struct file_ids ids;
    struct snapshot_reader file;
    uint64_t offset;
    uint8_t *data;
    size_t room, done;
};

/* ---- The store --------------------------------------------------------------------------- */

/*  What recovery found, beside what it put into the parts. */
struct recovered {
    zxid_t committed;
    bool has_snapshot;
    struct snapshot_entry snapshot; /*  the newest valid one */
    size_t unsound_count;
    struct snapshot_entry unsound[MANIFEST_SNAPSHOTS_MAX]; /*  newer ones, struck off */
};

struct store {
    struct disk *disk;

    /*  owner */
    struct store_meta meta;
    struct cache cache;
    int64_t base_stamp_ms;
    struct recovered recovered;
    struct zab_past *past; /*  for a core; NULL: it was taken, or there is none */
    zxid_t chained;
    struct aside aside;
    size_t snapshots_count;
    struct snapshot_entry snapshots[MANIFEST_SNAPSHOTS_MAX]; /*  ascending */
    unsigned snapshots_kept;
    zxid_t proven; /*  the state is known to be right there, and behind it */
    uint64_t proven_bytes_max;
    uint64_t snapshot_position; /*  of the newest one's point, in the stream of records */
    struct store_writer *writer;
    struct list readers;
    struct list sources;
    uint64_t tickets;   /*  given out */
    uint64_t submitted; /*  bytes of records */
    uint64_t number;    /*  of the last persist request */
    bool threaded;
    bool gathers;      /*  between store_gather and store_go */
    bool deferred;     /*  ... the worker does not know what was submitted */
    unsigned declined; /*  so many times the owner leaves to the worker what it could do itself */
    struct fault owner_fault;

    /*  both */
    struct queue *queue;
    _Atomic uint64_t completed;  /*  persist request */
    _Atomic uint64_t done;       /*  ticket */
    _Atomic uint64_t durable;    /*  bytes of records */
    _Atomic int space;           /*  0 or COHORT_EDISKFULL */
    _Atomic uint64_t space_left; /*  bytes, when the disk was last found full */
    _Atomic int withdrawal;      /*  enum withdrawal: the owner asks, and takes the answer */
    _Atomic int failed;          /*  0 or the code of worker_fault, which then stays as it is */
    _Atomic bool slow;           /*  a turn of the thread was; until the owner has taken note */

    /*  worker; the owner's while withdrawal is WITHDRAWAL_DONE */
    struct {
        struct zab_point last;
        uint32_t accepted_epoch, current_epoch;
        enum zab_trust trust;
        zxid_t suspect;
    } withdrawn;

    /*  worker */
    struct log log;
    struct meta_file meta_file;
    struct fault worker_fault;
    int snapshot_level;
    bool reads_ahead;
    struct list waiting[LANES]; /*  taken out of the queue */
    struct list written;        /*  of the log's lane: to be completed by the next sync */
    uint64_t written_bytes;
    bool full;        /*  the log's lane stands still */
    bool pause;       /*  the last attempt to get space has failed */
    bool purge_stuck; /*  the snapshots' lane does    */
    bool freed;       /*  a purge has let go of memory, which the system may have back */
};

/* ---- Between the files of the store ------------------------------------------------------ */

/*  Lock, read, check, repair; fills meta, cache, snapshots, log, meta_file, recovered. */
int recovery_run (struct store *self, const struct store_options *options, struct fault *fault);

/*  One round of the worker: all of the log's lane, then a slice of the snapshots'.  false: there
 *  was nothing. */
bool worker_turn (struct store *self);
/*  What worker_due has announced; false: nothing. */
bool worker_idle (struct store *self);
/*  Whether it waits for space, so that worker_idle tries again, after so long. */
enum { WORKER_RETRY_MS = 500 };
bool worker_stuck (const struct store *self);
int worker_due (const struct store *self);
/*  An orderly end: the log says how far it is durable. */
void worker_finish (struct store *self);
/*  Lets go of all work that was not done; the worker has stopped. */
void worker_discard (struct store *self);

/*  The worker's part of the snapshots: one step for the first of the lane; true: it is done, and
 *  may be released.  *rc: set if it failed for good. */
bool worker_snapshot_step (struct store *self, struct work *work, struct fault *fault, int *rc);

void writer_free (struct store_writer *writer);
bool writer_is_cancelled (const struct store_writer *writer);

/*  Gives back to the system what has been freed and is kept for later.  With hundreds of megabytes
 *  in use that takes milliseconds, in which who asks for memory may have to wait. */
void store_give_back (void);

/*  The worker's part of reading: what the first of the lane wants.  The source is not touched
 *  afterwards. */
void worker_read (struct store *self, struct store_source *source);
void source_free (struct store_source *source);

/*  Owner: takes over what a writer has finished. */
void snapshots_poll (struct store *self);

/*  A reader of this one, whether the store is open yet or not; codes of store_reader_new. */
int snapshots_reader (struct store *self, const struct file_ids *ids,
                      const struct snapshot_entry *entry, struct store_reader **reader_p,
                      struct store_snapshot_info *info);

bool snapshots_installing (const struct store *self);
void snapshots_deinit (struct store *self);
/*  Owner: a failure of its own. */
void store_fail (struct store *self, const struct fault *fault);
/*  Owner: a new element for a lane of the queue; NULL: out of memory, noted as failure. */
struct work *work_new (struct store *self, enum work_type type);
void work_push (struct store *self, enum queue_lane lane, struct work *work);
/*  Owner: the same for a list.  A single small append, if nothing is under way, may wait for
 * store_go.
 */
void work_submit (struct store *self, enum queue_lane lane, struct list *list);

#endif
