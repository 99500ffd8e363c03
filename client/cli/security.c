#include "client/cli/security.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "client/base/secret.h"
#include "client/cli/message.h"

#define PATH_SIZE 4200
#define LINE_SIZE 256

bool security_init (struct security *self, const char *server_key)
{
    memset (self, 0, sizeof *self);
    if (server_key == NULL) {
        return true;
    }
    uint8_t bytes[32];
    if (strlen (server_key) != SECURITY_KEY_SIZE - 1 ||
        zmq_z85_decode (bytes, server_key) == NULL) {
        message ("--server-key: '%s' is not a public key of 40 characters", server_key);
        return false;
    }
    if (zmq_curve_keypair (self->public_key, self->secret_key) != 0) {
        message ("--server-key: libzmq was built without CURVE");
        return false;
    }
    self->server_key = server_key;
    return true;
}

/* A line such as: secret-key = "...". */
static void take_key (const char *line, const char *name, char key[SECURITY_KEY_SIZE])
{
    line += strspn (line, " \t");
    size_t size = strlen (name);
    if (strncmp (line, name, size) != 0) {
        return;
    }
    line += size + strspn (line + size, " =");
    if (line[0] == '"' && strlen (line) > SECURITY_KEY_SIZE && line[SECURITY_KEY_SIZE] == '"') {
        memcpy (key, line + 1, SECURITY_KEY_SIZE - 1);
        key[SECURITY_KEY_SIZE - 1] = 0;
    }
}

bool security_take_file (struct security *self, const char *file)
{
    char name[PATH_SIZE], line[LINE_SIZE];
    char public_key[SECURITY_KEY_SIZE] = "", secret_key[SECURITY_KEY_SIZE] = "",
         derived[SECURITY_KEY_SIZE];
    if (self->server_key == NULL) {
        message ("--key: it takes --server-key, without which nothing is encrypted");
        return false;
    }
    snprintf (name, sizeof name, "%s_secret", file);
    FILE *stream = fopen (name, "r");
    stream = stream != NULL ? stream : fopen (file, "r");
    if (stream == NULL) {
        message ("--key: %s: %s", file, strerror (errno));
        return false;
    }
    while (fgets (line, sizeof line, stream) != NULL) {
        take_key (line, "public-key", public_key);
        take_key (line, "secret-key", secret_key);
    }
    fclose (stream);
    secret_wipe (line, sizeof line);
    bool good = *secret_key != 0 && zmq_curve_public (derived, secret_key) == 0 &&
                strcmp (derived, public_key) == 0;
    if (good) {
        memcpy (self->public_key, public_key, sizeof public_key);
        memcpy (self->secret_key, secret_key, sizeof secret_key);
    } else {
        message ("--key: %s: holds no pair of CURVE keys (cohortd keygen FILE makes one)", file);
    }
    secret_wipe (secret_key, sizeof secret_key);
    return good;
}

void security_apply (const struct security *self, cohort_options_t *options)
{
    if (self->server_key != NULL) {
        options->server_key = self->server_key;
        options->public_key = self->public_key;
        options->secret_key = self->secret_key;
    }
}

static bool set_key (void *socket, int option, const char *key)
{
    return zmq_setsockopt (socket, option, key, SECURITY_KEY_SIZE) == 0;
}

bool security_apply_socket (const struct security *self, void *socket)
{
    return self->server_key == NULL || (set_key (socket, ZMQ_CURVE_SERVERKEY, self->server_key) &&
                                        set_key (socket, ZMQ_CURVE_PUBLICKEY, self->public_key) &&
                                        set_key (socket, ZMQ_CURVE_SECRETKEY, self->secret_key));
}
