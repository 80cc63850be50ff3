/*
 * sync_scenarios.c: locks, queues, channels and limiters in use, two tasks at a
 * time, so that each waits for the other.
 *
 * Whoever does not come through because of a failed allocation would leave the
 * other waiting: so the second task is cancelled when the first one fails.
 *
 * SPDX-License-Identifier: MIT
 */
#include "scenarios.h"

#include <stdlib.h>

/* Runs both on `on`, until both have ended; the worse outcome. */
static int64_t both(aloop_coro_fn one, aloop_coro_fn two, void *on) {
    aloop_task *first = aloop_create_task(one, on);
    aloop_task *second = aloop_create_task(two, on);
    aloop_ref(second);
    const int64_t status = aloop_await(first, NULL);
    if (status < 0) aloop_task_cancel(second, NULL);
    const int64_t other = aloop_await(second, NULL);
    aloop_unref(second);
    return status < 0 ? status : other;
}

/* The outcome of an operation (consumed) that is not to be waited for long. */
static int64_t briefly(aloop_future *operation, void **value) {
    const int64_t status = aloop_await(aloop_wait_for(operation, 5), value);
    return status == ALOOP_ETIMEDOUT ? ALOOP_ENOMEM : status;
}

/* Locks ------------------------------------------------------------------------------------ */

struct locks {
    aloop_lock *lock;
    aloop_event *event;
    aloop_condition *condition;
    aloop_semaphore *semaphore;
    aloop_barrier *barrier;
    aloop_rwlock *rwlock;
};

static int64_t use_locks(void *arg, void **value) {
    (void)value;
    struct locks *l = arg;
    int64_t status = briefly(aloop_lock_acquire(l->lock), NULL);
    if (status < 0) return status;
    status = aloop_await(aloop_sleep(0), NULL);
    aloop_lock_release(l->lock);
    if (status >= 0) status = briefly(aloop_semaphore_acquire(l->semaphore), NULL);
    if (status < 0) return status;
    status = aloop_await(aloop_sleep(0), NULL);
    aloop_semaphore_release(l->semaphore);
    if (status >= 0) status = briefly(aloop_rwlock_acquire_write(l->rwlock), NULL);
    if (status < 0) return status;
    status = aloop_await(aloop_sleep(0), NULL);
    aloop_rwlock_release_write(l->rwlock);
    if (status >= 0) status = briefly(aloop_barrier_wait(l->barrier), NULL);
    return status;
}

static int64_t wait_for_news(void *arg, void **value) {
    (void)value;
    struct locks *l = arg;
    int64_t status = briefly(aloop_condition_acquire(l->condition), NULL);
    if (status < 0) return status;
    status = briefly(aloop_condition_wait(l->condition), NULL);
    aloop_condition_release(l->condition);
    return status >= 0 ? briefly(aloop_event_wait(l->event), NULL) : status;
}

static int64_t give_news(void *arg, void **value) {
    (void)value;
    struct locks *l = arg;
    int64_t status = aloop_await(aloop_sleep(0.1), NULL);
    if (status >= 0) status = briefly(aloop_condition_acquire(l->condition), NULL);
    if (status < 0) return status;
    aloop_condition_notify_all(l->condition);
    aloop_condition_release(l->condition);
    status = aloop_await(aloop_sleep(0.1), NULL);
    aloop_event_set(l->event);
    return status;
}

static int64_t locks(void *arg, void **value) {
    (void)arg, (void)value;
    struct locks l = {0};
    int64_t status = aloop_lock_new(&l.lock);
    if (status == 0) status = aloop_event_new(&l.event);
    if (status == 0) status = aloop_condition_new(&l.condition, NULL);
    if (status == 0) status = aloop_bounded_semaphore_new(&l.semaphore, 1);
    if (status == 0) status = aloop_barrier_new(&l.barrier, 2);
    if (status == 0) status = aloop_rwlock_new(&l.rwlock);
    if (status == 0) status = both(use_locks, use_locks, &l);
    if (status >= 0) status = both(wait_for_news, give_news, &l);
    void *all[] = {l.lock, l.event, l.condition, l.semaphore, l.barrier, l.rwlock};
    for (int i = 0; i < 6; i++) aloop_unref(all[i]);
    return status < 0 ? status : 0;
}

/* Queues ----------------------------------------------------------------------------------- */

enum { ITEMS = 20 }; /* more than fit without growing */

static int64_t by_address(const void *a, const void *b, void *data) {
    (void)data;
    return a < b ? -1 : a > b;
}

static int64_t put_all(void *queue, void **value) {
    (void)value;
    int64_t status = 0;
    for (int i = 0; i < ITEMS && status >= 0; i++) {
        status = briefly(aloop_queue_put(queue, malloc(1)), NULL);
    }
    return status < 0 ? status : briefly(aloop_queue_join(queue), NULL);
}

