/* A link between servers, fed with any frames in any order, while connections come and go and time
 * passes. It must never report the same thing twice, and what it takes must be one sequence without
 * a gap from an UP to the DOWN behind it.
 *
 * Input: steps, one behind the other; see step. */

#include <string.h>

#include "server/node/link.h"
#include "tests/fuzz/fuzz.h"

enum { STEPS_MAX = 600, TIME_MAX = 3000, BULK_MAX = 1 << 20 };

struct run {
    struct reader input;
    struct link link;
    struct link_identity identity;
    int64_t now_ms;
    bool up;           /* as it was told */
    uint64_t expected; /* number of the next frame that may be taken; 0: any */
};

static void take_events (struct run *self)
{
    enum link_event event;
    while ((event = link_take_event (&self->link)) != LINK_NOTHING) {
        COHORT_ASSERT ((event == LINK_UP) != self->up);
        self->up = event == LINK_UP;
        self->expected = 0;
    }
    COHORT_ASSERT (self->link.up == self->up);
}

/* A number near one that means something to it. */
static uint64_t near (struct run *self, uint64_t number)
{
    switch (fuzz_below (&self->input, 8)) {
    case 0:
        return number + 1;
    case 1:
        return number > 0 ? number - 1 : 0;
    case 2:
        return fuzz_number (&self->input);
    default:
        return number;
    }
}

static void put_hello (struct run *self, struct peer_hello *hello)
{
    bool wrong = fuzz_one_in (&self->input, 16);
    *hello =
        (struct peer_hello){.magic = wrong ? (uint32_t) fuzz_number (&self->input) : PEER_MAGIC,
                            .version_min = PEER_VERSION_MIN,
                            .version_max = PEER_VERSION_MAX,
                            .has_cluster = fuzz_one_in (&self->input, 2),
                            .store_id = fuzz_number (&self->input),
                            .role = CONFIG_VOTER};
    hello->cluster_id[0] = fuzz_one_in (&self->input, 16) ? 9 : self->identity.cluster_id[0];
}

static void receive (struct run *self)
{
    struct link *link = &self->link;
    struct peer_frame frame = {.header = {.from = 2, .to = 1}};
    frame.header.mine = near (self, link->theirs != 0 ? link->theirs : 7);
    frame.header.yours = near (self, link->mine);
    frame.header.seq = near (self, link->received + 1);
    frame.header.received = near (self, link->sent);
    switch (fuzz_below (&self->input, 4)) {
    case 0:
        frame.has_hello = true;
        frame.header.seq = near (self, link->received);
        break;
    case 1:
        frame.has_hello_ack = true;
        frame.header.seq = near (self, link->received);
        break;
    default:
        break;
    }
    put_hello (self, &frame.hello);
    bool taken = link_receive (link, &frame, fuzz_below (&self->input, BULK_MAX));
    take_events (self);
    if (taken && !frame.has_hello && !frame.has_hello_ack) {
        COHORT_ASSERT (self->up);
        COHORT_ASSERT (self->expected == 0 || frame.header.seq == self->expected);
        self->expected = frame.header.seq + 1;
    }
}

static void send (struct run *self)
{
    struct peer_frame frame = {.header = {.from = 1, .to = 2}};
    uint64_t credit = link_credit (&self->link, 4);
    if (link_take_hello (&self->link, &frame)) {
        COHORT_ASSERT (frame.has_hello || frame.has_hello_ack);
    }
    if (self->link.up && credit > 0) {
        uint64_t before = self->link.sent;
        link_stamp (&self->link, &frame.header, fuzz_below (&self->input, (uint32_t) credit));
        COHORT_ASSERT (frame.header.seq == before + 1);
    }
}

static void step (struct run *self)
{
    switch (fuzz_below (&self->input, 9)) {
    case 0:
        self->now_ms += fuzz_below (&self->input, TIME_MAX);
        link_time (&self->link, self->now_ms);
        break;
    case 1:
        if (link_take_connect (&self->link)) {
            COHORT_ASSERT (self->link.connection != LINK_CONNECTED);
        }
        break;
    case 2:
        if (self->link.connection == LINK_CONNECTING) {
            link_connected (&self->link);
        }
        break;
    case 3:
        if (self->link.connection != LINK_IDLE && fuzz_one_in (&self->input, 4)) {
            link_disconnected (&self->link);
        }
        break;
    case 4:
        send (self);
        break;
    case 5:
        link_hold (&self->link, fuzz_one_in (&self->input, 2));
        (void) link_ack_due (&self->link);
        break;
    case 6:
        if (fuzz_one_in (&self->input, 8)) {
            link_reset (&self->link, "the fuzzer says so");
        }
        break;
    default:
        receive (self);
        break;
    }
    take_events (self);
    COHORT_ASSERT (link_deadline (&self->link) > INT64_MIN);
}

static void one (const uint8_t *data, size_t size)
{
    struct run self = {.now_ms = 1000};
    struct logger logger = {0};
    reader_init (&self.input, data, size);
    self.identity = (struct link_identity){
        .id = 1, .store_id = 101, .role = CONFIG_VOTER, .has_cluster = true, .cluster_id = {5}};
    link_init (&self.link, 2, &self.identity, 10, &logger, self.now_ms);
    for (int i = 0; i < STEPS_MAX && reader_left (&self.input) > 0; i++) {
        step (&self);
    }
    link_deinit (&self.link);
}

static void seeds (fuzz_seed_fn *add, void *arg)
{
    /* Connects, greets, is greeted, and takes a few frames. */
    static const uint8_t greeting[] = {1, 0, 2, 0, 4, 0, 0, 0, 8, 7, 7, 7, 7, 1, 7, 0, 0, 0,
                                       8, 7, 7, 7, 7, 2, 0, 0, 0, 0, 8, 7, 7, 7, 7, 2, 0, 0};
    uint8_t many[1024];
    for (size_t i = 0; i < sizeof (many); i++) {
        many[i] = (uint8_t) (i * 37 + i / 11);
    }
    add (arg, "greeting", greeting, sizeof (greeting));
    add (arg, "many", many, sizeof (many));
}

const struct fuzz_target fuzz_target = {
    .name = "link",
    .size_max = 4096,
    .memory_base = 1 << 20,
    .memory_factor = 400,
    .one = one,
    .seeds = seeds,
};
