// SPDX-License-Identifier: MIT
#include "error.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace aloop {

namespace {

// The payload's destructor is the program's.
void destroy_error(object *o) {
    error *e = static_cast<error *>(o);
    e->finish = [](deferred *d) { destroy(static_cast<error *>(d)); };
    if (e->payload_free != nullptr) {
        finish_off_fiber(e);
    } else {
        destroy(e);
    }
}

const register_kind g_registered(kind::error, {"error", destroy_error});

struct code_text {
    int64_t code;
    const char *name;
    const char *text;
};

// The library's own codes, and the system's that have a name in base.h.
const code_text k_codes[] = {
    {ALOOP_OK, "ALOOP_OK", "Success"},
    {ALOOP_ENOENT, "ALOOP_ENOENT", "No such file, handle or entry"},
    {ALOOP_EBADF, "ALOOP_EBADF", "Bad file descriptor"},
    {ALOOP_ECHILD, "ALOOP_ECHILD",
     "The loop was made before a fork: call aloop_loop_after_fork in the child"},
    {ALOOP_EAGAIN, "ALOOP_EAGAIN", "Not at once: it would have to wait"},
    {ALOOP_ENOMEM, "ALOOP_ENOMEM", "Out of memory"},
    {ALOOP_EEXIST, "ALOOP_EEXIST", "Already exists"},
    {ALOOP_EINVAL, "ALOOP_EINVAL", "Invalid argument"},
    {ALOOP_EPIPE, "ALOOP_EPIPE", "Broken pipe"},
    {ALOOP_ENOSYS, "ALOOP_ENOSYS", "Not supported by this build or kernel"},
    {ALOOP_ECONNABORTED, "ALOOP_ECONNABORTED", "Connection aborted"},
    {ALOOP_ECONNRESET, "ALOOP_ECONNRESET", "Connection reset by peer"},
    {ALOOP_ETIMEDOUT, "ALOOP_ETIMEDOUT", "Timed out"},
    {ALOOP_ECONNREFUSED, "ALOOP_ECONNREFUSED", "Connection refused"},
    {ALOOP_ESTALE, "ALOOP_ESTALE", "Event loop is closed, or the object is"},
    {ALOOP_ECANCELED, "ALOOP_ECANCELED", "Cancelled"},
    {ALOOP_EINVALIDSTATE, "ALOOP_EINVALIDSTATE", "Invalid state: not done yet, or done already"},
    {ALOOP_EQUEUEEMPTY, "ALOOP_EQUEUEEMPTY", "The queue is empty"},
    {ALOOP_EQUEUEFULL, "ALOOP_EQUEUEFULL", "The queue is full"},
    {ALOOP_EQUEUESHUTDOWN, "ALOOP_EQUEUESHUTDOWN", "The queue was shut down"},
    {ALOOP_EBROKENBARRIER, "ALOOP_EBROKENBARRIER", "The barrier is broken"},
    {ALOOP_EINCOMPLETEREAD, "ALOOP_EINCOMPLETEREAD",
     "The stream ended before all the bytes were there"},
    {ALOOP_ELIMITOVERRUN, "ALOOP_ELIMITOVERRUN", "The separator is not found within the limit"},
    {ALOOP_ESTOPITERATION, "ALOOP_ESTOPITERATION", "No more values"},
    {ALOOP_ENORUNNINGLOOP, "ALOOP_ENORUNNINGLOOP", "no running event loop"},
    {ALOOP_ELOOPRUNNING, "ALOOP_ELOOPRUNNING", "An event loop is already running here"},
    {ALOOP_EWRONGLOOP, "ALOOP_EWRONGLOOP", "The object belongs to another event loop"},
    {ALOOP_EWRONGTHREAD, "ALOOP_EWRONGTHREAD",
     "Called from another thread than the loop's; use a function named ..._threadsafe"},
    {ALOOP_ENOTASK, "ALOOP_ENOTASK", "Needs a running task (await: a stackful one)"},
    {ALOOP_EGROUP, "ALOOP_EGROUP", "Several errors: see the children"},
    {ALOOP_ERESOLVE, "ALOOP_ERESOLVE", "The name does not resolve"},
    {ALOOP_ETLS, "ALOOP_ETLS", "TLS failure"},
    {ALOOP_EBROKENPOOL, "ALOOP_EBROKENPOOL", "A worker of the pool died"},
    {ALOOP_EVALUETAKEN, "ALOOP_EVALUETAKEN",
     "The value was taken by another reader; share it through a counted type"},
    {ALOOP_ELOOPSTOPPED, "ALOOP_ELOOPSTOPPED", "Event loop stopped before Future completed."},
    {ALOOP_ENOTOWNER, "ALOOP_ENOTOWNER", "Not acquired"},
    {ALOOP_EWRONGTYPE, "ALOOP_EWRONGTYPE", "An object of another type was expected"},
    {ALOOP_ESHUTDOWN, "ALOOP_ESHUTDOWN", "Shut down, or shutting down"},
    {ALOOP_EBUSY, "ALOOP_EBUSY", "Another operation is under way"},
    {ALOOP_ETLSCERT, "ALOOP_ETLSCERT", "Certificate verification failed"},
    {ALOOP_ETLSTRUNCATED, "ALOOP_ETLSTRUNCATED", "The peer closed without a TLS close_notify"},
    {ALOOP_ENOSENDFILE, "ALOOP_ENOSENDFILE", "sendfile is not possible here"},
    {ALOOP_ESTACK, "ALOOP_ESTACK", "Stack overflow in a fiber"},
    {ALOOP_EGENERATOREXIT, "ALOOP_EGENERATOREXIT", "The generator is being closed"},
    {ALOOP_ELAGGED, "ALOOP_ELAGGED", "Too slow: values were missed"},
    {ALOOP_PENDING, "ALOOP_PENDING", "Suspended"},
};

static_assert(ALOOP_ECANCELED == -ECANCELED && ALOOP_ETIMEDOUT == -ETIMEDOUT &&
              ALOOP_ESTALE == -ESTALE && ALOOP_ECONNREFUSED == -ECONNREFUSED &&
              ALOOP_ECONNRESET == -ECONNRESET && ALOOP_ECONNABORTED == -ECONNABORTED &&
              ALOOP_EINVAL == -EINVAL && ALOOP_ENOMEM == -ENOMEM && ALOOP_ENOSYS == -ENOSYS &&
              ALOOP_EPIPE == -EPIPE && ALOOP_ECHILD == -ECHILD && ALOOP_EBADF == -EBADF &&
              ALOOP_ENOENT == -ENOENT && ALOOP_EAGAIN == -EAGAIN && ALOOP_EEXIST == -EEXIST);

const code_text *find(int64_t code) {
    for (const code_text &entry : k_codes) {
        if (entry.code == code) return &entry;
    }
    return nullptr;
}

}  // namespace

