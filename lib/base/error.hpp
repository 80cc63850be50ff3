// error.hpp: the details behind a status code. Immutable once published, so that
// threads can share it with nothing but a reference count.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdarg>

#include "deferred.hpp"
#include "memory.hpp"
#include "object.hpp"

namespace aloop {

struct error final : object, deferred {
    int64_t code;
    char *message = nullptr;
    char *where = nullptr;
    ptr<error> cause;
    ptr<error> *children = nullptr;
    int64_t child_count = 0;
    void *payload = nullptr;
    aloop_free_fn payload_free = nullptr;

    explicit error(int64_t c) : object(kind::error), code(c) { count_live(kind::error, 1); }
    ~error();
};

// All return nullptr when out of memory; message may be nullptr.
error *make_error(int64_t code, const char *message);
error *format_error(int64_t code, const char *format, ...) ALOOP_PRINTF(2, 3);
error *format_error_v(int64_t code, const char *where, const char *format, va_list args);

// An ALOOP_EGROUP; takes the references in children over.
error *make_group_error(const char *message, error *const *children, int64_t count);

const char *message_of(const error *e);
const char *describe(int64_t code);
const char *name_of(int64_t code);

inline error *from_c(aloop_error *e) { return reinterpret_cast<error *>(e); }
inline const error *from_c(const aloop_error *e) { return reinterpret_cast<const error *>(e); }
inline aloop_error *to_c(error *e) { return reinterpret_cast<aloop_error *>(e); }

}  // namespace aloop
