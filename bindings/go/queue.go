package asyncloop

import (
	"context"

	"libasyncloop.org/asyncloop/internal/sys"
)

// A Queue carries values between tasks and goroutines. asyncio.Queue, LifoQueue,
// PriorityQueue.
type Queue[T any] struct{ o *object }

// NewQueue makes a queue, first in, first out, of maxsize values at most; 0: any
// number.
func NewQueue[T any](loop *Loop, maxsize int) *Queue[T] {
	return newQueue[T](loop, maxsize, sys.QUEUE_FIFO, nil)
}

// NewLifoQueue makes one from which the last comes out first.
func NewLifoQueue[T any](loop *Loop, maxsize int) *Queue[T] {
	return newQueue[T](loop, maxsize, sys.QUEUE_LIFO, nil)
}

// NewPriorityQueue makes one from which the least comes out first; among equals
// the first that came. less runs on the loop's thread.
func NewPriorityQueue[T any](loop *Loop, maxsize int, less func(a, b T) bool) *Queue[T] {
	return newQueue[T](loop, maxsize, sys.QUEUE_PRIORITY, func(a, b interface{}) (order int64) {
		one, _ := a.(T) // nil, if T is an interface
		other, _ := b.(T)
		loop.guarded(func() {
			if less(one, other) {
				order = -1
			} else if less(other, one) {
				order = 1
			}
		})
		return order
	})
}

func newQueue[T any](loop *Loop, maxsize int, kind int32,
	compare func(a, b interface{}) int64) *Queue[T] {
	return &Queue[T]{newObject(loop, func(p *uintptr) int64 {
		options := sys.Queue_options_new()
		defer sys.Unref(options)
		sys.Queue_options_set_maxsize(options, int64(maxsize))
		sys.Queue_options_set_kind(options, kind)
		sys.Queue_options_set_item_free(options, sys.ReleaseFn)
		if compare != nil {
			id := sys.Register(compare)
			sys.Queue_options_set_compare(options, sys.CompareFn, id, sys.ReleaseFn)
		}
		return sys.Queue_new(p, options)
	})}
}

// item is the outcome that is a registered value.
func item[T any](_ int64, value uintptr, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	found, _ := sys.Release(value).(T)
	return found, nil
}

// Putting waits while the queue is full.
func (q *Queue[T]) Putting(value T) Op[struct{}] {
	return q.o.waiting(func(p uintptr) uintptr { return sys.Queue_put(p, sys.Register(value)) })
}

// Put is Putting, awaited. EQUEUESHUTDOWN once it is shut down.
func (q *Queue[T]) Put(ctx context.Context, value T) error { return wait(ctx, q.Putting(value)) }

// PutNowait puts at once; EQUEUEFULL, EQUEUESHUTDOWN.
func (q *Queue[T]) PutNowait(value T) error {
	return q.o.just(func(p uintptr) int64 {
		return kept(value, func(id uintptr) int64 { return sys.Queue_put_nowait(p, id) })
	})
}

// kept gives a value to C, unless that fails.
func kept(value interface{}, give func(id uintptr) int64) int64 {
	id := sys.Register(value)
	status := give(id)
	if status < 0 {
		sys.Release(id)
	}
	return status
}

// Getting waits while the queue is empty; cancelled, it loses no value.
func (q *Queue[T]) Getting() Op[T] { return opOf(q.o, sys.Queue_get, item[T]) }

// Get is Getting, awaited. EQUEUESHUTDOWN once it is shut down and empty.
func (q *Queue[T]) Get(ctx context.Context) (T, error) { return q.Getting().Await(ctx) }

// GetNowait gets at once; EQUEUEEMPTY, EQUEUESHUTDOWN.
func (q *Queue[T]) GetNowait() (T, error) {
	var id uintptr
	_, err := q.o.now(func(p uintptr) int64 {
		var value uintptr
		status := sys.Queue_get_nowait(p, &value)
		id = value
		return status
	})
	return item[T](0, id, err)
}

// TaskDone says that a value that was got has been done with; Joining waits until
// all have.
func (q *Queue[T]) TaskDone() error       { return q.o.just(sys.Queue_task_done) }
func (q *Queue[T]) Joining() Op[struct{}] { return q.o.waiting(sys.Queue_join) }

// Join is Joining, awaited.
func (q *Queue[T]) Join(ctx context.Context) error { return wait(ctx, q.Joining()) }

// Len is how many values are in it; Cap how many it holds at most, 0: any number.
func (q *Queue[T]) Len() int { return q.o.number(sys.Queue_qsize) }
func (q *Queue[T]) Cap() int { return q.o.number(sys.Queue_maxsize) }

// Empty and Full tell whether a Get or a Put would have to wait.
func (q *Queue[T]) Empty() bool { return q.o.is(sys.Queue_empty) }
func (q *Queue[T]) Full() bool  { return q.o.is(sys.Queue_full) }

