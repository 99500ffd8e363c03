/* server/inspect/gather.h - between the files of inspect.c */
#ifndef SERVER_INSPECT_GATHER_H
#define SERVER_INSPECT_GATHER_H

#include "server/inspect/inspect.h"

struct gathering {
    const struct inspect_options *options;
    struct inspect_report *report;
    uint64_t done, total; /* bytes */
    bool failed;          /* memory */
};

/* A place at the end of an array of the report; NULL: out of memory, noted. */
void *gather_grow (struct gathering *self, void **items, size_t *count, size_t size);

/* As much of the text as there is room for. */
void gather_text (char *to, size_t size, const char *from);

/* Adds a finding; NULL: out of memory, noted. */
struct inspect_finding *gather_find (struct gathering *self, enum inspect_kind kind,
                                     const char *file, const char *what);
/* Likewise, out of a fault, whose text begins with the file's name. */
struct inspect_finding *gather_fault (struct gathering *self, const struct fault *fault);

void gather_progress (struct gathering *self, const char *file, uint64_t bytes);

/* Verifies the snapshots, and finds what is wrong with those that are listed. */
int gather_snapshots (struct gathering *self, struct fault *fault);

/* Fills in what the segments hold, and the findings of the log. */
int gather_log (struct gathering *self, struct fault *fault);

#endif
