package asyncloop

import (
	"context"
	"fmt"
	"strings"
)

// What the tasks of a scenario do at once, or in several steps.

type channel struct {
	*Sender[int64]
	*Receiver[int64]
}

func (r *run) atOnce(ctx context.Context, words []string) (interface{}, error) {
	switch words[0] {
	case "log":
		r.leave("%s log %s", r.name, strings.Join(words[1:], " "))
	case "spawn":
		r.task(ctx, words[1])
	case "start":
		r.tasks[words[1]] = GoIn(r.group, r.program(words[1]))
	case "cancel":
		return r.task(ctx, words[1]).Cancel(), nil
	case "return":
		r.returned, r.result = true, integer(words[1])
	case "raise":
		return nil, NewError(int(integer(words[1])), strings.Join(words[2:], " "))
	case "raise_code":
		for code := Code(0); code > -10200; code-- {
			if code.Name() == words[1] {
				return nil, code
			}
		}
	case "later":
		_, err := r.loop.CallLater(seconds(words[1]), func() { r.leave("timer %s", words[2]) })
		return nil, err
	case "wait_tasks":
		return r.waitTasks(ctx, words)
	case "as_completed":
		var texts []string
		err := AsCompleted(ctx, func(_ int, value int64, err error) bool {
			texts = append(texts, outcomeText(value, err))
			return true
		}, r.named(ctx, words[1:])...)
		return "[" + strings.Join(texts, ", ") + "]", err
	case "run", "output":
		return r.child(ctx, words)
	case "server":
		return nil, r.server(ctx, words[1])
	default:
		if r.make(words) {
			return nil, nil
		}
		return r.change(ctx, words)
	}
	return nil, nil
}

func (r *run) waitTasks(ctx context.Context, words []string) (interface{}, error) {
	when := map[string]When{"all": AllCompleted, "first": FirstCompleted,
		"exception": FirstException}[words[1]]
	timeout := seconds(words[2])
	if words[2] == "-1" {
		timeout = NoTimeout
	}
	var all []Waitable
	for _, name := range words[3:] {
		all = append(all, r.task(ctx, name))
	}
	done, pending, err := Wait(ctx, when, timeout, all...)
	text := "done"
	for i, list := range [][]Waitable{done, pending} {
		if i == 1 {
			text += " pending"
		}
		for _, one := range list {
			for _, name := range words[3:] {
				if Waitable(r.tasks[name]) == one {
					text += " " + name
				}
			}
		}
	}
	return text, err
}

func (r *run) child(ctx context.Context, words []string) (interface{}, error) {
	command := Command{Path: strings.Join(words[1:], " "), Shell: true}
	if words[0] == "output" {
		command.Stdout = Pipe
	}
	process, err := r.loop.StartProcess(ctx, command)
	if err != nil {
		return nil, err
	}
	if words[0] == "output" {
		stdout, _, _, err := process.Communicate(ctx, nil)
		return stdout, err
	}
	exit, err := process.Wait(ctx)
	if exit.Signal != 0 {
		return 256 + int64(exit.Signal), err
	}
	return int64(exit.Code), err
}

func (r *run) server(ctx context.Context, name string) error {
	listener, err := r.loop.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	r.objects[name] = listener
	Go(ctx, r.loop, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, listener.Serve(ctx, func(ctx context.Context, conn *Conn) error {
			for {
				line, err := conn.ReadLine(ctx)
				if err != nil || len(line) == 0 {
					return err
				}
				if err = conn.Send(line); err != nil {
					return err
				}
			}
		})
	})
	return nil
}

// make makes an object.
func (r *run) make(words []string) bool {
	n := 0
	if len(words) > 2 {
		n = int(integer(words[2]))
	}
	var it interface{}
	switch words[0] {
	case "new_future":
		it = NewFuture[int64](r.loop)
	case "queue":
		n = int(integer(words[3]))
		switch words[2] {
		case "fifo":
			it = NewQueue[int64](r.loop, n)
		case "lifo":
			it = NewLifoQueue[int64](r.loop, n)
		default:
			it = NewPriorityQueue(r.loop, n, func(a, b int64) bool { return a < b })
		}
	case "channel":
		s, receiver := NewChannel[int64](r.loop, n)
		it = &channel{s, receiver}
	case "lock":
		it = NewLock(r.loop)
	case "rwlock":
		it = NewRWLock(r.loop)
	case "event":
		it = NewEvent(r.loop)
	case "condition":
		it = NewCondition(r.loop)
	case "barrier":
		it = NewBarrier(r.loop, n)
	case "semaphore":
		it = NewSemaphore(r.loop, n)
	case "bounded":
		it = NewBoundedSemaphore(r.loop, n)
	default:
		return false
	}
	r.objects[words[1]] = it
	return true
}

func (r *run) change(ctx context.Context, words []string) (interface{}, error) {
	n := int64(0)
	if len(words) > 2 {
		n = integer(words[2])
	}
	switch it := r.objects[words[1]].(type) {
	case *Future[int64]:
		switch words[0] {
		case "set_result":
			return nil, it.SetResult(n)
		case "set_error":
			return nil, it.SetError(NewError(int(n), strings.Join(words[3:], " ")))
		case "cancel_future":
			return it.Cancel(), nil
		}
	case *Queue[int64]:
		return ofQueue(it, words[0], n)
	case *channel:
		switch words[0] {
		case "close_sender":
			return nil, it.Sender.Close()
		case "close_receiver":
			return nil, it.Receiver.Close()
		case "try_send":
			return nil, it.TrySend(n)
		case "try_receive":
			return it.TryReceive()
		}
	case *Conn:
		switch words[0] {
		case "write":
			return nil, it.Send([]byte(strings.Join(words[2:], " ") + "\n"))
		case "write_eof":
			return nil, it.CloseWrite()
		case "close":
			return nil, it.Close()
		case "drain":
			return nil, it.Drain(ctx)
		case "wait_closed":
			return nil, it.WaitClosed(ctx)
		case "readline":
			return it.ReadLine(ctx)
		case "read_all":
			return it.ReadAll(ctx)
		case "readexactly":
			return it.ReadExactly(ctx, int(n))
		}
	case *Listener:
		return nil, it.Close()
	}
	return r.changeSync(ctx, words[0], r.objects[words[1]], int(n))
}

func ofQueue(q *Queue[int64], what string, n int64) (interface{}, error) {
	switch what {
	case "put_nowait":
		return nil, q.PutNowait(n)
	case "get_nowait":
		return q.GetNowait()
	case "task_done":
		return nil, q.TaskDone()
	case "qsize":
		return q.Len(), nil
	}
	return nil, q.Shutdown(what == "shutdown_now")
}

func (r *run) changeSync(ctx context.Context, what string, it interface{},
	n int) (interface{}, error) {
	switch what {
	case "release":
		return nil, it.(interface{ Release() error }).Release()
	case "locked":
		return it.(interface{ Locked() bool }).Locked(), nil
	case "release_read":
		return nil, it.(*RWLock).ReleaseRead()
	case "release_write":
		return nil, it.(*RWLock).ReleaseWrite()
	case "set":
		return nil, it.(*Event).Set()
	case "clear":
		return nil, it.(*Event).Clear()
	case "is_set":
		return it.(*Event).IsSet(), nil
	case "notify":
		return nil, it.(*Condition).Notify(n)
	case "notify_all":
		return nil, it.(*Condition).NotifyAll()
	case "abort":
		return nil, it.(*Barrier).Abort(ctx)
	case "reset":
		return nil, it.(*Barrier).Reset(ctx)
	}
	return nil, fmt.Errorf("what is %s?", what)
}
