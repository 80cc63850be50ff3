/* Signals: the handlers of others below and above the library's.
 * SPDX-License-Identifier: MIT */
#include "handlers.h"
#include "support.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static void run_some(aloop_loop *loop) {
    for (int i = 0; i < 3; i++) aloop_loop_run_once(loop, 0);
}

static struct sigaction ours;

static volatile sig_atomic_t top_calls;

static void on_top(int signum, siginfo_t *info, void *context) {
    top_calls++;
    ours.sa_sigaction(signum, info, context);
}

/* Who installs itself on top of the hub, and is later taken for the earlier
 * handler itself: the two call each other, once. */
static void chains_do_not_run_in_circles(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    int calls = 0;
    assert_code(aloop_loop_add_signal_handler(loop, SIGUSR1, count_call, &calls, NULL), 0);
    struct sigaction top = {.sa_flags = SA_SIGINFO};
    top.sa_sigaction = on_top;
    sigaction(SIGUSR1, &top, &ours);
    assert_code(aloop_loop_add_signal_handler(loop, SIGUSR1, count_call, &calls, NULL), 0);
    top_calls = 0;
    raise(SIGUSR1);
    assert_int_equal(top_calls, 1);
    run_some(loop);
    assert_int_equal(calls, 1);
    close_loop(loop);
    signal(SIGUSR1, SIG_DFL);
}

/* A handler on top of ours that chains, as a host's may: it stays when ours goes
 * and comes again, and the one below must be reached through both. */
static void a_chain_outlives_removals(void **state) {
    (void)state;
    signal(SIGUSR1, earlier);
    earlier_calls = 0;
    aloop_loop *loop = virtual_loop();
    int calls = 0;
    assert_code(aloop_loop_add_signal_handler(loop, SIGUSR1, count_call, &calls, NULL), 0);
    struct sigaction top = {.sa_flags = SA_SIGINFO};
    top.sa_sigaction = on_top;
    top_calls = 0;
    sigaction(SIGUSR1, &top, &ours);
    for (int round = 0; round < 12; round++) { /* more than a chain is long */
        assert_code(aloop_loop_remove_signal_handler(loop, SIGUSR1), 1);
        raise(SIGUSR1);
        assert_int_equal(top_calls, 2 * round + 1);
        assert_int_equal(earlier_calls, 2 * round + 1);
        assert_code(aloop_loop_add_signal_handler(loop, SIGUSR1, count_call, &calls, NULL), 0);
        raise(SIGUSR1);
        run_some(loop);
        assert_int_equal(calls, round + 1);
        assert_int_equal(top_calls, 2 * round + 2);
        assert_int_equal(earlier_calls, 2 * round + 2);
    }
    close_loop(loop);
    assert_true(handler_of(SIGUSR1) == top.sa_handler);
    sigaction(SIGUSR1, &ours, NULL); /* the host goes as well: ours is there, and idle */
    raise(SIGUSR1);
    assert_int_equal(earlier_calls, 25);
    signal(SIGUSR1, SIG_DFL);
}

/* Other handlers come and go below, none of which chains. */
static void earlier_handlers_are_not_heaped_up(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    int calls = 0;
    void (*const handlers[])(int) = {earlier, SIG_IGN, SIG_DFL};
    for (int i = 0; i < 30; i++) {
        signal(SIGUSR1, earlier);
        assert_code(aloop_loop_add_signal_handler(loop, SIGUSR1, count_call, &calls, NULL), 0);
        signal(SIGUSR1, handlers[i % 3]);
        assert_code(aloop_loop_remove_signal_handler(loop, SIGUSR1), 1);
        assert_true(handler_of(SIGUSR1) == handlers[i % 3]);
        signal(SIGUSR1, earlier);
        earlier_calls = 0;
        assert_code(aloop_loop_add_signal_handler(loop, SIGUSR1, count_call, &calls, NULL), 0);
        raise(SIGUSR1);
        assert_int_equal(earlier_calls, 1);
        assert_code(aloop_loop_remove_signal_handler(loop, SIGUSR1), 1);
        assert_true(handler_of(SIGUSR1) == earlier);
    }
    close_loop(loop);
    signal(SIGUSR1, SIG_DFL);
}

static sigjmp_buf out_of_handler;
static volatile sig_atomic_t jumps;

static void jump(int signum) {
    (void)signum;
    jumps++;
    siglongjmp(out_of_handler, 1);
}

/* As an interactive host leaves its handlers: it is called each time, the loops are
 * told of it, and of the other signal that came in the same moment. */
static void an_earlier_handler_that_jumps(void **state) {
    (void)state;
    signal(SIGUSR2, jump);
    aloop_loop *loop = virtual_loop();
    int first = 0;
    int second = 0;
    assert_code(aloop_loop_add_signal_handler(loop, SIGUSR1, count_call, &first, NULL), 0);
    assert_code(aloop_loop_add_signal_handler(loop, SIGUSR2, count_call, &second, NULL), 0);
    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, SIGUSR1);
    sigaddset(&both, SIGUSR2);
    jumps = 0;
    for (volatile int i = 0; i < 3; i++) {
        sigset_t before;
        pthread_sigmask(SIG_BLOCK, &both, &before);
        raise(SIGUSR1);
        raise(SIGUSR2);
        if (sigsetjmp(out_of_handler, 1) == 0) pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        run_some(loop);
        assert_int_equal(jumps, i + 1);
        assert_int_equal(first, i + 1);
        assert_int_equal(second, i + 1);
    }
    close_loop(loop);
    assert_true(handler_of(SIGUSR2) == jump);
    signal(SIGUSR2, SIG_DFL);
}

static sigset_t mask_in_handler;

static void note_mask(int signum) {
    (void)signum;
    pthread_sigmask(SIG_BLOCK, NULL, &mask_in_handler);
}

/* It runs with the mask that it was installed with, and gives it back. */
static void an_earlier_handler_has_its_mask(void **state) {
    (void)state;
    struct sigaction with_mask = {.sa_handler = note_mask};
    sigemptyset(&with_mask.sa_mask);
    sigaddset(&with_mask.sa_mask, SIGHUP);
    sigaction(SIGUSR1, &with_mask, NULL);
    aloop_loop *loop = virtual_loop();
    int calls = 0;
    assert_code(aloop_loop_add_signal_handler(loop, SIGUSR1, count_call, &calls, NULL), 0);
    raise(SIGUSR1);
    const int blocked[] = {SIGUSR1, SIGHUP};
    const int open[] = {SIGUSR2, SIGTERM, SIGALRM};
    for (int i = 0; i < 2; i++) assert_true(sigismember(&mask_in_handler, blocked[i]));
    for (int i = 0; i < 3; i++) assert_false(sigismember(&mask_in_handler, open[i]));
    note_mask(0);
    for (int i = 0; i < 2; i++) assert_false(sigismember(&mask_in_handler, blocked[i]));
    close_loop(loop);
    signal(SIGUSR1, SIG_DFL);
}

SUITE(CASE(chains_do_not_run_in_circles), CASE(a_chain_outlives_removals),
      CASE(earlier_handlers_are_not_heaped_up), CASE(an_earlier_handler_that_jumps),
      CASE(an_earlier_handler_has_its_mask))
