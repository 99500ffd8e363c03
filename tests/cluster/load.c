/* Writers that note what was acknowledged. */

#include "tests/cluster/load.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cluster/ensemble.h"
#include "tests/unit/unit.h"

enum { PATH_SIZE = 64, CONNECT_MS = 20000, SETTLE_MS = 60000 };

static const char data[100] = "one hundred bytes of data";

static void send_more (struct load_session *session);

static void on_created (cohort_t *client, const cohort_result_t *result, void *arg)
{
    struct load_session *session = arg;
    struct load *self = session->load;
    int64_t now_ms = test_now_ms ();
    unsigned number = 0;

    (void) client;
    if (result->rc != 0) {
        fail_msg ("creating a znode of session %zu gives %s", session->index,
                  cohort_error_name (result->rc));
    }
    const char *name = strrchr (result->path, 'n');
    assert_true (name && sscanf (name, "n%u", &number) == 1 && number < self->total);
    assert_int_equal (session->done[number], 0);
    session->done[number] = 1;
    session->acked++;
    self->acked++;
    if (now_ms - self->last_ms > self->longest_to_ms - self->longest_from_ms) {
        self->longest_from_ms = self->last_ms;
        self->longest_to_ms = now_ms;
    }
    self->last_ms = now_ms;
    send_more (session);
}

static void send_more (struct load_session *session)
{
    char path[PATH_SIZE];
    while (session->sent < session->load->total &&
           session->sent - session->acked < session->load->window) {
        (void) snprintf (path, sizeof path, "/load/s%zu/n%zu", session->index, session->sent);
        session->sent++;
        assert_int_equal (cohort_create_async (session->client, path, data, sizeof data,
                                               COHORT_PERSISTENT, NULL, on_created, session),
                          0);
    }
}

static void make (cohort_t *client, const char *path)
{
    int rc = cohort_create (client, path, NULL, 0, COHORT_PERSISTENT, NULL, NULL, NULL);
    assert_true (rc == 0 || rc == COHORT_ENODEEXISTS);
}

void load_init (struct load *self, const char *servers, size_t sessions, size_t window,
                size_t total)
{
    memset (self, 0, sizeof *self);
    self->loop = cohort_loop_new (NULL);
    assert_non_null (self->loop);
    self->sessions_count = sessions;
    self->window = window;
    self->total = total;
    for (size_t i = 0; i < sessions; i++) {
        struct load_session *session = &self->sessions[i];
        cohort_options_t options = {.size = sizeof options, .loop = self->loop};
        char path[PATH_SIZE];
        session->load = self;
        session->index = i;
        session->done = calloc (total, 1);
        session->client = cohort_new (servers, &options);
        assert_non_null (session->done);
        assert_non_null (session->client);
        assert_int_equal (cohort_wait (session->client, CONNECT_MS), 0);
        make (session->client, "/load");
        (void) snprintf (path, sizeof path, "/load/s%zu", i);
        make (session->client, path);
    }
    self->last_ms = test_now_ms ();
}

void load_end (struct load *self)
{
    for (size_t i = 0; i < self->sessions_count; i++) {
        cohort_destroy (&self->sessions[i].client);
    }
}

void load_deinit (struct load *self)
{
    for (size_t i = 0; i < self->sessions_count; i++) {
        cohort_destroy (&self->sessions[i].client);
        free (self->sessions[i].done);
    }
    assert_int_equal (cohort_loop_destroy (&self->loop), 0);
}

void load_until (struct load *self, size_t acked, int limit_ms)
{
    struct pollfd fds[LOAD_SESSIONS_MAX];
    int64_t limit = test_now_ms () + limit_ms;

    for (size_t i = 0; i < self->sessions_count; i++) {
        fds[i] = (struct pollfd){.fd = cohort_fd (self->sessions[i].client), .events = POLLIN};
        send_more (&self->sessions[i]);
    }
    while (self->acked < acked) {
        if (test_now_ms () > limit) {
            fail_msg ("%zu of %zu writes acknowledged after %d ms", self->acked, acked, limit_ms);
        }
        (void) poll (fds, self->sessions_count, 100);
        for (size_t i = 0; i < self->sessions_count; i++) {
            (void) cohort_dispatch (self->sessions[i].client, 0);
        }
    }
}

static void verify_session (const struct load_session *session, cohort_t *client)
{
    cohort_strings_t *names = NULL;
    char path[PATH_SIZE];
    size_t found = 0;

    (void) snprintf (path, sizeof path, "/load/s%zu", session->index);
    assert_int_equal (cohort_children (client, path, &names, NULL), 0);
    for (size_t i = 0; i < names->count; i++) {
        unsigned number = 0;
        assert_int_equal (sscanf (names->items[i], "n%u", &number), 1);
        assert_true (number < session->sent);
        found += session->done[number];
    }
    assert_int_equal (found, session->acked);
    cohort_strings_destroy (&names);
}

void load_verify (struct load *self, const char *endpoint)
{
    cohort_t *client = cohort_new (endpoint, NULL);
    assert_non_null (client);
    assert_int_equal (cohort_wait (client, CONNECT_MS), 0);
    assert_int_equal (cohort_sync (client), 0);
    for (size_t i = 0; i < self->sessions_count; i++) {
        verify_session (&self->sessions[i], client);
    }
    cohort_destroy (&client);
}

void load_verify_all (struct load *self, struct ensemble *ensemble)
{
    (void) ensemble_wait_leader (ensemble, ensemble->count - 1, SETTLE_MS);
    ensemble_wait_whole (ensemble, SETTLE_MS);
    for (size_t i = 0; i < ensemble->count; i++) {
        load_verify (self, ensemble->servers[i].clients);
    }
    ensemble_wait_equal (ensemble, SETTLE_MS);
    load_deinit (self);
}
