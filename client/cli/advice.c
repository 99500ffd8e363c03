#include "client/cli/advice.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "client/cli/arguments.h"
#include "cohort/error.h"

static const struct {
    int code;
    const char *text;
} table[] = {
    {COHORT_OK, "Nothing."},
    {COHORT_ESYSTEM, "The message names the call and why it failed: descriptors, memory or\n"
                     "permissions of the process are what runs out most (see: ulimit -a)."},
    {COHORT_EPROTOCOL,
     "Something that is not Cohort answers at that address, or a frame was damaged\n"
     "on its way. Check --servers; the clients' port is 5181 by default."},
    {COHORT_EUNSUPPORTED, "The server is older than this client. Update the servers."},
    {COHORT_ETIMEDOUT,
     "The answer did not come in time: see 'cohort status', and give it longer with\n"
     "--timeout MS. A write may or may not have taken place: read before repeating it."},
    {COHORT_EINVAL, "The message names the argument; 'cohort help COMMAND' says what it may be."},
    {COHORT_ESTATE, "A call came before or after its time, such as renewing a session that lives.\n"
                    "This is a mistake in the program."},
    {COHORT_ENOMEM, "Client or server ran out of memory. Try again with less at once."},
    {COHORT_ENOQUORUM, "Less than a majority of the servers can reach each other: nothing can be\n"
                       "written until more are back. 'cohort status' shows which are missing."},
    {COHORT_ENONODE,
     "Check the path with 'cohort ls' of its parent. A parent must exist before its\n"
     "children are created, and a chroot before it is used."},
    {COHORT_ENOAUTH,
     "'cohort whoami' says who the session is, and 'cohort getAcl PATH' who may do what;\n"
     "--auth makes it somebody (see: cohort help addauth). Whether there is a znode at all\n"
     "is not said to who may neither read it nor its parent."},
    {COHORT_EBADVERSION,
     "Somebody has changed the znode since you read it. Read it again, with its\n"
     "version (cohort get -s PATH), make your change anew, and set it."},
    {COHORT_ENOCHILDREN4EPHEMERALS, "Create the child below a persistent znode instead."},
    {COHORT_ENODEEXISTS, "Change it with 'cohort set', or leave it as it is with --if-absent."},
    {COHORT_ENOTEMPTY, "Delete its children first, or all of it with 'cohort deleteall'."},
    {COHORT_ESESSIONEXPIRED,
     "The servers heard nothing of the client for longer than the session's\n"
     "time-out: its ephemerals are gone. Start a new session. A write that had no\n"
     "answer may or may not have taken place."},
    {COHORT_EINVALIDACL,
     "The message names the item that cannot be understood (see: cohort help setAcl).\n"
     "auth:: stands for users that the session has proven to be: it takes --auth."},
    {COHORT_EAUTHFAILED,
     "The keys do not fit: compare --server-key with the public key of the servers. Of\n"
     "addauth: the server does not know the scheme. Of a session that is taken up: its\n"
     "password is not the one that the state file has."},
    {COHORT_ECLOSING, "The program destroyed the handle while the operation was under way."},
    {COHORT_ESESSIONMOVED,
     "Another process goes on with this session: this one is to stop using it."},
    {COHORT_ENOWATCHER,
     "It has fired already, or was never set: a one-shot watch reports one change."},
    {COHORT_EQUOTA, "Delete something below the znode with the quota, or raise the quota."},
    {COHORT_EDEADLK, "Callbacks must not call what blocks: use the _async form there."},
    {COHORT_EPATH,
     "A path begins with /, does not end with one, has no empty part, and none that is\n"
     ". or .. ; the message says where and why."},
    {COHORT_ETOOBIG,
     "Data takes up to 1 MiB, a path up to 4,096 bytes, a transaction 1,024 operations\n"
     "and deletes up to 1,000 znodes of trees, unless the ensemble is configured\n"
     "otherwise. Divide it."},
    {COHORT_EBADCZXID,
     "The znode was deleted and created anew since: yours is gone. If the czxid was a\n"
     "fencing token, its holder has lost what it held."},
    {COHORT_EBADOWNER,
     "Another session owns the znode now: whatever it stood for is no longer yours."},
    {COHORT_EROLLEDBACK,
     "Nothing of the transaction took place: see the operation that failed itself."},
    {COHORT_EWINDOW, "The client asks faster than it takes the answers. Wait for some of them."},
    {COHORT_ECLUSTER, "The address leads to servers of another ensemble: check --servers."},
    {COHORT_EVERSION, "Client and server are too far apart in age. Update the older one."},
    {COHORT_EDISKFULL, "Make room in the dataDir of the server; it goes on by itself then."},
    {COHORT_ECONNECT, "Is a server running (cohortd dev starts one), and is --servers right?"},
    {COHORT_EFENCED, "A newer holder has taken over: stop, and read the state anew."},
    {COHORT_EDUPLICATE, "The request had been applied before: its first result holds."},
    {COHORT_EGAP, "The client sends the missing request again by itself."},
    {COHORT_ELIMIT, "Too much waits at once: let some of it be answered first."},
    {COHORT_ECORRUPT,
     "What is stored does not fit its checksum. A server heals itself from the others;\n"
     "a backup that says so is to be replaced by another copy."},
    {COHORT_EINUSE, "Another server has that address or data folder: stop it, or choose another."},
    {COHORT_ECONFIG, "The message names the key of the configuration and what it may be."},
    {COHORT_EBOUNDS,
     "The sum would leave the bounds of --floor and --ceiling: nothing was changed."},
    {COHORT_EBUSY, "A lock has its holder, or others are before you: wait for it, or try again."},
    {COHORT_ENOTNUMBER,
     "Only a decimal number of 64 bits, or no data at all, can be added to: see it\n"
     "with 'cohort get', and begin anew with 'cohort set PATH 0'."},
    {COHORT_ERESERVED,
     "/zookeeper, /zookeeper/config and /zookeeper/quota can be read only. Quotas are\n"
     "set with 'cohort setquota'; use another path for anything else."},
};

static const struct {
    int code;
    const char *name; /* without COHORT_E */
} names[] = {
#define NAME_ENTRY(name, number, kind, text) {number, #name},
    COHORT_ERROR_MAP (NAME_ENTRY)
#undef NAME_ENTRY
};

bool advice_parse (const char *text, int *code)
{
    int64_t number = 0;
    bool is_number = arguments_parse_number (text, -100000, 100000, &number);
    const char *word = strncasecmp (text, "COHORT_", 7) == 0 ? text + 7 : text;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bool same =
            is_number ? names[i].code == number || names[i].code == -number
                      : strcasecmp (word, names[i].name) == 0 ||
                            (names[i].name[0] == 'E' && strcasecmp (word, names[i].name + 1) == 0);
        if (same) {
            *code = names[i].code;
            return true;
        }
    }
    return false;
}

const char *advice_text (int code)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].code == code) {
            return table[i].text;
        }
    }
    return NULL;
}

const char *advice_kind (int code, const char **meaning)
{
    switch (cohort_error_kind (code)) {
    case COHORT_KIND_DEFINITE:
        *meaning = "the operation did not take place, and the same call would fail again";
        return "definite";
    case COHORT_KIND_RETRYABLE:
        *meaning = "the operation did not take place, and the same call may succeed later";
        return "retryable";
    default:
        *meaning = "the operation may or may not have taken place";
        return "unknown";
    }
}
