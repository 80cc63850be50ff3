// SPDX-License-Identifier: MIT
#include "file.hpp"

#include <cerrno>
#include <cstring>

namespace aloop {

namespace {

file_job *job_of(side_job *j) { return static_cast<file_job *>(j); }
file_job *job_of(link *l) { return static_cast<file_job *>(static_cast<file_link *>(l)); }
file_link *link_of(file_job *j) { return static_cast<file_link *>(j); }

// Any thread.
void free_file_job(side_job *base) {
    file_job *j = job_of(base);
    if (j->value_free != nullptr) j->value_free(j->value);
    if (j->core != nullptr) drop_core(j->core);
    release(j->path);
    release(j->data);
    destroy(j);
}

void work_on(side_job *base) {
    file_job *j = job_of(base);
    j->status = j->run(j);
}

// The next in line begins.
void pass_on(file *f) {
    f->busy = false;
    while (!f->busy) {
        link *next = f->line.pop();
        if (next == nullptr) return;
        file_job *j = job_of(next);
        j->in_line = false;
        f->busy = submit_held(j);
    }
}

// Off its file; on the loop's thread.
void leave_file(file_job *j) {
    file *f = std::exchange(j->of, nullptr);
    if (f == nullptr) return;
    if (j->in_line) {
        f->line.remove(link_of(j));
        j->in_line = false;
    } else {
        pass_on(f);
    }
    unref(f);
}

void forsake_job(side_job *base) {
    file_job *j = job_of(base);
    file *f = std::exchange(j->of, nullptr);
    if (f == nullptr) return;
    if (j->in_line) f->line.remove(link_of(j));
    j->in_line = false;
    unref(f);
}

void give_failure(future *f, const file_job *j) {
    const char *path = j->of != nullptr ? j->of->path : j->path;
    fail(f, j->status,
         format_error(j->status, "%s '%s': %s", j->verb, path, describe(j->status)));
}

void deliver_outcome(side_job *base, future *f) {
    file_job *j = job_of(base);
    if (f->pending()) {
        if (j->status < 0) {
            give_failure(f, j);
        } else {
            finish(f, j->status, j->value, std::exchange(j->value_free, nullptr));
        }
    }
    leave_file(j);
}

// An opened file's object is made here: it belongs to the loop.
void deliver_file(side_job *base, future *f) {
    file_job *j = job_of(base);
    if (!f->pending()) return;  // the descriptor goes with the job
    if (j->status < 0) {
        give_failure(f, j);
        return;
    }
    file *opened = loop_of(f)->make_object<file>(j->core, j->path);
    if (opened == nullptr) {
        fail(f, ALOOP_ENOMEM, nullptr);
        return;
    }
    j->core = nullptr;
    j->path = nullptr;
    finish(f, 0, opened, [](void *o) { unref(static_cast<file *>(o)); });
}

void destroy_file(object *o) {
    file *f = static_cast<file *>(o);
    loop *l = loop_of(f);
    if (!f->closed && l->debug && !l->closed) l->report("unclosed file", 0, nullptr);
    drop_core(f->core);
    release(f->path);
    l->free_object(f);
}

const register_kind g_file(kind::file, {"file", destroy_file});

}  // namespace

file_core *make_core(const sys_table *sys) {
    file_core *c = create<file_core>();
    if (c != nullptr) c->sys = sys;
    return c;
}

void drop_core(file_core *core) {
    if (core->holders.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    if (core->fd >= 0) core->sys->close(core->fd);
    destroy(core);
}

file_job *make_file_job(loop *l, const char *verb, int64_t (*run)(file_job *), const char *path) {
    file_job *j = create<file_job>();
    if (j == nullptr) return nullptr;
    j->work = work_on;
    j->arrive = deliver_outcome;
    j->forsaken = forsake_job;
    j->free_job = free_file_job;
    j->run = run;
    j->sys = l->sys();
    j->verb = verb;
    j->path = path != nullptr ? copy_string(path) : nullptr;
    if (path == nullptr || j->path != nullptr) return j;
    free_file_job(j);
    return nullptr;
}

bool carry(file_job *j, const void *data, size_t n) {
    j->data = static_cast<uint8_t *>(allocate(n > 0 ? n : 1));
    if (j->data == nullptr) {
        free_file_job(j);
        return false;
    }
    if (n > 0) std::memcpy(j->data, data, n);
    j->size = n;
    return true;
}

future *start_file_job(loop *l, file_job *j, file *f) {
    side_pool *p = side_pool_of(l, &l->files, {"aloop-files", 4, true});
    if (p == nullptr) {
        free_file_job(j);
        return nullptr;
    }
    if (f == nullptr) return submit(p, j);
    j->core = f->core;
    j->core->holders.fetch_add(1, std::memory_order_relaxed);
    future *outcome = hold(p, j);
    if (outcome == nullptr) return nullptr;
    ref(f);
    j->of = f;
    if (f->busy) {
        f->line.push(link_of(j));
        j->in_line = true;
    } else {
        f->busy = submit_held(j);
    }
    return outcome;
}

future *open_file(loop *l, const char *path, int32_t flags, int32_t mode) {
    file_job *j = make_file_job(l, "open", run_open, path);
    if (j == nullptr) return nullptr;
    j->arrive = deliver_file;
    j->flags = flags;
    j->mode = mode;
    j->core = make_core(l->sys());
    if (j->core != nullptr) return start_file_job(l, j, nullptr);
    free_file_job(j);
    return nullptr;
}

}  // namespace aloop
