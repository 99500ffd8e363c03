#include "client/cli/command_flags.h"

const struct flag command_common_flags[] = {
    {FLAG_SERVERS, "servers", "LIST",
     "whom to ask: tcp://HOST:PORT,...[/CHROOT]; with CHROOT all\npaths are meant below it "
     "(tcp://127.0.0.1:5181)"},
    {FLAG_CONTEXT, "context", "NAME",
     "servers and key of that context (the current one, if there\nis one; see: cohort help "
     "context)"},
    {FLAG_SERVER_KEY, "server-key", "KEY", "the servers' public key: everything is encrypted"},
    {FLAG_KEY, "key", "FILE",
     "with --server-key: the client's own keys, as cohortd keygen\nmakes them; lists name it "
     "curve:KEY"},
    {FLAG_AUTH, "auth", "SCHEME:USER[:PW]", "be that user, as addauth; without PW it is asked for"},
    {FLAG_AUTH_FILE, "auth-file", "FILE", "the same from lines of FILE, where nobody else sees it"},
    {FLAG_OUTPUT, "output", "text|json|jsonl",
     "text; json: one value; jsonl: one value a line, items of\nlists as they come"},
    {FLAG_TIMEOUT, "timeout", "MS",
     "time limit of the call (10000; without this flag a\n"
     "command ends after 2000 if no server answers at all)"},
    {FLAG_HELP, "help", NULL, "print this"},
    {FLAG_VERSION, "version", NULL, "print the version"},
    {0},
};

const struct flag command_create_flags[] = {
    {'s', "sequential", NULL,
     "append a number to the name, of ten digits or more, that no\nother child of the parent ever "
     "gets"},
    {'e', "ephemeral", NULL, "the znode vanishes with its session, when this command ends"},
    {'c', "container", NULL, "a container: it vanishes once its last child has gone"},
    {'t', "ttl", "MS", "it vanishes once it has no children and was not set for MS ms"},
    {FLAG_IF_ABSENT, "if-absent", NULL, "a znode that is there already is left alone: no error"},
    {FLAG_HOLD, "hold", NULL, "keep the session, until SIGINT or SIGTERM"},
    {FLAG_GRACE, "grace", "MS", "with -e: what is left to the session after a crash (10000)"},
    {FLAG_STATE_FILE, "state-file", "FILE",
     "with --hold: go on with the session that a process before\nhas left in FILE, if it lives, "
     "and "
     "leave this one there"},
    {'b', "base64", NULL, "DATA is base64"},
    {0},
};

const struct flag command_get_flags[] = {
    {'s', "stat", NULL, "print the stat behind the data"},
    {'b', "base64", NULL, "print the data as base64"},
    {'x', "hexdump", NULL, "print the data as hexadecimal dump"},
    {'w', "watch", NULL, "then wait for the next change, and print it"},
    {FLAG_LINEARIZABLE, "linearizable", NULL,
     "what a quorum confirms to be the newest; without it what the\nserver has applied, which may "
     "be a little older"},
    {0},
};

const struct flag command_config_flags[] = {
    {'c', "client", NULL, "print where clients connect instead, as --servers takes it"},
    {'s', "stat", NULL, "print the stat behind it"},
    {'w', "watch", NULL, "then wait for the next change, and print it"},
    {FLAG_LINEARIZABLE, "linearizable", NULL,
     "what a quorum confirms to be the newest; without it what the\nserver has applied, which may "
     "be a little older"},
    {0},
};

const struct flag command_set_flags[] = {
    {'s', "stat", NULL, "print the stat as it is after the change"},
    {'v', "if-version", "N", "only if the data has version N"},
    {'b', "base64", NULL, "DATA is base64"},
    {0},
};

const struct flag command_get_acl_flags[] = {
    {'s', "stat", NULL, "print the stat behind the list"},
    {FLAG_ONE_LINE, "one-line", NULL, "print the list on one line, as setAcl and create take it"},
    {FLAG_DEFAULT, "default", NULL, "the default of what is created below PATH"},
    {0},
};

const struct flag command_set_acl_flags[] = {
    {'s', "stat", NULL, "print the stat as it is after the change"},
    {'v', "if-version", "N", "only if the list has aclVersion N"},
    {'R', "recursive", NULL, "everything below PATH as well, PATH last"},
    {FLAG_DEFAULT, "default", NULL,
     "the default of what is created below PATH from now on;\nACL none: there is none any more"},
    {0},
};

const struct flag command_digest_flags[] = {
    {FLAG_SHA1, "sha1", NULL, "as ZooKeeper has it: weaker, for lists that come from there"},
    {0},
};

