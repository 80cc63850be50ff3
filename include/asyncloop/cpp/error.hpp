// error.hpp: failures as exceptions, inside C++ alone.
//
// SPDX-License-Identifier: MIT
#ifndef ASYNCLOOP_CPP_ERROR_HPP
#define ASYNCLOOP_CPP_ERROR_HPP

#include <exception>
#include <new>
#include <vector>

#include <asyncloop/cpp/reference.hpp>

namespace aloop {
inline namespace cxx {  // other names than the library's own inside

class error : public std::exception {
public:
    explicit error(int64_t code, const char *message = nullptr) : code_(code) {
        detail_ = ref<aloop_error>(aloop_error_new(code, message, nullptr));
    }
    error(int64_t code, aloop_error *borrowed)
        : code_(code), detail_(ref<aloop_error>::share(borrowed)) {}

    int64_t code() const noexcept { return code_; }
    const char *name() const noexcept { return aloop_errname(code_); }
    const char *what() const noexcept override {
        return detail_ ? aloop_error_message(detail_.get()) : aloop_strerror(code_);
    }
    aloop_error *native() const noexcept { return detail_.get(); }
    // Of an ALOOP_EGROUP: the errors in it.
    std::vector<error> children() const {
        std::vector<error> list;
        const int64_t n = detail_ ? aloop_error_child_count(detail_.get()) : 0;
        for (int64_t i = 0; i < n; i++) {
            aloop_error *child = aloop_error_child(detail_.get(), i);
            list.emplace_back(aloop_error_code(child), child);
        }
        return list;
    }

private:
    int64_t code_;
    ref<aloop_error> detail_;
};

struct cancelled : error {
    using error::error;
};
struct timed_out : error {
    using error::error;
};
struct stop_iteration : error {
    using error::error;
};

// The code of a task that a foreign exception ended; it hangs on the error.
inline constexpr int64_t k_exception_code = ALOOP_EUSER - 0x2B2B;

[[noreturn]] inline void throw_error(int64_t code, aloop_error *detail) {
    void *payload = aloop_error_payload(detail);
    if (code == k_exception_code && payload != nullptr) {
        std::rethrow_exception(*static_cast<std::exception_ptr *>(payload));
    }
    if (code == ALOOP_ECANCELED) throw cancelled(code, detail);
    if (code == ALOOP_ETIMEDOUT) throw timed_out(code, detail);
    if (code == ALOOP_ESTOPITERATION) throw stop_iteration(code, detail);
    throw error(code, detail);
}

// For results of the C functions: passes them through or throws.
inline int64_t check(int64_t status) {
    if (status < 0) throw_error(status, nullptr);
    return status;
}

namespace detail {

// The current exception as a status of the running task, with its detail.
inline int64_t raise_current() noexcept {
    try {
        throw;
    } catch (const error &e) {
        if (e.native() != nullptr) return aloop_raise_error(e.native());
        return e.code() < 0 ? e.code() : ALOOP_EINVAL;  // no success either
    } catch (const std::bad_alloc &) {
        return ALOOP_ENOMEM;
    } catch (const std::exception &e) {
        auto *kept = new (std::nothrow) std::exception_ptr(std::current_exception());
        if (kept == nullptr) return ALOOP_ENOMEM;
        return aloop_raise_payload(k_exception_code, e.what(), kept, [](void *p) {
            delete static_cast<std::exception_ptr *>(p);
        });
    } catch (...) {
        auto *kept = new (std::nothrow) std::exception_ptr(std::current_exception());
        if (kept == nullptr) return ALOOP_ENOMEM;
        return aloop_raise_payload(k_exception_code, "an exception", kept, [](void *p) {
            delete static_cast<std::exception_ptr *>(p);
        });
    }
}

}  // namespace detail

}  // namespace cxx
}  // namespace aloop

#endif
