/*
 * The operations whose cost is recorded. Where a program would have many objects
 * at a time there are k_many here, so that what is done once an iteration does not
 * count in full.
 *
 * SPDX-License-Identifier: MIT
 */
#include "operations.h"

#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { k_many = 100 };

#define AWAIT(future) MUST(aloop_await((future), NULL))

static aloop_loop *loop(void) { return aloop_get_running_loop(); }

/* Callbacks ----------------------------------------------------------------------------- */

static struct {
    int64_t left;
    aloop_future *end;
} chain;

static int64_t next_call(void *unused) {
    if (--chain.left == 0) return aloop_future_set_result(chain.end, 0, NULL, NULL);
    if (chain.left < 0) return 0; /* the others of the last iteration */
    return MUST(aloop_loop_call_soon(loop(), next_call, unused, NULL)) < 0;
}

static void run_chains(int64_t n, int chains) {
    chain.left = n;
    chain.end = aloop_loop_create_future(loop());
    for (int i = 0; i < chains; i++) MUST(aloop_loop_call_soon(loop(), next_call, NULL, NULL));
    AWAIT(chain.end);
}

static void callback(int64_t n) { run_chains(n, k_many); }
static void callback_alone(int64_t n) { run_chains(n, 1); }

static int64_t no_call(void *unused) {
    (void)unused;
    return 0;
}

static struct {
    aloop_loop *to;
    sem_t wanted, posted;
    int64_t rounds;
} poster;

static void *post_when_wanted(void *unused) {
    for (int64_t round = poster.rounds; round > 0; round--) {
        sem_wait(&poster.wanted);
        for (int i = 0; i < k_many; i++) {
            MUST(aloop_loop_call_soon_threadsafe(poster.to, no_call, NULL, NULL));
        }
        sem_post(&poster.posted);
    }
    return unused;
}

/* From another thread while the loop is awake: it waits for that thread, and then
 * runs what was posted. */
static void post(int64_t n) {
    pthread_t thread;
    poster.to = loop();
    poster.rounds = n / k_many;
    sem_init(&poster.wanted, 0, 0);
    sem_init(&poster.posted, 0, 0);
    pthread_create(&thread, NULL, post_when_wanted, NULL);
    for (int64_t round = poster.rounds; round > 0; round--) {
        sem_post(&poster.wanted);
        sem_wait(&poster.posted);
        AWAIT(aloop_sleep(0));
        AWAIT(aloop_sleep(0));
    }
    pthread_join(thread, NULL);
}

/* Tasks --------------------------------------------------------------------------------- */

static int64_t end_at_once(void *arg, void **value) {
    (void)arg, (void)value;
    return 0;
}

static int64_t end_in_a_step(aloop_task *task, void *frame, void **value) {
    (void)task, (void)frame, (void)value;
    return 0;
}

static void spawn(int64_t n, int in_steps) {
    static aloop_task *tasks[k_many];
    for (int64_t done = 0; done < n; done += k_many) {
        for (int i = 0; i < k_many; i++) {
            tasks[i] = in_steps ? aloop_create_stackless_task(end_in_a_step, NULL, NULL)
                                : aloop_create_task(end_at_once, NULL);
        }
        for (int i = 0; i < k_many; i++) AWAIT(tasks[i]);
    }
}

static void spawn_step(int64_t n) { spawn(n, 1); }
static void spawn_fiber(int64_t n) { spawn(n, 0); }

static void spawn_group(int64_t n) {
    for (int64_t done = 0; done < n; done += k_many) {
        aloop_task_group *group = NULL;
        MUST(aloop_task_group_enter(&group));
        for (int i = 0; i < k_many; i++) MUST(aloop_task_group_spawn(group, end_at_once, NULL));
        MUST(aloop_task_group_exit(group, 0));
    }
}

struct frame {
    ALOOP_CO_FRAME;
    int64_t left;
    aloop_queue *queue;
};

static int64_t yield_in_steps(aloop_task *task, void *data, void **value) {
    struct frame *f = data;
    int64_t status = 0;
    (void)value;
    ALOOP_CO_BEGIN(f);
    for (; f->left > 0; f->left--) {
        ALOOP_CO_AWAIT(task, f, aloop_sleep(0), status, NULL);
        MUST(status);
    }
    ALOOP_CO_END(f);
    return 0;
}

