// A pool of processes: a pool of threads, each of which drives a worker process
// and waits for its answers. So queueing, cancelling, shutdown and its deadline
// are those of threads; past the deadline the workers are killed.
//
// SPDX-License-Identifier: MIT
#include "../base/bytes.hpp"
#include "fork_server.hpp"

namespace aloop {

namespace {

void kill_server_workers(void *server) { kill_workers(static_cast<fork_server *>(server)); }
void free_server(void *server) { drop_server(static_cast<fork_server *>(server)); }
void leave_server(void *server) { forget_server(static_cast<fork_server *>(server)); }

// The argument of a job: a call and its data.
struct remote_call {
    fork_server *server;  // the pool's; nullptr: a pool of threads
    aloop_process_fn function;
    bytes *data;
};

void free_call(void *arg) {
    remote_call *call = static_cast<remote_call *>(arg);
    unref(call->data);
    destroy(call);
}

int64_t run_call(void *arg, void **) {
    const remote_call *call = static_cast<remote_call *>(arg);
    if (call->server != nullptr) return call_worker(call->server, call->function, call->data);
    aloop_bytes *result = nullptr;
    const int64_t status = call->function(call->data->data, call->data->size, &result);
    return aloop_job_return(status, result, aloop_unref);
}

}  // namespace

executor *make_process_pool(int64_t n) {
    int64_t code = 0;
    fork_server *s = start_server(&code);
    if (s == nullptr) return nullptr;
    executor *e = make_thread_pool(n, "process");
    if (e == nullptr) {
        drop_server(s);
        return nullptr;
    }
    extend_pool(e, {s, kill_server_workers, free_server, leave_server});
    return e;
}

future *submit_call(loop *l, executor *e, aloop_process_fn function, const void *data, size_t n) {
    remote_call *call = create<remote_call>();
    bytes *copy = call != nullptr ? make_bytes(data, n) : nullptr;
    if (copy == nullptr) {
        destroy(call);
        return failed_future(l, ALOOP_ENOMEM);
    }
    *call = {static_cast<fork_server *>(pool_extension(e)), function, copy};
    void *shown = reinterpret_cast<void *>(function);
    return submit_job(l, e, {run_call, call, free_call, nullptr, shown});
}

}  // namespace aloop
