/* server/inspect/inspect.h - what is in a data folder, whether it is sound, and what a server would
 * do with it
 *
 * Offline and read-only: files are read, nothing is written, and what a store would do with them is
 * found by letting one do it in memory (overlay.h). So what is called sound is what a server calls
 * sound. All of it blocks. One thread.
 */
#ifndef SERVER_INSPECT_INSPECT_H
#define SERVER_INSPECT_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/store/disk.h"
#include "server/store/fault.h"
#include "server/store/format.h"

enum { INSPECT_TEXT_SIZE = 1024, INSPECT_NAME_SIZE = 256 };

/* ---- Parts ------------------------------------------------------------------------------- */

struct inspect_copy {
    const char *name;
    int code;        /* 0: sound; COHORT_ENONODE: missing; COHORT_ECORRUPT, COHORT_ECONFIG: of */
    uint64_t number; /* another version                                                        */
    struct store_meta meta;
};

enum inspect_ending {
    INSPECT_SEALED = 1, /* the log goes on in the next segment */
    INSPECT_CUT,        /* ends where the manifest says: what is behind was truncated */
    INSPECT_OPEN,       /* the last one */
    INSPECT_WAITING,    /* made ahead of time, not used yet */
    INSPECT_BROKEN,     /* ceases before its end, or cannot be read at all */
    INSPECT_UNLISTED    /* not in the manifest: left by an interruption, or that is an older one */
};

struct inspect_segment {
    struct span span; /* as the manifest has it; unlisted: all of the file */
    enum inspect_ending ending;
    int code; /* of reading it: 0, or COHORT_E..., with its text */
    char text[FAULT_TEXT_SIZE];
    uint64_t file_size;
    uint64_t entries, records; /* records: entries, marks and seals */
    zxid_t first, last;        /* entries; 0: none */
    zxid_t durable, commit;    /* the highest that its records name */
    uint64_t end;              /* behind the last record that follows its predecessor */
    uint64_t behind;           /* bytes from there to the last that is not zero */
    uint64_t spare;            /* zeros at the end: space reserved ahead of time */
    uint64_t lost;             /* entries that can be told behind the end, and the last of them */
    zxid_t lost_last;
};

struct inspect_snapshot {
    char name[NAME_SIZE];
    bool listed; /* in the manifest */
    int code;
    char text[FAULT_TEXT_SIZE];
    struct snapshot_entry entry; /* unlisted: as its head and end say */
    bool loaded;                 /* the numbers of its state are known */
    uint64_t znodes, ephemerals, sessions;
};

enum inspect_file_kind { INSPECT_OTHER = 0, INSPECT_ASIDE, INSPECT_LEFT_OVER };

struct inspect_file {
    char name[INSPECT_NAME_SIZE];
    uint64_t size;
    enum inspect_file_kind kind;
};

/* ---- Findings ---------------------------------------------------------------------------- */

enum inspect_kind {
    INSPECT_TORN = 1,   /* no damage: what a crash leaves behind the end of the log */
    INSPECT_STRAY,      /* no damage: files that an interruption has left */
    INSPECT_CORRUPTION, /* what was there is not any more */
    INSPECT_SUSPECT,   /* entries that cannot be read, of which nobody knows whether they counted */
    INSPECT_MARKED,    /* an earlier recovery has lost something that is not healed yet */
    INSPECT_FOREIGN,   /* of another server, store, cluster or version */
    INSPECT_UNFINISHED /* a backup was to be restored here, and was not to the end */
};

struct inspect_finding {
    enum inspect_kind kind;
    char file[INSPECT_NAME_SIZE];
    uint64_t offset; /* 0: none */
    bool has_zxid;   /* of the log: */
    zxid_t zxid;     /* what comes before the place is sound up to here */
    char what[INSPECT_TEXT_SIZE];
    const char *then; /* what becomes of it; NULL: see the outcome */
};

bool inspect_is_damage (enum inspect_kind kind);
const char *inspect_kind_name (enum inspect_kind kind);       /* "torn-tail", "corruption", ... */
const char *inspect_ending_name (enum inspect_ending ending); /* "sealed", ... */

/* What the store of a server would make of the folder. */
struct inspect_outcome {
    int code;                     /* of store_open */
    char text[INSPECT_TEXT_SIZE]; /* code: why; else what was repaired, "": nothing */
    uint64_t store_id;
    enum zab_trust trust;
    zxid_t suspect;
    zxid_t base, last, committed, snapshot;
};

/* ---- All of it --------------------------------------------------------------------------- */

struct inspect_report {
    struct inspect_copy copies[2];
    const struct store_meta *meta; /* of the copy that counts; NULL: neither is sound */
    size_t voters;                 /* as the metadata has them; 0: not known */
    int manifest_code;             /* as inspect_copy.code */
    struct file_ids ids;           /* of the folder, as far as known */
    struct manifest manifest;
    size_t segments_count, snapshots_count, files_count, findings_count;
    struct inspect_segment *segments;   /* ascending */
    struct inspect_snapshot *snapshots; /* ascending */
    struct inspect_file *files;         /* all others, by name */
    struct inspect_finding *findings;   /* damage first, in the order in which a start meets it */
    size_t damages_count;               /* of them, damage */
    /* The log as recovery reads it; only if there are metadata and manifest. */
    bool has_log;
    zxid_t log_last, log_durable, log_committed;
    bool healable; /* there are other voters, so that a server would start with what is sound */
    struct inspect_outcome outcome;
};

typedef void inspect_progress_fn (void *arg, const char *file, uint64_t done, uint64_t total);

struct inspect_options {
    struct disk *disk;             /* borrowed; not locked here */
    bool checksums_only;           /* snapshots are verified, but not loaded */
    inspect_progress_fn *progress; /* bytes looked at, of all; NULL: nobody wants to know */
    void *progress_arg;
};

/* Fills the report; 0, or what stands in the way of reading at all: COHORT_ESYSTEM, COHORT_ENOMEM.
 * Then, too, the report is to be deinitialized. */
int inspect_run (const struct inspect_options *options, struct inspect_report *report,
                 struct fault *fault);
void inspect_deinit (struct inspect_report *report);

/* ---- Records ----------------------------------------------------------------------------- */

struct inspect_record {
    const struct record *record; /* segment and offset are in it */
    const uint8_t *data;
};

/* Calls fn for each record of the segment, from the beginning on, as far as one follows the other;
 * fn returns false to stop. 0, COHORT_ESYSTEM, COHORT_ENOMEM; damage ends it like an end. */
typedef bool inspect_record_fn (void *arg, const struct inspect_record *record);
int inspect_records (struct disk *disk, const struct file_ids *ids,
                     const struct inspect_segment *segment, inspect_record_fn *fn, void *arg,
                     struct fault *fault);

/* For people and pipes: what an entry asks for, in one line of ASCII. */
struct buf;
void inspect_entry_text (struct buf *out, const uint8_t *data, size_t size);

/* "4.17" and "0x40000000011" are both a zxid; false: text is neither. */
bool inspect_parse_zxid (const char *text, zxid_t *zxid);

#endif