static int64_t yield_on_fiber(void *times, void **value) {
    (void)value;
    for (int64_t i = *(int64_t *)times; i > 0; i--) AWAIT(aloop_sleep(0));
    return 0;
}

static int64_t sleep_on_fiber(void *times, void **value) {
    (void)value;
    for (int64_t i = *(int64_t *)times; i > 0; i--) AWAIT(aloop_sleep(0.001));
    return 0;
}

static void on_many_fibers(aloop_coro_fn fn, int64_t n) {
    aloop_task *tasks[k_many];
    n /= k_many;
    for (int i = 0; i < k_many; i++) tasks[i] = aloop_create_task(fn, &n);
    for (int i = 0; i < k_many; i++) AWAIT(tasks[i]);
}

static void switch_fiber(int64_t n) { on_many_fibers(yield_on_fiber, n); }
static void sleep_until_timer(int64_t n) { on_many_fibers(sleep_on_fiber, n); }

static void switch_step(int64_t n) {
    static struct frame frames[k_many];
    aloop_task *tasks[k_many];
    memset(frames, 0, sizeof frames);
    for (int i = 0; i < k_many; i++) {
        frames[i].left = n / k_many;
        tasks[i] = aloop_create_stackless_task(yield_in_steps, &frames[i], NULL);
    }
    for (int i = 0; i < k_many; i++) AWAIT(tasks[i]);
}

static int64_t wake(void *future) {
    return aloop_future_set_result(future, 0, NULL, NULL);
}

/* A future that a callback sets and a task awaits. */
static void future_wake(int64_t n) {
    for (; n > 0; n--) {
        aloop_future *f = aloop_loop_create_future(loop());
        MUST(aloop_loop_call_soon(loop(), wake, f, NULL));
        AWAIT(f);
    }
}

static void wait_for(int64_t n) {
    for (; n > 0; n--) AWAIT(aloop_wait_for(aloop_sleep(0), 9));
}

static void gather_ten(int64_t n) {
    enum { k_ten = 10 };
    for (n /= k_ten; n > 0; n--) {
        aloop_future *all[k_ten];
        aloop_results *results = NULL;
        for (int i = 0; i < k_ten; i++) {
            all[i] = aloop_create_stackless_task(end_in_a_step, NULL, NULL);
        }
        MUST(aloop_await(aloop_gather(all, k_ten, 0), (void **)&results));
        aloop_unref(results);
    }
}

/* Timers -------------------------------------------------------------------------------- */

static uint64_t random_state;

static double random_delay(double most) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return most * (double)(random_state >> 40) / (double)(1 << 24);
}

static void timer_cancel(int64_t n) {
    static aloop_handle timers[k_many];
    for (int64_t done = 0; done < n; done += k_many) {
        for (int i = 0; i < k_many; i++) {
            const double delay = 1 + random_delay(59);
            timers[i] = (aloop_handle)MUST(
                aloop_loop_call_later(loop(), delay, no_call, NULL, NULL));
        }
        for (int i = 0; i < k_many; i++) MUST(aloop_loop_cancel_handle(loop(), timers[i]));
    }
}

static int64_t fired(void *unused) {
    (void)unused;
    return --chain.left == 0 ? aloop_future_set_result(chain.end, 0, NULL, NULL) : 0;
}

static void timer_fire(int64_t n) {
    random_state = 1;
    for (int64_t done = 0; done < n; done += k_many) {
        chain.left = k_many;
        chain.end = aloop_loop_create_future(loop());
        for (int i = 0; i < k_many; i++) {
            MUST(aloop_loop_call_later(loop(), random_delay(1), fired, NULL, NULL));
        }
        pass_time(1);
        AWAIT(chain.end);
    }
}

/* The earliest of n that are far off is cancelled each time before the loop looks at the
 * kernel, as when the timeouts of requests are cancelled in the order of their arming. What
 * it costs does not depend on how many are left. */
static void timer_earliest(int64_t n) {
    enum { k_iterations = 8 }; /* among which the loop looks at the clock once */
    aloop_handle *timers = calloc((size_t)n, sizeof *timers);
    const double when = aloop_loop_time(loop()) + 60;
    for (int64_t i = 0; i < n; i++) {
        timers[i] = (aloop_handle)MUST(
            aloop_loop_call_at(loop(), when + (double)i * 1e-6, no_call, NULL, NULL));
    }
    for (int64_t i = 0; i < n; i++) {
        MUST(aloop_loop_cancel_handle(loop(), timers[i]));
        for (int j = 0; j < k_iterations; j++) AWAIT(aloop_sleep(0));
    }
    free(timers);
}

