// stats.hpp: see stats.cpp.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace aloop {

struct domain;

// The registry of loops whose objects are counted.
void enlist_domain(domain *d);
void delist_domain(domain *d);

int64_t stat(int32_t which);
const char *stat_name(int32_t which);

}  // namespace aloop
