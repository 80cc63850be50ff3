// SPDX-License-Identifier: MIT
#include "alarm.hpp"

namespace aloop {

namespace {

void go_off(node *item, action what) {
    alarm *a = static_cast<alarm *>(item);
    const bool wanted = a->alarm_state != alarm::silenced && what == action::run;
    loop_object *owner = a->owner;
    a->alarm_state = alarm::idle;
    if (wanted) a->rings(a);
    unref(owner);
}

struct announce {
    announce() { g_timer_fire[static_cast<int>(timer_tag::internal)] = go_off; }
} g_announced;

}  // namespace

void alarm::set(loop_object *o, void (*fn_)(alarm *), int64_t when, bool soon) {
    rings = fn_;
    loop *l = loop_of(o);
    if (alarm_state == silenced) {
        l->unschedule(this);  // its reference to the owner goes on
    } else {
        owner = o;
        ref(o);
    }
    if (soon) {
        alarm_state = queued;
        prev = nullptr;
        fn = go_off;
        l->schedule(this);
    } else {
        alarm_state = armed;
        l->timer_wheel().arm(this, when, timer_tag::internal);
    }
}

void alarm::clear() {
    if (alarm_state == armed && timers::is_armed(this)) {
        loop_of(owner)->timer_wheel().cancel(this);
        alarm_state = idle;
        unref(owner);
    } else if (alarm_state == armed || alarm_state == queued) {
        alarm_state = silenced;
    }
}

}  // namespace aloop
