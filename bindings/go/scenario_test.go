package asyncloop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The scenarios that every language runs: tests/scenarios/README.md has their
// language. Here each task is a Task.

type scenario struct {
	name     string
	programs map[string][]string
	expected []string
}

func readScenarios(t *testing.T) []*scenario {
	text, err := os.ReadFile("../../tests/scenarios/scenarios.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []*scenario
	var one *scenario
	program := ""
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0][0] == '#':
		case line[0] == ' ' && program == "":
			one.expected = append(one.expected, strings.TrimSpace(line))
		case line[0] == ' ':
			one.programs[program] = append(one.programs[program], strings.TrimSpace(line))
		case words[0] == "scenario":
			one = &scenario{name: words[1], programs: map[string][]string{}}
			all = append(all, one)
		case words[0] == "task":
			program = words[1]
			one.programs[program] = nil
		case words[0] == "expect":
			program = ""
		}
	}
	return all
}

// world is what the tasks of a scenario share. They run one at a time.
type world struct {
	*scenario
	loop    *Loop
	tasks   map[string]*Task[int64]
	objects map[string]interface{}
	trace   []string
	ended   bool
}

func (w *world) leave(format string, args ...interface{}) {
	if !w.ended {
		w.trace = append(w.trace, fmt.Sprintf("%.1f ", w.loop.Time())+fmt.Sprintf(format, args...))
	}
}

// run is a task at work.
type run struct {
	*world
	name     string
	lines    []string
	at       int
	returned bool
	result   int64
	group    *Group
}

func outcomeText(value interface{}, err error) string {
	var detail *Error
	switch {
	case errors.As(err, &detail) && detail.Code == EGROUP:
		var children []string
		for _, child := range detail.Children {
			children = append(children, outcomeText(nil, child))
		}
		return "ALOOP_EGROUP [" + strings.Join(children, ", ") + "]"
	case err != nil && CodeOf(err) <= EUSER:
		return fmt.Sprintf("error %d (%s)", EUSER-CodeOf(err), err)
	case err != nil:
		return CodeOf(err).Name()
	}
	switch value := value.(type) {
	case nil, struct{}:
		return "0"
	case bool:
		if value {
			return "1"
		}
		return "0"
	case []byte:
		return `"` + strings.SplitN(string(value), "\n", 2)[0] + `"`
	}
	return fmt.Sprint(value)
}

func (w *world) program(name string) func(ctx context.Context) (int64, error) {
	return func(ctx context.Context) (int64, error) {
		r := &run{world: w, name: name, lines: w.programs[name]}
		err := r.block(ctx)
		r.leave("%s = %s", name, outcomeText(r.result, err))
		w.ended = w.ended || name == "main"
		return r.result, err
	}
}

// task gives the task of that name, and starts it if there is none.
func (w *world) task(ctx context.Context, name string) *Task[int64] {
	if w.tasks[name] == nil {
		w.tasks[name] = Go(ctx, w.loop, w.program(name))
	}
	return w.tasks[name]
}

func beginsBlock(line string) bool {
	line = strings.TrimPrefix(line, "! ")
	return line == "group" || strings.HasPrefix(line, "timeout ")
}

func (r *run) skipBlock(from int) {
	r.at = from
	for depth := 1; depth > 0; r.at++ {
		if beginsBlock(r.lines[r.at]) {
			depth++
		} else if r.lines[r.at] == "end" {
			depth--
		}
	}
}

func (r *run) block(ctx context.Context) error {
	for r.at < len(r.lines) && !r.returned {
		line := r.lines[r.at]
		r.at++
		if line == "end" {
			break
		}
		text := strings.TrimPrefix(line, "! ")
		value, err := r.instruction(ctx, strings.Fields(text))
		if text != line {
			r.leave("%s %s -> %s", r.name, text, outcomeText(value, err))
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (r *run) instruction(ctx context.Context, words []string) (interface{}, error) {
	from := r.at
	switch words[0] {
	case "timeout":
		err := Timeout(ctx, seconds(words[1]), r.block)
		r.skipBlock(from)
		return nil, err
	case "group":
		outer := r.group
		err := WithGroup(ctx, func(ctx context.Context, g *Group) error {
			r.group = g
			return r.block(ctx)
		})
		r.group = outer
		r.skipBlock(from)
		return nil, err
	}
	if op := r.awaitable(ctx, words); op != nil {
		return op.Await(ctx)
	}
	return r.atOnce(ctx, words)
}

func seconds(text string) time.Duration {
	n, _ := strconv.ParseFloat(text, 64)
	return time.Duration(n * float64(time.Second))
}

func integer(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

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

func TestScenarios(t *testing.T) {
	all := readScenarios(t)
	if len(all) < 100 {
		t.Fatalf("only %d scenarios", len(all))
	}
	for _, one := range all {
		one := one
		t.Run(one.name, func(t *testing.T) {
			loop, err := Start(context.Background(), VirtualClock(),
				OnUnhandled(func(Unhandled) {}))
			if err != nil {
				t.Fatal(err)
			}
			w := &world{scenario: one, loop: loop, tasks: map[string]*Task[int64]{},
				objects: map[string]interface{}{}}
			ctx := context.Background()
			_, _ = Go(ctx, loop, w.program("main")).Await(ctx)
			if err := loop.Close(); err != nil {
				t.Error(err)
			}
			left, expected := strings.Join(w.trace, "\n"), strings.Join(one.expected, "\n")
			if left != expected {
				t.Errorf("it left\n%s\nexpected\n%s", left, expected)
			}
		})
	}
}
