// report.cpp: what becomes of errors that nobody handles.
//
// The exception handler runs in the context of the task that the report is about, as
// asyncio's does; that of a callback is current still when it is reported. On a fiber
// there is neither room for the text nor place for the program's handler: the report
// waits until the loop is back on its own stack.
//
// SPDX-License-Identifier: MIT
#include <unistd.h>

#include "loop.hpp"
#include "report.hpp"

namespace aloop {

void (*g_describe)(object *o, char *buffer, size_t size) = nullptr;
const char *(*g_unawaited)(const object *o) = nullptr;
var_cell *(*g_context_of)(object *o) = nullptr;

namespace {

// Errors share those below them: the ways down may be too many to be gone.
void add_error(writer &out, const error *e, int depth) {
    if (depth > 8 || out.full()) return;
    const char *where = e->where != nullptr ? e->where : "";
    out.add("%*s%s (%ld): %s%s%s\n", depth * 2, "", name_of(e->code), static_cast<long>(e->code),
            message_of(e), where[0] != '\0' ? ", raised at " : "", where);
    for (int64_t i = 0; i < e->child_count; i++) add_error(out, e->children[i].get(), depth + 1);
    if (e->cause) {
        out.add("%*scaused by:\n", depth * 2, "");
        add_error(out, e->cause.get(), depth + 1);
    }
}

void add_object(writer &out, const char *key, object *o) {
    if (o == nullptr || g_describe == nullptr) return;
    char line[512];
    g_describe(o, line, sizeof line);
    out.add("%s: %s\n", key, line);
}

// With all that it shows.
struct late_report final : deferred {
    loop *home;
    aloop_exception_context context;
    char message[k_source_size];
    char source[k_source_size];
    char handle_source[k_source_size];
};

const char *keep(char (&to)[k_source_size], const char *text) {
    writer out(to, sizeof to);
    out.add("%s", text);
    return to;
}

void ref_if(object *o) {
    if (o != nullptr) ref(o);
}

void unref_if(object *o) {
    if (o != nullptr) unref(o);
}

void finish_late(deferred *d) {
    late_report *late = static_cast<late_report *>(d);
    loop *l = late->home;
    l->tell_handler(&late->context);
    unref_if(late->context.failure);
    unref_if(late->context.future);
    unref_if(late->context.task);
    destroy(late);
    unref(static_cast<object *>(l));
}

late_report *make_late(loop *l, const aloop_exception_context *context) {
    late_report *late = create<late_report>();
    if (late == nullptr) return nullptr;
    late->finish = finish_late;
    late->home = l;
    late->context = *context;
    late->context.message = keep(late->message, context->message);
    late->context.source = keep(late->source, context->source);
    late->context.handle_source = keep(late->handle_source, context->handle_source);
    ref(static_cast<object *>(l));
    ref_if(context->failure);
    ref_if(context->future);
    ref_if(context->task);
    return late;
}

bool on_some_fiber() {
    const loop *l = running_loop();
    return l != nullptr && l->on_fiber;
}

}  // namespace

void describe_failure(writer &out, int64_t code, const error *e) {
    if (e != nullptr) {
        add_error(out, e, 0);
    } else if (code < 0) {
        out.add("%s (%ld): %s\n", name_of(code), static_cast<long>(code), describe(code));
    }
}

// In debug mode: where the object was made, and the callback that runs.
void loop::add_sources(aloop_exception_context *context, char *source, char *handle_source) {
    const void *made = context->made != nullptr   ? context->made
                       : context->task != nullptr ? context->task
                                                  : context->future;
    const bool of_callback = made == nullptr && context->handle != 0;
    if (context->source[0] == '\0') {
        writer out(source, k_source_size);
        describe_origin(out, of_callback ? running_origin_ : origin_of(made));
        context->source = source;
    }
    if (!of_callback) {
        writer out(handle_source, k_source_size);
        describe_origin(out, running_origin_);
        context->handle_source = handle_source;
    }
}

void loop::report(aloop_exception_context *context) {
    char source[k_source_size];
    char handle_source[k_source_size];
    if (debug) add_sources(context, source, handle_source);
    late_report *late = on_some_fiber() ? make_late(this, context) : nullptr;
    if (late != nullptr) {
        finish_off_fiber(late);
    } else {
        tell_handler(context);
    }
}

void loop::tell_handler(aloop_exception_context *context) {
    if (exception_handler == nullptr) {
        default_report(context);
        return;
    }
    object *about = context->task != nullptr ? context->task : context->future;
    var_cell *cell = t_context.cell;
    var_cell empty;
    if (about != nullptr && about->type == kind::task) {
        cell = g_context_of(about);
        if (cell == nullptr) cell = &empty;
    }
    {
        const context_scope scope(cell);
        exception_handler(to_c(this), context, exception_data);
    }
    drop(empty.map);
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
    // Written in one piece, so that threads do not mix theirs.
    char buffer[8192];
    writer out(buffer, sizeof buffer);
    out.add("%s\n", context->message);
    describe_failure(out, context->code, context->failure);
    add_object(out, "future", context->future);
    add_object(out, "task", context->task);
    if (context->source[0] != '\0') {
        out.add("Object created at (most recent call last):\n%s", context->source);
    } else if (context->handle_source[0] != '\0') {
        out.add("Handle created at (most recent call last):\n%s", context->handle_source);
    }
    write_all(STDERR_FILENO, buffer, out.written());
}

int64_t loop::set_exception_handler(aloop_exception_handler_fn fn, void *data,
                                    aloop_free_fn free_fn) {
    const aloop_free_fn old_free = exception_free;
    void *old_data = exception_data;
    exception_handler = fn;
    exception_data = fn != nullptr ? data : nullptr;
    exception_free = fn != nullptr ? free_fn : nullptr;
    free_off_fiber(old_free, old_data);
    return 0;
}

}  // namespace aloop
