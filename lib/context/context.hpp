// context.hpp: context variables.
//
// A var_map is an immutable, counted, sorted array of (variable, value): the
// bet is that a program has a handful of variables, so that copying a context
// is a count and setting copies a few entries. The empty map is nullptr.
//
// A context is a cell that holds a map; what runs has a current cell, and
// setting a variable replaces the map in it. Maps and values are counted
// atomically, for they travel between threads (call_soon_threadsafe).
//
// A token knows its context by a number, which a cell gets with its first token:
// the cells of callbacks stand on the stack, at the same addresses again and again.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/context.h>

#include "../base/deferred.hpp"
#include "../base/memory.hpp"
#include "../base/object.hpp"

namespace aloop {

struct contextvar final : object {
    char *name = nullptr;
    void *fallback;

    explicit contextvar(void *f) : object(kind::contextvar), fallback(f) {
        count_live(kind::contextvar, 1);
    }
    ~contextvar();
};

// A value and its destructor, shared by the maps that hold it.
struct context_value : deferred {
    std::atomic<int32_t> refs{1};
    void *value;
    aloop_free_fn free_fn;
};

struct var_entry {
    contextvar *var;
    context_value *value;
};

struct var_map {
    std::atomic<int32_t> refs{1};
    int32_t count;
    var_entry entries[1];
};

inline var_map *share(var_map *m) {
    if (m != nullptr) m->refs.fetch_add(1, std::memory_order_relaxed);
    return m;
}
void drop_map(var_map *m);
inline void drop(var_map *m) {
    if (m != nullptr) drop_map(m);
}

struct var_cell {
    var_map *map = nullptr;
    uint64_t number = 0;  // 0: no token knows it
};

struct context final : object {
    var_cell cell;
    bool entered = false;

    explicit context(var_map *m) : object(kind::context) {
        cell.map = m;
        count_live(kind::context, 1);
    }
    ~context();
};

struct context_token final : object {
    contextvar *var;
    context_value *old = nullptr;  // nullptr: it was not set
    uint64_t cell;  // the number of its cell
    bool used = false;

    context_token(contextvar *v, uint64_t number);
    ~context_token();
};

// What runs in this thread: its cell. nullptr: nothing of a loop, so the
// thread's `own`. &none: a task that has no context of its own yet; before the
// first set it gets one through g_make_task_cell (nullptr: out of memory).
struct context_state {
    var_cell *cell;
    var_cell none;
    var_cell own;
};
extern constinit thread_local context_state t_context __attribute__((tls_model("initial-exec")));
extern var_cell *(*g_make_task_cell)();
var_cell *thread_cell();  // its own, to be set

// The map to run a callback with: a counted copy of the current one.
inline var_map *capture_context() {
    return share((t_context.cell != nullptr ? t_context.cell : &t_context.own)->map);
}

// Runs what is between construction and destruction with another cell.
class context_scope {
public:
    explicit context_scope(var_cell *cell) : old_(t_context.cell) { t_context.cell = cell; }
    ~context_scope() { t_context.cell = old_; }
    context_scope(const context_scope &) = delete;
    context_scope &operator=(const context_scope &) = delete;

private:
    var_cell *old_;
};

// The same in a cell of its own, that of one callback: it takes the map from where it
// is kept, and puts back there what has become of it.
class callback_scope {
public:
    explicit callback_scope(var_map **kept) : kept_(kept), cell_{*kept, 0}, scope_(&cell_) {}
    ~callback_scope() { *kept_ = cell_.map; }

private:
    var_map **kept_;
    var_cell cell_;
    context_scope scope_;
};

const var_entry *find_entry(const var_map *map, const contextvar *var);

void *context_get(contextvar *var);
int64_t context_set(contextvar *var, void *value, aloop_free_fn free_fn, context_token **token);
int64_t context_reset(contextvar *var, context_token *token);

inline context *from_c(aloop_context *c) { return reinterpret_cast<context *>(c); }
inline aloop_context *to_c(context *c) { return reinterpret_cast<aloop_context *>(c); }
inline contextvar *from_c(aloop_contextvar *v) { return reinterpret_cast<contextvar *>(v); }
inline context_token *from_c(aloop_context_token *t) {
    return reinterpret_cast<context_token *>(t);
}

}  // namespace aloop
