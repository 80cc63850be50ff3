/*
 * limit_model.c: limiters let in as many as they may and forget nobody; a once
 * cell is filled once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model.h"

#include <stddef.h>

/* Capacity limiter ------------------------------------------------------------------------- */

enum { NAMES = 3 };

static aloop_limiter *limiter;
static int32_t inside, allowed;
static char names[NAMES];
static bool named[NAMES]; /* this one's token is in use */

static int64_t borrowed(void) {
    return aloop_limiter_statistic(limiter, ALOOP_LIMITER_STAT_BORROWED);
}

static void change_total(void) {
    const int32_t total = (int32_t)any(4);
    aloop_limiter_set_total_tokens(limiter, total);
    allowed = borrowed() > total ? (int32_t)borrowed() : total;
}

/* With a token, under the task's name or (name >= 0) another. */
static int64_t stay(int32_t name) {
    inside++;
    claim(inside <= borrowed(), "somebody is inside without a token");
    claim(borrowed() <= allowed, "too many tokens are out");
    if (name >= 0) {
        claim(!named[name], "a borrower has two tokens");
        named[name] = true;
    }
    const int64_t status = dawdle();
    inside--;
    if (name >= 0) named[name] = false;
    claim((name < 0 ? aloop_limiter_release(limiter)
                    : aloop_limiter_release_on_behalf_of(limiter, &names[name])) == 0,
          "a release failed");
    const int64_t total = aloop_limiter_total_tokens(limiter);
    if (borrowed() <= total) allowed = (int32_t)total;
    return status;
}

static int64_t borrower(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    int64_t status = 0;
    while (a->steps-- > 0) {
        const int32_t name = any(2) == 0 ? (int32_t)any(NAMES) : -1;
        if (any(4) == 0) {
            status = name < 0 ? aloop_limiter_acquire_nowait(limiter)
                              : aloop_limiter_acquire_on_behalf_of_nowait(limiter, &names[name]);
        } else {
            status = await_somehow(
                name < 0 ? aloop_limiter_acquire(limiter)
                         : aloop_limiter_acquire_on_behalf_of(limiter, &names[name]), NULL);
        }
        if (status >= 0) status = stay(name);
        claim(status != ALOOP_EEXIST || name >= 0, "a task was taken for another");
        if (status == ALOOP_ECANCELED && !goes_on()) break;
        if (any(6) == 0) change_total();
        status = dawdle();
        if (status < 0 && !goes_on()) break;
    }
    return status;
}

void limiter_model(void) {
    inside = 0;
    for (int32_t i = 0; i < NAMES; i++) named[i] = false;
    aloop_limiter_new(&limiter, 1);
    change_total();
    for (uint32_t n = 2 + any(MODEL_ACTORS - 1); n > 0; n--) {
        add_actor(borrower, 1 + (int32_t)any(6));
    }
    wreak_havoc(4 + (int32_t)any(12));
    settle();
    for (int32_t turns = 0; turns < 50; turns++) { /* those who end may set it to 0 again */
        aloop_limiter_set_total_tokens(limiter, allowed = 4);
        settle();
    }
    expect_all_ended();
    claim(borrowed() == 0, "a token was lost");
    claim(aloop_limiter_statistic(limiter, ALOOP_LIMITER_STAT_WAITING) == 0, "somebody waits");
    for (int32_t i = 0; i < NAMES; i++) {
        claim(aloop_limiter_acquire_on_behalf_of_nowait(limiter, &names[i]) == 0,
              "a borrower is still known");
    }
    drop_actors();
    aloop_unref(limiter);
}

/* Rate limiter ----------------------------------------------------------------------------- */

static aloop_rate_limiter *bucket;
static double rate, began;
static int64_t burst, used;
static int64_t asked;             /* by those who wait, or were served and have not run */
static double level, level_at;    /* the same bucket in plain arithmetic */

static double now(void) { return aloop_loop_time(aloop_get_running_loop()) - began; }

