#include "client/cli/security.h"

#include <string.h>
#include <zmq.h>

#include "client/cli/message.h"

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
