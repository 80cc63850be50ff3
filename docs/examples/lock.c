/*
 * A lock around what several tasks change, with an await in the middle: without
 * it each task would overwrite what the others did.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

#define TASKS 5

struct account {
    aloop_lock *lock;
    int balance;
};

static int64_t deposit(void *arg, void **value) {
    (void)value;
    struct account *account = arg;
    int64_t rc = aloop_await(aloop_lock_acquire(account->lock), NULL);
    if (rc < 0) return rc;
    const int before = account->balance;
    rc = aloop_await(aloop_sleep(0.1), NULL);
    if (rc >= 0) account->balance = before + 10;
    aloop_lock_release(account->lock); /* in any case */
    return rc;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    struct account account = {0};
    int64_t rc = aloop_lock_new(&account.lock);
    if (rc < 0) return rc;
    aloop_task *tasks[TASKS];
    for (int i = 0; i < TASKS; i++) tasks[i] = aloop_create_task(deposit, &account);
    rc = aloop_await(aloop_gather(tasks, TASKS, 0), NULL);
    printf("balance: %d, locked: %d\n", account.balance, (int)aloop_lock_locked(account.lock));
    aloop_unref(account.lock);
    return rc;
}

int main(void) { return aloop_main(run, NULL); }
