// fork_server.hpp: worker processes for a pool, forked from a server process.
//
// The server is forked when the pool is made, does nothing but wait for
// requests, and forks each worker from itself: so workers, also those that
// replace dead ones later, have no threads, locks or descriptors of what the
// program has become since. The bet: the pool is made early, best before other
// threads exist; the server itself only makes calls that are safe in any child.
//
// Requests go one at a time over a socket; when that ends, the server ends, and
// with their own sockets the workers. The server reaps its workers, each by its
// pid, and only when it is asked to. Nobody waits for what may never come: a
// worker has a pidfd that tells of its end even if children of its own hold its
// socket; who ends one kills it, and its sockets are shut down, not only closed,
// for a child of the program may hold copies; and the server and the workers see
// the program's end by a pidfd of it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>

#include "../base/bytes.hpp"
#include "executor.hpp"
#include "peer.hpp"

namespace aloop {

struct fork_server;

// A worker process, as the thread that drives it sees it. On the heap, so that a
// forked child finds it when the thread's own memory is gone.
struct worker_process : link, peer {
    fork_server *server = nullptr;
    int pid = 0;
};

struct fork_server final : peer {
    std::atomic<int32_t> refs{1};
    pthread_mutex_t talk = PTHREAD_MUTEX_INITIALIZER;   // one request at a time
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;  // of what follows; held briefly
    ring workers;
    bool killed = false;  // no more workers
};

// nullptr: *code says why.
fork_server *start_server(int64_t *code);
void drop_server(fork_server *s);
// In a forked child, to which it does not belong: frees its memory and descriptors.
void forget_server(fork_server *s);
// Starts a worker; nullptr: *code says why.
worker_process *start_worker_process(fork_server *s, int64_t *code);
// Ends and frees it and gives its wait status, -1 if that is not known.
int end_worker_process(worker_process *w);
// At once, whatever they do.
void kill_workers(fork_server *s);
bool workers_killed(fork_server *s);

// The worker's side (worker.cpp): serves requests until the program ends them.
void serve_calls(const peer &program);

// A call as it goes over the worker's socket, and its answer; data follow.
struct call_header {
    uint64_t function;
    uint64_t module;  // where its module lies: the same in the worker
    uint64_t size;
};
struct answer_header {
    int64_t status;
    uint64_t size;          // of the result, or
    uint64_t message_size;  // of the error's text
};

// Runs function(data) in the worker of the calling pool thread.
int64_t call_worker(fork_server *s, aloop_process_fn function, const bytes *data);

}  // namespace aloop
