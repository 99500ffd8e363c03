/*
 * cohort/error.h - the error codes of every Cohort function
 *
 * A function that can fail returns 0 or a negative code of this table.  Codes are stable: a
 * number is never given a second meaning.  Where ZooKeeper knows the same failure, the number
 * is ZooKeeper's, so that a log line means the same to people who know it.  The number is also
 * what travels on the wire.
 *
 * Three kinds, told apart by cohort_error_kind:
 *    definite   the operation did not take place, and the same call would fail again;
 *    retryable  the operation did not take place, the same call may succeed later;
 *    unknown    the operation may or may not have taken place.  The only such outcomes are a
 *               write that was pending when its session was lost (COHORT_ESESSIONEXPIRED) and a
 *               blocking call that gave up waiting (COHORT_ETIMEDOUT: the write stays queued and
 *               is still applied at most once).
 */
#ifndef COHORT_ERROR_H
#define COHORT_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/* X (name, number, kind, text) */
#define COHORT_ERROR_MAP(X)                                                                        \
    X (OK, 0, DEFINITE, "success")                                                                 \
    X (ESYSTEM, -1, DEFINITE, "the operating system refused a call")                               \
    X (EPROTOCOL, -5, DEFINITE, "a frame could not be understood")                                 \
    X (EUNSUPPORTED, -6, DEFINITE, "the server does not know this operation")                      \
    X (ETIMEDOUT, -7, UNKNOWN, "the time limit of the call passed; a write stays queued")          \
    X (EINVAL, -8, DEFINITE, "an argument is not valid")                                           \
    X (ESTATE, -9, DEFINITE, "the object is not in a state that allows this call")                 \
    X (ENOMEM, -10, RETRYABLE, "out of memory")                                                    \
    X (ENOQUORUM, -13, RETRYABLE, "the servers have no quorum")                                    \
    X (ENONODE, -101, DEFINITE, "the znode does not exist")                                        \
    X (ENOAUTH, -102, DEFINITE, "no permission")                                                   \
    X (EBADVERSION, -103, DEFINITE, "the version does not match")                                  \
    X (ENOCHILDREN4EPHEMERALS, -108, DEFINITE, "an ephemeral znode cannot have children")          \
    X (ENODEEXISTS, -110, DEFINITE, "the znode exists already")                                    \
    X (ENOTEMPTY, -111, DEFINITE, "the znode has children")                                        \
    X (ESESSIONEXPIRED, -112, UNKNOWN, "the session has ended")                                    \
    X (EINVALIDACL, -114, DEFINITE, "the access control list is not valid")                        \
    X (EAUTHFAILED, -115, DEFINITE, "authentication failed")                                       \
    X (ECLOSING, -116, UNKNOWN, "the handle is being closed")                                      \
    X (ESESSIONMOVED, -118, DEFINITE, "a newer owner has taken the session over")                  \
    X (ENOWATCHER, -121, DEFINITE, "there is no such watch")                                       \
    X (EQUOTA, -125, DEFINITE, "a quota is exceeded")                                              \
    X (EDEADLK, -200, DEFINITE, "a blocking call inside a callback would wait for itself")         \
    X (EPATH, -201, DEFINITE, "the path is malformed")                                             \
    X (ETOOBIG, -202, DEFINITE, "a limit on size is exceeded")                                     \
    X (EBADCZXID, -203, DEFINITE, "the znode is not the one that was meant (czxid differs)")       \
    X (EBADOWNER, -204, DEFINITE, "the znode's owner is another (session or ozxid differs)")       \
    X (EROLLEDBACK, -205, DEFINITE, "undone, or not tried: another operation of the multi failed") \
    X (EWINDOW, -206, RETRYABLE, "too many results of this session are unacknowledged")            \
    X (ECLUSTER, -207, DEFINITE, "the server belongs to another cluster")                          \
    X (EVERSION, -208, DEFINITE, "client and server share no protocol version")                    \
    X (EDISKFULL, -209, RETRYABLE, "the server's disk is full")                                    \
    X (ECONNECT, -210, RETRYABLE, "no server can be reached")                                      \
    X (EFENCED, -211, DEFINITE, "a newer holder has taken over")                                   \
    X (EDUPLICATE, -212, DEFINITE, "the request was applied before")                               \
    X (EGAP, -213, RETRYABLE, "an earlier request of the session is missing")                      \
    X (ELIMIT, -214, RETRYABLE, "a limit on count is reached")                                     \
    X (ECORRUPT, -215, DEFINITE, "stored data is damaged")                                         \
    X (EINUSE, -216, DEFINITE, "the address or folder is in use")                                  \
    X (ECONFIG, -217, DEFINITE, "the configuration is not valid")                                  \
    X (EBOUNDS, -218, DEFINITE, "the sum would be below the floor or above the ceiling")           \
    X (ENOTNUMBER, -219, DEFINITE, "the znode's data is not a decimal number of 64 bits")          \
    X (EBUSY, -220, RETRYABLE, "somebody else holds it, or is in the way")                         \
    X (ERESERVED, -225, DEFINITE, "the znode is the servers' own: clients cannot change it")

enum cohort_error {
#define COHORT_ERROR_ENUM(name, number, kind, text) COHORT_##name = number,
    COHORT_ERROR_MAP (COHORT_ERROR_ENUM)
#undef COHORT_ERROR_ENUM
};

enum cohort_error_kind {
    COHORT_KIND_DEFINITE = 0,
    COHORT_KIND_RETRYABLE = 1,
    COHORT_KIND_UNKNOWN = 2
};

#if defined(__GNUC__)
#define COHORT_API        __attribute__ ((visibility ("default")))
#define COHORT_MUST_CHECK __attribute__ ((warn_unused_result))
#else
#define COHORT_API
#define COHORT_MUST_CHECK
#endif

/* The name of a code, such as "COHORT_ENONODE", or "COHORT_EUNKNOWN".  Static; any thread. */
COHORT_API const char *cohort_error_name (int code);

/* The text of a code, in English, without a full stop.  Static; any thread. */
COHORT_API const char *cohort_error_text (int code);

/* COHORT_KIND_...: see the head of this file.  A code that is not in the table is UNKNOWN. */
COHORT_API int cohort_error_kind (int code);

#ifdef __cplusplus
}
#endif
#endif
