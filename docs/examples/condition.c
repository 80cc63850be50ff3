/*
 * Tasks that wait until something holds: a producer changes the stock under the
 * condition's lock and notifies, the consumers look again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

struct store {
    aloop_condition *changed;
    int stock;
};

struct customer {
    const char *name;
    struct store *store;
    int wants;
};

static int64_t enough(void *arg) {
    const struct customer *customer = arg;
    return customer->store->stock >= customer->wants;
}

static int64_t buy(void *arg, void **value) {
    (void)value;
    struct customer *customer = arg;
    struct store *store = customer->store;
    int64_t rc = aloop_await(aloop_condition_acquire(store->changed), NULL);
    if (rc < 0) return rc;
    printf("%s waits for %d\n", customer->name, customer->wants);
    rc = aloop_await(aloop_condition_wait_for(store->changed, enough, customer), NULL);
    if (rc >= 0) {
        store->stock -= customer->wants;
        printf("%s took %d, %d left\n", customer->name, customer->wants, store->stock);
    }
    aloop_condition_release(store->changed); /* wait_for holds it again, always */
    return rc;
}

static int64_t deliver(void *arg, void **value) {
    (void)value;
    struct store *store = arg;
    for (int i = 0; i < 3; i++) {
        int64_t rc = aloop_await(aloop_sleep(1), NULL);
        if (rc >= 0) rc = aloop_await(aloop_condition_acquire(store->changed), NULL);
        if (rc < 0) return rc;
        store->stock += 2;
        printf("delivered, %d in stock\n", store->stock);
        aloop_condition_notify_all(store->changed);
        aloop_condition_release(store->changed);
    }
    return 0;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    struct store store = {0};
    int64_t rc = aloop_condition_new(&store.changed, NULL);
    if (rc < 0) return rc;
    struct customer ann = {"Ann", &store, 4}, bob = {"Bob", &store, 1};
    rc = aloop_await(ALOOP_GATHER(0, aloop_create_task(buy, &ann), aloop_create_task(buy, &bob),
                                  aloop_create_task(deliver, &store)),
                     NULL);
    aloop_unref(store.changed);
    return rc;
}

int main(void) { return aloop_main(run, NULL); }
