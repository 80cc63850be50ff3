// kept_address.hpp: the address of a peer, kept in one word: an IPv4 address is
// the word itself, any other a block that is as long as the address.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstring>

#include "../base/memory.hpp"
#include "../resolver/address.hpp"

namespace aloop {

class kept_address {
public:
    kept_address() = default;
    kept_address(const kept_address &) = delete;
    kept_address &operator=(const kept_address &) = delete;
    ~kept_address() { clear(); }

    // Without memory for it none is kept.
    void set(const address &a) {
        clear();
        if (a.size == 0) return;
        if (a.family() == AF_INET) {
            word_ = uint64_t{a.v4.sin_addr.s_addr} << 32 | uint64_t{a.v4.sin_port} << 16 | 1;
            return;
        }
        block *b = static_cast<block *>(allocate(sizeof(block) + a.size));
        if (b == nullptr) return;
        b->size = a.size;
        std::memcpy(b->bytes(), &a.any, a.size);
        word_ = reinterpret_cast<uint64_t>(b);
    }

    // False also where it is not known.
    bool is_internet() const {
        if ((word_ & 1) != 0) return true;
        if (word_ == 0) return false;
        sockaddr any;
        std::memcpy(&any, reinterpret_cast<block *>(word_)->bytes(), sizeof any.sa_family);
        return any.sa_family == AF_INET6;
    }

    bool get(address *out) const {
        if (word_ == 0) return false;
        if ((word_ & 1) != 0) {
            out->v4 = {};
            out->v4.sin_family = AF_INET;
            out->v4.sin_port = static_cast<in_port_t>(word_ >> 16);
            out->v4.sin_addr.s_addr = static_cast<in_addr_t>(word_ >> 32);
            out->size = sizeof out->v4;
            return true;
        }
        block *b = reinterpret_cast<block *>(word_);
        std::memcpy(&out->any, b->bytes(), b->size);
        out->size = b->size;
        return true;
    }

    void clear() {
        if (word_ != 0 && (word_ & 1) == 0) release(reinterpret_cast<block *>(word_));
        word_ = 0;
    }

private:
    struct block {
        socklen_t size;
        void *bytes() { return this + 1; }
    };
    uint64_t word_ = 0;  // bit 0: an IPv4 address, else a block
};

}  // namespace aloop
