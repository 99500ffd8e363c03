/* What ThreadSanitizer is to overlook, in tests with sockets: libzmq is not instrumented, so that
 * it sees none of the synchronization in there. */

#if defined(__SANITIZE_THREAD__)
__attribute__ ((visibility ("default"))) const char *__tsan_default_suppressions (void);

const char *__tsan_default_suppressions (void)
{
    return "called_from_lib:libzmq.so\nrace:libzmq.so\n"
           "called_from_lib:libpgm-5.3.so\nrace:libpgm-5.3.so\n"
           "called_from_lib:libsodium.so\nrace:libsodium.so\n";
}
#else
/* A translation unit must not be empty. */
typedef int tsan_not_used;
#endif