// Shutdown makes puts fail, and gets once it is empty. immediate: what is in it
// goes, and counts as done with.
func (q *Queue[T]) Shutdown(immediate bool) error {
	return q.o.just(func(p uintptr) int64 { return sys.Queue_shutdown(p, flag(immediate)) })
}

// Chan gives the queue as a channel to receive from, until ctx is done or the
// queue is shut down and empty; then it is closed. It is for goroutines: a task that
// waits for a channel keeps the loop from serving it, and takes Get. A value that was got when ctx
// ended, and that nobody received, goes back to the queue's end, once there is room; if
// it cannot, since the queue was shut down or the loop closed, that is reported
// (OnUnhandled).
func (q *Queue[T]) Chan(ctx context.Context) <-chan T {
	out := make(chan T)
	go func() {
		defer close(out)
		for {
			value, err := q.Get(ctx)
			if err != nil {
				return
			}
			select {
			case out <- value:
			case <-ctx.Done():
				go q.giveBack(value)
				return
			}
		}
	}()
	return out
}

// giveBack puts back what was got, which Join then counts once, as before.
func (q *Queue[T]) giveBack(value T) {
	if err := q.Put(context.Background(), value); err != nil {
		q.o.loop.report("a value that the channel of a queue took is lost", err)
	}
	_ = q.TaskDone()
}

// In gives the queue as a channel to send to, for goroutines, until ctx is done. Close it
// to end that; the queue stays as it is. A value that was sent is put, also when ctx ends
// while the queue is full. If it cannot be, since the queue is shut down or the loop
// closed, that is reported (OnUnhandled), and no more is received.
func (q *Queue[T]) In(ctx context.Context) chan<- T {
	in := make(chan T)
	go func() {
		for {
			select {
			case value, ok := <-in:
				if !ok {
					return
				}
				if err := q.Put(context.Background(), value); err != nil {
					q.o.loop.report("a value sent to the channel of a queue is lost", err)
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return in
}

// A Sender and a Receiver are the ends of a channel of the loop, which know when
// nobody is left at the other end.
type Sender[T any] struct{ o *object }
type Receiver[T any] struct{ o *object }

// NewChannel makes one that holds capacity values at most; 0: any number.
func NewChannel[T any](loop *Loop, capacity int) (*Sender[T], *Receiver[T]) {
	return newChannel[T](loop, func(s, r *uintptr) int64 {
		return sys.Channel_new(s, r, int64(capacity), sys.ReleaseFn)
	})
}

// NewOneshot makes one for one value.
func NewOneshot[T any](loop *Loop) (*Sender[T], *Receiver[T]) {
	return newChannel[T](loop, func(s, r *uintptr) int64 {
		return sys.Oneshot_new(s, r, sys.ReleaseFn)
	})
}

func newChannel[T any](loop *Loop, make func(s, r *uintptr) int64) (*Sender[T], *Receiver[T]) {
	var receiver uintptr
	s := newObject(loop, func(sender *uintptr) int64 {
		var r uintptr
		status := make(sender, &r)
		receiver = r
		return status
	})
	r := &object{loop: loop, handle: newHandle(), err: s.err}
	r.p = receiver
	return &Sender[T]{s}, &Receiver[T]{r}
}

// Sending waits while the channel is full.
func (s *Sender[T]) Sending(value T) Op[struct{}] {
	return s.o.waiting(func(p uintptr) uintptr { return sys.Sender_send(p, sys.Register(value)) })
}

// Send is Sending, awaited. EPIPE when no receiver is left.
func (s *Sender[T]) Send(ctx context.Context, value T) error { return wait(ctx, s.Sending(value)) }

// TrySend sends at once; EQUEUEFULL.
func (s *Sender[T]) TrySend(value T) error {
	return s.o.just(func(p uintptr) int64 {
		return kept(value, func(id uintptr) int64 { return sys.Sender_try_send(p, id) })
	})
}

// Close ends the sending: receivers take what is left.
func (s *Sender[T]) Close() error { return s.o.just(sys.Sender_close) }

// Receiving waits for a value.
func (r *Receiver[T]) Receiving() Op[T] { return opOf(r.o, sys.Receiver_receive, item[T]) }

// Receive is Receiving, awaited. ESTOPITERATION, an io.EOF, when it is empty and
// no sender is left.
func (r *Receiver[T]) Receive(ctx context.Context) (T, error) { return r.Receiving().Await(ctx) }

// TryReceive receives at once; EQUEUEEMPTY.
func (r *Receiver[T]) TryReceive() (T, error) {
	var id uintptr
	_, err := r.o.now(func(p uintptr) int64 {
		var value uintptr
		status := sys.Receiver_try_receive(p, &value)
		id = value
		return status
	})
	return item[T](0, id, err)
}

// Close ends the receiving: senders get EPIPE.
func (r *Receiver[T]) Close() error { return r.o.just(sys.Receiver_close) }
