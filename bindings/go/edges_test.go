package asyncloop

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// ends gives both ends of a connection, which the test closes.
func ends(t *testing.T, loop *Loop) (one, other *Conn, listener *Listener) {
	t.Helper()
	listener, err := loop.Listen(background, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if one, err = loop.Dial(background, "tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if other, err = listener.AcceptConn(background); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { one.Close(); other.Close(); listener.Close() })
	return one, other, listener
}

// What a channel took and nobody received goes back, however full the queue is by then,
// and counts once.
func TestQueueGetsBackWhatNobodyReceived(t *testing.T) {
	loop := startLoop(t)
	queue := NewQueue[int](loop, 1)
	ctx, cancel := context.WithCancel(background)
	queue.Chan(ctx)
	for i := 1; i <= 2; i++ { // the second goes in once the channel has taken the first
		if err := queue.Put(background, i); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	sum := 0
	for i := 0; i < 2; i++ {
		value, err := WaitFor[int](queue.Getting(), hang).Await(background)
		if err != nil {
			t.Fatal(err)
		}
		sum += value
		if err = queue.TaskDone(); err != nil {
			t.Error(err)
		}
	}
	_, err := WaitFor[struct{}](queue.Joining(), hang).Await(background)
	if sum != 3 || err != nil {
		t.Error(sum, err)
	}
}

// What cannot go back, since the queue takes nothing any more, is reported.
func TestQueueReportsWhatDoesNotGoBack(t *testing.T) {
	lost := make(chan Unhandled, 1)
	loop := startLoop(t, OnUnhandled(func(what Unhandled) { lost <- what }))
	queue := NewQueue[int](loop, 1)
	ctx, cancel := context.WithCancel(background)
	queue.Chan(ctx)
	for i := 1; i <= 2; i++ { // the second goes in once the channel has taken the first
		if err := queue.Put(background, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := queue.Shutdown(false); err != nil {
		t.Error(err)
	}
	cancel()
	if what := <-lost; !errors.Is(what.Err, EQUEUESHUTDOWN) {
		t.Error(what)
	}
}

// What was sent to a queue's channel is put, also when ctx ends while there is no room.
func TestQueueGetsWhatWasSentToItsChannel(t *testing.T) {
	lost := make(chan Unhandled, 1)
	loop := startLoop(t, OnUnhandled(func(what Unhandled) { lost <- what }))
	queue := NewQueue[int](loop, 1)
	if err := queue.PutNowait(1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(background)
	queue.In(ctx) <- 2
	cancel()
	for i := 1; i <= 2; i++ {
		if value, err := queue.Get(background); value != i || err != nil {
			t.Fatal(value, err)
		}
	}
	in := queue.In(background)
	_ = queue.Shutdown(false)
	in <- 3
	if what := <-lost; !errors.Is(what.Err, EQUEUESHUTDOWN) {
		t.Error(what)
	}
}

// C would take the NUL for the end, and use another name than it was given.
func TestTextWithANULInsideIsRefused(t *testing.T) {
	loop := startLoop(t)
	const nul = "a\x00b"
	tls := NewTLSClient(loop)
	conn := func(_ *Conn, err error) error { return err }
	started := func(_ *Process, err error) error { return err }
	packets := func(_ *PacketConn, err error) error { return err }
	listening := func(_ *Listener, err error) error { return err }
	for i, err := range []error{
		conn(loop.Dial(background, "unix", "/tmp/"+nul)),
		conn(loop.Dial(background, "tcp", "127.0.0.1"+nul+":1")),
		conn(loop.Dial(background, "tcp", "127.0.0.1:1", LocalAddress("127.0.0.1"+nul, 0))),
		conn(loop.Dial(background, "tcp", "127.0.0.1:1", ServerHostname(nul))),
		listening(loop.Listen(background, "unix", "/tmp/"+nul)),
		listening(loop.Listen(background, "tcp", "127.0.0.1"+nul+":0")),
		listening(loop.Listen(background, "tcp", "127.0.0.1:0", Hosts("127.0.0.1"+nul))),
		packets(loop.ListenPacket(background, "unixgram", "/tmp/"+nul)),
		packets(loop.ListenPacket(background, "udp", "127.0.0.1"+nul+":0")),
		started(loop.StartProcess(background, Command{Path: "/bin/true" + nul})),
		started(loop.StartProcess(background, Command{Path: "/bin/true", Args: []string{nul}})),
		started(loop.StartProcess(background, Command{Path: "/bin/true", Env: []string{nul}})),
		started(loop.StartProcess(background, Command{Path: "/bin/true", Dir: "/" + nul})),
		tls.LoadVerify("/etc/"+nul, ""),
		tls.LoadVerifyPEM(nul),
		tls.LoadCertChain("/etc/"+nul, "", ""),
		tls.SetALPN("h2", nul),
		tls.SetCiphers("ALL" + nul),
		tls.SetKeylogFile("/tmp/" + nul),
		NewExecutor(loop, 1).SetName(nul),
	} {
		if !errors.Is(err, EINVAL) {
			t.Errorf("case %d: %v", i, err)
		}
	}
	_, err := GoNamed(background, loop, nul, func(ctx context.Context) (int, error) {
		return 0, nil
	}).Await(background)
	if !errors.Is(err, EINVAL) {
		t.Error(err)
	}
}

// A deadline that passes while bytes come ends the read or not, but loses none.
func TestDeadlinesLoseNothing(t *testing.T) {
	loop := startLoop(t)
	one, other, _ := ends(t, loop)
	const total = 3000
	go func() {
		for i := 0; i < total; i++ {
			if _, err := one.Write([]byte{byte(i)}); err != nil {
				t.Error(err)
				return
			}
		}
		one.Close()
	}()
	stop := make(chan struct{})
	var storm sync.WaitGroup
	storm.Add(1)
	go func() {
		defer storm.Done()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				late := time.Duration(i%3-1) * 20 * time.Microsecond
				_ = other.SetReadDeadline(time.Now().Add(late))
				runtime.Gosched()
			}
		}
	}()
	got, late := 0, 0
	buffer := make([]byte, 7)
	for {
		n, err := other.Read(buffer)
		for _, b := range buffer[:n] {
			if b != byte(got) {
				t.Fatalf("byte %d is %d", got, b)
			}
			got++
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			late++
			if late > 100 { // it has been tried; now let them come
				_ = other.SetReadDeadline(time.Time{})
				select {
				case <-stop:
				default:
					close(stop)
					storm.Wait()
					_ = other.SetReadDeadline(time.Time{})
				}
			}
			continue
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if got != total {
		t.Errorf("%d of %d bytes", got, total)
	}
	select {
	case <-stop:
	default:
		close(stop)
	}
	storm.Wait()
}

func TestDeadlinesOfNow(t *testing.T) {
	loop := startLoop(t)
	one, other, listener := ends(t, loop)
	buffer := make([]byte, 8)
	if n, err := other.Read(nil); n != 0 || err != nil {
		t.Error("nothing to read into:", n, err)
	}
	if n, err := one.Write(nil); n != 0 || err != nil {
		t.Error("nothing to write:", n, err)
	}
	_ = other.SetDeadline(time.Unix(1, 0)) // long ago
	for _, do := range []func([]byte) (int, error){other.Read, other.Write} {
		n, err := do(buffer)
		var timeout net.Error
		if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) ||
			!timeout.Timeout() {
			t.Error(n, err)
		}
	}
	putOff(t, one, other)
	go func() {
		time.Sleep(2 * time.Millisecond)
		_ = other.SetReadDeadline(time.Now()) // brought forward
	}()
	if _, err := other.Read(buffer); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	_ = one.SetWriteDeadline(time.Now().Add(5 * time.Millisecond))
	n, err := one.Write(make([]byte, 64<<20))
	if n >= 64<<20 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("nobody reads:", n, err)
	}
	other.Close()
	for name, err := range map[string]error{
		"close":    other.Close(),
		"deadline": other.SetDeadline(time.Time{}),
		"read":     fails(other.Read(buffer)),
		"write":    fails(other.Write(buffer)),
	} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s after close: %v", name, err)
		}
	}
	one.Abort()
	listener.Close()
	if _, err := listener.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if err := listener.Close(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// putOff moves a deadline back while a read waits, which then gets what comes after the
// first one. Where this came too late the read may have failed: then again, with more time.
func putOff(t *testing.T, one, other *Conn) {
	t.Helper()
	for left := 2 * time.Millisecond; ; left *= 2 {
		first := time.Now().Add(left)
		_ = other.SetDeadline(first)
		read := make(chan error, 1)
		go func() {
			buffer := make([]byte, 8)
			n, err := other.Read(buffer)
			if err == nil && string(buffer[:n]) != "late" {
				err = errors.New(string(buffer[:n]))
			}
			read <- err
		}()
		_ = other.SetDeadline(time.Now().Add(time.Hour))
		inTime := time.Now().Before(first)
		time.Sleep(time.Until(first))
		_, _ = one.Write([]byte("late"))
		err := <-read
		if err != nil && !inTime {
			if n, err := other.Read(make([]byte, 8)); n != 4 {
				t.Fatal(n, err)
			}
			continue
		}
		if err != nil {
			t.Error(err)
		}
		return
	}
}

// cancelAfter cancels a task so many of the loop's iterations from now.
func cancelAfter(loop *Loop, iterations int, cancel func() bool) {
	_ = loop.Post(func() {
		if iterations > 0 {
			loop.CallLater(0, func() { cancelAfter(loop, iterations-1, cancel) })
		} else {
			cancel()
		}
	})
}

// A task that is cancelled when what it reads, or accepts, has just come: nothing is lost.
func TestCancelledInTheVeryMoment(t *testing.T) {
	loop := startLoop(t)
	one, other, listener := ends(t, loop)
	for i := 0; i < 60; i++ {
		read := 0
		task := Go(background, loop, func(context.Context) (_ struct{}, err error) {
			read, err = other.Read(make([]byte, 1))
			return
		})
		cancelAfter(loop, i%6, task.Cancel)
		if _, err := one.Write([]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
		if _, err := task.Await(background); read == 0 {
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			left := make([]byte, 2)
			_ = other.SetReadDeadline(time.Now().Add(hang))
			if n, err := other.Read(left); n != 1 || left[0] != byte(i) {
				t.Fatalf("round %d: %v %v", i, left[:n], err)
			}
			_ = other.SetReadDeadline(time.Time{})
		}
	}
	for i := 0; i < 60; i++ {
		var conn net.Conn
		task := Go(background, loop, func(context.Context) (_ struct{}, err error) {
			conn, err = listener.Accept()
			return
		})
		cancelAfter(loop, i%6, task.Cancel)
		client, err := loop.Dial(background, "tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := task.Await(background); conn == nil {
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			limit, cancel := context.WithTimeout(background, hang)
			accepted, err := listener.AcceptConn(limit)
			cancel()
			if err != nil {
				t.Fatalf("round %d: lost: %v", i, err)
			}
			conn = accepted
		}
		if conn.RemoteAddr().String() != client.LocalAddr().String() {
			t.Fatalf("round %d: another one", i)
		}
		conn.Close()
		client.Close()
	}
}

// A panic in a callback of any kind is the loop's, and never C's.
func TestPanicsInEveryCallback(t *testing.T) {
	reading, writing, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	defer writing.Close()
	for name, arm := range map[string]func(loop *Loop){
		"post":  func(loop *Loop) { _ = loop.Post(func() { panic("on purpose") }) },
		"timer": func(loop *Loop) { loop.CallLater(0, func() { panic("on purpose") }) },
		"writer": func(loop *Loop) {
			_ = loop.AddWriter(int(writing.Fd()), func() { panic("on purpose") })
		},
		"less": func(loop *Loop) {
			queue := NewPriorityQueue(loop, 0, func(a, b int) bool { panic("on purpose") })
			for i := 0; i < 2; i++ {
				if err := queue.PutNowait(i); err != nil {
					t.Error(err)
				}
			}
		},
		"done": func(loop *Loop) {
			future := NewFuture[int](loop)
			_ = future.AddDoneCallback(func(int, error) { panic("on purpose") })
			_ = future.SetResult(1)
		},
	} {
		told := make(chan *PanicError, 100)
		loop, err := Start(background, OnPanic(func(p *PanicError) {
			select {
			case told <- p:
			default:
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		arm(loop)
		select {
		case p := <-told:
			if p.Value != "on purpose" || len(p.Stack) == 0 {
				t.Errorf("%s: %v", name, p)
			}
		case <-time.After(hang):
			t.Errorf("%s: nobody was told", name)
		}
		loop.RemoveWriter(int(writing.Fd()))
		if err := loop.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What outlives its loop fails in Go's words, and goes when it is collected.
func TestUseAfterTheLoopsEnd(t *testing.T) {
	loop, err := Start(background)
	if err != nil {
		t.Fatal(err)
	}
	one, other, listener := ends(t, loop)
	lock, queue := NewLock(loop), NewQueue[int](loop, 1)
	future := NewFuture[int](loop)
	waiting := make(chan error, 3)
	go func() { waiting <- fails(one.Read(make([]byte, 1))) }()
	go func() { waiting <- fails(listener.Accept()) }()
	go func() { waiting <- fails(future.Await(background)) }()
	time.Sleep(2 * time.Millisecond)
	if err := loop.Close(); err != nil {
		t.Error(err)
	}
	for i := 0; i < 3; i++ {
		if err := <-waiting; !errors.Is(err, net.ErrClosed) && !errors.Is(err, context.Canceled) {
			t.Error("under way:", err)
		}
	}
	for name, err := range map[string]error{
		"read":   fails(other.Read(make([]byte, 1))),
		"write":  fails(other.Write([]byte("x"))),
		"lock":   lock.Acquire(background),
		"queue":  queue.Put(background, 1),
		"set":    future.SetResult(1),
		"await":  fails(future.Await(background)),
		"dial":   fails(loop.Dial(background, "tcp", "127.0.0.1:1")),
		"post":   loop.Post(func() {}),
		"accept": fails(listener.Accept()),
		"spawn": fails(Go(background, loop, func(context.Context) (int, error) {
			return 0, nil
		}).Await(background)),
	} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := loop.Close(); err != nil {
		t.Error("closed again:", err)
	}
}

// A future tells of its outcome after the loop's end, and of none where it has none.
func TestFuturesAfterTheLoopsEnd(t *testing.T) {
	loop, err := Start(background)
	if err != nil {
		t.Fatal(err)
	}
	told, pending, finished := NewFuture[int](loop), NewFuture[int](loop), NewFuture[int](loop)
	asked := told.Done()
	if err := finished.SetResult(7); err != nil {
		t.Error(err)
	}
	if err := loop.Close(); err != nil {
		t.Error(err)
	}
	closed := func(done <-chan struct{}) bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
	never := NewFuture[int](loop)
	for i := 0; i < 2; i++ {
		if closed(asked) || closed(told.Done()) || closed(pending.Done()) {
			t.Error("closed without an outcome")
		}
		if !closed(finished.Done()) || !closed(never.Done()) {
			t.Error("open, with an outcome")
		}
	}
}

// FailNow and the like cannot be stopped in what C called: the program ends and says why.
func TestGoexitInWhatCCalled(t *testing.T) {
	const here = "ASYNCLOOP_TEST_GOEXIT"
	leaving := map[string]func(loop *Loop){
		"callback": func(loop *Loop) { _ = loop.Post(runtime.Goexit) },
		"timer":    func(loop *Loop) { _, _ = loop.CallLater(0, runtime.Goexit) },
		"job": func(loop *Loop) {
			_, _ = ToThread(background, loop, func() (int, error) {
				runtime.Goexit()
				return 0, nil
			})
		},
	}
	if leave := leaving[os.Getenv(here)]; leave != nil {
		leave(startLoop(t))
		return // whose end waits for the loop's
	}
	for name := range leaving {
		ctx, cancel := context.WithTimeout(background, hang)
		again := exec.CommandContext(ctx, os.Args[0], "-test.run", "^"+t.Name()+"$")
		again.Env = append(os.Environ(), here+"="+name)
		said, err := again.CombinedOutput()
		if err == nil || !strings.Contains(string(said), "panic: asyncloop: runtime.Goexit") {
			t.Errorf("%s: %v\n%s", name, err, said)
		}
		cancel()
	}
	_, err := Go(background, startLoop(t), func(context.Context) (int, error) {
		runtime.Goexit()
		return 0, nil
	}).Await(background)
	var panicked *PanicError
	if !errors.As(err, &panicked) {
		t.Error(err)
	}
}
