/*
 * libevent.h: for programs that bring libevent adapters of other libraries
 * (hiredis, libpq, ...). Not part of asyncloop.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_LIBEVENT_H
#define ASYNCLOOP_LIBEVENT_H

#include <asyncloop/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;

/* The base that the loop waits on, borrowed: events added to it on the loop's
 * thread are dispatched by the loop. Neither loop nor free it. NULL on a loop
 * with the virtual clock's simulator, if closed, and from another thread. */
ALOOP_API struct event_base *aloop_loop_event_base(aloop_loop *loop);

#ifdef __cplusplus
}
#endif

#endif
