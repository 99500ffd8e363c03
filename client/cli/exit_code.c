#include "client/cli/exit_code.h"

#include "cohort/error.h"

const char exit_code_list[] = "  0  it worked                     5  the znode exists already\n"
                              "  1  it failed                     6  the version does not match\n"
                              "  2  wrong usage                   7  no permission\n"
                              "  3  no connection, session lost   8  the servers have no quorum\n"
                              "  4  the znode does not exist    124  the time limit has passed\n";

int exit_code_of (int rc)
{
    switch (rc) {
    case COHORT_OK:
        return CLI_EXIT_OK;
    case COHORT_EINVAL:
    case COHORT_EPATH:
        return CLI_EXIT_USAGE;
    case COHORT_ECONNECT:
    case COHORT_ESESSIONEXPIRED:
        return CLI_EXIT_NO_CONNECTION;
    case COHORT_ENONODE:
        return CLI_EXIT_NO_NODE;
    case COHORT_ENODEEXISTS:
        return CLI_EXIT_EXISTS;
    case COHORT_EBADVERSION:
        return CLI_EXIT_BAD_VERSION;
    case COHORT_ENOAUTH:
    case COHORT_EAUTHFAILED:
        return CLI_EXIT_NO_PERMISSION;
    case COHORT_ENOQUORUM:
        return CLI_EXIT_NO_QUORUM;
    case COHORT_ETIMEDOUT:
        return CLI_EXIT_TIMED_OUT;
    default:
        return CLI_EXIT_FAILED;
    }
}
