/*
 * libevent.h: for programs that use libevent adapters of other libraries (hiredis,
 * libpq, ...). asyncloop.h does not include it.
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

/* The base on which the loop waits, borrowed. The loop dispatches events that are added to it in
 * the loop's thread. Do not run it, and do not free it. NULL on a simulated or closed loop, and
 * from another thread. */
ALOOP_API struct event_base *aloop_loop_event_base(aloop_loop *loop);

#ifdef __cplusplus
}
#endif

#endif
