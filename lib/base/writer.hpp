// writer.hpp: text that is cut at the end of its buffer, but counted whole, so that
// it can be measured first.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include <asyncloop/base.h>

namespace aloop {

class writer {
public:
    writer(char *buffer, size_t size) : buffer_(buffer), size_(size) {
        if (buffer_ != nullptr && size_ > 0) buffer_[0] = '\0';
    }
    void add(const char *format, ...) ALOOP_PRINTF(2, 3);
    // "in fetch() at 0x55d1", or, where no symbol is known, "in program+0x15d1 at 0x55d1",
    // which addr2line can read.
    void add_code(const void *address);
    int64_t length() const { return length_; }
    // Nothing more of what is added will be seen.
    bool full() const { return length_ >= static_cast<int64_t>(size_); }
    // What is in the buffer, without the NUL.
    size_t written() const;

private:
    char *buffer_;
    size_t size_;
    int64_t length_ = 0;
};

// Writes all of it to a descriptor: length, or -errno.
int64_t write_all(int fd, const char *text, size_t length);

}  // namespace aloop
