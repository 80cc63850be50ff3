// worker.cpp: a call from a pool's thread into its worker process: both sides.
//
// SPDX-License-Identifier: MIT
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <utility>

#include "../base/bytes.hpp"
#include "fork_server.hpp"

namespace aloop {

namespace {

uint64_t module_of(uint64_t function) {
    Dl_info where;
    const bool known = dladdr(reinterpret_cast<void *>(function), &where) != 0;
    return known ? reinterpret_cast<uint64_t>(where.dli_fbase) : 0;
}

// The worker's side --------------------------------------------------------------------------

bool answer(const peer &to, int64_t status, const bytes *result, const char *message) {
    const size_t size = result != nullptr ? result->size : 0;
    const size_t message_size = message != nullptr ? std::strlen(message) : 0;
    const answer_header header = {status, size, message_size};
    return send_all(to, &header, sizeof header) &&
           (size == 0 || send_all(to, result->data, size)) && send_all(to, message, message_size);
}

// False: the parent is gone.
bool serve_call(const peer &program) {
    call_header header;
    if (!receive_all(program, &header, sizeof header)) return false;
    bytes *data = make_bytes(nullptr, header.size);
    if (data == nullptr) return false;
    bool there = receive_all(program, data->data, header.size);
    if (there && module_of(header.function) != header.module) {
        there = answer(program, ALOOP_EINVAL, nullptr,
                       "the function's module was not loaded when the pool was made");
    } else if (there) {
        error *raised = nullptr;
        t_thread.raised = &raised;
        aloop_bytes *result = nullptr;
        const aloop_process_fn function = reinterpret_cast<aloop_process_fn>(header.function);
        const uint32_t forks = fork_generation();
        const int64_t status = function(data->data, data->size, &result);
        if (forks != fork_generation()) _exit(0);  // a copy: the worker itself answers
        std::fflush(stdout);  // it ends without that, by a signal
        std::fflush(stderr);
        const bool detail = status < 0 && raised != nullptr && raised->code == status;
        there = answer(program, status, status >= 0 ? from_c(result) : nullptr,
                       detail ? message_of(raised) : nullptr);
        if (raised != nullptr) unref(raised);
        aloop_unref(result);
    }
    unref(data);
    return there;
}

// The thread's side ------------------------------------------------------------------------------

// Each thread of a pool has a worker of its own, from its first call on.
class thread_worker {
public:
    ~thread_worker() {
        if (process_ != nullptr) end_worker_process(process_);
    }
    worker_process *get() const { return process_; }
    int64_t start(fork_server *s) {
        int64_t code = 0;
        process_ = start_worker_process(s, &code);
        return process_ != nullptr ? 0 : code;
    }
    int end() { return end_worker_process(std::exchange(process_, nullptr)); }

private:
    worker_process *process_ = nullptr;
};

thread_worker &this_worker() {
    static thread_local thread_worker worker;
    return worker;
}

error *describe_death(int pid, int status, bool killed) {
    if (killed) {
        return format_error(ALOOP_EBROKENPOOL, "worker process %d was killed by the shutdown", pid);
    }
    if (status >= 0 && WIFSIGNALED(status)) {
        return format_error(ALOOP_EBROKENPOOL, "worker process %d died: %s", pid,
                            ::sigdescr_np(WTERMSIG(status)));
    }
    if (status < 0) {
        return format_error(ALOOP_EBROKENPOOL, "worker process %d ended, its status is not known",
                            pid);
    }
    return format_error(ALOOP_EBROKENPOOL, "worker process %d ended with status %d", pid,
                        WEXITSTATUS(status));
}

// Tells the loop of the job that runs, but not of workers that a shutdown killed:
// they did not die of themselves. What it was, a reference; nullptr: out of memory.
error *note_death(thread_worker &w) {
    const int pid = w.get()->pid;
    const bool killed = workers_killed(w.get()->server);
    error *death = describe_death(pid, w.end(), killed);
    job *j = current_job();
    if (killed) return death;
    j->worker_died = true;
    if (j->worker_death != nullptr) unref(j->worker_death);
    j->worker_death = death;
    if (death != nullptr) ref(death);
    return death;
}

int64_t report_death(thread_worker &w) {
    job *j = current_job();
    if (j->failure != nullptr) unref(j->failure);
    j->failure = note_death(w);
    return ALOOP_EBROKENPOOL;
}

// One that died while it had no job is no fault of the next one.
void replace_dead(thread_worker &w) {
    if (w.get() == nullptr || !has_ended(*w.get())) return;
    error *death = note_death(w);
    if (death != nullptr) unref(death);
}

int64_t receive_answer(thread_worker &w) {
    answer_header header;
    if (!receive_all(*w.get(), &header, sizeof header)) return report_death(w);
    bytes *result = make_bytes(nullptr, header.size + header.message_size);
    if (result == nullptr) {
        w.end();  // its socket is in the middle of an answer: no use any more
        return ALOOP_ENOMEM;
    }
    if (!receive_all(*w.get(), result->data, result->size)) {
        unref(result);
        return report_death(w);
    }
    if (header.status >= 0) return aloop_job_return(header.status, result, free_bytes);
    if (header.message_size > 0) {
        result->data[result->size] = 0;
        aloop_raise_message(header.status, reinterpret_cast<const char *>(result->data));
    }
    unref(result);
    return header.status;
}

}  // namespace

void serve_calls(const peer &program) {
    while (serve_call(program)) {
    }
}

int64_t call_worker(fork_server *s, aloop_process_fn function, const bytes *data) {
    const uint64_t address = reinterpret_cast<uint64_t>(function);
    const call_header header = {address, module_of(address), data->size};
    if (header.module == 0) return ALOOP_EINVAL;
    thread_worker &w = this_worker();
    replace_dead(w);
    const int64_t code = w.get() == nullptr ? w.start(s) : 0;
    if (code == ALOOP_EBROKENPOOL && !workers_killed(s)) {
        return (aloop_raise)(code, "the pool's server process has ended");
    }
    if (code < 0) return code;
    if (!send_all(*w.get(), &header, sizeof header) ||
        !send_all(*w.get(), data->data, data->size)) {
        return report_death(w);
    }
    return receive_answer(w);
}

}  // namespace aloop