error::~error() {
    count_live(kind::error, -1);
    for (int64_t i = 0; i < child_count; i++) children[i].~ptr();
    release(children);
    release(message);
    release(where);
    if (payload_free != nullptr) payload_free(payload);
}

const char *describe(int64_t code) {
    if (const code_text *entry = find(code)) return entry->text;
    if (code <= ALOOP_EUSER) return "Error of the program";
    if (code > 0) return "Success";
    // strerrordesc_np: static texts, unlike strerror.
    const char *text = code > -4096 ? strerrordesc_np(static_cast<int>(-code)) : nullptr;
    return text != nullptr ? text : "Unknown error";
}

const char *name_of(int64_t code) {
    if (const code_text *entry = find(code)) return entry->name;
    if (code <= ALOOP_EUSER) return "ALOOP_EUSER";
    if (code > 0) return "ALOOP_OK";
    const char *name = code > -4096 ? strerrorname_np(static_cast<int>(-code)) : nullptr;
    return name != nullptr ? name : "UNKNOWN";
}

const char *message_of(const error *e) {
    return e->message != nullptr ? e->message : describe(e->code);
}

error *make_error(int64_t code, const char *message) {
    error *e = create<error>(code);
    if (e != nullptr && message != nullptr) {
        e->message = copy_string(message);
        if (e->message == nullptr) {
            destroy(e);
            return nullptr;
        }
    }
    return e;
}

error *format_error_v(int64_t code, const char *where, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    const int size = std::vsnprintf(nullptr, 0, format, again);
    va_end(again);
    error *e = create<error>(code);
    if (e == nullptr) return nullptr;
    e->message = static_cast<char *>(allocate(static_cast<size_t>(size < 0 ? 0 : size) + 1));
    if (where != nullptr) e->where = copy_string(where);
    if (e->message == nullptr || (where != nullptr && e->where == nullptr)) {
        destroy(e);
        return nullptr;
    }
    e->message[0] = '\0';
    if (size >= 0) std::vsnprintf(e->message, static_cast<size_t>(size) + 1, format, args);
    return e;
}

error *format_error(int64_t code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    error *e = format_error_v(code, nullptr, format, args);
    va_end(args);
    return e;
}

error *make_group_error(const char *message, error *const *children, int64_t count) {
    error *e = make_error(ALOOP_EGROUP, message);
    void *block = allocate(sizeof(ptr<error>) * static_cast<size_t>(count > 0 ? count : 1));
    if (e == nullptr || block == nullptr) {
        for (int64_t i = 0; i < count; i++) unref(children[i]);
        release(block);
        destroy(e);
        return nullptr;
    }
    e->children = static_cast<ptr<error> *>(block);
    for (int64_t i = 0; i < count; i++) new (&e->children[i]) ptr<error>(children[i]);
    e->child_count = count;
    return e;
}

}  // namespace aloop
