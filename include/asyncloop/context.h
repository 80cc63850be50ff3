/*
 * context.h: context variables: values that follow the flow of control of a
 * task. Python's contextvars.
 *
 * A context is a set of variables and their values. Each task runs in its own
 * copy of the one in which it was made, each callback in the one current when
 * it was scheduled. Copying costs nothing; setting copies the (few) entries.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_CONTEXT_H
#define ASYNCLOOP_CONTEXT_H

#include <asyncloop/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A copy of the current context: the caller's. NULL when out of memory. */
ALOOP_API aloop_context *aloop_context_copy(void);
/* Take and drop a reference; NULL is legal. */
ALOOP_API aloop_context *aloop_context_ref(aloop_context *context);
ALOOP_API void aloop_context_unref(aloop_context *context);
/* Calls fn(data) with context as the current one; what it sets stays in it.
 * Returns what fn returns; ALOOP_EBUSY if the context is entered already. fn
 * must not suspend. */
ALOOP_API int64_t aloop_context_run(aloop_context *context, aloop_callback_fn fn, void *data);

/* A variable; name is copied. fallback is what get gives where it is not set:
 * plain data that outlives the variable. aloop_unref drops it. */
ALOOP_API aloop_contextvar *aloop_contextvar_new(const char *name, void *fallback);
/* Its name, borrowed. */
ALOOP_API const char *aloop_contextvar_name(const aloop_contextvar *var);
/* The value in the current context: borrowed, valid until it is set anew. */
ALOOP_API void *aloop_contextvar_get(aloop_contextvar *var);
/* Sets it for the current task, callback or thread; free_fn runs when no
 * context holds the value any more, on whichever thread drops it; on failure
 * the value stays the caller's. token may be NULL; else it gets an object for
 * one reset, which aloop_unref drops. */
typedef struct aloop_context_token aloop_context_token;
ALOOP_API int64_t aloop_contextvar_set(aloop_contextvar *var, void *value, aloop_free_fn free_fn,
                                       aloop_context_token **token);
/* Back to the value before that set (token is borrowed). ALOOP_EINVAL if it is
 * of another variable or context, ALOOP_EINVALIDSTATE if it was used. */
ALOOP_API int64_t aloop_contextvar_reset(aloop_contextvar *var, aloop_context_token *token);

#ifdef __cplusplus
}
#endif

#endif
