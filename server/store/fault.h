/*
 *  server/store/fault.h - an error with a text that names file and place
 *
 *  Inside the store a function that can fail returns 0 or COHORT_E... and has put the text into
 *  the fault.  May include: base, disk.h, public error codes.
 */
#ifndef SERVER_STORE_FAULT_H
#define SERVER_STORE_FAULT_H

#include <stdint.h>

enum { FAULT_TEXT_SIZE = 384 };

struct fault {
    int code;
    uint64_t offset; /*  in the file that the text begins with; 0: none, or its head */
    char text[FAULT_TEXT_SIZE];
};

/*  Notes code and text; returns the code. */
int fault_set (struct fault *self, int code, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/*  Adds the place; returns the code. */
int fault_at (struct fault *self, uint64_t offset);

/*  A call of the disk failed with a negative errno: "log.3: write: no space left (ENOSPC)".
 *  COHORT_EDISKFULL for want of space, COHORT_ENOMEM, else COHORT_ESYSTEM. */
int fault_disk (struct fault *self, const char *name, const char *call, int error);

/*  Likewise for a call after which nothing may be tried again: never COHORT_EDISKFULL. */
int fault_final (struct fault *self, const char *name, const char *call, int error);

/*  COHORT_ENOMEM. */
int fault_memory (struct fault *self);

#endif
