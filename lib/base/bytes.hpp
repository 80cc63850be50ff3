// bytes.hpp: an immutable counted buffer, header and data in one block.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "memory.hpp"
#include "object.hpp"

namespace aloop {

struct bytes final : object {
    size_t size;
    uint8_t data[8];  // size bytes and a NUL; the block is as long as needed

    explicit bytes(size_t n) : object(kind::bytes), size(n) { count_live(kind::bytes, 1); }
    ~bytes() { count_live(kind::bytes, -1); }
};

// Room for n bytes, the NUL set; data may be filled before it is shared.
bytes *make_bytes(const void *data, size_t n);
// Gives back the unused tail of a block that was made too long.
bytes *shrink_bytes(bytes *b, size_t n);
void free_bytes(void *b);  // the destructor of a future's value

inline bytes *from_c(aloop_bytes *b) { return reinterpret_cast<bytes *>(b); }
inline const bytes *from_c(const aloop_bytes *b) { return reinterpret_cast<const bytes *>(b); }
inline aloop_bytes *to_c(bytes *b) { return reinterpret_cast<aloop_bytes *>(b); }

}  // namespace aloop
