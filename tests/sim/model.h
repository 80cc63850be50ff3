/*
 * model.h: what the model checks share: a world made from a seed, and actors
 * that are cancelled and time out at random.
 *
 * A model is one small program of tasks around one object. It runs under a
 * schedule that its seed decides, with cancellations at any suspension point,
 * and afterwards says what it found wrong. The virtual clock makes "stuck" a
 * fact rather than a guess: it jumps to the limit when nothing is left to run.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SIM_MODEL_H
#define TESTS_SIM_MODEL_H

#include <asyncloop.h>
#include <stdbool.h>

#define MODEL_ACTORS 6

struct actor {
    int32_t number;
    aloop_task *task;
    int32_t steps; /* how many it still makes */
};

struct world {
    uint64_t random;
    bool shuffled; /* the loop runs each iteration in random order */
    int32_t count; /* of actors */
    struct actor actors[MODEL_ACTORS];
    const char *complaint; /* the first one; NULL: all is well */
};

extern struct world world;

/* A number below limit. */
uint32_t any(uint32_t limit);
/* Notes a violation if the claim is false. */
void claim(bool true_claim, const char *complaint);

/* Starts an actor: fn gets the struct actor. */
void add_actor(aloop_coro_fn fn, int32_t steps);
/* Awaits an operation (consumed), sometimes under a short timeout. */
int64_t await_somehow(aloop_future *operation, void **value);
/* Lets a random number of others run, or sleeps a little. */
int64_t dawdle(void);
/* After a failed await: whether the actor goes on. */
bool goes_on(void);
/* Cancels actors at random, between random pauses. */
void wreak_havoc(int32_t turns);
/* Whether actor number i has: perhaps it was cancelled before it began. */
bool has_ended(int32_t i);
/* Waits until every actor has ended; complains if one never does. */
void expect_all_ended(void);
/* Waits until nothing moves any more. */
void settle(void);
void drop_actors(void);

/* A model runs as the main task of a loop of its own. */
typedef void (*model_fn)(void);
void lock_model(void);
void rwlock_model(void);
void semaphore_model(void);
void event_model(void);
void condition_model(void);
void barrier_model(void);
void queue_model(void);
void channel_model(void);
void broadcast_model(void);
void watch_model(void);
void limiter_model(void);
void rate_model(void);
void once_model(void);
void inlet_model(void);

#endif
