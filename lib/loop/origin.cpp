// SPDX-License-Identifier: MIT
#include "origin.hpp"

#include <dlfcn.h>
#include <execinfo.h>

#include <cstring>

namespace aloop {

namespace {

// Frames of the library that may stand between the program and capture_origin.
constexpr int k_own_frames = 22;

const void *module_of(const void *address) {
    Dl_info where;
    return dladdr(address, &where) != 0 ? where.dli_fbase : nullptr;
}

}  // namespace

void capture_origin(origin *o) {
    void *all[k_own_frames + origin::k_depth];
    const int n = backtrace(all, k_own_frames + origin::k_depth);
    static const void *const own = module_of(reinterpret_cast<const void *>(&capture_origin));
    int first = 0;
    while (first < n && module_of(all[first]) == own) first++;
    if (first == n) first = 0;  // linked statically into the program, or all ours
    o->count = n - first < origin::k_depth ? n - first : origin::k_depth;
    std::memcpy(o->frames, all + first, sizeof(void *) * static_cast<size_t>(o->count));
}

void describe_origin(writer &out, const origin *o) {
    for (int i = o != nullptr ? o->count : 0; i-- > 0;) {
        out.add("  ");
        out.add_code(o->frames[i]);
        out.add("\n");
    }
}

size_t origin_table::place_of(const void *key) const {
    const uint64_t mixed = (reinterpret_cast<uint64_t>(key) >> 4) * 0x9e3779b97f4a7c15u;
    size_t at = static_cast<size_t>(mixed >> 32) & (room_ - 1);
    while (entries_[at].key != nullptr && entries_[at].key != key) at = (at + 1) & (room_ - 1);
    return at;
}

bool origin_table::grow() {
    const size_t old_room = room_;
    const size_t room = room_ != 0 ? room_ * 2 : 64;
    entry *bigger = static_cast<entry *>(allocate(room * sizeof(entry)));
    if (bigger == nullptr) return false;
    for (size_t i = 0; i < room; i++) bigger[i].key = nullptr;
    entry *old = entries_;
    entries_ = bigger;
    room_ = room;
    for (size_t i = 0; i < old_room; i++) {
        if (old[i].key != nullptr) entries_[place_of(old[i].key)] = old[i];
    }
    release(old);
    return true;
}

void origin_table::note(const void *key, bool is_object) {
    if (used_ + 1 > room_ / 4 * 3 && !grow()) {
        forget(key);
        return;
    }
    entry &e = entries_[place_of(key)];
    if (e.key == nullptr) used_++;
    e.key = key;
    e.is_object = is_object;
    capture_origin(&e.made);
}

// What stands behind the gap moves up, so that no probe ends too soon.
void origin_table::forget(const void *key) {
    if (room_ == 0) return;
    size_t at = place_of(key);
    if (entries_[at].key == nullptr) return;
    entries_[at].key = nullptr;
    used_--;
    for (at = (at + 1) & (room_ - 1); entries_[at].key != nullptr; at = (at + 1) & (room_ - 1)) {
        const entry moved = entries_[at];
        entries_[at].key = nullptr;
        entries_[place_of(moved.key)] = moved;
    }
}

const origin *origin_table::find(const void *key) const {
    if (room_ == 0 || key == nullptr) return nullptr;
    const entry &e = entries_[place_of(key)];
    return e.key != nullptr ? &e.made : nullptr;
}

object *origin_table::next_object(size_t *at) const {
    while (*at < room_) {
        const entry &e = entries_[(*at)++];
        if (e.key == nullptr || !e.is_object) continue;
        return static_cast<object *>(const_cast<void *>(e.key));
    }
    return nullptr;
}

}  // namespace aloop
