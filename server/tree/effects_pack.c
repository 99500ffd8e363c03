/*
 * server/tree/effects_pack.c - the numbers of an effect in few bytes
 *
 * PURE.
 */
#include "server/tree/effects_pack.h"

#include "client/base/assert.h"
#include "client/base/fields.h"

/* What may differ from what is to be expected, the most frequent first: kind, sizes of path and
 * data, and a bit for each of these come in front of them. */
enum number {
    NUMBER_MTIME, /* behind the base */
    NUMBER_CTIME, /* before mtime */
    NUMBER_CZXID, /* before the effect's */
    NUMBER_VERSION,
    NUMBER_MZXID, /* before the effect's */
    NUMBER_PZXID, /* behind czxid */
    NUMBER_CVERSION,
    NUMBER_CHILD_COUNT,
    NUMBER_DATA_SIZE, /* more than there is of data */
    NUMBER_OWNER,
    NUMBER_OZXID, /* before the effect's, where there is an owner */
    NUMBER_AVERSION,
    NUMBER_MODE,
    NUMBER_TTL,
    NUMBER_FROM,
    NUMBER_ACL_SIZE,
    NUMBER_PARENT_ACL_SIZE,
    NUMBER_WAS_ACL_SIZE,
    NUMBER_COUNT
};

_Static_assert(1 + (3 + NUMBER_COUNT) * VARINT_SIZE_MAX <= EFFECTS_HEAD_MAX, "a head has room");

/* The difference of two times: small numbers of either sign are short. */
static uint64_t apart (int64_t later, int64_t earlier)
{
    uint64_t difference = (uint64_t) later - (uint64_t) earlier;
    return difference << 1 ^ (0 - (difference >> 63));
}

static int64_t later_than (int64_t earlier, uint64_t apart)
{
    return (int64_t) ((uint64_t) earlier + (apart >> 1 ^ (0 - (apart & 1))));
}

static int64_t earlier_than (int64_t later, uint64_t apart)
{
    return (int64_t) ((uint64_t) later - (apart >> 1 ^ (0 - (apart & 1))));
}

static void differences (const struct effect *effect, int64_t base_ms,
                         uint64_t numbers[NUMBER_COUNT])
{
    const cohort_stat_t *stat = &effect->stat;
    numbers[NUMBER_MTIME] = apart (stat->mtime_ms, base_ms);
    numbers[NUMBER_CTIME] = apart (stat->mtime_ms, stat->ctime_ms);
    numbers[NUMBER_CZXID] = effect->zxid - stat->czxid;
    numbers[NUMBER_VERSION] = (uint32_t) stat->version;
    numbers[NUMBER_MZXID] = effect->zxid - stat->mzxid;
    numbers[NUMBER_PZXID] = stat->pzxid - stat->czxid;
    numbers[NUMBER_CVERSION] = (uint32_t) stat->cversion;
    numbers[NUMBER_CHILD_COUNT] = stat->child_count;
    numbers[NUMBER_DATA_SIZE] = (uint32_t) stat->data_size - effect->data_size;
    numbers[NUMBER_OWNER] = stat->ephemeral_owner;
    numbers[NUMBER_OZXID] = stat->ephemeral_owner != 0 ? effect->zxid - stat->ozxid : stat->ozxid;
    numbers[NUMBER_AVERSION] = (uint32_t) stat->aversion;
    numbers[NUMBER_MODE] = (uint32_t) stat->mode;
    numbers[NUMBER_TTL] = (uint64_t) stat->ttl_ms;
    numbers[NUMBER_FROM] = effect->from;
    numbers[NUMBER_ACL_SIZE] = effect->acl_size;
    numbers[NUMBER_PARENT_ACL_SIZE] = effect->parent_acl_size;
    numbers[NUMBER_WAS_ACL_SIZE] = effect->was_acl_size;
}

size_t effects_pack (const struct effect *effect, int64_t base_ms, uint8_t head[EFFECTS_HEAD_MAX])
{
    uint64_t numbers[NUMBER_COUNT];
    differences (effect, base_ms, numbers);
    uint32_t there = 0;
    for (unsigned i = 0; i < NUMBER_COUNT; i++) {
        there |= (uint32_t) (numbers[i] != 0) << i;
    }
    uint8_t *at = head;
    *at++ = (uint8_t) effect->kind;
    at = field_put_varint (at, effect->path_size);
    at = field_put_varint (at, effect->data_size);
    at = field_put_varint (at, there);
    for (uint32_t left = there; left != 0; left &= left - 1) {
        at = field_put_varint (at, numbers[__builtin_ctz (left)]);
    }
    return (size_t) (at - head);
}

static uint64_t take_varint (const uint8_t **at)
{
    uint64_t value = 0;
    unsigned shift = 0;
    while (**at >= 0x80) {
        value |= (uint64_t) (*(*at)++ & 0x7f) << shift;
        shift += 7;
    }
    return value | (uint64_t) * (*at)++ << shift;
}

const uint8_t *effects_unpack (const uint8_t *head, int64_t base_ms, struct effect *effect)
{
    uint64_t numbers[NUMBER_COUNT] = {0};
    effect->kind = (enum effect_kind) * head++;
    effect->path_size = (uint32_t) take_varint (&head);
    effect->data_size = (uint32_t) take_varint (&head);
    uint32_t there = (uint32_t) take_varint (&head);
    COHORT_ASSERT (there >> NUMBER_COUNT == 0);
    for (uint32_t left = there; left != 0; left &= left - 1) {
        numbers[__builtin_ctz (left)] = take_varint (&head);
    }
    cohort_stat_t *stat = &effect->stat;
    stat->mtime_ms = later_than (base_ms, numbers[NUMBER_MTIME]);
    stat->ctime_ms = earlier_than (stat->mtime_ms, numbers[NUMBER_CTIME]);
    stat->czxid = effect->zxid - numbers[NUMBER_CZXID];
    stat->version = (int32_t) numbers[NUMBER_VERSION];
    stat->mzxid = effect->zxid - numbers[NUMBER_MZXID];
    stat->pzxid = stat->czxid + numbers[NUMBER_PZXID];
    stat->cversion = (int32_t) numbers[NUMBER_CVERSION];
    stat->child_count = (uint32_t) numbers[NUMBER_CHILD_COUNT];
    stat->data_size = (int32_t) (effect->data_size + (uint32_t) numbers[NUMBER_DATA_SIZE]);
    stat->ephemeral_owner = numbers[NUMBER_OWNER];
    stat->ozxid = numbers[NUMBER_OZXID];
    if (stat->ephemeral_owner != 0) {
        stat->ozxid = effect->zxid - stat->ozxid;
    }
    stat->aversion = (int32_t) numbers[NUMBER_AVERSION];
    stat->mode = (int) numbers[NUMBER_MODE];
    stat->ttl_ms = (int64_t) numbers[NUMBER_TTL];
    effect->from = numbers[NUMBER_FROM];
    effect->acl_size = (uint32_t) numbers[NUMBER_ACL_SIZE];
    effect->parent_acl_size = (uint32_t) numbers[NUMBER_PARENT_ACL_SIZE];
    effect->was_acl_size = (uint32_t) numbers[NUMBER_WAS_ACL_SIZE];
    return head;
}
