/*
 * context.h: context variables: values that follow the flow of control of a
 * task. Python's contextvars.
 *
 * A context is a set of variables with their values. Each task runs in a copy of
 * the context in which it was created, and each callback in a copy of the one in
 * which it was scheduled. Copying a context is cheap; setting a variable copies
 * the entries.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_CONTEXT_H
#define ASYNCLOOP_CONTEXT_H

#include <asyncloop/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A copy of the current context (a reference). NULL when out of memory. */
ALOOP_API aloop_context *aloop_context_copy(void);
/* Take and drop a reference; NULL is legal. */
ALOOP_API aloop_context *aloop_context_ref(aloop_context *context);
ALOOP_API void aloop_context_unref(aloop_context *context);
/* Calls fn(data) in context; variables that it sets stay in context. Returns what fn
 * returns, or ALOOP_EBUSY if the context is in use already. fn must not await. */
ALOOP_API int64_t aloop_context_run(aloop_context *context, aloop_callback_fn fn, void *data);

/* Creates a variable (a reference). name is copied. fallback is its value where it is not
 * set: plain data that must outlive the variable. */
ALOOP_API aloop_contextvar *aloop_contextvar_new(const char *name, void *fallback);
/* Its name, borrowed. */
ALOOP_API const char *aloop_contextvar_name(const aloop_contextvar *var);
/* Its value in the current context: borrowed, valid until it is set again. */
ALOOP_API void *aloop_contextvar_get(aloop_contextvar *var);
/* Sets it for the current task, callback or thread. free_fn runs when no context holds the
 * value any more, on any thread; on failure the value stays the caller's. If token is not
 * NULL, *token is an object for one reset (a reference). */
typedef struct aloop_context_token aloop_context_token;
ALOOP_API int64_t aloop_contextvar_set(aloop_contextvar *var, void *value, aloop_free_fn free_fn,
                                       aloop_context_token **token);
/* Restores the value from before that call (token is borrowed). ALOOP_EINVAL if the token
 * is of another variable or context, ALOOP_EINVALIDSTATE if it was used already. */
ALOOP_API int64_t aloop_contextvar_reset(aloop_contextvar *var, aloop_context_token *token);

#ifdef __cplusplus
}
#endif

#endif
