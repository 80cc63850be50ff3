// report.cpp: what becomes of errors that nobody handles.
//
// SPDX-License-Identifier: MIT
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "loop.hpp"
#include "report.hpp"

namespace aloop {

void (*g_describe)(object *o, char *buffer, size_t size) = nullptr;

namespace {

// A report is written in one piece, so that threads do not mix theirs.
class text {
public:
    void add(const char *format, ...) ALOOP_PRINTF(2, 3) {
        va_list args;
        va_start(args, format);
        const int n = std::vsnprintf(buffer_ + used_, sizeof buffer_ - used_, format, args);
        va_end(args);
        if (n > 0) used_ += static_cast<size_t>(n);
        if (used_ > sizeof buffer_ - 1) used_ = sizeof buffer_ - 1;
    }

    void write_to(int fd) {
        size_t done = 0;
        while (done < used_) {
            const ssize_t n = ::write(fd, buffer_ + done, used_ - done);
            if (n <= 0) return;
            done += static_cast<size_t>(n);
        }
    }

private:
    char buffer_[8192];
    size_t used_ = 0;
};

void add_error(text &out, const error *e, int depth) {
    if (depth > 8) return;
    const char *where = e->where != nullptr ? e->where : "";
    out.add("%*s%s (%ld): %s%s%s\n", depth * 2, "", name_of(e->code), static_cast<long>(e->code),
            message_of(e), where[0] != '\0' ? ", raised at " : "", where);
    for (int64_t i = 0; i < e->child_count; i++) add_error(out, e->children[i].get(), depth + 1);
    if (e->cause) {
        out.add("%*scaused by:\n", depth * 2, "");
        add_error(out, e->cause.get(), depth + 1);
    }
}

void add_object(text &out, const char *key, object *o) {
    if (o == nullptr || g_describe == nullptr) return;
    char line[512];
    g_describe(o, line, sizeof line);
    out.add("%s: %s\n", key, line);
}

}  // namespace

void loop::report(aloop_exception_context *context) {
    if (exception_handler == nullptr) {
        default_report(context);
        return;
    }
    exception_handler(to_c(this), context, exception_data);
}

void loop::report(const char *message, int64_t code, error *failure, object *future,
                  object *task) {
    aloop_exception_context context;
    context.message = message;
    context.code = code;
    context.failure = failure;
    context.future = future;
    context.task = task;
    report(&context);
}

void loop::default_report(aloop_exception_context *context) {
    text out;
    out.add("%s\n", context->message);
    if (context->failure != nullptr) {
        add_error(out, context->failure, 0);
    } else if (context->code < 0) {
        out.add("%s (%ld): %s\n", name_of(context->code), static_cast<long>(context->code),
                describe(context->code));
    }
    add_object(out, "future", context->future);
    add_object(out, "task", context->task);
    if (context->source[0] != '\0') out.add("created at: %s\n", context->source);
    out.write_to(STDERR_FILENO);
}

int64_t loop::set_exception_handler(aloop_exception_handler_fn fn, void *data,
                                    aloop_free_fn free_fn) {
    const aloop_free_fn old_free = exception_free;
    void *old_data = exception_data;
    exception_handler = fn;
    exception_data = fn != nullptr ? data : nullptr;
    exception_free = fn != nullptr ? free_fn : nullptr;
    if (old_free != nullptr) old_free(old_data);
    return 0;
}

}  // namespace aloop
