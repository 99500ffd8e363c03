/* The list of servers. May include: path, public types, base, libc. */

#include "client/src/hosts.h"

#include <stdio.h>
#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/src/path.h"
#include "cohort/types.h"

#define PORT_MAX 65535

enum transport { TRANSPORT_NONE, TRANSPORT_TCP, TRANSPORT_IPC, TRANSPORT_INPROC };

/* Which transport the text names; *prefix gets the size of "tcp://" and the like. */
static enum transport transport_of (const char *text, size_t size, size_t *prefix)
{
    static const struct {
        const char *name;
        enum transport transport;
    } known[] = {
        {"tcp://", TRANSPORT_TCP}, {"ipc://", TRANSPORT_IPC}, {"inproc://", TRANSPORT_INPROC}};
    for (size_t i = 0; i < sizeof (known) / sizeof (known[0]); i++) {
        *prefix = strlen (known[i].name);
        if (size > *prefix && memcmp (text, known[i].name, *prefix) == 0) {
            return known[i].transport;
        }
    }
    return TRANSPORT_NONE;
}

/* Why "host:port" of `size` bytes is none, or NULL. */
static const char *address_fault (const char *address, size_t size)
{
    size_t digits = 0;
    while (digits < size && address[size - 1 - digits] >= '0' &&
           address[size - 1 - digits] <= '9') {
        digits++;
    }
    if (digits == 0 || digits == size || address[size - 1 - digits] != ':') {
        return "the port is missing: tcp://host:port";
    }
    unsigned long port = 0;
    for (size_t i = size - digits; i < size && port <= PORT_MAX; i++) {
        port = port * 10 + (unsigned long) (address[i] - '0');
    }
    if (port == 0 || port > PORT_MAX) {
        return "the port is not within 1 and 65535";
    }
    size_t host = size - digits - 1;
    if (host == 0 || address[0] == '*') {
        return "the host is missing: tcp://host:port";
    }
    bool bracketed = address[0] == '[' && address[host - 1] == ']';
    for (size_t i = 0; i < host; i++) {
        if (address[i] <= ' ' || address[i] == ';' || (address[i] == ':' && !bracketed)) {
            return "the host is not valid (IPv6 addresses stand in brackets)";
        }
    }
    return NULL;
}

/* Why the endpoint of `size` bytes, without chroot, is none, or NULL. */
static const char *endpoint_fault (const char *endpoint, size_t size)
{
    size_t prefix = 0;
    enum transport transport = transport_of (endpoint, size, &prefix);
    if (transport == TRANSPORT_NONE) {
        return "a server is tcp://host:port, ipc://path or inproc://name";
    }
    if (size > HOSTS_ENDPOINT_MAX) {
        return "an endpoint has at most 255 bytes";
    }
    return transport == TRANSPORT_TCP ? address_fault (endpoint + prefix, size - prefix) : NULL;
}

bool hosts_endpoint_valid (const char *endpoint)
{
    return endpoint_fault (endpoint, strlen (endpoint)) == NULL;
}

/* Where the chroot begins in an element of `size` bytes; `size` if it has none. For ipc and inproc
 * the ';' in front of it is not part of it. */
static size_t chroot_offset (const char *element, size_t size, size_t *endpoint_size)
{
    size_t prefix = 0;
    enum transport transport = transport_of (element, size, &prefix);
    char mark = transport == TRANSPORT_TCP ? '/' : ';';
    const char *found =
        transport == TRANSPORT_NONE ? NULL : memchr (element + prefix, mark, size - prefix);
    *endpoint_size = found == NULL ? size : (size_t) (found - element);
    return *endpoint_size + (found != NULL && mark == ';' ? 1 : 0);
}

static int take_chroot (struct hosts *hosts, const char *chroot, char *text, size_t text_size)
{
    char reason[256];
    /* "tcp://a:5181/" means the root, as it does for ZooKeeper. */
    if (strcmp (chroot, "/") == 0) {
        chroot = "";
    }
    if (chroot[0] != '\0') {
        int rc = path_check (chroot, false, reason, sizeof (reason));
        if (rc != 0) {
            snprintf (text, text_size, "servers, chroot: %s", reason);
            return rc;
        }
    }
    hosts->chroot = mem_strdup (chroot);
    return hosts->chroot != NULL ? COHORT_OK : COHORT_ENOMEM;
}

