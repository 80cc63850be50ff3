// SPDX-License-Identifier: MIT
#include "bytes.hpp"

#include <cstring>

namespace aloop {

namespace {

void destroy_bytes(object *o) { destroy(static_cast<bytes *>(o)); }

const register_kind g_registered(kind::bytes, {"bytes", destroy_bytes});

}  // namespace

bytes *make_bytes(const void *data, size_t n) {
    if (n > SIZE_MAX / 2) return nullptr;
    void *block = allocate(sizeof(bytes) + n);
    if (block == nullptr) return nullptr;
    bytes *b = new (block) bytes(n);
    uint8_t *to = b->data;
    if (data != nullptr && n > 0) std::memcpy(to, data, n);
    to[n] = 0;
    return b;
}

bytes *shrink_bytes(bytes *b, size_t n) {
    void *block = reallocate(static_cast<void *>(b), sizeof(bytes) + n);
    if (block != nullptr) b = static_cast<bytes *>(block);
    b->size = n;
    uint8_t *to = b->data;
    to[n] = 0;
    return b;
}

void free_bytes(void *b) { unref(static_cast<bytes *>(b)); }

}  // namespace aloop
