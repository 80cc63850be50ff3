/*
 * libasyncloop: asyncio for C and for every language that can call C.
 *
 * This header includes the whole C API. Each concept has a header of its own in
 * asyncloop/, which can also be included alone. asyncloop/libevent.h is the only
 * one that is not included here.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_H
#define ASYNCLOOP_H

/* clang-format off: the order goes from the simple to the special.
 *
 * Start with combine.h for aloop_main and aloop_run, and task.h for coroutines. */

#include <asyncloop/base.h>        /* status codes, errors, reference counts */
#include <asyncloop/loop.h>        /* the event loop: callbacks, timers, descriptors, signals */
#include <asyncloop/future.h>      /* futures and operations */
#include <asyncloop/task.h>        /* coroutines and tasks, aloop_await */
#include <asyncloop/context.h>     /* context variables */
#include <asyncloop/combine.h>     /* running programs, gather, time limits, task groups */
#include <asyncloop/generator.h>   /* async generators */

#include <asyncloop/sync.h>        /* locks, events, conditions, semaphores, barriers */
#include <asyncloop/limit.h>       /* capacity and rate limiters */
#include <asyncloop/once.h>        /* values that are created once */
#include <asyncloop/queue.h>       /* queues, and inlets for other threads */
#include <asyncloop/channel.h>     /* channels, broadcast, watch */

#include <asyncloop/scope.h>       /* cleanup at the end of a block, cancel scopes */
#include <asyncloop/introspect.h>  /* call graphs, metrics, tracing */

#include <asyncloop/resolver.h>    /* addresses and host names */
#include <asyncloop/stream.h>      /* connections */
#include <asyncloop/server.h>      /* servers */
#include <asyncloop/protocol.h>    /* connections and servers with callbacks */
#include <asyncloop/datagram.h>    /* UDP and Unix datagrams */
#include <asyncloop/sock.h>        /* sockets that the program made */
#include <asyncloop/tls.h>         /* TLS for connections and servers */

#include <asyncloop/file.h>        /* files, and watching a path */
#include <asyncloop/executor.h>    /* threads and worker processes */
#include <asyncloop/process.h>     /* child processes */

/* clang-format on */

#endif