static int64_t get_all(void *queue, void **value) {
    (void)value;
    for (int i = 0; i < ITEMS; i++) {
        void *got = NULL;
        const int64_t status = briefly(aloop_queue_get(queue), &got);
        if (status < 0) return status;
        free(got);
        aloop_queue_task_done(queue);
    }
    return 0;
}

static int64_t new_queue(aloop_queue **queue, int32_t kind, int64_t maxsize) {
    aloop_queue_options *options = aloop_queue_options_new();
    if (options == NULL) return ALOOP_ENOMEM;
    aloop_queue_options_set_kind(options, kind);
    aloop_queue_options_set_maxsize(options, maxsize);
    aloop_queue_options_set_item_free(options, free);
    aloop_queue_options_set_compare(options, by_address, NULL, NULL);
    const int64_t status = aloop_queue_new(queue, options);
    aloop_unref(options);
    return status;
}

static int64_t queues(void *arg, void **value) {
    (void)arg, (void)value;
    int64_t status = 0;
    for (int32_t kind = ALOOP_QUEUE_FIFO; kind <= ALOOP_QUEUE_PRIORITY && status >= 0; kind++) {
        aloop_queue *queue = NULL;
        status = new_queue(&queue, kind, kind == ALOOP_QUEUE_FIFO ? 1 : 0);
        if (status == 0) status = both(get_all, put_all, queue);
        aloop_unref(queue);
    }
    return status < 0 ? status : 0;
}

static int64_t inlets(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *queue = NULL;
    aloop_inlet *inlet = NULL;
    int64_t status = new_queue(&queue, ALOOP_QUEUE_FIFO, 2);
    if (status == 0) status = aloop_inlet_new(&inlet, queue, 40);
    for (int i = 0; i < ITEMS && status == 0; i++) {
        void *item = malloc(1);
        status = aloop_inlet_put_nowait(inlet, item);
        if (status < 0) free(item);
    }
    if (status == 0) status = get_all(queue, NULL);
    aloop_unref(inlet);
    aloop_unref(queue);
    return status;
}

/* Channels --------------------------------------------------------------------------------- */

struct ends {
    aloop_sender *in;
    aloop_receiver *out;
};

static int64_t send_all(void *arg, void **value) {
    (void)value;
    struct ends *e = arg;
    int64_t status = 0;
    for (int i = 0; i < 3 && status >= 0; i++) {
        status = briefly(aloop_sender_send(e->in, malloc(1)), NULL);
    }
    aloop_sender_close(e->in);
    return status;
}

static int64_t receive_all(void *arg, void **value) {
    (void)value;
    struct ends *e = arg;
    int64_t status = 0;
    while (status >= 0) {
        aloop_future *both_[] = {aloop_receiver_receive(e->out), aloop_sleep(1)};
        void *list = NULL, *got = NULL;
        aloop_ref(both_[0]);
        status = aloop_await(aloop_select(both_, 2), &list);
        aloop_results_unref(list);
        if (status >= 0) status = briefly(aloop_ref(both_[0]), &got);
        free(got);
        aloop_unref(both_[0]);
    }
    return status == ALOOP_ESTOPITERATION ? 0 : status;
}

static int64_t channels(void *arg, void **value) {
    (void)arg, (void)value;
    struct ends e = {NULL, NULL};
    int64_t status = aloop_channel_new(&e.in, &e.out, 1, free);
    if (status < 0) return status;
    status = both(receive_all, send_all, &e);
    aloop_unref(e.in);
    aloop_unref(e.out);
    if (status < 0) return status;
    status = aloop_oneshot_new(&e.in, &e.out, free);
    if (status < 0) return status;
    void *item = malloc(1);
    status = aloop_sender_try_send(e.in, item);
    if (status < 0) free(item);
    aloop_unref(e.in);
    aloop_unref(e.out);
    return status;
}

struct fan {
    aloop_broadcast_sender *caster;
    aloop_broadcast_receiver *listener;
    aloop_watch_sender *changer;
    aloop_watch_receiver *watcher;
};

enum { CASTS = 18, KEPT = 17 }; /* the channel grows, and then the listener lags */

static int64_t cast(void *arg, void **value) {
    (void)value;
    struct fan *f = arg;
    int64_t status = aloop_await(aloop_sleep(0.1), NULL);
    for (int i = 0; i < CASTS && status >= 0; i++) {
        void *item = malloc(1);
        status = aloop_broadcast_sender_send(f->caster, item);
        if (status < 0) free(item);
    }
    aloop_broadcast_sender_close(f->caster);
    if (status < 0) return status;
    void *item = malloc(1);
    status = aloop_watch_sender_send(f->changer, item);
    if (status < 0) free(item);
    return status;
}