const struct flag command_ls_flags[] = {
    {'s', "stat", NULL, "print the stat behind the names; in JSON that of each"},
    {'R', "recursive", NULL, "all paths of the subtree, parents first"},
    {FLAG_PREFIX, "prefix", "TEXT", "only names that begin so"},
    {FLAG_FILTER, "filter", "all|persistent|ephemeral", "only children of that kind (all)"},
    {FLAG_AFTER, "after", "NAME", "go on behind this name, which need not exist any more"},
    {FLAG_LIMIT, "limit", "N", "at most so many"},
    {'w', "watch", NULL, "then wait for the next change, and print it"},
    {FLAG_LINEARIZABLE, "linearizable", NULL,
     "what a quorum confirms to be the newest; without it what the\nserver has applied, which may "
     "be a little older"},
    {0},
};

const struct flag command_stat_flags[] = {
    {'w', "watch", NULL, "then wait for the next change, and print it"},
    {FLAG_LINEARIZABLE, "linearizable", NULL,
     "what a quorum confirms to be the newest; without it what the\nserver has applied, which may "
     "be a little older"},
    {0},
};

const struct flag command_count_flags[] = {
    {FLAG_LINEARIZABLE, "linearizable", NULL,
     "what a quorum confirms to be the newest; without it what the\nserver has applied, which may "
     "be a little older"},
    {0},
};

const struct flag command_ephemerals_flags[] = {
    {FLAG_SESSION, "session", "ID", "of that session, as administrator; without it: of this one"},
    {FLAG_LINEARIZABLE, "linearizable", NULL,
     "what a quorum confirms to be the newest; without it what the\nserver has applied, which may "
     "be a little older"},
    {0},
};

const struct flag command_incr_flags[] = {
    {FLAG_FLOOR, "floor", "N", "the sum must not be below"},
    {FLAG_CEILING, "ceiling", "N", "the sum must not be above"},
    {0},
};

const struct flag command_tree_flags[] = {
    {'L', "depth", "N", "not more than N levels below PATH"},
    {0},
};

const struct flag command_du_flags[] = {
    {'L', "depth", "N", "sums of subtrees down to level N (1; 0: only that of PATH)"},
    {0},
};

const struct flag command_find_flags[] = {
    {FLAG_NAME, "name", "GLOB", "the last part of the path, as in 'room-*'"},
    {FLAG_KIND, "kind", "persistent|ephemeral|container", "only znodes of that kind"},
    {FLAG_BYTES, "bytes", "[+-]N[kM]", "more (+), less (-) or exactly so much data"},
    {FLAG_MTIME, "mtime", "+-N[smhd]", "changed longer ago (+) than that, or since (-)"},
    {0},
};

const struct flag command_mirror_flags[] = {
    {FLAG_TO, "to", "LIST", "the copy's servers, if they are others"},
    {FLAG_TO_KEY, "to-key", "KEY", "their public key: encrypts"},
    {FLAG_OVERWRITE, "overwrite", NULL, "replace what TARGET holds, and delete what is too much"},
    {FLAG_ONCE, "once", NULL, "end as soon as the copy is whole"},
    {FLAG_ACL, "acl", NULL,
     "keep the access control lists (defaults are not followed);\nwithout it the copies get the "
     "default of where they come to"},
    {0},
};

const struct flag command_grep_flags[] = {
    {'i', "ignore-case", NULL, "capital and small letters are the same"},
    {'l', "paths", NULL, "print only the paths"},
    {0},
};

const struct flag command_copy_flags[] = {
    {'R', "recursive", NULL, "everything below SOURCE as well"},
    {FLAG_IF_ABSENT, "if-absent", NULL, "leave alone what is there already"},
    {FLAG_OVERWRITE, "overwrite", NULL, "replace the data of what is there already"},
    {FLAG_ACL, "acl", NULL,
     "keep the access control lists, and the defaults; without\nit the copies get the default of "
     "where they come to"},
    {0},
};

const struct flag command_export_flags[] = {
    {'e', "ephemerals", NULL, "ephemerals too; import makes persistent znodes of them"},
    {FLAG_ACL, "acl", NULL, "write the access control lists, and the defaults, too"},
    {0},
};

const struct flag command_import_flags[] = {
    {FLAG_IF_ABSENT, "if-absent", NULL, "leave alone what is there already"},
    {FLAG_OVERWRITE, "overwrite", NULL, "replace the data of what is there already"},
    {FLAG_ACL, "acl", NULL,
     "set the access control lists, and the defaults, that export\n--acl has written; without it "
     "znodes get the default of\nwhere they come to"},
    {0},
};

