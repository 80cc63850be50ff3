// options.hpp: what the option objects of all folders share: one kind, and a tag
// that tells their types apart.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "memory.hpp"
#include "object.hpp"

namespace aloop {

struct options_info {
    const char *name;
    void (*destroy)(object *);
};

struct options_object : object {
    const options_info *info;

    explicit options_object(const options_info *i) : object(kind::option_set), info(i) {
        count_live(kind::option_set, 1);
    }
    ~options_object() { count_live(kind::option_set, -1); }
};

// Derive from this: struct my_options final : options_of<my_options> { ... }.
template <typename T>
struct options_of : options_object {
    options_of() : options_object(&k_info) {}
    static void destroy_it(object *o) { destroy(static_cast<T *>(o)); }
    static constexpr options_info k_info = {"options", destroy_it};
};

// The C handle as options of this type; nullptr if it is none.
template <typename T>
T *options_from(const void *handle) {
    object *o = static_cast<object *>(const_cast<void *>(handle));
    if (o == nullptr || o->type != kind::option_set) return nullptr;
    return static_cast<options_object *>(o)->info == &T::k_info ? static_cast<T *>(o) : nullptr;
}

}  // namespace aloop
