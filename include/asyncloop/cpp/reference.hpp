// reference.hpp: owning references to the library's objects.
//
// SPDX-License-Identifier: MIT
#ifndef ASYNCLOOP_CPP_REFERENCE_HPP
#define ASYNCLOOP_CPP_REFERENCE_HPP

#include <utility>

#include <asyncloop.h>

namespace aloop {
inline namespace cxx {  // other names than the library's own inside

// Owns one reference to an object of the library.
template <typename T>
class ref {
public:
    ref() = default;
    explicit ref(T *adopted) noexcept : object_(adopted) {}
    ref(const ref &other) noexcept : object_(other.object_) { aloop_ref(object_); }
    ref(ref &&other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    ref &operator=(ref other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~ref() { aloop_unref(object_); }

    static ref share(T *borrowed) noexcept {
        aloop_ref(borrowed);
        return ref(borrowed);
    }
    T *get() const noexcept { return object_; }
    T *release() noexcept { return std::exchange(object_, nullptr); }
    explicit operator bool() const noexcept { return object_ != nullptr; }

private:
    T *object_ = nullptr;
};

}  // namespace cxx
}  // namespace aloop

#endif
