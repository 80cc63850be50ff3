/*
 * libasyncloop: asyncio for C and for every language that can call C.
 *
 * This header includes the whole C API. Each concept also has a header of its
 * own in asyncloop/, which can be included alone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_H
#define ASYNCLOOP_H

#include <asyncloop/base.h>

#include <asyncloop/loop.h>

#include <asyncloop/future.h>

#include <asyncloop/task.h>

#include <asyncloop/context.h>

#include <asyncloop/combine.h>

#include <asyncloop/generator.h>

#include <asyncloop/sync.h>

#include <asyncloop/limit.h>

#include <asyncloop/once.h>

#include <asyncloop/queue.h>

#include <asyncloop/channel.h>

#include <asyncloop/scope.h>

#include <asyncloop/introspect.h>

#include <asyncloop/resolver.h>

#include <asyncloop/stream.h>

#include <asyncloop/server.h>

#include <asyncloop/protocol.h>
#include <asyncloop/datagram.h>

#include <asyncloop/sock.h>
#include <asyncloop/tls.h>

#include <asyncloop/file.h>

#include <asyncloop/executor.h>

#include <asyncloop/process.h>

#endif
