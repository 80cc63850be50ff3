/*
 * generator.h: async generators: functions that give one value after another,
 * and await in between. Python's `async def` with `yield`.
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
 * The body runs on a stack of its own, inside whichever task awaits next, send,
 * throw or aclose: that is its current task, and a cancellation of that task
 * arrives at the body's await. It may yield at any depth of its calls.
 *
 * An operation that ended with an error of the body, or with the end of the
 * body, has finished the generator: then next and send fail with
 * ALOOP_ESTOPITERATION, throw and aclose succeed and do nothing. Only one
 * operation may be under way: another one fails with ALOOP_EBUSY.
 *
 * A generator that is dropped while its body is suspended is closed by a task
 * of the loop, as aloop_generator_aclose does. What is left when the program
 * ends aloop_loop_shutdown_asyncgens (loop.h) closes; aloop_run awaits it. A
 * loop that is closed without it discards the bodies: nothing in them is undone.
 *
 * All functions: on the loop's thread.
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

/* The body. Its end ends the iteration: 0 or more with ALOOP_ESTOPITERATION for
 * the consumer, an error with that error (whose detail aloop_raise gives, as
 * in a task). It must not end with ALOOP_ESTOPITERATION itself: that becomes
 * ALOOP_EINVALIDSTATE, lest a consumer takes a failed inner iteration for the
 * end of this one (Python's "async generator raised StopAsyncIteration"). */
typedef int64_t (*aloop_generator_fn)(void *arg);

/* Makes a generator of the running loop; nothing of fn runs before the first
 * next. free_fn (may be NULL) frees arg with the generator, on the loop's
 * stack. A reference that the caller owns; NULL without a loop, without fn, or
 * out of memory: then arg stays the caller's. */
ALOOP_API aloop_generator *aloop_generator_new(aloop_generator_fn fn, void *arg,
                                               aloop_free_fn free_fn);

/* Inside the body ------------------------------------------------------------------- */

/* Hands value (plain data) to the consumer, who gets it with status 0, and
 * suspends the body until the next operation. Returns 0 after next; the status
 * (>= 0) of a send; or what was thrown: a code < 0 whose detail aloop_last_error
 * gives, which the body handles or returns. To close it, ALOOP_EGENERATOREXIT is
 * thrown: clean up (awaiting is fine) and return; another yield is an error.
 * ALOOP_ENOTASK outside a generator's body. */
ALOOP_API int64_t aloop_yield(void *value);
/* The same with a status (>= 0), a destructor (free_fn, may be NULL; the value
 * is taken over also where this fails), and the value that was sent in *sent:
 * the body's now. Where sent is NULL it is freed. */
ALOOP_API int64_t aloop_yield_result(int64_t status, void *value, aloop_free_fn free_fn,
                                     void **sent);

/* Outside -----------------------------------------------------------------------------
 *
 * Operations: they start when they are awaited. The generator is borrowed by
 * the call and kept by the operation. ALOOP_EINVAL for what is no generator. */

/* Runs the body to its next yield; the value is the consumer's. ALOOP_ESTOPITERATION
 * at the end. __anext__. */
ALOOP_API aloop_future *aloop_generator_next(aloop_generator *generator);
/* The same, and the yield at which the body stands returns status (>= 0) and
 * value. The value is taken over; what never reaches the body is freed. To a
 * body that has not started only status 0 and a NULL value can be sent
 * (ALOOP_EINVAL). asend. */
ALOOP_API aloop_future *aloop_generator_send(aloop_generator *generator, int64_t status,
                                             void *value, aloop_free_fn free_fn);
/* The yield at which the body stands fails with error (borrowed), or with a bare
 * code < 0; resolves to the next value, as next does. A body that has not
 * started is finished by it, and the operation fails with the error. athrow. */
ALOOP_API aloop_future *aloop_generator_throw(aloop_generator *generator, aloop_error *error);
ALOOP_API aloop_future *aloop_generator_throw_code(aloop_generator *generator, int64_t code);
/* Throws ALOOP_EGENERATOREXIT and awaits the end of the body; 0 also if the body
 * was not started or has ended. A body that yields then is an
 * ALOOP_EINVALIDSTATE ("async generator ignored GeneratorExit"): next and send go
 * on with it, throw and aclose fail with ALOOP_ESTOPITERATION. Another error of the
 * body is passed on. aclose. */
ALOOP_API aloop_future *aloop_generator_aclose(aloop_generator *generator);
/* Everything that is still to come: the value is an aloop_results. The error of
 * the body fails it, and drops what was collected. Python's
 * [x async for x in generator]. */
ALOOP_API aloop_future *aloop_generator_collect(aloop_generator *generator);

#ifdef __cplusplus
}
#endif

#endif