static int add_endpoint (struct hosts *hosts, const char *endpoint, size_t size)
{
    COHORT_ASSERT (hosts->count < HOSTS_MAX);
    char *copy = mem_alloc (size + 1);
    if (copy == NULL) {
        return COHORT_ENOMEM;
    }
    memcpy (copy, endpoint, size);
    copy[size] = '\0';
    hosts->endpoints[hosts->count++] = copy;
    return COHORT_OK;
}

/* Takes the elements of the list one by one; hosts->endpoints has room for HOSTS_MAX. */
static int parse_elements (struct hosts *hosts, const char *servers, char *text, size_t text_size)
{
    for (const char *at = servers;;) {
        size_t size = strcspn (at, ","), endpoint_size = 0;
        bool last = at[size] == '\0';
        size_t chroot = chroot_offset (at, size, &endpoint_size);
        const char *fault = endpoint_fault (at, endpoint_size);
        if (fault == NULL && !last && chroot < size) {
            fault = "the chroot stands at the end of the list";
        }
        if (fault != NULL) {
            snprintf (text, text_size, "servers, byte %zu (\"%.*s\"): %s", (size_t) (at - servers),
                      (int) (size < 80 ? size : 80), at, fault);
            return COHORT_EINVAL;
        }
        if (hosts->count == HOSTS_MAX) {
            snprintf (text, text_size, "servers: more than %d", HOSTS_MAX);
            return COHORT_ELIMIT;
        }
        int rc = add_endpoint (hosts, at, endpoint_size);
        if (rc != 0 || last) {
            return rc != 0 ? rc : take_chroot (hosts, at + chroot, text, text_size);
        }
        at += size + 1;
    }
}

int hosts_parse (struct hosts *hosts, const char *servers, char *text, size_t text_size)
{
    *hosts = (struct hosts){0};
    COHORT_ASSERT (text_size > 0);
    snprintf (text, text_size, "servers: out of memory");
    if (servers == NULL || servers[0] == '\0') {
        snprintf (text, text_size, "servers is %s", servers == NULL ? "NULL" : "empty");
        return COHORT_EINVAL;
    }
    hosts->endpoints = mem_calloc (HOSTS_MAX, sizeof (*hosts->endpoints));
    int rc =
        hosts->endpoints == NULL ? COHORT_ENOMEM : parse_elements (hosts, servers, text, text_size);
    if (rc != 0) {
        hosts_deinit (hosts);
        return rc;
    }
    COHORT_ASSERT (hosts->count > 0);
    COHORT_ASSERT (hosts->chroot != NULL);
    text[0] = '\0';
    return COHORT_OK;
}

int hosts_copy (struct hosts *hosts, const struct hosts *from)
{
    COHORT_ASSERT (from->count > 0);
    *hosts = (struct hosts){0};
    hosts->endpoints = mem_calloc (from->count, sizeof (*hosts->endpoints));
    hosts->chroot = mem_strdup (from->chroot);
    bool failed = hosts->endpoints == NULL || hosts->chroot == NULL;
    for (size_t i = 0; i < from->count && !failed; i++) {
        failed = add_endpoint (hosts, from->endpoints[i], strlen (from->endpoints[i])) != 0;
    }
    if (failed) {
        hosts_deinit (hosts);
        return COHORT_ENOMEM;
    }
    return COHORT_OK;
}

void hosts_deinit (struct hosts *hosts)
{
    for (size_t i = 0; i < hosts->count; i++) {
        mem_free (hosts->endpoints[i]);
    }
    mem_free (hosts->endpoints);
    mem_free (hosts->chroot);
    *hosts = (struct hosts){0};
}

void hosts_shuffle (struct hosts *hosts, struct prng *prng)
{
    /* Fisher and Yates: every order is equally likely. */
    for (size_t i = hosts->count; i > 1; i--) {
        size_t j = (size_t) prng_below (prng, i);
        char *other = hosts->endpoints[j];
        hosts->endpoints[j] = hosts->endpoints[i - 1];
        hosts->endpoints[i - 1] = other;
    }
}
