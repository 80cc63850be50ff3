package asyncloop

import (
	"time"

	"libasyncloop.org/asyncloop/internal/sys"
)

// Stats counts what lives in this process by kind: the library's objects, and the
// Go values that it holds ("go values"). For tests and leak hunts; after the last
// loop was closed and the garbage collected all are 0.
func Stats() map[string]int64 {
	found := map[string]int64{"go values": int64(sys.Registered())}
	for which := int32(0); sys.Debug_stats_name(which) != ""; which++ {
		found[sys.Debug_stats_name(which)] = sys.Debug_stats(which)
	}
	return found
}

// Metrics counts what the loop has done and has to do, by name: iterations,
// callbacks, timers, tasks, ...
func (l *Loop) Metrics() map[string]int64 {
	found := map[string]int64{}
	_ = l.do(func() {
		for which := int32(0); sys.Loop_metrics_name(which) != ""; which++ {
			found[sys.Loop_metrics_name(which)] = sys.Loop_metrics(l.p, which)
		}
	})
	return found
}

// Dump writes the loop's counters and unfinished tasks to a descriptor.
func (l *Loop) Dump(fd uintptr) error {
	_, err := l.status(func() int64 { return sys.Loop_dump(l.p, int32(fd)) })
	return err
}

// CallGraph tells who awaits the task, and whom they do, as asyncio's graph does.
func (f *Task[T]) CallGraph() string {
	return textOf(func(text []byte) int64 {
		return f.ask(func(p uintptr) int64 { return sys.Format_call_graph(p, sys.NO_LIMIT, text) })
	})
}

// SetDebug switches asyncio's debug mode on or off.
func (l *Loop) SetDebug(on bool) error {
	_, err := l.status(func() int64 { return sys.Loop_set_debug(l.p, flag(on)) })
	return err
}

// AddReader calls fn on the loop's thread while fd is readable, until
// RemoveReader; AddWriter likewise.
func (l *Loop) AddReader(fd int, fn func()) error { return l.watchFd(sys.Loop_add_reader, fd, fn) }
func (l *Loop) AddWriter(fd int, fn func()) error { return l.watchFd(sys.Loop_add_writer, fd, fn) }

// RemoveReader and RemoveWriter end that.
func (l *Loop) RemoveReader(fd int) error {
	_, err := l.status(func() int64 { return sys.Loop_remove_reader(l.p, int32(fd)) })
	return err
}
func (l *Loop) RemoveWriter(fd int) error {
	_, err := l.status(func() int64 { return sys.Loop_remove_writer(l.p, int32(fd)) })
	return err
}

func (l *Loop) watchFd(add func(uintptr, int32, uintptr, uintptr, uintptr) int64,
	fd int, fn func()) error {
	id := sys.Register(func() int64 { l.guarded(fn); return 0 })
	_, err := l.status(func() int64 {
		return add(l.p, int32(fd), sys.CallbackFn, id, sys.ReleaseFn)
	})
	if err != nil {
		sys.Release(id)
	}
	return err
}

// SetSlowCallback sets how long a callback may take before debug mode reports it.
func (l *Loop) SetSlowCallback(limit time.Duration) error {
	_, err := l.status(func() int64 {
		return sys.Loop_set_slow_callback_duration(l.p, limit.Seconds())
	})
	return err
}
