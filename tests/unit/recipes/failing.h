/* Allocations that fail on demand: the recipes are compiled with failing_malloc for malloc, and so
 * on. For the one source of a program that has its main. */

#ifndef COHORT_TESTS_RECIPES_FAILING_H
#define COHORT_TESTS_RECIPES_FAILING_H

#include <stdbool.h>
#include <stdlib.h>

static long countdown = -1; /* allocations that succeed before one fails; -1: none will */
static long failures = 1;   /* that fail one after the other */

static bool fails (void)
{
    if (countdown < 0 || countdown-- > 0) {
        return false;
    }
    failures--;
    countdown = failures > 0 ? 0 : -1;
    return true;
}

void *failing_malloc (size_t size);
void *failing_realloc (void *memory, size_t size);

void *failing_malloc (size_t size)
{
    return fails () ? NULL : malloc (size);
}

void *failing_realloc (void *memory, size_t size)
{
    return fails () ? NULL : realloc (memory, size);
}

#endif