/* Queues and locks ---------------------------------------------------------------------- */

static aloop_queue *new_queue(int64_t size) {
    aloop_queue *queue = NULL;
    aloop_queue_options *options = aloop_queue_options_new();
    MUST(aloop_queue_options_set_maxsize(options, size));
    MUST(aloop_queue_new(&queue, options));
    aloop_unref(options);
    return queue;
}

static int64_t items;

static int64_t put_all(void *queue, void **value) {
    (void)value;
    for (int64_t i = items; i > 0; i--) AWAIT(aloop_queue_put(queue, queue));
    return 0;
}

static int64_t put_all_in_steps(aloop_task *task, void *data, void **value) {
    struct frame *f = data;
    int64_t status = 0;
    (void)value;
    ALOOP_CO_BEGIN(f);
    for (; f->left > 0; f->left--) {
        ALOOP_CO_AWAIT(task, f, aloop_queue_put(f->queue, f), status, NULL);
        MUST(status);
    }
    ALOOP_CO_END(f);
    return 0;
}

static int64_t get_all_in_steps(aloop_task *task, void *data, void **value) {
    struct frame *f = data;
    int64_t status = 0;
    void *item = NULL;
    (void)value;
    ALOOP_CO_BEGIN(f);
    for (; f->left > 0; f->left--) {
        ALOOP_CO_AWAIT(task, f, aloop_queue_get(f->queue), status, &item);
        MUST(status);
    }
    ALOOP_CO_END(f);
    return 0;
}

static void through_queue(int64_t n, int64_t size) {
    aloop_queue *queue = new_queue(size);
    items = n;
    aloop_task *putter = aloop_create_task(put_all, queue);
    for (void *item; n > 0; n--) MUST(aloop_await(aloop_queue_get(queue), &item));
    AWAIT(putter);
    aloop_unref(queue);
}

static void queue_stream_step(int64_t n) {
    aloop_queue *queue = new_queue(1024);
    struct frame putting = {.left = n, .queue = queue}, getting = putting;
    aloop_task *putter = aloop_create_stackless_task(put_all_in_steps, &putting, NULL);
    AWAIT(aloop_create_stackless_task(get_all_in_steps, &getting, NULL));
    AWAIT(putter);
    aloop_unref(queue);
}

static void queue_ping_pong(int64_t n) { through_queue(n, 1); }
static void queue_stream(int64_t n) { through_queue(n, 1024); }

static void queue_nowait(int64_t n) {
    aloop_queue *queue = new_queue(8);
    for (void *item; n > 0; n--) {
        MUST(aloop_queue_put_nowait(queue, queue));
        MUST(aloop_queue_get_nowait(queue, &item));
    }
    aloop_unref(queue);
}

static void lock(int64_t n) {
    aloop_lock *lock = NULL;
    MUST(aloop_lock_new(&lock));
    for (; n > 0; n--) {
        AWAIT(aloop_lock_acquire(lock));
        MUST(aloop_lock_release(lock));
    }
    aloop_unref(lock);
}

static int64_t take_turns(void *what, void **value) {
    void **about = what;
    (void)value;
    for (int64_t i = *(int64_t *)about[1]; i > 0; i--) {
        AWAIT(aloop_lock_acquire(about[0]));
        AWAIT(aloop_sleep(0));
        MUST(aloop_lock_release(about[0]));
    }
    return 0;
}

static void lock_contended(int64_t n) {
    aloop_lock *lock = NULL;
    MUST(aloop_lock_new(&lock));
    n /= 2;
    void *about[] = {lock, &n};
    aloop_task *other = aloop_create_task(take_turns, about);
    take_turns(about, NULL);
    AWAIT(other);
    aloop_unref(lock);
}

static void semaphore(int64_t n) {
    aloop_semaphore *semaphore = NULL;
    MUST(aloop_semaphore_new(&semaphore, 2));
    for (; n > 0; n--) {
        AWAIT(aloop_semaphore_acquire(semaphore));
        MUST(aloop_semaphore_release(semaphore));
    }
    aloop_unref(semaphore);
}

/* Streams and generators ---------------------------------------------------------------- */

enum { k_message = 64 };

