// kept.hpp: references to free objects that a loop has at hand.
//
// Each operation holds the lock or the queue that it is about, whose count is
// atomic: taking and dropping that reference would cost more than the operation.
// So a loop keeps the references that its operations gave back, and hands them out
// again; the bet is that they are few objects, over and over. They are dropped when
// the loop looks at the kernel or is about to sleep, and when the program drops its
// own (aloop_unref), so that an object still goes when its last owner lets go of it.
//
// Only while the loop runs, and on its thread: elsewhere it counts as usual.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <utility>

#include "../base/object.hpp"

namespace aloop {

class kept_references {
public:
    // A reference to o, on its holder's behalf.
    void take(object *o) {
        place &at = place_of(o);
        if (at.of == o && at.count > 0) {
            at.count--;
        } else {
            ref(o);
        }
    }
    // The holder has no use for it any more.
    void give(object *o) {
        place &at = place_of(o);
        if (!open_) {
            unref(o);
        } else if (at.of == o) {
            at.count++;
        } else {
            used_ |= 1u << (&at - places_);
            place old = std::exchange(at, {o, 1});
            drop(old);  // last: what it frees may come back here
        }
    }
    bool any() const { return used_ != 0; }
    bool has(const object *o) { return place_of(o).of == o; }
    // Those to o alone.
    void drop_those_of(object *o) { drop(place_of(o)); }
    void drop_all() {
        for (unsigned used = std::exchange(used_, 0); used != 0; used &= used - 1) {
            drop(places_[std::countr_zero(used)]);
        }
    }
    // Whether it may keep any from now on.
    void open(bool yes) {
        open_ = yes;
        if (!yes) drop_all();
    }

private:
    struct place {
        object *of = nullptr;
        int32_t count = 0;
    };
    static constexpr size_t k_places = 8;

    place &place_of(const object *o) {
        return places_[(reinterpret_cast<uintptr_t>(o) >> 6) % k_places];
    }
    // May free the object, and so run the program's destructors.
    static void drop(place &at) {
        object *o = std::exchange(at.of, nullptr);
        for (int32_t n = std::exchange(at.count, 0); n > 0; n--) unref(o);
    }

    place places_[k_places];
    unsigned used_ = 0;  // a bit for each place that may hold some
    bool open_ = false;
};

}  // namespace aloop
