/* Contenders for one lock, each with a client of its own, that trace what they are told. */

#ifndef COHORT_TESTS_RECIPES_CONTENDERS_H
#define COHORT_TESTS_RECIPES_CONTENDERS_H

#include "cohort/lock.h"

#include "tests/unit/recipes/fixture.h"

#define PATH "/locks/a"

static inline void on_event (cohort_lock_t *self, const cohort_lock_event_t *event, void *arg)
{
    fake_in_handler ();
    const char *name = arg;
    assert_string_equal (event->path, PATH);
    switch (event->kind) {
    case COHORT_LOCK_GRANTED:
        assert_true (cohort_lock_held (self));
        assert_int_equal (event->token.czxid, fake_stat (cohort_lock_node (self))->czxid);
        assert_int_equal (event->token.czxid, cohort_lock_token (self).czxid);
        trace ("%s granted; ", name);
        break;
    case COHORT_LOCK_WAITING:
        trace ("%s waits; ", name);
        break;
    case COHORT_LOCK_REVOKED:
        assert_int_not_equal (event->token.czxid, 0);
        assert_int_equal (cohort_lock_token (self).czxid, 0);
        assert_false (cohort_lock_valid (self, 0));
        trace ("%s revoked %d; ", name, event->rc);
        break;
    case COHORT_LOCK_FAILED:
        assert_int_equal (event->token.czxid, 0);
        trace ("%s failed %d; ", name, event->rc);
        break;
    }
}

static inline cohort_lock_t *lock_of (cohort_t *client, const char *name)
{
    cohort_lock_t *lock = cohort_lock_new (client, PATH, name, strlen (name));
    assert_non_null (lock);
    cohort_lock_set_handler (lock, on_event, (void *) name);
    return lock;
}

static inline void acquire_as (cohort_lock_t *lock, cohort_lock_mode_t mode)
{
    assert_int_equal (cohort_lock_acquire (lock, mode), 0);
}

static inline void acquire (cohort_lock_t *lock)
{
    acquire_as (lock, COHORT_LOCK_EXCLUSIVE);
}

static inline void release (cohort_lock_t *lock)
{
    assert_int_equal (cohort_lock_release (lock), 0);
}

/* A contender with its client, in the line. */
struct contender {
    cohort_t *client;
    cohort_lock_t *lock;
};

static inline struct contender enters (const char *name, cohort_lock_mode_t mode)
{
    struct contender self = {.client = fake_client ()};
    self.lock = lock_of (self.client, name);
    acquire_as (self.lock, mode);
    fake_settle (self.client);
    return self;
}

/* Everybody does what is to be done. */
static inline void settle (struct contender *contenders, size_t count)
{
    for (size_t turn = 0; turn < 3; turn++) {
        for (size_t i = 0; i < count; i++) {
            fake_settle (contenders[i].client);
        }
    }
}

static inline void leave (struct contender *contenders, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cohort_lock_destroy (&contenders[i].lock);
        fake_settle (contenders[i].client);
        assert_int_equal (fake_streams (contenders[i].client), 0);
    }
    assert_trace ("");
}

#endif
