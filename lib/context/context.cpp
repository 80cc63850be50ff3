// SPDX-License-Identifier: MIT
#include "context.hpp"

#include <functional>
#include <utility>

namespace aloop {

thread_local constinit context_state t_context = {nullptr, {}, {}};
var_cell *(*g_make_task_cell)() = nullptr;

namespace {

void destroy_context(object *o) { destroy(static_cast<context *>(o)); }
void destroy_var(object *o) { destroy(static_cast<contextvar *>(o)); }
void destroy_token(object *o) { destroy(static_cast<context_token *>(o)); }

const register_kind g_context(kind::context, {"context", destroy_context});
const register_kind g_var(kind::contextvar, {"contextvar", destroy_var});
const register_kind g_token(kind::context_token, {"context_token", destroy_token});

std::atomic<uint64_t> g_cell_numbers{0};

struct thread_map_cleanup {
    ~thread_map_cleanup() {
        // The destructor of a value may set one again; as with pthread keys, not for ever.
        for (int round = 0; round < 4 && t_context.own.map != nullptr; round++) {
            drop(std::exchange(t_context.own.map, nullptr));
        }
    }
};

var_cell *current_cell() {
    if (t_context.cell == nullptr) return thread_cell();
    return t_context.cell != &t_context.none ? t_context.cell : g_make_task_cell();
}

void drop_value(context_value *v) {
    if (v->refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    v->finish = [](deferred *self) {
        context_value *held = static_cast<context_value *>(self);
        if (held->free_fn != nullptr) held->free_fn(held->value);
        destroy(held);
    };
    if (v->free_fn != nullptr) {
        finish_off_fiber(v);
    } else {
        destroy(v);
    }
}

var_map *allocate_map(int32_t count) {
    const size_t more = count > 1 ? sizeof(var_entry) * static_cast<size_t>(count - 1) : 0;
    void *block = allocate(sizeof(var_map) + more);
    if (block == nullptr) return nullptr;
    var_map *map = new (block) var_map;
    map->count = count;
    return map;
}

// A map equal to old but for var, which gets value (taken over), or goes when
// value is nullptr. nullptr with *ok false: out of memory.
var_map *replace(const var_map *old, contextvar *var, context_value *value, bool *ok) {
    const int32_t before = old != nullptr ? old->count : 0;
    const bool had = old != nullptr && find_entry(old, var) != nullptr;
    const int32_t after = before + (value != nullptr ? 1 : 0) - (had ? 1 : 0);
    *ok = true;
    if (after == 0) return nullptr;
    var_map *map = allocate_map(after);
    if (map == nullptr) {
        *ok = false;
        return nullptr;
    }
    const var_entry *from = old != nullptr ? old->entries : nullptr;
    var_entry *to = map->entries;
    bool placed = value == nullptr;
    for (int32_t i = 0; i < before; i++) {
        if (!placed && !std::less<>()(from[i].var, var)) {
            *to++ = {var, value};
            placed = true;
        }
        if (from[i].var != var) *to++ = from[i];
    }
    if (!placed) *to++ = {var, value};
    to = map->entries;
    for (int32_t i = 0; i < after; i++) {
        ref(to[i].var);
        if (to[i].value != value) to[i].value->refs.fetch_add(1, std::memory_order_relaxed);
    }
    return map;
}

int64_t store(var_cell *cell, contextvar *var, context_value *value) {
    bool ok;
    var_map *map = replace(cell->map, var, value, &ok);
    if (!ok) return ALOOP_ENOMEM;
    var_map *old = cell->map;
    cell->map = map;
    drop(old);
    return 0;
}

}  // namespace

var_cell *thread_cell() {
    static thread_local thread_map_cleanup cleanup;
    (void)cleanup;
    return &t_context.own;
}

contextvar::~contextvar() {
    release(name);
    count_live(kind::contextvar, -1);
}

context::~context() {
    drop(cell.map);
    count_live(kind::context, -1);
}

context_token::context_token(contextvar *v, uint64_t number)
    : object(kind::context_token), var(v), cell(number) {
    ref(v);
    count_live(kind::context_token, 1);
}

context_token::~context_token() {
    unref(var);
    if (old != nullptr) drop_value(old);
    count_live(kind::context_token, -1);
}

void drop_map(var_map *m) {
    if (m->refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    var_entry *list = m->entries;
    for (int32_t i = 0; i < m->count; i++) {
        drop_value(list[i].value);
        unref(list[i].var);
    }
    m->~var_map();
    release(m);
}

const var_entry *find_entry(const var_map *map, const contextvar *var) {
    if (map == nullptr) return nullptr;
    const var_entry *list = map->entries;
    int32_t low = 0;
    int32_t high = map->count;
    while (low < high) {
        const int32_t middle = (low + high) / 2;
        if (list[middle].var == var) return &list[middle];
        if (std::less<>()(list[middle].var, static_cast<const contextvar *>(var))) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return nullptr;
}

void *context_get(contextvar *var) {
    const var_cell *cell = t_context.cell != nullptr ? t_context.cell : &t_context.own;
    const var_entry *entry = find_entry(cell->map, var);
    return entry != nullptr ? entry->value->value : var->fallback;
}

int64_t context_set(contextvar *var, void *value, aloop_free_fn free_fn, context_token **token) {
    var_cell *cell = current_cell();
    if (cell == nullptr) return ALOOP_ENOMEM;
    if (token != nullptr && cell->number == 0) {
        cell->number = g_cell_numbers.fetch_add(1, std::memory_order_relaxed) + 1;
    }
    context_token *mark = token != nullptr ? create<context_token>(var, cell->number) : nullptr;
    context_value *held = create<context_value>();
    if ((token != nullptr && mark == nullptr) || held == nullptr) {
        destroy(mark);
        destroy(held);
        return ALOOP_ENOMEM;
    }
    held->value = value;
    held->free_fn = free_fn;
    if (mark != nullptr) {
        const var_entry *entry = find_entry(cell->map, var);
        if (entry != nullptr) {
            mark->old = entry->value;
            mark->old->refs.fetch_add(1, std::memory_order_relaxed);
        }
    }
    const int64_t code = store(cell, var, held);
    if (code < 0) {
        destroy(held);
        destroy(mark);
        return code;
    }
    if (token != nullptr) *token = mark;
    return 0;
}

int64_t context_reset(contextvar *var, context_token *token) {
    if (token->used) return ALOOP_EINVALIDSTATE;  // before all else, as in Python
    var_cell *cell = current_cell();
    if (cell == nullptr) return ALOOP_ENOMEM;
    if (token->var != var || token->cell != cell->number) return ALOOP_EINVAL;
    const int64_t code = store(cell, var, token->old);
    if (code < 0) return code;
    token->old = nullptr;
    token->used = true;
    return 0;
}

}  // namespace aloop
