/* ended.h: paths of a request as C strings
 *
 * On the wire a path is bytes, which protobuf-c does not end with 0: frames that are unpacked with
 * this allocator can be read as the tests like to read them.
 */

#ifndef COHORT_TESTS_UNIT_CLIENT_ENDED_H
#define COHORT_TESTS_UNIT_CLIENT_ENDED_H

#include <protobuf-c/protobuf-c.h>
#include <stdlib.h>

static inline void *ended_alloc (void *arg, size_t size)
{
    (void) arg;
    return calloc (1, size + 1);
}

static inline void ended_free (void *arg, void *memory)
{
    (void) arg;
    free (memory);
}

/* The allocator of a frame; goes to its free_unpacked, too. */
static inline ProtobufCAllocator *ended_allocator (void)
{
    static ProtobufCAllocator allocator = {ended_alloc, ended_free, NULL};
    return &allocator;
}

/* The bytes, of a frame that was unpacked with it, as a string that lives as long as the frame. */
static inline char *ended (ProtobufCBinaryData bytes)
{
    static char none[1];
    return bytes.len > 0 ? (char *) bytes.data : none;
}

#endif
