// SPDX-License-Identifier: MIT
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "../task/body.hpp"
#include "bytes.hpp"
#include "check.hpp"
#include "error.hpp"
#include "results.hpp"
#include "stats.hpp"
#include "version.hpp"

using namespace aloop;

int64_t aloop_version(void) {
    return ALOOP_VERSION_MAJOR * 1000000 + ALOOP_VERSION_MINOR * 1000 + ALOOP_VERSION_PATCH;
}

const char *aloop_version_string(void) { return ALOOP_VERSION_STRING; }

const char *aloop_strerror(int64_t code) { return describe(code); }

const char *aloop_errname(int64_t code) { return name_of(code); }

int64_t aloop_set_allocator(aloop_malloc_fn malloc_fn, aloop_realloc_fn realloc_fn,
                            aloop_free_fn free_fn) {
    return set_allocator(malloc_fn, realloc_fn, free_fn);
}

void *aloop_ref(void *o) {
    if (o != nullptr) ref(static_cast<object *>(o));
    return o;
}

void aloop_unref(void *pointer) {
    object *o = static_cast<object *>(pointer);
    if (o == nullptr) return;
    loop *l = running_loop();
    if (l != nullptr && l->kept.any() && l->kept.has(o)) l->kept.drop_those_of(o);
    unref(o);
}

// Errors -----------------------------------------------------------------------------------

aloop_error *aloop_error_new(int64_t code, const char *message, aloop_error *cause) {
    if (code >= 0) return nullptr;
    error *e = make_error(code, message);
    if (e != nullptr && is(from_c(cause), kind::error)) e->cause = ptr<error>::share(from_c(cause));
    return to_c(e);
}

aloop_error *aloop_error_new_payload(int64_t code, const char *message, void *payload,
                                     aloop_free_fn free_fn) {
    if (code >= 0) return nullptr;
    error *e = make_error(code, message);
    if (e == nullptr) return nullptr;
    e->payload = payload;
    e->payload_free = free_fn;
    return to_c(e);
}

aloop_error *aloop_error_ref(aloop_error *e) { return static_cast<aloop_error *>(aloop_ref(e)); }

void aloop_error_unref(aloop_error *e) { aloop_unref(e); }

int64_t aloop_error_code(const aloop_error *e) {
    return is(from_c(e), kind::error) ? from_c(e)->code : ALOOP_EINVAL;
}

const char *aloop_error_message(const aloop_error *e) {
    if (e == nullptr) return "No error";
    return is(from_c(e), kind::error) ? message_of(from_c(e)) : describe(ALOOP_EINVAL);
}

aloop_error *aloop_error_cause(const aloop_error *e) {
    return is(from_c(e), kind::error) ? to_c(from_c(e)->cause.get()) : nullptr;
}

int64_t aloop_error_child_count(const aloop_error *e) {
    return is(from_c(e), kind::error) ? from_c(e)->child_count : 0;
}

aloop_error *aloop_error_child(const aloop_error *e, int64_t index) {
    if (index < 0 || index >= aloop_error_child_count(e)) return nullptr;
    return to_c(from_c(e)->children[index].get());
}

void *aloop_error_payload(const aloop_error *e) {
    return is(from_c(e), kind::error) ? from_c(e)->payload : nullptr;
}

const char *aloop_error_where(const aloop_error *e) {
    const bool known = is(from_c(e), kind::error) && from_c(e)->where != nullptr;
    return known ? from_c(e)->where : "";
}

// Raising ------------------------------------------------------------------------------------

namespace {

// The failure belongs to the running task, or else to the running callback; in
// a thread without a loop, to the job that runs there.
int64_t raise_here(int64_t code, error *adopted) {
    if (adopted == nullptr) return code;
    loop *l = running_loop();
    if (code < 0 && l == nullptr && t_thread.raised != nullptr) {
        if (*t_thread.raised != nullptr) unref(*t_thread.raised);
        *t_thread.raised = adopted;
    } else if (l == nullptr || code >= 0) {
        unref(adopted);
    } else if (l->current_task != nullptr) {
        raise(l->current_task, adopted);
    } else {
        l->raised.reset(adopted);
    }
    return code;
}

}  // namespace