const struct flag command_delete_flags[] = {
    {'v', "if-version", "N", "only if the data has version N"},
    {FLAG_IF_PRESENT, "if-present", NULL, "that there is no such znode is no error"},
    {0},
};

const struct flag command_deleteall_flags[] = {
    {FLAG_YES, "yes", NULL, "do not ask"},
    {'b', "batch", "N", "requests in flight when it takes several, 1 to 1000 (1000)"},
    {0},
};

const struct flag command_watch_flags[] = {
    {'R', "recursive", NULL, "everything below PATH, not only PATH and its children"},
    {'d', "data", NULL, "add the data of created and changed znodes"},
    {'i', "initial", NULL, "begin with the znodes that are there"},
    {FLAG_COUNT, "count", "N", "end after N changes; those of -i do not count"},
    {0},
};

const struct flag command_setquota_flags[] = {
    {'n', "count-limit", "N", "warn of more than N znodes, PATH itself counted"},
    {'b', "bytes-limit", "N", "warn of more than N bytes of data"},
    {'N', "count-hard", "N", "refuse more than N znodes, PATH itself counted"},
    {'B', "bytes-hard", "N", "refuse more than N bytes of data"},
    {0},
};

const struct flag command_delquota_flags[] = {
    {'n', "soft-count", NULL, "only the limit that warns of many znodes"},
    {'b', "soft-bytes", NULL, "only the limit that warns of much data"},
    {'N', "hard-count", NULL, "only the limit that refuses more znodes"},
    {'B', "hard-bytes", NULL, "only the limit that refuses more data"},
    {0},
};

const struct flag command_status_flags[] = {
    {FLAG_WAIT, "wait", "MS", "wait so long for a leader"},
    {0},
};

const struct flag command_snapshot_flags[] = {
    {FLAG_DATA_DIR, "data-dir", "LIST",
     "restore: folders to be made, DIR,... or ID=DIR,...;\nwithout ids these are 1, 2, ..."},
    {FLAG_MEMBERS, "members", "LIST",
     "restore: all servers of the new ensemble, ID[:observer],...\n(those of --data-dir)"},
    {FLAG_CLUSTER_ID, "cluster-id", "HEX", "restore: of the new ensemble (drawn)"},
    {FLAG_SKIP_EPOCHS, "skip-epochs", "N", "restore: epochs left out (10000)"},
    {0},
};

const struct flag command_bench_flags[] = {
    {FLAG_SESSIONS, "sessions", "N", "sessions, all of this one process"},
    {FLAG_WINDOW, "window", "N",
     "requests in flight a session at most (vanish: session\ntimeout, ms)"},
    {FLAG_TOTAL, "total", "N", "operations of all sessions, or rounds (gap: seconds)"},
    {FLAG_SIZE, "size", "N", "bytes of data a znode"},
    {FLAG_RATE, "rate", "N",
     "N operations a second of all sessions, each counted from\nthe moment it was due (as fast "
     "as they are answered)"},
    {FLAG_KEYS, "keys", "N", "znodes over which reads and writes are spread (1000)"},
    {FLAG_DEPTH, "depth", "N", "work N levels deeper, in /bench/d/d/d (0)"},
    {FLAG_GRACE, "grace", "MS", "vanish: what a crash leaves to the session (30)"},
    {FLAG_HISTOGRAM, "histogram", NULL, "print how many took how long, too"},
    {FLAG_JSON, "json", NULL,
     "print one JSON object: parameters, throughput, percentiles,\nand the histogram as a list of "
     "[from_us, to_us, count]"},
    {0},
};

const struct flag command_lock_flags[] = {
    {FLAG_SHARED, "shared", NULL, "together with other shared ones"},
    {FLAG_WAIT, "wait", "MS", "wait so long at most (for ever)"},
    {FLAG_GRACE, "grace", "MS", "what CMD gets to end in peace (2000; 3333 at most)"},
    {FLAG_INFO, "info", "TEXT", "what others see of it (the name of CMD)"},
    {0},
};

const struct flag command_elect_flags[] = {
    {FLAG_WAIT, "wait", "MS", "wait so long at most (for ever)"},
    {FLAG_GRACE, "grace", "MS", "what CMD gets to end in peace (2000; 3333 at most)"},
    {FLAG_INFO, "info", "TEXT", "what observers are told (the name of CMD)"},
    {0},
};

const struct flag command_session_flags[] = {
    {FLAG_STATE_FILE, "state-file", "FILE",
     "hand-over: of the session that a process before has left\nthere, not of the shell's"},
    {0},
};

const struct flag command_help_flags[] = {
    {FLAG_MAN, "man", NULL, "print the manual page, in mdoc"},
    {0},
};

const struct flag command_no_flags[] = {{0}};
