/*
 *  server/store/fault.c - an error with a text that names file and place
 *
 *  May include: base, libc, errno.h, public error codes.
 */
#include "server/store/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "client/base/assert.h"
#include "cohort/error.h"

int fault_set (struct fault *self, int code, const char *format, ...)
{
    COHORT_ASSERT (code < 0);
    va_list args;
    va_start (args, format);
    (void) vsnprintf (self->text, sizeof self->text, format, args);
    va_end (args);
    self->code = code;
    self->offset = 0;
    return code;
}

int fault_at (struct fault *self, uint64_t offset)
{
    self->offset = offset;
    return self->code;
}

/*  strerror is not safe with threads and speaks the language of the place; these are the few that
 *  a disk gives. */
static const char *errno_text (int error)
{
    switch (error) {
    case EACCES:
        return "permission denied (EACCES)";
    case EPERM:
        return "not permitted (EPERM)";
    case EBUSY:
        return "in use (EBUSY)";
    case EDQUOT:
        return "quota exceeded (EDQUOT)";
    case EEXIST:
        return "exists already (EEXIST)";
    case EFBIG:
        return "file too large (EFBIG; see ulimit -f)";
    case EIO:
        return "input/output error (EIO)";
    case EISDIR:
        return "is a folder (EISDIR)";
    case EMFILE:
        return "too many open files (EMFILE)";
    case ENFILE:
        return "too many open files in the system (ENFILE)";
    case ENOENT:
        return "no such file (ENOENT)";
    case ENOMEM:
        return "out of memory (ENOMEM)";
    case ENOSPC:
        return "no space left (ENOSPC)";
    case ENOTDIR:
        return "not a folder (ENOTDIR)";
    case ENXIO:
        return "not a file of data, but a pipe or a device (ENXIO)";
    case EROFS:
        return "read-only file system (EROFS)";
    case ESTALE:
        return "removed from its folder, or moved with it, while it is in use (ESTALE)";
    default:
        return NULL;
    }
}

int fault_disk (struct fault *self, const char *name, const char *call, int error)
{
    COHORT_ASSERT (error < 0);
    int code = error == -ENOSPC   ? COHORT_EDISKFULL
               : error == -ENOMEM ? COHORT_ENOMEM
                                  : COHORT_ESYSTEM;
    const char *text = errno_text (-error);
    if (text != NULL) {
        return fault_set (self, code, "%s: %s: %s", name, call, text);
    }
    return fault_set (self, code, "%s: %s: error %d", name, call, -error);
}

int fault_final (struct fault *self, const char *name, const char *call, int error)
{
    int code = fault_disk (self, name, call, error);
    self->code = code == COHORT_EDISKFULL ? COHORT_ESYSTEM : code;
    return self->code;
}

int fault_memory (struct fault *self)
{
    return fault_set (self, COHORT_ENOMEM, "out of memory");
}
