/* The table of commands: what parsing, help and suggestions are made from. */

#include "client/cli/command.h"
#include "client/cli/command_flags.h"

const struct command command_root = {
    "cohort", "COMMAND ...", 1, 1, "", "", command_no_flags, "", NULL,
};

const struct command_group command_groups[] = {
    {"create", "Znodes"},
    {"tree", "Subtrees"},
    {"watch", "What changes"},
    {"getAcl", "Who may do what"},
    {"setquota", "Quotas"},
    {"lock", "Locks and elections"},
    {"status", "Servers and sessions"},
    {"shell", "The command line itself"},
    {NULL, NULL},
};

const struct command command_table[] = {
    /* Znodes */
    {"create", "PATH [DATA] [ACL]", 1, 3, "create a znode and print its path",
     "Prints the path that was created: with -s it ends in a number. DATA - reads standard\n"
     "input; without DATA the znode is empty. ACL says who may do what with it (see: cohort\n"
     "help setAcl); without one it gets the default of where it is created, which is: everybody\n"
     "everything, unless setAcl --default has said otherwise. The parent must exist.\n"
     "\n"
     "An ephemeral lives as long as its session, and the session of a command ends with it: so\n"
     "-e goes with --hold, or with cohort shell. After a crash it is left for the grace, unless\n"
     "the same command with --state-file goes on with the session before that is over.\n",
     command_create_flags,
     "  $ cohort create /config '{\"players\": 16}'\n"
     "  /config\n"
     "  $ cohort create -e --hold /lobby/room-7 &\n"
     "  $ cohort create /plans '' world:anyone:r,ip:10.0.0.0/8:cdrwa\n"
     "  /plans\n",
     cmd_create},
    {"get", "PATH", 1, 1, "print the data of a znode",
     "The bytes are printed as they are. A terminal gets a line feed behind them, and null for a\n"
     "znode without data. With -w it then waits until the znode is changed or deleted, and\n"
     "prints one line: zxid, kind and path, separated by tabs.\n",
     command_get_flags,
     "  $ cohort get /config > config.json\n"
     "  $ cohort get -x /config\n",
     cmd_get},
    {"set", "PATH DATA", 2, 2, "replace the data of a znode",
     "DATA - reads standard input. The znode must exist (create makes it).\n", command_set_flags,
     "  $ cohort set /config '{\"players\": 24}'\n"
     "  $ cohort set -v 3 /config - < config.json\n",
     cmd_set},
    {"stat", "PATH", 1, 1, "print versions, times, sizes and owner of a znode",
     "ZooKeeper's eleven lines: zxids and times of creation (c), of the last change of data (m)\n"
     "and of children (p), versions, the session that owns an ephemeral, and sizes. As owner a\n"
     "container has 0x8000000000000000, and a znode with a time to live 0xff and that time.\n",
     command_stat_flags,
     "  $ cohort stat /config\n"
     "  $ cohort stat -o json /config | jq .version\n",
     cmd_stat},
    {"delete", "PATH", 1, 1, "delete a znode without children",
     "deleteall deletes what is below it, too.\n", command_delete_flags,
     "  $ cohort delete -v 3 /config\n", cmd_delete},
    {"deleteall", "PATH", 1, 1, "delete a znode and everything below it",
     "Up to 1000 znodes go in one transaction. More go in pieces, children before their\n"
     "parents: what others create meanwhile may stay, and its parents with it, and the exit\n"
     "status says so; repeat the command then. On a terminal it asks before it deletes more\n"
     "than 100, unless --yes is given. Scripts are not asked: without a terminal it deletes.\n",
     command_deleteall_flags, "  $ cohort deleteall /lobby\n", cmd_deleteall},
    {"ls", "[PATH]", 0, 1, "list the children of a znode",
     "The names are sorted: [a, b] on a terminal, elsewhere one a line. Without PATH: those of\n"
     "/. With -R each line is a whole path, PATH itself the first. The children are read in\n"
     "pages: however many there are, they are printed as they come.\n",
     command_ls_flags,
     "  $ cohort ls /\n"
     "  [config, lobby]\n"
     "  $ cohort ls -R /lobby | wc -l\n",
     cmd_ls},
    {"getAllChildrenNumber", "PATH", 1, 1, "count all znodes below a znode",
     "At any depth; the server knows their number without counting. (stat shows how many\n"
     "children it has.)\n",
     command_count_flags, "  $ cohort getAllChildrenNumber /lobby\n  17\n", cmd_count},
    {"getEphemerals", "[PREFIX]", 0, 1, "list the ephemerals of a session",
     "Those whose paths begin with PREFIX, or all: [a, b] on a terminal, elsewhere one a line.\n"
     "Without --session: those of this command's own session, which has some in a shell only.\n"
     "Those of another session are for administrators.\n",
     command_ephemerals_flags, "  $ cohort getEphemerals --session 0x17 /lobby\n  /lobby/room-7\n",
     cmd_ephemerals},
    {"incr", "PATH [DELTA]", 1, 2, "add to a counter and print the sum",
     "The data of the znode is a decimal number of 64 bits; no data counts as 0. DELTA is 1 by\n"
     "default, and may be negative. If the sum would lie outside of the bounds nothing is "
     "changed,\n"
     "and the exit status is 1.\n",
     command_incr_flags,
     "  $ cohort create /slots 0\n"
     "  /slots\n"
     "  $ cohort incr --ceiling 16 /slots\n"
     "  1\n"
     "  $ cohort incr --floor 0 /slots -1\n"
     "  0\n",
     cmd_incr},
    {"sync", "[PATH]", 0, 1, "wait until the server has all that was committed",
     "Waits until the server that this session is at has applied everything that the ensemble\n"
     "had committed when the call began, and prints the zxid reached. PATH has no meaning: it is\n"
     "accepted for scripts that were written for zkCli.\n",
     command_no_flags, "  $ cohort sync\n  0x100000005\n", cmd_sync},
    {"txn", "[OPERATION ...]", 0, 1024, "do several operations, all of them or none",
     "Each operand is one operation, quoted as one word; without operands they are read from\n"
     "standard input, one a line, where # begins a comment. Within an operation words are\n"
     "quoted as for a shell. The operations:\n"
     "  create [-s] [-e] [-c] [-t MS] [--if-absent] [-b] PATH [DATA] [ACL]\n"
     "  set [-v VERSION] [-b] PATH DATA\n"
     "  delete [-v VERSION] [--if-present] PATH\n"
     "  delete-tree [-v VERSION] [--limit N] PATH\n"
     "  add [--floor N] [--ceiling N] PATH [DELTA]\n"
     "  set-acl [-v VERSION] PATH ACL\n"
     "  check PATH VERSION                 its data has that version\n"
     "  check-czxid PATH CZXID             that zxid created it\n"
     "  check-owner PATH SESSION OZXID     that session owns it since\n"
     "  check-absent PATH                  there is no such znode\n"
     "\n"
     "With -b DATA is base64. One line is printed for each, separated by tabs: ok, undone, or\n"
     "the error; operation; path; and what came of it. The exit status is that of the first\n"
     "that failed: 6 for a version that differs.\n",
     command_no_flags,
     "  $ cohort txn 'check /config 3' 'set /config new' 'add /changes'\n"
     "  ok\tcheck\t/config\t-\n"
     "  ok\tset\t/config\tversion 4\n"
     "  ok\tadd\t/changes\t17\n"
     "  $ cohort txn < operations\n",
     cmd_txn},
    /* Subtrees */
    {"tree", "[PATH]", 0, 1, "draw a subtree",
     "Names below names; with -o json a list of the znodes with their depth.\n", command_tree_flags,
     "  $ cohort tree /lobby\n"
     "  /lobby\n"
     "  |-- eu\n"
     "  |   `-- room-7\n"
     "  `-- us\n",
     cmd_tree},
    {"du", "[PATH]", 0, 1, "sum up the data of subtrees",
     "One line a subtree, separated by tabs: bytes of data, number of znodes, path; what is\n"
     "below comes before what it is in.\n",
     command_du_flags, "  $ cohort du /\n  4711\t17\t/lobby\n  4711\t18\t/\n", cmd_du},
    {"find", "[PATH]", 0, 1, "find znodes by name, kind, size or age",
     "Prints the paths for which all that is asked for holds, parents first.\n", command_find_flags,
     "  $ cohort find --name 'room-*' --mtime -1h /lobby\n"
     "  /lobby/eu/room-7\n"
     "  $ cohort find --bytes +100k\n",
     cmd_find},
    {"grep", "REGEX [PATH]", 1, 2, "find znodes by their data",
     "REGEX is an extended regular expression. Prints each line of data that matches, behind\n"
     "the path and a colon; what is not text is escaped, as in \\x00. The exit status is 1 if\n"
     "there is none.\n",
     command_grep_flags, "  $ cohort grep 'players.*16' /config\n  /config:{\"players\": 16}\n",
     cmd_grep},
    {"cp", "SOURCE TARGET", 2, 2, "copy a znode, or with -R a subtree",
     "TARGET is the path of the copy; its parent must exist. Containers and times to live stay\n"
     "such. Ephemerals are left out, and access control lists without --acl. It is not one\n"
     "transaction: what was copied before an error stays, and the message says how to go on.\n",
     command_copy_flags, "  $ cohort cp -R /config /config-backup\n", cmd_cp},
    {"export", "[PATH]", 0, 1, "write a subtree to standard output",
     "As JSON lines, whatever -o says: one that says what it is, one a znode, parents first, and\n"
     "one with their number, without which a file is not whole. Data that is no text is base64.\n"
     "Ephemerals are left out without -e, and access control lists without --acl. It is read in\n"
     "pages, so that what others change meanwhile may or may not be in it; a snapshot of a\n"
     "server (cohort help snapshot) is exact at one zxid.\n",
     command_export_flags, "  $ cohort export /config > config.jsonl\n", cmd_export},
    {"import", "[PATH]", 0, 1, "create what export has written, from standard input",
     "The subtree becomes PATH, by default what it was; the parent must exist. A znode that is\n"
     "there already is an error unless an option says otherwise. What was imported before an\n"
     "error stays: repeated with --if-absent it goes on where it had stopped.\n",
     command_import_flags,
     "  $ cohort import --if-absent /config-new < config.jsonl\n"
     "  $ cohort export /a | cohort --servers tcp://other:5181 import /a\n",
     cmd_import},
    {"mirror", "SOURCE TARGET", 2, 2, "keep a copy of a subtree that follows every change",
     "First TARGET becomes what SOURCE was at one zxid; then each transaction is carried over as\n"
     "one (a very large one in parts), and printed with its zxid and the number of its changes,\n"
     "until SIGINT or SIGTERM. Ephemerals are left out, and access control lists without --acl.\n"
     "If it is interrupted the same command with --overwrite goes on; if somebody else writes to\n"
     "the copy it is compared anew. --auth holds for both sides.\n",
     command_mirror_flags,
     "  $ cohort mirror /config /config --to tcp://backup:5181\n"
     "  cohort: mirror: /config is as /config was at 0x100000007: 3 created, 0 replaced, ...\n"
     "  0x100000008\t1\n",
     cmd_mirror},
    {"edit", "PATH", 1, 1, "change the data of a znode in an editor",
     "Runs VISUAL, EDITOR or vi, and sets what it wrote if nobody else has changed the znode\n"
     "meanwhile; otherwise the file is kept, and the message says where.\n",
     command_no_flags, "  $ EDITOR=nano cohort edit /config\n", cmd_edit},
    /* What changes */
    {"watch", "PATH [-- CMD ...]", 1, 1024, "print each change of a znode and its children",
     "One line an event, in the order of the transactions, none missing, fields separated by\n"
     "tabs: zxid, kind, path, size and with -d the data, with escapes such as \\n and \\x00.\n"
     "Kinds: created, changed, deleted (its size is -), acl (its access control list was set);\n"
     "present (-i: it is there). Should the servers no longer have the history, a line of the\n"
     "kind reset and then present lines tell the whole state anew. It goes on after the death of\n"
     "a server, and in a new session when its own has ended; SIGINT and SIGTERM end it.\n"
     "\n"
     "With CMD nothing is printed: it is run for each event, one after the other, with the data\n"
     "as its standard input and COHORT_EVENT_KIND, COHORT_EVENT_PATH, COHORT_EVENT_ZXID and\n"
     "COHORT_EVENT_SIZE in its environment. If one fails, the next event goes on all the same,\n"
     "and the exit status is 1 in the end.\n",
     command_watch_flags,
     "  $ cohort watch -R -d /config\n"
     "  0x100000007\tchanged\t/config/game\t15\t{\"players\": 24}\n"
     "  $ cohort watch /config -- sh -c 'cat > config.json; systemctl reload game'\n",
     cmd_watch},
    /* Who may do what */
    {"getAcl", "PATH", 1, 1, "print who may do what with a znode",
     "Two lines for each item of the access control list, as zkCli prints them: 'SCHEME,'ID, and\n"
     "a colon and the permissions, of cdrwa (see: cohort help setAcl). --one-line prints what\n"
     "setAcl and create take. Who may not set the list sees x instead of the hashes of digest\n"
     "users; such a list cannot be set.\n",
     command_get_acl_flags,
     "  $ cohort getAcl /plans\n"
     "  'world,'anyone\n"
     "  : r\n"
     "  'ip,'10.0.0.0/8\n"
     "  : cdrwa\n"
     "  $ cohort setAcl /drafts \"$(cohort getAcl --one-line /plans)\"\n",
     cmd_get_acl},
    {"setAcl", "PATH ACL", 2, 2, "say who may do what with a znode",
     "ACL is a list of SCHEME:ID:PERMISSIONS, separated by commas:\n"
     "  world:anyone:r            everybody\n"
     "  auth::cdrwa               whoever sets it: all users that this session has proven to be\n"
     "  digest:USER:HASH:cdrwa    a user with a password; cohort digest prints USER:HASH\n"
     "  ip:10.0.0.0/8:r           clients of these addresses; IPv6 too\n"
     "  curve:KEY:rw              the client with that public key\n"
     "\n"
     "Permissions: c creates children, d deletes them, r reads data and lists children, w sets\n"
     "data, a sets the list. What lies below has lists of its own: -R sets them all, and\n"
     "--default says what is created there from now on. A list that leaves you out keeps you\n"
     "out; administrators pass every list.\n",
     command_set_acl_flags,
     "  $ cohort setAcl /plans world:anyone:r,ip:10.0.0.0/8:cdrwa\n"
     "  $ cohort --auth digest:alice setAcl -R /plans auth::cdrwa\n"
     "  $ cohort setAcl --default /plans ip:10.0.0.0/8:cdrwa\n",
     cmd_set_acl},
    {"addauth", "SCHEME AUTH", 2, 2, "prove to be a user with a password",
     "SCHEME is digest, or digest-sha1 for users of lists that come from ZooKeeper (then the\n"
     "password itself is sent: encrypt, see --server-key). AUTH is USER:PASSWORD, or USER: then\n"
     "the password is asked for on the terminal, or read as a line of standard input.\n"
     "\n"
     "It is for the shell, which stays that user, in sessions that it begins later, too. Other\n"
     "commands take --auth SCHEME:USER, or --auth-file FILE with lines SCHEME:USER:PASSWORD, and\n"
     "the variables COHORT_AUTH and COHORT_AUTH_FILE. On a command line, and in a variable,\n"
     "others on the machine may see a password: prefer a file, or being asked. There is no wrong\n"
     "password: with another one is another user, whom no list names.\n",
     command_no_flags,
     "  $ cohort shell\n"
     "  cohort:/> addauth digest alice\n"
     "  Password of alice:\n"
     "  cohort:/> create /mine '' auth::cdrwa\n"
     "  /mine\n",
     cmd_addauth},
    {"whoami", "", 0, 0, "print who this session is to the servers",
     "One line an identity, as access control lists name it: scheme and id. addauth, --auth and\n"
     "--key add some.\n",
     command_no_flags,
     "  $ cohort whoami\n"
     "  Auth scheme: User\n"
     "  world: anyone\n",
     cmd_whoami},
    {"digest", "USER", 1, 1, "make the name under which lists know a user with a password",
     "Asks for the password on the terminal, twice, or reads it as a line of standard input; no\n"
     "server is asked. What is printed goes into an ACL with permissions behind it, or as it is\n"
     "into admin= of the servers' configuration. From it nobody can find the password, but by\n"
     "guessing: each guess takes Argon2id with 64 MiB.\n",
     command_digest_flags,
     "  $ cohort digest alice < password\n"
     "  digest:alice:argon2id:DnCXjktdzRKLn65oHIdcOcFx5SJDGR987VmutGCYaIc=\n",
     cmd_digest},
    {"admins", "ls|set [LIST]", 1, 2, "list the administrators, or say who they are",
     "An administrator passes every access control list, ends sessions and sets administrators.\n"
     "LIST is SCHEME:ID,... with digest, curve and ip (see: cohort help setAcl), and takes the\n"
     "place of all that were.\n"
     "\n"
     "To be one: --auth-file FILE with the line of one of them, --key FILE with a key of theirs,\n"
     "or come from an address of theirs. Where nobody is one: admin= in the configuration of the\n"
     "servers, at their next start (cohortd dev --admin); where the passwords are lost, with\n"
     "replaceAdmins=yes beside it (see: man cohortd).\n",
     command_no_flags,
     "  $ cohort --auth-file ~/.cohort-admin admins ls\n"
     "  digest:alice:argon2id:DnCXjktdzRKLn65oHIdcOcFx5SJDGR987VmutGCYaIc=\n"
     "  $ cohort admins set digest:alice:argon2id:...,ip:127.0.0.1\n",
     cmd_admins},
    /* Quotas */
    {"setquota", "PATH", 1, 1, "limit the znodes, or the data, of a subtree",
     "Counted are PATH and all below it. Hard limits refuse what would exceed them, with\n"
     "EQUOTA; the others let it happen, and the servers' logs say so once (quota-exceeded).\n"
     "Limits that are not given stay as they are. Quotas above PATH and below it hold too.\n"
     "A quota is kept in /zookeeper/quota/PATH/zookeeper_limits.\n",
     command_setquota_flags, "  $ cohort setquota -n 900 -N 1000 /lobby\n", cmd_setquota},
    {"listquota", "PATH", 1, 1, "print the quota of a subtree, and what is counted for it",
     "The numbers are ZooKeeper's: -1 is no limit.\n", command_no_flags,
     "  $ cohort listquota /lobby\n"
     "  Output quota for /lobby count=900,bytes=-1=;byteHardLimit=-1;countHardLimit=1000\n"
     "  Output stat for /lobby count=17,bytes=4711\n",
     cmd_listquota},
    {"delquota", "PATH", 1, 1, "take a quota away", "Without an option: all of it.\n",
     command_delquota_flags, "  $ cohort delquota -N /lobby\n", cmd_delquota},
    /* Locks and elections */
    {"lock", "NAME -- CMD ...", 2, 1024, "run a program while a lock is held",
     "NAME is a path, or short for /locks/NAME. Whoever comes first is served first. The program\n"
     "finds COHORT_TOKEN (it grows with each grant), COHORT_TOKEN_PATH and COHORT_TOKEN_NODE in\n"
     "its environment. The exit status is its own, or 128 and the number of the signal that\n"
     "ended it.\n"
     "\n"
     "When the grant is lost, or may be because no server can be reached, the program and what it\n"
     "has started get SIGTERM, and SIGKILL after the grace. Without a connection that is over\n"
     "before the session can end, so that the next holder's does not run beside it. Only if\n"
     "somebody deletes the znode by hand it may, for that long: compare tokens.\n",
     command_lock_flags,
     "  $ cohort lock backup -- sh -c 'backup --token $COHORT_TOKEN'\n"
     "  $ cohort lock --wait 0 /jobs/nightly -- nightly\n",
     cmd_lock},
    {"elect", "NAME -- CMD ...", 2, 1024,
     "run a program while this process leads, of all that want to",
     "NAME is a path, or short for /elections/NAME. The first candidate leads, and runs the\n"
     "program; the others wait. Observers (cohort/election.h) see who leads, with its data.\n"
     "The rest is as with lock.\n",
     command_elect_flags, "  $ cohort elect --info 10.0.0.7:7777 master -- master-server\n",
     cmd_elect},
    {"why", "PATH", 1, 1, "print who holds a lock, permits or items, or leads, and who waits",
     "PATH is that of a lock, semaphore, lease, election, claim, queue, gate or barrier; cohort\n"
     "lock NAME has /locks/NAME, cohort elect NAME /elections/NAME. One line for each who holds\n"
     "it or waits, in the order in which they are served, fields separated by tabs: state (holds\n"
     "or waits), since when, name, token, session, host, process id, and what it says about\n"
     "itself. If nobody is there it says so; if there is no such znode, with exit status 4.\n",
     command_no_flags,
     "  $ cohort why /locks/backup\n"
     "  state\tsince\tname\ttoken\tsession\thost\tpid\tdata\n"
     "  holds\t2026-11-22 07:40:12\texclusive-0000000003\t0x100000017\t0x5\tweb-3\t4711\tbackup\n",
     cmd_why},
    /* Servers and sessions */
    {"status", "", 0, 0, "show every server of the ensemble",
     "Asks all servers of the list, and those which they name. The exit status is 0 with a\n"
     "leader (or a server that stands alone), 8 if servers answer but have no quorum, 3 if\n"
     "none answers. A server has 1000 ms to answer, or what --timeout says. In JSON, log is\n"
     "whole, damaged (the server has lost what it had acknowledged, and has no vote until a\n"
     "leader has brought it back) or suspect (the end of its log cannot be read; its vote\n"
     "depends on what the others have), and state is sound, quarantined (a quorum has another\n"
     "state: the server serves nobody until its own is made anew, and proven) or contested\n"
     "(states differ, and no quorum agrees); turn_us_max is the longest turn of the server's\n"
     "thread so far, in us of processor time, and long_turns how many took more than 10 ms,\n"
     "in which nobody else was served; what is not known is null. DISK is full when a server\n"
     "takes no writes for want of space.\n",
     command_status_flags,
     "  $ cohort status\n"
     "  $ cohort status --wait 10000 > /dev/null && echo ready\n",
     cmd_status},
    {"config", "", 0, 0, "print who the servers are",
     "The data of /zookeeper/config: a line for each server, as a configuration has it, and the\n"
     "version, which is the zxid of the last change. What they do right now: cohort status. Who\n"
     "belongs to an ensemble is said by the configuration of its servers (see: cohortd --help).\n",
     command_config_flags,
     "  $ cohort config\n"
     "  server.1=10.0.0.7:5188:participant\n"
     "  version=10000000001\n"
     "  $ cohort config -c\n"
     "  tcp://10.0.0.7:5181\n",
     cmd_config},
    {"session", "ls|kill|token|hand-over|take-over [...]", 1, 3,
     "list sessions, end one, or give its ephemerals to another",
     "  ls                   a line for each session: its client's address (-: not known), the\n"
     "                       server it attached to last, how many ephemerals it has, its time\n"
     "                       limits, and its state: lives, killed, ends\n"
     "  kill SESSION         end it: its client is told at once; its ephemerals go as soon as the\n"
     "                       client cannot count on them any more: the smaller one of its\n"
     "                       timeout and grace later. For administrators alone\n"
     "  token FROM           agree to get all ephemerals of session FROM: prints the id of a\n"
     "                       session that gets them, and the token that FROM needs; keeps that\n"
     "                       session until SIGINT or SIGTERM (in a shell it is the shell's)\n"
     "  hand-over TO TOKEN   give all ephemerals of the shell's session, or of the one that\n"
     "                       --state-file names, to session TO, in one transaction, and print\n"
     "                       how many; with --state-file as soon as the process before cannot\n"
     "                       count on them any more, which is waited for twice --timeout at most\n"
     "  take-over FILE       get those of the session that a process before has left in its\n"
     "                       state file (create --state-file), as soon as that cannot count on\n"
     "                       them any more; prints how many, and keeps them until SIGINT or\n"
     "                       SIGTERM (in a shell: as long as the shell)\n"
     "\n"
     "Where there are administrators, only they may list sessions.\n",
     command_session_flags,
     "  $ cohort session ls\n"
     "  $ cohort session kill 0x2a\n"
     "  $ cohort session token 0x2a\n"
     "  0x2b 6e0fd1c8a0b94f7d8f3e21c5507a6b19\n",
     cmd_session},
    {"snapshot", "save|status|restore FILE", 2, 2, "take a backup, verify one, or restore it",
     "save asks a running server for its state, exact at one zxid, and writes FILE when all of\n"
     "it has come and is verified; until then a FILE that is there stays as it is. The servers\n"
     "of the list are asked in their order, until one has sent everything: name one alone to\n"
     "choose it. No quorum is needed; an administrator is, where there are any (--auth-file,\n"
     "--auth, --key). Of status and restore no server hears: FILE is what save\n"
     "has written, or a snapshot as a server has it in its data folder (snap.*).\n"
     "status verifies every checksum and the digest, and says what is in it. restore makes\n"
     "the data folders of a new ensemble: the znodes are those of the backup, all sessions\n"
     "have ended and their ephemerals are gone. Zxids go on above all that the old ensemble\n"
     "can have given out, unless it held more elections since than --skip-epochs says. On\n"
     "several machines name the same --cluster-id and --members on each. A folder that is not\n"
     "empty is refused; only a myid may be there. No server starts in a folder whose restore\n"
     "did not get to its end: remove what it has made, and restore again.\n",
     command_snapshot_flags,
     "  $ cohort snapshot save backup-monday\n"
     "  $ cohort snapshot status backup-monday\n"
     "  $ cohort snapshot restore FILE --data-dir /srv/a,/srv/b,/srv/c\n",
     cmd_snapshot},
    {"bench", "WORKLOAD", 1, 1, "measure the ensemble",
     "WORKLOAD, and the sessions, window, total and size it has without options:\n"
     "  set     8 64 60000 100      writes\n"
     "  get     8 64 300000 100     reads\n"
     "  mix     8 64 100000 100     90 % reads, 10 % writes\n"
     "  watch   8 64 100000 100     the same, and each read leaves a watch\n"
     "  create  8 64 60000 100      creates /bench/sN/nN\n"
     "  delete  8 64 60000 100      deletes what create has made\n"
     "  set-1   1 1 2000 100        one write at a time\n"
     "  get-1   1 1 10000 100       one read at a time\n"
     "  fanout  500 1 20 100        one write wakes every watcher; time of the last\n"
     "  vanish  1 4000 3 0          SIGKILL of an ephemeral's owner until a watcher knows\n"
     "  gap     1 1 8 1             longest time without an acknowledged write (kill the\n"
     "                              leader meanwhile)\n"
     "  fill    10 100 1000000 100  creates znodes, 1000 a parent\n"
     "They write below /bench, /vanish and /gap, and leave that there: 'cohort deleteall /bench'\n"
     "cleans up. Before the clock starts each session proves to be who --auth names: with digest\n"
     "that takes 0.1 s a session.\n"
     "\n"
     "The line that is printed has the operations a second, and what 50, 99 and 99.9 of 100\n"
     "operations take at most. Without --rate each session keeps WINDOW requests in flight: that\n"
     "measures throughput, and the latencies are those of full queues. How long users wait at a\n"
     "load that the servers can bear is what --rate N shows: operations are due at fixed times,\n"
     "and each latency counts from then on. If the servers, or this program, stand still, what\n"
     "became due meanwhile has waited, and is counted so. When N is more than they can do,\n"
     "latencies grow to the end.\n",
     command_bench_flags,
     "  $ cohortd dev --nodes 3 &\n"
     "  $ cohort bench set\n"
     "  $ cohort bench mix --rate 5000 --total 50000 --histogram\n"
     "  $ cohort bench get --size 65536 --keys 100 --depth 20 --json\n",
     cmd_bench},
    /* The command line itself */
    {"shell", "[FILE]", 0, 1, "run many commands in one session, typed or from FILE",
     "On a terminal lines can be edited, the tabulator completes commands, options and live\n"
     "paths, and the history is kept ($XDG_STATE_HOME/cohort/history; a line that begins with a\n"
     "blank is not). Ephemerals and watches (-w) live as long as the shell; should its session\n"
     "end, the next command begins a new one, which is again who addauth made it. Lines of FILE,\n"
     "or of a pipe, end with the first command that fails, and with its exit status. Besides the\n"
     "commands of cohort there are:\n"
     "\n"
     "  cd [PATH]             paths without a slash in front are meant from there\n"
     "  pwd                   where that is\n"
     "  connect [SERVERS]     begin a new session, there or at the same servers\n"
     "  close                 end the session, and with it its ephemerals\n"
     "  addWatch PATH         print every change of a znode and all below it\n"
     "  removewatches PATH    take back what was watched with -w or addWatch\n"
     "  printwatches [on|off] print what watches tell, or do not\n"
     "  history [N]           the last N lines (10)\n"
     "  redo N                run line N again\n"
     "  exit, quit            so does the end of the input\n"
     "\n"
     "'help COMMAND' explains these, too.\n",
     command_no_flags,
     "  $ cohort shell\n"
     "  cohort:/> create players\n"
     "  /players\n"
     "  cohort:/> cd players\n"
     "  cohort:/players> create -e -s p-\n"
     "  /players/p-0000000000\n",
     cmd_shell},
    {"context", "add|use|ls|rm [NAME]", 1, 2, "give ensembles names, and choose one",
     "add keeps --servers, --server-key and --auth-file (its name) under a name, use makes it\n"
     "the current one, rm forgets it, ls shows all, the current one with a star. A command asks\n"
     "the servers that its options name; else those of the variables; else those of the current\n"
     "context. The file is $XDG_CONFIG_HOME/cohort/contexts.json (~/.config), readable for its\n"
     "owner alone.\n",
     command_no_flags,
     "  $ cohort context add eu --servers tcp://eu-1:5181,tcp://eu-2:5181\n"
     "  $ cohort context use eu\n"
     "  $ cohort context ls\n"
     "  *\teu\ttcp://eu-1:5181,tcp://eu-2:5181\n"
     "  $ cohort --context us get /config\n",
     cmd_context},
    {"completion", "bash|zsh", 1, 1, "print the completion script for bash or zsh",
     "It completes commands, options, and paths of the servers. Installed packages bring it;\n"
     "from a build folder it is used as the example shows.\n",
     command_no_flags, "  $ . <(cohort completion bash)\n", cmd_completion},
    {"version", "", 0, 0, "print the version",
     "That of this program. The servers': cohortd --version.\n", command_no_flags,
     "  $ cohort version\n"
     "  cohort 0.1.0\n",
     cmd_version},
    {"help", "[COMMAND|CODE]", 0, 1, "explain a command, or an error by name or number",
     "CODE is the name of an error, with or without COHORT_ and E, or its number. As JSON it\n"
     "prints what the table of commands has: of all of them without COMMAND, and the options of\n"
     "each alone.\n",
     command_help_flags,
     "  $ cohort help watch\n"
     "  $ cohort help ENONODE\n"
     "  $ cohort help -- -101\n",
     cmd_help},
};

const size_t command_count = sizeof command_table / sizeof command_table[0];
