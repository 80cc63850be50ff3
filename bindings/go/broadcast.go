package asyncloop

import (
	"context"

	"libasyncloop.org/asyncloop/internal/sys"
)

// A Broadcast sends every value to all that receive from it.
type Broadcast[T any] struct{ o *object }

// A Subscription receives what was sent since it was made.
type Subscription[T any] struct{ o *object }

// NewBroadcast makes one that keeps the last capacity values: who is further
// behind misses the oldest.
func NewBroadcast[T any](loop *Loop, capacity int) *Broadcast[T] {
	return &Broadcast[T]{newObject(loop, func(p *uintptr) int64 {
		return sys.Broadcast_new(p, int64(capacity), sys.ReleaseFn)
	})}
}

// second makes an object of another.
func second(o *object, make func(from uintptr, p *uintptr) int64) *object {
	return newObject(o.loop, func(p *uintptr) int64 {
		if o.err != nil {
			return int64(CodeOf(o.err))
		}
		return make(o.p, p)
	})
}

// Subscribe makes one more that receives.
func (b *Broadcast[T]) Subscribe() *Subscription[T] {
	return &Subscription[T]{second(b.o, sys.Broadcast_sender_subscribe)}
}

// Send never waits. EPIPE if nobody receives.
func (b *Broadcast[T]) Send(value T) error {
	return b.o.just(func(p uintptr) int64 {
		return kept(value, func(id uintptr) int64 { return sys.Broadcast_sender_send(p, id) })
	})
}

// Close ends it: receivers take what is left.
func (b *Broadcast[T]) Close() error { return b.o.just(sys.Broadcast_sender_close) }

// message is the outcome that is a counted value of many.
func message[T any](_ int64, p uintptr, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	value, _ := sys.Lookup(sys.Message_value(p)).(T)
	sys.Unref(p)
	return value, nil
}

// at is a message that is there at once.
func at[T any](o *object, get func(p uintptr, message *uintptr) int64) (T, error) {
	var value T
	_, err := o.now(func(p uintptr) int64 {
		var found uintptr
		status := get(p, &found)
		if status >= 0 {
			value, _ = message[T](status, found, nil)
		}
		return status
	})
	return value, err
}

// Receiving waits for the next value.
func (s *Subscription[T]) Receiving() Op[T] {
	return opOf(s.o, sys.Broadcast_receiver_receive, message[T])
}

// Receive is Receiving, awaited. ELAGGED: this one was too slow and has missed some
// (Missed); ESTOPITERATION, an io.EOF, after the last.
func (s *Subscription[T]) Receive(ctx context.Context) (T, error) {
	return s.Receiving().Await(ctx)
}

// TryReceive is the same at once; EQUEUEEMPTY.
func (s *Subscription[T]) TryReceive() (T, error) {
	return at[T](s.o, sys.Broadcast_receiver_try_receive)
}

// Missed is how many values its last ELAGGED was about.
func (s *Subscription[T]) Missed() int {
	return s.o.number(func(p uintptr) int64 {
		return sys.Broadcast_receiver_statistic(p, sys.BROADCAST_STAT_MISSED)
	})
}

// Close ends the receiving.
func (s *Subscription[T]) Close() error { return s.o.just(sys.Broadcast_receiver_close) }

// A Watch is one value that changes, and Watchers who want to know.
type Watch[T any] struct{ o *object }

// A Watcher sees the changes of a Watch; of several at once the last.
type Watcher[T any] struct{ o *object }

// NewWatch makes one with a first value.
func NewWatch[T any](loop *Loop, value T) *Watch[T] {
	return &Watch[T]{newObject(loop, func(p *uintptr) int64 {
		return kept(value, func(id uintptr) int64 { return sys.Watch_new(p, id, sys.ReleaseFn) })
	})}
}

// Subscribe makes one more watcher, which has seen the value of now.
func (w *Watch[T]) Subscribe() *Watcher[T] {
	return &Watcher[T]{second(w.o, sys.Watch_sender_subscribe)}
}

// Set changes the value, whether anybody watches or not.
func (w *Watch[T]) Set(value T) error {
	return w.o.just(func(p uintptr) int64 {
		return kept(value, func(id uintptr) int64 { return sys.Watch_sender_replace(p, id) })
	})
}

// Value is the value of now.
func (w *Watch[T]) Value() (T, error) { return at[T](w.o, sys.Watch_sender_get) }

// Close ends it: watchers see the last value and then ESTOPITERATION.
func (w *Watch[T]) Close() error { return w.o.just(sys.Watch_sender_close) }

// Unwatched waits until no watcher is left.
func (w *Watch[T]) Unwatched() Op[struct{}] { return w.o.waiting(sys.Watch_sender_closed) }

// Changing waits for a value that this one has not seen.
func (w *Watcher[T]) Changing() Op[struct{}] { return w.o.waiting(sys.Watch_receiver_changed) }

// Changed is Changing, awaited.
func (w *Watcher[T]) Changed(ctx context.Context) error { return wait(ctx, w.Changing()) }

// HasChanged tells whether there is one.
func (w *Watcher[T]) HasChanged() bool { return w.o.is(sys.Watch_receiver_has_changed) }

// Value is the value of now, which counts as seen.
func (w *Watcher[T]) Value() (T, error) { return at[T](w.o, sys.Watch_receiver_get_and_update) }

// Close ends the watching.
func (w *Watcher[T]) Close() error { return w.o.just(sys.Watch_receiver_close) }