/* Both ends of a connection are streams of this loop. */
struct connection {
    aloop_server *server;
    aloop_stream *here, *there;
};

static struct connection connect_streams(void) {
    struct connection c = {NULL, NULL, NULL};
    MUST(aloop_await(aloop_start_server(NULL, NULL, "127.0.0.1", 0, NULL), (void **)&c.server));
    const int32_t port = (int32_t)aloop_server_port(c.server, 0);
    MUST(aloop_await(aloop_open_connection("127.0.0.1", port, NULL), (void **)&c.here));
    MUST(aloop_await(aloop_server_accept(c.server), (void **)&c.there));
    return c;
}

static void end_connection(struct connection *c) {
    MUST(aloop_stream_close(c->there));
    AWAIT(aloop_stream_wait_closed(c->there));
    MUST(aloop_server_close(c->server));
    AWAIT(aloop_server_wait_closed(c->server));
    aloop_unref(c->here);
    aloop_unref(c->there);
    aloop_unref(c->server);
}

static int64_t echo_in_place(void *stream, void **value) {
    char buffer[k_message];
    (void)value;
    for (;;) {
        const int64_t n = AWAIT(aloop_stream_read_into(stream, buffer, k_message));
        if (n == 0) return 0;
        MUST(aloop_stream_write(stream, buffer, (size_t)n));
        AWAIT(aloop_stream_drain(stream));
    }
}

static int64_t echo_bytes(void *stream, void **value) {
    (void)value;
    for (;;) {
        void *got = NULL;
        const int64_t n = MUST(aloop_await(aloop_stream_read(stream, 65536), &got));
        if (n > 0) MUST(aloop_stream_write(stream, aloop_bytes_data(got), (size_t)n));
        aloop_bytes_unref(got);
        if (n == 0) return 0;
        AWAIT(aloop_stream_drain(stream));
    }
}

/* A request and its answer. */
static void through_connection(int64_t n, aloop_coro_fn echo) {
    char message[k_message] = {0};
    struct connection c = connect_streams();
    aloop_task *echoing = aloop_create_task(echo, c.there);
    for (; n > 0; n--) {
        MUST(aloop_stream_write(c.here, message, k_message));
        if (AWAIT(aloop_stream_read_into(c.here, message, k_message)) != k_message) abort();
    }
    MUST(aloop_stream_close(c.here));
    AWAIT(echoing);
    end_connection(&c);
}

static void stream_echo(int64_t n) { through_connection(n, echo_in_place); }
static void stream_echo_bytes(int64_t n) { through_connection(n, echo_bytes); }

static int64_t count_down(void *times) {
    for (int64_t i = *(int64_t *)times; i > 0; i--) {
        const int64_t code = aloop_yield(times);
        if (code < 0) return code; /* closed */
    }
    return 0;
}

static void generator_next(int64_t n) {
    aloop_generator *numbers = aloop_generator_new(count_down, &n, NULL);
    for (int64_t i = n; i > 0; i--) AWAIT(aloop_generator_next(numbers));
    AWAIT(aloop_generator_aclose(numbers));
    aloop_unref(numbers);
}

const struct cost_operation cost_operations[] = {
    {"callback", callback},
    {"callback_alone", callback_alone},
    {"post", post},
    {"spawn_step", spawn_step},
    {"spawn_fiber", spawn_fiber},
    {"spawn_group", spawn_group},
    {"switch_step", switch_step},
    {"switch_fiber", switch_fiber},
    {"future_wake", future_wake},
    {"wait_for", wait_for},
    {"gather_ten", gather_ten},
    {"sleep", sleep_until_timer},
    {"timer_cancel", timer_cancel},
    {"timer_fire", timer_fire},
    {"timer_earliest", timer_earliest},
    {"queue_ping_pong", queue_ping_pong},
    {"queue_stream", queue_stream},
    {"queue_stream_step", queue_stream_step},
    {"queue_nowait", queue_nowait},
    {"lock", lock},
    {"lock_contended", lock_contended},
    {"semaphore", semaphore},
    {"line_condition", line_condition},
    {"line_lock", line_lock},
    {"line_semaphore", line_semaphore},
    {"line_once", line_once},
    {"line_event", line_event},
    {"line_join", line_join},
    {"stream_echo", stream_echo},
    {"stream_echo_bytes", stream_echo_bytes},
    {"generator_next", generator_next},
    {NULL, NULL},
};
