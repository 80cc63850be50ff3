// locked.hpp: holds a mutex while it lives.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>

namespace aloop {

class locked {
public:
    explicit locked(pthread_mutex_t *mutex) : mutex_(mutex) { pthread_mutex_lock(mutex_); }
    ~locked() { pthread_mutex_unlock(mutex_); }
    locked(const locked &) = delete;
    locked &operator=(const locked &) = delete;

private:
    pthread_mutex_t *mutex_;
};

}  // namespace aloop
