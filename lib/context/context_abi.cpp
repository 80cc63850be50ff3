// SPDX-License-Identifier: MIT
#include "../base/check.hpp"
#include "context.hpp"

using namespace aloop;

aloop_context *aloop_context_copy(void) { return to_c(create<context>(capture_context())); }

aloop_context *aloop_context_ref(aloop_context *c) {
    return static_cast<aloop_context *>(aloop_ref(c));
}

void aloop_context_unref(aloop_context *c) { aloop_unref(c); }

int64_t aloop_context_run(aloop_context *handle, aloop_callback_fn fn, void *data) {
    context *c = from_c(handle);
    if (!is(c, kind::context) || fn == nullptr) return ALOOP_EINVAL;
    if (c->entered) return ALOOP_EBUSY;
    const ptr<context> kept = ptr<context>::share(c);  // fn may drop the caller's reference
    c->entered = true;
    int64_t result;
    {
        context_scope scope(&c->cell);
        result = fn(data);
    }
    c->entered = false;
    return result;
}

aloop_contextvar *aloop_contextvar_new(const char *name, void *fallback) {
    if (name == nullptr) return nullptr;
    contextvar *var = create<contextvar>(fallback);
    if (var == nullptr) return nullptr;
    var->name = copy_string(name);
    if (var->name == nullptr) {
        unref(var);
        return nullptr;
    }
    return reinterpret_cast<aloop_contextvar *>(var);
}

const char *aloop_contextvar_name(const aloop_contextvar *handle) {
    const contextvar *var = reinterpret_cast<const contextvar *>(handle);
    return is(var, kind::contextvar) ? var->name : "";
}

void *aloop_contextvar_get(aloop_contextvar *handle) {
    contextvar *var = from_c(handle);
    return is(var, kind::contextvar) ? context_get(var) : nullptr;
}

int64_t aloop_contextvar_set(aloop_contextvar *handle, void *value, aloop_free_fn free_fn,
                             aloop_context_token **token) {
    contextvar *var = from_c(handle);
    if (!is(var, kind::contextvar)) return ALOOP_EINVAL;
    return context_set(var, value, free_fn, reinterpret_cast<context_token **>(token));
}

int64_t aloop_contextvar_reset(aloop_contextvar *handle, aloop_context_token *token) {
    contextvar *var = from_c(handle);
    if (!is(var, kind::contextvar) || !is(from_c(token), kind::context_token)) return ALOOP_EINVAL;
    return context_reset(var, from_c(token));
}
