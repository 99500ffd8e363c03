/* Assertions that are always on.
 *
 * An assertion states what the program's own logic guarantees. Data from the network, the disk or
 * a caller of the public interface is never asserted on: that is an error path with a test.
 * May include: libc only. */

#ifndef COHORT_BASE_ASSERT_H
#define COHORT_BASE_ASSERT_H

/* Aborts, with a message, when cond is false. One condition each; cond must have no effects. */
#define COHORT_ASSERT(cond)                                                                        \
    (__builtin_expect (!!(cond), 1) ? (void) 0 : assert_fail (#cond, __FILE__, __LINE__))

/* Called instead of printing when an assertion fails; the strings are static. Tests leave it by
 * longjmp, the simulator reports its seed; when it returns, the process aborts. */
typedef void assert_handler_fn (const char *expr, const char *file, int line);

/* Replaces the handler of the whole process; NULL brings back the default, which prints
 * "file:line: assertion failed: expr" to stderr. Any thread; for tests and the simulator only. */
void assert_set_handler (assert_handler_fn *handler);

/* Reports a failed assertion and aborts. Any thread. */
#ifdef COHORT_MUTATIONS
void assert_fail (const char *expr, const char *file, int line); /* or forgives it: mutation.h */
#else
_Noreturn void assert_fail (const char *expr, const char *file, int line);
#endif

#endif