int64_t(aloop_raise)(int64_t code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    error *e = format != nullptr ? format_error_v(code, nullptr, format, args)
                                 : make_error(code, nullptr);
    va_end(args);
    return raise_here(code, e);
}

int64_t aloop_raise_at(const char *where, int64_t code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    error *e = format != nullptr ? format_error_v(code, where, format, args)
                                 : make_error(code, nullptr);
    va_end(args);
    return raise_here(code, e);
}

int64_t aloop_raise_message(int64_t code, const char *message) {
    return raise_here(code, make_error(code, message));
}

int64_t aloop_raise_payload(int64_t code, const char *message, void *payload,
                            aloop_free_fn free_fn) {
    error *e = make_error(code, message);
    if (e == nullptr) {
        free_off_fiber(free_fn, payload);
        return code;
    }
    e->payload = payload;
    e->payload_free = free_fn;
    return raise_here(code, e);
}

int64_t aloop_raise_error(aloop_error *handle) {
    error *e = from_c(handle);
    if (!is(e, kind::error)) return ALOOP_EINVAL;
    ref(e);
    return raise_here(e->code, e);
}

aloop_error *aloop_last_error(void) {
    const loop *l = running_loop();
    if (l == nullptr || l->current_task == nullptr) return nullptr;
    return to_c(current_error(l->current_task));
}

// Bytes and results ----------------------------------------------------------------------------

aloop_bytes *aloop_bytes_new(const void *data, size_t len) {
    if (data == nullptr && len > 0) return nullptr;
    return to_c(make_bytes(data, len));
}

aloop_bytes *aloop_bytes_ref(aloop_bytes *b) { return static_cast<aloop_bytes *>(aloop_ref(b)); }

void aloop_bytes_unref(aloop_bytes *b) { aloop_unref(b); }

const uint8_t *aloop_bytes_data(const aloop_bytes *b) {
    static const uint8_t nothing[1] = {0};
    return is(from_c(b), kind::bytes) ? from_c(b)->data : nothing;
}

size_t aloop_bytes_size(const aloop_bytes *b) {
    return is(from_c(b), kind::bytes) ? from_c(b)->size : 0;
}

namespace {

const outcome *entry_of(const aloop_results *handle, int64_t index) {
    const results *r = from_c(handle);
    if (!is(r, kind::results) || index < 0 || index >= r->count) return nullptr;
    const outcome *list = r->entries;
    return &list[index];
}

}  // namespace

aloop_results *aloop_results_ref(aloop_results *r) {
    return static_cast<aloop_results *>(aloop_ref(r));
}

void aloop_results_unref(aloop_results *r) { aloop_unref(r); }

int64_t aloop_results_count(const aloop_results *r) {
    return is(from_c(r), kind::results) ? from_c(r)->count : 0;
}

int64_t aloop_results_status(const aloop_results *r, int64_t index) {
    const outcome *o = entry_of(r, index);
    return o != nullptr ? o->status : ALOOP_EINVAL;
}

void *aloop_results_value(const aloop_results *r, int64_t index) {
    const outcome *o = entry_of(r, index);
    return o != nullptr ? o->value : nullptr;
}

void *aloop_results_take(aloop_results *r, int64_t index) {
    outcome *o = const_cast<outcome *>(entry_of(r, index));
    if (o == nullptr) return nullptr;
    void *value = o->value;
    if (o->value_free != nullptr) o->value = nullptr;
    return value;
}

aloop_error *aloop_results_error(const aloop_results *r, int64_t index) {
    const outcome *o = entry_of(r, index);
    return o != nullptr ? to_c(o->failure) : nullptr;
}

aloop_future *aloop_results_future(const aloop_results *r, int64_t index) {
    const outcome *o = entry_of(r, index);
    return o != nullptr ? reinterpret_cast<aloop_future *>(o->from) : nullptr;
}

int64_t aloop_debug_stats(int32_t which) { return aloop::stat(which); }

const char *aloop_debug_stats_name(int32_t which) { return stat_name(which); }
