// SPDX-License-Identifier: MIT
#include "writer.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>

namespace aloop {

void writer::add(const char *format, ...) {
    va_list args;
    va_start(args, format);
    const bool room = buffer_ != nullptr && static_cast<size_t>(length_) < size_;
    char *to = room ? buffer_ + length_ : nullptr;
    const int n = std::vsnprintf(to, room ? size_ - static_cast<size_t>(length_) : 0, format, args);
    va_end(args);
    if (n > 0) length_ += n;
}

void writer::add_code(const void *address) {
    Dl_info where;
    const bool known = dladdr(address, &where) != 0;
    const unsigned long at = reinterpret_cast<unsigned long>(address);
    if (known && where.dli_sname != nullptr) {
        add("in %s() at %#lx", where.dli_sname, at);
    } else if (known) {
        add("in %s+%#lx at %#lx", where.dli_fname,
            at - reinterpret_cast<unsigned long>(where.dli_fbase), at);
    } else {
        add("at %#lx", at);
    }
}

size_t writer::written() const {
    const size_t all = static_cast<size_t>(length_);
    if (all < size_) return all;
    return size_ > 0 ? size_ - 1 : 0;
}

int64_t write_all(int fd, const char *text, size_t length) {
    for (size_t done = 0; done < length;) {
        const ssize_t n = ::write(fd, text + done, length - done);
        if (n < 0 && errno != EINTR) return -errno;
        if (n > 0) done += static_cast<size_t>(n);
    }
    return static_cast<int64_t>(length);
}

}  // namespace aloop
