/*
 *  tests/unit/store/history.c - a log to put into a store, and to compare with what comes out
 */
#include "tests/unit/store/history.h"

#include <string.h>

#include "client/base/alloc.h"
#include "client/base/assert.h"
#include "client/base/hash.h"
#include "client/base/prng.h"
#include "tests/unit/unit.h"

void history_init (struct history *self)
{
    self->base = (struct zab_point){.zxid = 0};
    self->base_stamp_ms = 0;
    self->count = 0;
}

struct zab_point history_last (const struct history *self)
{
    if (self->count == 0) {
        return self->base;
    }
    const struct expected *last = &self->entries[self->count - 1];
    return (struct zab_point){.zxid = last->zxid, .chain = last->chain};
}

int64_t history_last_stamp (const struct history *self)
{
    return self->count > 0 ? self->entries[self->count - 1].stamp_ms : self->base_stamp_ms;
}

void history_data (const struct expected *entry, uint8_t *data)
{
    struct prng prng;
    prng_seed (&prng, entry->seed);
    /*  Some entries hold whole sectors of zeros: they must not be taken for torn ones. */
    bool zeros = entry->size > 600 && entry->seed % 3 == 0;
    for (uint32_t i = 0; i < entry->size; i++) {
        data[i] = zeros && i > 20 && i < entry->size - 10 ? 0 : (uint8_t) prng_u64 (&prng);
    }
}

void history_add (struct history *self, uint32_t epoch, uint32_t size, uint64_t seed)
{
    COHORT_ASSERT (self->count < HISTORY_MAX);
    COHORT_ASSERT (size <= ENTRY_SIZE_MAX);
    struct zab_point last = history_last (self);
    if (epoch == 0) {
        epoch = zxid_epoch (last.zxid) == 0 ? 1 : zxid_epoch (last.zxid);
    }
    struct expected *entry = &self->entries[self->count];
    entry->zxid = epoch == zxid_epoch (last.zxid) ? last.zxid + 1 : zxid_make (epoch, 1);
    entry->stamp_ms = history_last_stamp (self) + (int64_t) (seed % 5);
    entry->size = size;
    entry->seed = seed;
    uint8_t *data = mem_alloc (size);
    COHORT_ASSERT (data != NULL);
    history_data (entry, data);
    entry->chain = zab_chain (last.chain, entry->zxid, entry->stamp_ms, data, size);
    mem_free (data);
    self->count++;
}

void history_cut (struct history *self, zxid_t to)
{
    while (self->count > 0 && self->entries[self->count - 1].zxid > to) {
        self->count--;
    }
}

struct zab_point history_point (const struct history *self, zxid_t zxid)
{
    for (size_t i = self->count; i > 0; i--) {
        if (self->entries[i - 1].zxid == zxid) {
            return (struct zab_point){.zxid = zxid, .chain = self->entries[i - 1].chain};
        }
    }
    COHORT_ASSERT (zxid == self->base.zxid);
    return self->base;
}

void history_purge (struct history *self, struct zab_point base, int64_t stamp_ms)
{
    size_t gone = 0;
    while (gone < self->count && self->entries[gone].zxid <= base.zxid) {
        gone++;
    }
    self->count -= gone;
    memmove (self->entries, self->entries + gone, self->count * sizeof *self->entries);
    self->base = base;
    self->base_stamp_ms = stamp_ms;
}

void history_restart (struct history *self, struct zab_point base, int64_t stamp_ms)
{
    self->count = 0;
    self->base = base;
    self->base_stamp_ms = stamp_ms;
}

void history_submit_with (const struct history *self, struct store *store, size_t from,
                          const struct zab_persist *request)
{
    size_t count = self->count - from, bytes = 0;
    for (size_t i = from; i < self->count; i++) {
        bytes += self->entries[i].size;
    }
    struct zab_entry *entries = mem_calloc (count, sizeof *entries);
    uint8_t *data = mem_alloc (bytes), *at = data;
    COHORT_ASSERT (entries != NULL && data != NULL);
    for (size_t i = 0; i < count; i++) {
        const struct expected *entry = &self->entries[from + i];
        history_data (entry, at);
        entries[i] = (struct zab_entry){
            .zxid = entry->zxid,
            .stamp_ms = entry->stamp_ms,
            .chain = entry->chain,
            .data = at,
            .size = entry->size,
        };
        at += entry->size;
    }
    struct zab_persist persist = *request;
    persist.entries = entries;
    persist.entries_count = count;
    store_persist (store, &persist);
    mem_free (entries);
    mem_free (data);
}

void history_submit (const struct history *self, struct store *store, size_t from, uint64_t number,
                     zxid_t commit)
{
    history_submit_with (self, store, from,
                         &(struct zab_persist){.number = number, .commit = commit});
}

static void assert_same (const struct expected *expected, const struct zab_entry *found)
{
    static uint8_t data[ENTRY_SIZE_MAX];
    assert_int_equal (found->zxid, expected->zxid);
    assert_int_equal (found->stamp_ms, expected->stamp_ms);
    assert_int_equal (found->chain, expected->chain);
    assert_int_equal (found->size, expected->size);
    history_data (expected, data);
    assert_memory_equal (found->data, data, expected->size);
}

size_t history_compare (const struct history *self, struct store *store)
{
    struct zab_entry entries[64];
    struct zab_point base;
    int64_t stamp_ms;
    store_base (store, &base, &stamp_ms);
    size_t at = 0;
    while (at < self->count && self->entries[at].zxid <= base.zxid) {
        at++;
    }
    struct zab_point point = history_point (self, base.zxid);
    assert_int_equal (point.chain, base.chain);
    zxid_t after = base.zxid;
    for (;;) {
        size_t count = store_read (store, after, UINT64_MAX, 100000, entries, 64);
        assert_int_equal (store_failure (store, NULL), 0);
        if (count == 0) {
            break;
        }
        for (size_t i = 0; i < count; i++, at++) {
            assert_true (at < self->count);
            assert_same (&self->entries[at], &entries[i]);
        }
        after = entries[count - 1].zxid;
    }
    assert_int_equal (after, store_last (store));
    return at;
}

uint64_t store_digest (struct store *store)
{
    struct zab_entry entries[64];
    struct zab_point base;
    int64_t stamp_ms;
    store_base (store, &base, &stamp_ms);
    uint64_t digest = hash64 (&base.chain, sizeof base.chain, base.zxid);
    zxid_t after = base.zxid;
    size_t count;
    while ((count = store_read (store, after, UINT64_MAX, 100000, entries, 64)) > 0) {
        for (size_t i = 0; i < count; i++) {
            digest = hash64 (&entries[i].chain, sizeof entries[i].chain, digest);
            digest = hash64 (entries[i].data, entries[i].size, digest ^ entries[i].zxid);
        }
        after = entries[count - 1].zxid;
    }
    return digest;
}
