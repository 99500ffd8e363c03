/*
 * server/stderr_log.h - the log of cohortd: a line an event, on stderr
 *
 * May include: cohort/server.h, libc, POSIX.
 */
#ifndef COHORT_SERVER_STDERR_LOG_H
#define COHORT_SERVER_STDERR_LOG_H

/* A cohort_log_fn.  Any thread; does not block: where stderr is a pipe that nobody reads any more
 * lines are dropped, and the first that gets through again is preceded by how many those were. */
void log_to_stderr (int level, const char *event, const char *details, void *arg);

#endif