static int64_t in_bucket(void) {
    return aloop_rate_limiter_statistic(bucket, ALOOP_RATE_LIMITER_STAT_AVAILABLE);
}

static void check_level(int64_t taken) {
    level += (now() - level_at) * rate;
    level_at = now();
    if (level > (double)burst) level = (double)burst;
    level -= (double)taken;
    claim(level > -1e-4, "faster than the rate");
    claim((double)(in_bucket() + asked) > level - 1 - 1e-4, "tokens were lost");
}

static int64_t pourer(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    int64_t status = 0;
    while (a->steps-- > 0) {
        const int64_t n = 1 + any((uint32_t)burst);
        asked += n;
        status = any(4) == 0 ? aloop_rate_limiter_acquire_nowait(bucket, n)
                             : await_somehow(aloop_rate_limiter_acquire(bucket, n), NULL);
        asked -= n;
        if (status >= 0) used += n;
        check_level(status >= 0 ? n : 0);
        claim((double)used <= (double)burst + rate * now() + 1e-6, "faster than the rate");
        if (status == ALOOP_ECANCELED && !goes_on()) break;
        status = dawdle();
        if (status < 0 && !goes_on()) break;
    }
    return status;
}

void rate_model(void) {
    rate = 100.0 * (1 + any(20)) / 3;
    burst = 1 + any(5);
    used = asked = 0;
    began = 0;
    began = now();
    level = (double)burst;
    level_at = 0;
    aloop_rate_limiter_new(&bucket, rate, burst);
    for (uint32_t n = 2 + any(MODEL_ACTORS - 1); n > 0; n--) {
        add_actor(pourer, 1 + (int32_t)any(6));
    }
    wreak_havoc(4 + (int32_t)any(12));
    expect_all_ended();
    claim(aloop_rate_limiter_statistic(bucket, ALOOP_RATE_LIMITER_STAT_WAITING) == 0,
          "somebody waits");
    claim(in_bucket() == burst, "the bucket does not fill up again");
    claim(aloop_rate_limiter_acquire_nowait(bucket, burst) == 0, "a full bucket gives nothing");
    claim(in_bucket() == 0, "an empty bucket is not");
    drop_actors();
    aloop_unref(bucket);
}

/* Once cell -------------------------------------------------------------------------------- */

static aloop_once *cell;
static int32_t under_way, succeeded;

static int64_t initialize(void *arg, void **value) {
    (void)arg, (void)value;
    under_way++;
    claim(under_way == 1, "two initializers at a time");
    int64_t status = any(2) == 0 ? dawdle() : 0;
    under_way--;
    if (status >= 0 && any(2) == 0) status = ALOOP_EUSER;
    if (status >= 0) succeeded++;
    return status < 0 ? status : 7;
}

static aloop_future *begin(void *arg) { return aloop_create_task(initialize, arg); }

static int64_t caller(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    int64_t status = 0;
    while (a->steps-- > 0) {
        status = await_somehow(aloop_once_get_or_init(cell, begin, a), NULL);
        if (status >= 0) {
            claim(status == 7 && aloop_once_get(cell, NULL) == 7, "the cell has another value");
        }
        if (status == ALOOP_ECANCELED && !goes_on()) break;
        status = dawdle();
        if (status < 0 && !goes_on()) break;
    }
    return status;
}

void once_model(void) {
    under_way = succeeded = 0;
    aloop_once_new(&cell);
    for (uint32_t n = 2 + any(MODEL_ACTORS - 1); n > 0; n--) {
        add_actor(caller, 1 + (int32_t)any(4));
    }
    wreak_havoc(4 + (int32_t)any(12));
    expect_all_ended();
    claim(aloop_once_statistic(cell, ALOOP_ONCE_STAT_BUSY) == 0, "the cell stayed busy");
    claim(aloop_once_statistic(cell, ALOOP_ONCE_STAT_WAITING) == 0, "somebody waits");
    if (aloop_once_get(cell, NULL) == 7) claim(succeeded >= 1, "a value from nowhere");
    drop_actors();
    aloop_unref(cell);
}
