/* The list of servers that an application gives. A list that is taken can be written again, and is
 * the same list; one that is refused has a reason. */

#include <string.h>

#include "client/src/hosts.h"
#include "client/src/path.h"
#include "cohort/error.h"
#include "tests/fuzz/fuzz.h"

enum { TEXT_SIZE = 512, SIZE_MAX_INPUT = 4096 };

/* The list as a text. */
static void write_list (struct buf *out, const struct hosts *hosts)
{
    for (size_t i = 0; i < hosts->count; i++) {
        if (i > 0) {
            buf_u8 (out, ',');
        }
        buf_append (out, hosts->endpoints[i], strlen (hosts->endpoints[i]));
    }
    /* tcp:// needs no mark before the chroot. */
    bool tcp = strncmp (hosts->endpoints[hosts->count - 1], "tcp:", 4) == 0;
    if (hosts->chroot[0] != '\0' && !tcp) {
        buf_u8 (out, ';');
    }
    buf_append (out, hosts->chroot, strlen (hosts->chroot) + 1);
}

static void check (const struct hosts *hosts)
{
    char text[TEXT_SIZE];
    COHORT_ASSERT (hosts->count > 0);
    COHORT_ASSERT (hosts->count <= HOSTS_MAX);
    for (size_t i = 0; i < hosts->count; i++) {
        COHORT_ASSERT (hosts_endpoint_valid (hosts->endpoints[i]));
        COHORT_ASSERT (strlen (hosts->endpoints[i]) <= HOSTS_ENDPOINT_MAX);
        COHORT_ASSERT (strchr (hosts->endpoints[i], ',') == NULL);
    }
    COHORT_ASSERT (hosts->chroot[0] == '\0' ||
                   path_check (hosts->chroot, false, text, sizeof (text)) == 0);
    COHORT_ASSERT (strcmp (hosts->chroot, "/") != 0);
}

static void same (const struct hosts *a, const struct hosts *b)
{
    COHORT_ASSERT (a->count == b->count);
    COHORT_ASSERT (strcmp (a->chroot, b->chroot) == 0);
    for (size_t i = 0; i < a->count; i++) {
        COHORT_ASSERT (strcmp (a->endpoints[i], b->endpoints[i]) == 0);
    }
}

static void one (const uint8_t *data, size_t size)
{
    static char list[SIZE_MAX_INPUT + 1];
    char text[TEXT_SIZE] = "";
    struct hosts hosts, again, copy;
    memcpy (list, data, size);
    list[size] = '\0';
    (void) hosts_endpoint_valid (list);
    int rc = hosts_parse (&hosts, list, text, sizeof (text));
    COHORT_ASSERT ((rc == 0) == (text[0] == '\0'));
    if (rc != 0) {
        COHORT_ASSERT (rc == COHORT_EINVAL || rc == COHORT_EPATH || rc == COHORT_ETOOBIG ||
                       rc == COHORT_ELIMIT);
        COHORT_ASSERT (hosts.endpoints == NULL);
        return;
    }
    check (&hosts);
    struct buf out = {0};
    write_list (&out, &hosts);
    COHORT_ASSERT (hosts_parse (&again, (const char *) out.data, text, sizeof (text)) == 0);
    same (&hosts, &again);
    COHORT_ASSERT (hosts_copy (&copy, &hosts) == 0);
    same (&hosts, &copy);
    hosts_deinit (&copy);
    hosts_deinit (&again);
    hosts_deinit (&hosts);
    buf_deinit (&out);
}

static void seeds (fuzz_seed_fn *add, void *arg)
{
    static const struct {
        const char *name, *list;
    } cases[] = {
        {"one", "tcp://127.0.0.1:5181"},
        {"three-and-chroot", "tcp://a:5181,tcp://b:5182,tcp://c.example.org:65535/game/eu"},
        {"ipv6", "tcp://[::1]:5181/"},
        {"ipc-and-chroot", "ipc:///tmp/cohort.sock;/game"},
        {"inproc", "inproc://name"},
        {"chroot-too-early", "tcp://a:1/game,tcp://b:2"},
        {"no-port", "tcp://a"},
        {"port-too-large", "tcp://a:65536"},
        {"no-transport", "a:5181"},
        {"empty-element", "tcp://a:1,,tcp://b:2"},
    };
    for (size_t i = 0; i < sizeof (cases) / sizeof (cases[0]); i++) {
        add (arg, cases[i].name, cases[i].list, strlen (cases[i].list));
    }
}

const struct fuzz_target fuzz_target = {
    .name = "hosts",
    .size_max = SIZE_MAX_INPUT,
    .memory_base = 16 << 10,
    .memory_factor = 16,
    .one = one,
    .seeds = seeds,
};
