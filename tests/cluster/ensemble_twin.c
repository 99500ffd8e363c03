/* A second server with the id of another. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/cluster/ensemble.h"
#include "tests/unit/unit.h"

static uint16_t port (void)
{
    int holder;
    uint16_t given = ensemble_port (&holder);
    (void) close (holder);
    return given;
}

static bool begins (const char *line, const char *key)
{
    size_t size = strlen (key);
    return strncmp (line, key, size) == 0 && line[size] == '=';
}

/* That of the other, but for what is its own. */
static void write_config (const struct ensemble_server *of, const struct ensemble_server *twin)
{
    char line[2 * ENSEMBLE_TEXT], server_key[32], clients_key[32];
    FILE *from = fopen (of->config, "r");
    FILE *to = fopen (twin->config, "w");
    assert_non_null (from);
    assert_non_null (to);
    (void) snprintf (server_key, sizeof server_key, "server.%u", of->id);
    (void) snprintf (clients_key, sizeof clients_key, "clients.%u", of->id);
    while (fgets (line, sizeof line, from)) {
        if (begins (line, "dataDir")) {
            (void) snprintf (line, sizeof line, "dataDir=%s\n", twin->data);
        } else if (begins (line, "clients") || begins (line, clients_key)) {
            line[strcspn (line, "=")] = '\0';
            size_t used = strlen (line);
            (void) snprintf (line + used, sizeof line - used, "=%s\n", twin->clients);
        } else if (begins (line, server_key)) {
            (void) snprintf (line, sizeof line, "%s=%s:%u\n", server_key, twin->address, port ());
        }
        assert_true (fputs (line, to) >= 0);
    }
    assert_int_equal (fclose (from), 0);
    assert_int_equal (fclose (to), 0);
}

void ensemble_make_twin (struct ensemble *self, size_t index, bool copied)
{
    const struct ensemble_server *of = &self->servers[index];
    struct ensemble_server twin = {.id = of->id};
    assert_int_equal (self->servers[self->count].pid, 0);
    memcpy (twin.address, of->address, sizeof twin.address);
    (void) snprintf (twin.config, sizeof twin.config, "%s/twin.cfg", self->folder);
    (void) snprintf (twin.log, sizeof twin.log, "%s/twin.log", self->folder);
    (void) snprintf (twin.data, sizeof twin.data, "%s/twin", self->folder);
    (void) snprintf (twin.clients, sizeof twin.clients, "tcp://%s:%u", of->address, port ());
    write_config (of, &twin);
    ensemble_shell ("rm -rf '%s'", twin.data);
    if (copied) {
        ensemble_shell ("cp -a '%s' '%s' && rm -f '%s/lock'", of->data, twin.data, twin.data);
    }
    self->servers[self->count] = twin;
    self->twin = true;
}
