// timeline.cpp: ASYNCLOOP_TRACE=file.json: what all loops of the process do, in the
// format that Perfetto and chrome://tracing open.
//
// One file for the process, an array of events; each loop is a thread in it. Events
// are collected and written by the block; each write ends with the array's bracket,
// which the next one overwrites, so that the file is well formed at any time. In a
// forked child nothing is written: the file is the parent's.
//
// SPDX-License-Identifier: MIT
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "../base/fork.hpp"
#include "../base/locked.hpp"
#include "../base/writer.hpp"
#include "../task/task.hpp"
#include "trace.hpp"

namespace aloop {

namespace {

constexpr size_t k_block = 65536;
constexpr size_t k_longest_event = 1024;

class file {
public:
    // The number of the loop in the file; 0: no file.
    int open() {
        const char *name = std::getenv("ASYNCLOOP_TRACE");
        if (name == nullptr || name[0] == '\0' || is_parents()) return 0;
        char path[4096];
        put_process_into(path, sizeof path, name);
        locked hold(&mutex_);
        if (users_ == 0 && fd_ < 0) {
            const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (loops_ == 0 ? O_TRUNC : 0);
            fd_ = ::open(path, flags, 0644);
            forks_ = fork_generation();
        }
        const bool good = fd_ >= 0;
        if (good) users_++;
        return good ? ++loops_ : 0;
    }

    void close() {
        if (is_parents()) return;
        locked hold(&mutex_);
        flush();
        if (--users_ == 0) {
            ::close(fd_);
            fd_ = -1;
        }
    }

    // format gives one JSON object.
    template <typename Describe>
    void add(Describe describe) {
        if (is_parents()) return;
        locked hold(&mutex_);
        if (used_ + k_longest_event > k_block) flush();
        char *to = buffer_ + used_;
        writer out(to, k_longest_event);
        out.add(events_++ == 0 ? "[\n" : ",\n");
        describe(out);
        const size_t length = static_cast<size_t>(out.length());
        if (length < k_longest_event) used_ += length;  // else it would be cut: lost
    }

    pthread_mutex_t *mutex() { return &mutex_; }

private:
    bool is_parents() const { return fd_ >= 0 && forks_ != fork_generation(); }

    // "%p" in the name becomes the number of the process.
    static void put_process_into(char *path, size_t size, const char *name) {
        writer out(path, size);
        for (; *name != '\0'; name++) {
            if (name[0] == '%' && name[1] == 'p') {
                out.add("%d", static_cast<int>(getpid()));
                name++;
            } else {
                out.add("%c", *name);
            }
        }
    }

    void flush() {
        if (used_ == 0) return;
        const char end[] = "\n]\n";
        if (::lseek(fd_, written_, SEEK_SET) >= 0 && write_all(fd_, buffer_, used_) >= 0) {
            written_ += static_cast<off_t>(used_);
            write_all(fd_, end, sizeof end - 1);
        }
        used_ = 0;
    }

    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
    std::atomic<int> fd_{-1};
    int users_ = 0;
    int loops_ = 0;
    int64_t events_ = 0;
    off_t written_ = 0;
    std::atomic<uint32_t> forks_{0};
    size_t used_ = 0;
    static char buffer_[k_block];
};

char file::buffer_[k_block];
constinit file g_file;
whole_at_fork g_whole(g_file.mutex());

// As the inside of a JSON string.
void add_text(writer &out, const char *text) {
    for (; *text != '\0'; text++) {
        const unsigned char c = static_cast<unsigned char>(*text);
        if (c == '"' || c == '\\') {
            out.add("\\%c", c);
        } else if (c < 0x20) {
            out.add("\\u%04x", c);
        } else {
            out.add("%c", c);
        }
    }
}

void add_name(writer &out, const aloop_trace_event &event) {
    char name[160];
    if (event.task != nullptr) {
        describe_name(static_cast<const task *>(event.task), name, sizeof name);
    } else {
        Dl_info where;
        const bool known = event.code != nullptr && dladdr(event.code, &where) != 0 &&
                           where.dli_sname != nullptr;
        std::snprintf(name, sizeof name, known ? "%s()" : "callback",
                      known ? where.dli_sname : "");
    }
    add_text(out, event.kind == ALOOP_TRACE_SLEPT ? "idle" : name);
}

struct timeline final : tracer, resource {
    int number;

    timeline(loop *l, int n) : tracer(l), number(n) {}

    void tell(const aloop_trace_event &event) override {
        if (event.kind == ALOOP_TRACE_BEGIN) return;  // told with its end
        const bool of_task =
            event.kind == ALOOP_TRACE_TASK_CREATED || event.kind == ALOOP_TRACE_TASK_DONE;
        g_file.add([&](writer &out) {
            out.add("{\"name\":\"");
            add_name(out, event);
            const double begin = static_cast<double>(event.time - event.duration) / 1e3;
            out.add("\",\"cat\":\"%s\",\"pid\":%d,\"tid\":%d,\"ts\":%.3f",
                    of_task ? "task" : "loop", static_cast<int>(getpid()), number, begin);
            if (of_task) {
                out.add(",\"ph\":\"%c\",\"id\":%lu}",
                        event.kind == ALOOP_TRACE_TASK_CREATED ? 'b' : 'e',
                        static_cast<unsigned long>(static_cast<const task *>(event.task)->number));
            } else {
                out.add(",\"ph\":\"X\",\"dur\":%.3f}", static_cast<double>(event.duration) / 1e3);
            }
        });
    }
};

}  // namespace

int64_t start_timeline(loop *l) {
    const int number = g_file.open();
    if (number == 0) return 0;
    timeline *made = create<timeline>(l, number);
    if (made == nullptr) {
        g_file.close();
        return ALOOP_ENOMEM;
    }
    made->close = [](resource *r) {
        timeline *t = static_cast<timeline *>(r);
        t->home->observe(observer_slot::timeline, nullptr);
        destroy(t);
        g_file.close();
    };
    g_file.add([=](writer &out) {
        out.add("{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":%d,\"tid\":%d,"
                "\"args\":{\"name\":\"loop %d\"}}",
                static_cast<int>(getpid()), number, number);
    });
    l->add_resource(made);
    l->observe(observer_slot::timeline, made);
    return 0;
}

}  // namespace aloop