static int64_t look(void *arg, void **value) {
    (void)value;
    struct fan *f = arg;
    int64_t status = 0;
    while (status >= 0) {
        void *message = NULL;
        status = briefly(aloop_broadcast_receiver_receive(f->listener), &message);
        if (status >= 0) aloop_unref(message);
        if (status == ALOOP_ELAGGED) status = 0;
    }
    if (status != ALOOP_ESTOPITERATION) return status;
    status = briefly(aloop_watch_receiver_changed(f->watcher), NULL);
    aloop_message *message = NULL;
    if (status >= 0) status = aloop_watch_receiver_get(f->watcher, &message);
    aloop_unref(message);
    return status;
}

static int64_t fans(void *arg, void **value) {
    (void)arg, (void)value;
    struct fan f = {0};
    void *first = malloc(1);
    int64_t status = aloop_watch_new(&f.changer, first, free);
    if (status < 0) free(first);
    if (status == 0) status = aloop_watch_sender_subscribe(f.changer, &f.watcher);
    if (status == 0) status = aloop_broadcast_new(&f.caster, KEPT, free);
    if (status == 0) status = aloop_broadcast_sender_subscribe(f.caster, &f.listener);
    if (status == 0) status = both(look, cast, &f);
    void *all[] = {f.caster, f.listener, f.changer, f.watcher};
    for (int i = 0; i < 4; i++) aloop_unref(all[i]);
    return status;
}

/* Limiters and the once cell --------------------------------------------------------------- */

struct limits {
    aloop_limiter *limiter;
    aloop_rate_limiter *rate;
    aloop_once *once;
};

static int64_t make(void *arg, void **value) {
    (void)arg, (void)value;
    const int64_t status = aloop_await(aloop_sleep(0.1), NULL);
    return status < 0 ? status : aloop_return(5, malloc(1), free);
}

static aloop_future *begin(void *arg) { return aloop_create_task(make, arg); }

static int64_t use_limits(void *arg, void **value) {
    (void)value;
    struct limits *l = arg;
    int64_t status = briefly(aloop_limiter_acquire(l->limiter), NULL);
    if (status < 0) return status;
    status = aloop_await(aloop_sleep(0.1), NULL);
    const int64_t released = aloop_limiter_release(l->limiter);
    if (status >= 0) status = released;
    if (status >= 0) status = briefly(aloop_rate_limiter_acquire(l->rate, 1), NULL);
    if (status >= 0) status = briefly(aloop_once_get_or_init(l->once, begin, NULL), NULL);
    return status;
}

static int64_t limiters(void *arg, void **value) {
    (void)arg, (void)value;
    struct limits l = {0};
    int64_t status = aloop_limiter_new(&l.limiter, 1);
    if (status == 0) status = aloop_rate_limiter_new(&l.rate, 1, 1);
    if (status == 0) status = aloop_once_new(&l.once);
    if (status == 0) status = both(use_limits, use_limits, &l);
    static char names[40];
    for (int i = 0; i < 40 && status >= 0; i++) { /* the table grows, or does without */
        status = aloop_limiter_set_total_tokens(l.limiter, 40);
        if (status == 0) {
            status = aloop_limiter_acquire_on_behalf_of_nowait(l.limiter, &names[i]);
        }
    }
    void *all[] = {l.limiter, l.rate, l.once};
    for (int i = 0; i < 3; i++) aloop_unref(all[i]);
    return status < 0 ? status : 0;
}

/* What a step leaves behind: it needs another task where somebody listens, or cancels. */
static int64_t heard;

static int64_t listen_to_end(aloop_future *future, void *data) {
    (void)data;
    heard = aloop_future_result(future, NULL);
    return 0;
}

static int64_t leave(aloop_task *task, void *operation, void **value) {
    (void)value;
    (void)aloop_suspend(task, aloop_ref(operation));
    return aloop_future_add_done_callback(operation, listen_to_end, NULL, NULL);
}

static int64_t leave_one(aloop_queue *queue) {
    heard = 1;
    aloop_future *get = aloop_queue_get(queue);
    int64_t status = aloop_await(aloop_create_stackless_task(leave, get, NULL), NULL);
    if (status == 0) status = aloop_await(aloop_sleep(1), NULL);
    if (status == 0 && heard == 1) status = aloop_queue_put_nowait(queue, &heard);
    if (status == 0) status = aloop_await(aloop_sleep(1), NULL);
    if (status == 0) status = heard == 1 ? ALOOP_EUSER : heard; /* it is told in any case */
    aloop_unref(get);
    return status;
}

static int64_t left_behind(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *queue = NULL;
    int64_t status = aloop_queue_new(&queue, NULL);
    if (status == 0) status = leave_one(queue);
    aloop_unref(queue);
    return status;
}

const struct scenario sync_scenarios[] = {
    {"locks", locks},       {"queues", queues},     {"inlets", inlets},
    {"channels", channels}, {"broadcast", fans},    {"limiters", limiters},
    {"left behind", left_behind}, {NULL, NULL},
};
