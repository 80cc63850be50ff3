package asyncloop

import (
	"context"
	"strings"
)

// What the tasks of a scenario await.

// untyped makes the outcome one of any type.
func untyped[T any](what Awaitable[T]) *Op[interface{}] {
	inner := what.op()
	return &Op[interface{}]{loop: inner.loop, begin: inner.begin,
		outcome: func(status int64, value uintptr, err error) (interface{}, error) {
			return inner.outcome(status, value, err)
		}}
}

func (r *run) named(ctx context.Context, names []string) []Awaitable[int64] {
	var found []Awaitable[int64]
	for _, name := range names {
		found = append(found, r.task(ctx, name))
	}
	return found
}

func (r *run) awaitable(ctx context.Context, words []string) *Op[interface{}] {
	switch words[0] {
	case "sleep":
		return untyped[struct{}](r.loop.Sleep(seconds(words[1])))
	case "await":
		return untyped[int64](r.task(ctx, words[1]))
	case "wait_for":
		op := WaitFor[interface{}](r.awaitable(ctx, words[2:]), seconds(words[1]))
		return &op
	case "shield":
		op := Shield[interface{}](r.awaitable(ctx, words[1:]))
		return &op
	case "gather":
		return listed(GatherAllOrFirst(r.named(ctx, words[1:]), true))
	case "gather_all":
		return listed(GatherAllOrFirst(r.named(ctx, words[1:]), false))
	case "thread":
		return untyped[int64](InThread(r.loop, func() (int64, error) {
			return integer(words[1]), nil
		}))
	case "thread_error":
		return untyped[int64](InThread(r.loop, func() (int64, error) {
			return 0, NewError(int(integer(words[1])), strings.Join(words[2:], " "))
		}))
	case "connect":
		return r.connecting(words)
	}
	return r.ofObject(words)
}

// GatherAllOrFirst is Gather or GatherAll with results of one type.
func GatherAllOrFirst(what []Awaitable[int64], first bool) Op[[]Result[int64]] {
	if first {
		return gather(what, 0)
	}
	return GatherAll(what...)
}

func listed(all Op[[]Result[int64]]) *Op[interface{}] {
	return &Op[interface{}]{loop: all.loop, begin: all.begin,
		outcome: func(status int64, value uintptr, err error) (interface{}, error) {
			results, err := all.outcome(status, value, err)
			var texts []string
			for _, one := range results {
				texts = append(texts, outcomeText(one.Value, one.Err))
			}
			return "[" + strings.Join(texts, ", ") + "]", err
		}}
}

func (r *run) connecting(words []string) *Op[interface{}] {
	dial := r.loop.Dialing("tcp", r.objects[words[2]].(*Listener).Addr().String())
	return &Op[interface{}]{loop: r.loop, begin: dial.begin,
		outcome: func(status int64, value uintptr, err error) (interface{}, error) {
			conn, err := dial.outcome(status, value, err)
			r.objects[words[1]] = conn
			return nil, err
		}}
}

func (r *run) ofObject(words []string) *Op[interface{}] {
	if len(words) < 2 {
		return nil
	}
	switch it := r.objects[words[1]].(type) {
	case *Future[int64]:
		if words[0] == "future" {
			return untyped[int64](it)
		}
	case *Queue[int64]:
		switch words[0] {
		case "get":
			return untyped[int64](it.Getting())
		case "put":
			return untyped[struct{}](it.Putting(integer(words[2])))
		case "join":
			return untyped[struct{}](it.Joining())
		}
	case *channel:
		switch words[0] {
		case "send":
			return untyped[struct{}](it.Sending(integer(words[2])))
		case "receive":
			return untyped[int64](it.Receiving())
		}
	case *RWLock:
		switch words[0] {
		case "acquire_read":
			return untyped[struct{}](it.Reading())
		case "acquire_write":
			return untyped[struct{}](it.Writing())
		}
	case *Barrier:
		if words[0] == "arrive" {
			return untyped[int64](it.Waiting())
		}
	case interface{ Acquiring() Op[struct{}] }:
		if words[0] == "acquire" {
			return untyped[struct{}](it.Acquiring())
		}
		if c, ok := it.(*Condition); ok && words[0] == "wait" {
			return untyped[struct{}](c.Waiting())
		}
	case *Event:
		if words[0] == "wait" {
			return untyped[struct{}](it.Waiting())
		}
	}
	return nil
}
