/*
 * server/net/zap.c - which keys clients have
 */
#include "server/net/zap.h"

#include <string.h>
#include <zmq.h>

#include "client/base/assert.h"

#define ENDPOINT "inproc://zeromq.zap.01"

enum { KEY_SIZE = 32, KEY_TEXT_SIZE = 41, PART_MAX = 256, QUESTIONS_A_TURN = 64 };

/* The parts of a question that are of interest, by their place. */
enum { PART_VERSION, PART_ID, PART_DOMAIN, PART_ADDRESS, PART_IDENTITY, PART_MECHANISM, PART_KEY };

struct question {
    unsigned char id[PART_MAX];
    size_t id_size;
    bool curve;
    unsigned char key[KEY_SIZE];
    size_t key_size;
};

void *zap_open (void *context)
{
    int linger = 0;
    void *zap = zmq_socket (context, ZMQ_REP);
    if (zap == NULL) {
        return NULL;
    }
    if (zmq_setsockopt (zap, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
        zmq_bind (zap, ENDPOINT) != 0) {
        (void) zmq_close (zap);
        return NULL;
    }
    return zap;
}

void zap_close (void **zap_p)
{
    if (*zap_p != NULL) {
        /* At once; what is closed gives its endpoint up some time later. */
        (void) zmq_unbind (*zap_p, ENDPOINT);
        (void) zmq_close (*zap_p);
        *zap_p = NULL;
    }
}

static void take_part (struct question *question, int place, const unsigned char *part, size_t size)
{
    if (place == PART_ID) {
        memcpy (question->id, part, size);
        question->id_size = size;
    } else if (place == PART_MECHANISM) {
        question->curve = size == 5 && memcmp (part, "CURVE", 5) == 0;
    } else if (place == PART_KEY && size == KEY_SIZE) {
        memcpy (question->key, part, size);
        question->key_size = size;
    }
}

/* false: nothing waits. */
static bool receive (void *zap, struct question *question)
{
    int more = 1;
    *question = (struct question){.id_size = 0};
    for (int place = 0; more != 0; place++) {
        unsigned char part[PART_MAX];
        size_t size = sizeof more;
        int received = zmq_recv (zap, part, sizeof part, place == 0 ? ZMQ_DONTWAIT : 0);
        if (received < 0) {
            return false;
        }
        take_part (question, place, part,
                   (size_t) received < sizeof part ? (size_t) received : sizeof part);
        int rc = zmq_getsockopt (zap, ZMQ_RCVMORE, &more, &size);
        COHORT_ASSERT (rc == 0);
    }
    return true;
}

static void send_part (void *zap, const void *part, size_t size)
{
    (void) zmq_send (zap, part, size, ZMQ_SNDMORE);
}

/* libzmq is asking, and waits: sending cannot fail but with the context. */
static void answer (void *zap, const struct question *question)
{
    char key[KEY_TEXT_SIZE] = "";
    if (question->curve && question->key_size == KEY_SIZE) {
        char *encoded = zmq_z85_encode (key, question->key, KEY_SIZE);
        COHORT_ASSERT (encoded == key);
    }
    send_part (zap, "1.0", 3);
    send_part (zap, question->id, question->id_size);
    send_part (zap, "200", 3);
    send_part (zap, "OK", 2);
    send_part (zap, key, strlen (key));
    (void) zmq_send (zap, "", 0, 0);
}

bool zap_turn (void *zap)
{
    struct question question;
    bool any = false;
    for (int i = 0; i < QUESTIONS_A_TURN && receive (zap, &question); i++) {
        answer (zap, &question);
        any = true;
    }
    return any;
}
