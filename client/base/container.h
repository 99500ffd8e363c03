/* From a member of a structure to the structure: what list_entry and map_entry stand on.
 * May include: libc only. */

#ifndef COHORT_BASE_CONTAINER_H
#define COHORT_BASE_CONTAINER_H

#include <stddef.h>

/* The start of the structure that has something at `member`, `offset` bytes from its start. */
static inline void *container_of_member (const void *member, size_t offset)
{
    return (char *) member - offset;
}

/* The structure of this type that holds *pointer as its `member`. */
#define container_of(pointer, type, member)                                                        \
    ((type *) container_of_member ((pointer), offsetof (type, member)))

#endif
