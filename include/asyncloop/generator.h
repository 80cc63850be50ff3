/*
 * generator.h: async generators: functions that produce one value after another and
 * can await in between. Python's `async def` with `yield`.
 *
 *     static int64_t count(void *arg) {
 *         for (intptr_t i = 1; i <= 3; i++) {
 *             int64_t rc = aloop_await(aloop_sleep(1.0), NULL);
 *             if (rc >= 0) rc = aloop_yield((void *)i);
 *             if (rc < 0) return rc;
 *         }
 *         return 0;
 *     }
 *
 *     aloop_generator *g = aloop_generator_new(count, NULL, NULL);
 *     while ((rc = aloop_await(aloop_generator_next(g), &value)) >= 0) use(value);
 *     aloop_unref(g);    (rc is ALOOP_ESTOPITERATION after the last value)
 *
 * The body runs on a stack of its own, inside the task that awaits next, send, throw or
 * aclose. That task is its current task, and a cancellation of the task arrives at the
 * body's await. The body may yield at any depth of its calls.
 *
 * The generator is finished when its body has returned, with or without an error. After
 * that, next and send fail with ALOOP_ESTOPITERATION; throw and aclose succeed and do
 * nothing. Only one operation may be in progress; another one fails with ALOOP_EBUSY.
 *
 * If a generator is dropped while its body is suspended, a task of the loop closes it, as
 * aloop_generator_aclose does. aloop_loop_shutdown_asyncgens (loop.h), which aloop_run
 * awaits at the end, closes those that are left. A loop that is closed without this
 * discards the bodies, and nothing in them is cleaned up.
 *
 * Call all functions in the loop's thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_GENERATOR_H
#define ASYNCLOOP_GENERATOR_H

#include <asyncloop/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct aloop_generator aloop_generator;

/* The body. If it returns 0 or more, the consumer gets ALOOP_ESTOPITERATION; if it returns an
 * error, that error (aloop_raise adds a message, as in a task). It must not return
 * ALOOP_ESTOPITERATION itself, which a consumer could take for the end: that becomes
 * ALOOP_EINVALIDSTATE (Python's "async generator raised StopAsyncIteration"). */
typedef int64_t (*aloop_generator_fn)(void *arg);

/* Creates a generator on the running loop (a reference). fn does not start before the first
 * next. free_fn (may be NULL) frees arg with the generator, on the loop's own stack. NULL if
 * no loop runs, fn is NULL, or out of memory; then arg stays the caller's. */
ALOOP_API aloop_generator *aloop_generator_new(aloop_generator_fn fn, void *arg,
                                               aloop_free_fn free_fn);

/* Inside the body ------------------------------------------------------------------- */

/* Gives value (plain data) to the consumer, with status 0, and suspends the body until the
 * next operation. Returns 0 after next, the status (>= 0) of a send, or the code < 0 of a
 * throw, which the body handles or returns (aloop_last_error has the error). When the
 * generator is closed, it returns ALOOP_EGENERATOREXIT: clean up (the body may await) and
 * return; another yield is an error. ALOOP_ENOTASK outside a generator's body. */
ALOOP_API int64_t aloop_yield(void *value);
/* The same with a status (>= 0) and a destructor (free_fn, may be NULL; the value is taken over
 * even if this fails). *sent gets the value of a send, which is then the body's; if sent is
 * NULL, that value is freed. */
ALOOP_API int64_t aloop_yield_result(int64_t status, void *value, aloop_free_fn free_fn,
                                     void **sent);

/* Outside -----------------------------------------------------------------------------
 *
 * These are operations, which start when they are awaited. They borrow the generator and hold
 * a reference to it. ALOOP_EINVAL for another object. */

/* Runs the body up to its next yield; the value is that of the yield. ALOOP_ESTOPITERATION at
 * the end. Python's __anext__. */
ALOOP_API aloop_future *aloop_generator_next(aloop_generator *generator);
/* The same, but the pending yield of the body returns status (>= 0) and gives it value. The
 * value is taken over, and freed if it does not reach the body. A body that has not started
 * accepts only status 0 and a NULL value (ALOOP_EINVAL). Python's asend. */
ALOOP_API aloop_future *aloop_generator_send(aloop_generator *generator, int64_t status,
                                             void *value, aloop_free_fn free_fn);
/* The same, but the pending yield of the body fails with error (borrowed), or only with a code
 * < 0. If the body has not started, this finishes the generator, and fails with the error.
 * Python's athrow. */
ALOOP_API aloop_future *aloop_generator_throw(aloop_generator *generator, aloop_error *error);
ALOOP_API aloop_future *aloop_generator_throw_code(aloop_generator *generator, int64_t code);
/* Closes the generator: the pending yield returns ALOOP_EGENERATOREXIT, and this waits for the
 * end of the body. 0, also if the body has not started or has ended; another error of the
 * body. ALOOP_EINVALIDSTATE if the body yields again ("async generator ignored
 * GeneratorExit"): next and send can then continue, while throw and aclose fail with
 * ALOOP_ESTOPITERATION. Python's aclose. */
ALOOP_API aloop_future *aloop_generator_aclose(aloop_generator *generator);
/* Collects all remaining values; the value is an aloop_results. If the body fails, so does
 * this, and the values are dropped. Python's [x async for x in generator]. */
ALOOP_API aloop_future *aloop_generator_collect(aloop_generator *generator);

#ifdef __cplusplus
}
#endif

#endif
