package asyncloop

import (
	"errors"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// A value out of range is refused, not dropped.
func TestOptionsThatAreRefused(t *testing.T) {
	for name, option := range map[string]Option{
		"busy poll":  BusyPoll(2 * time.Second),
		"loss":       SimulatedLoss(1.5),
		"loss, NaN":  SimulatedLoss(math.NaN()),
		"most delay": Simulated(1, -1),
	} {
		loop, err := Start(background, option)
		if !errors.Is(err, EINVAL) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			loop.Close()
		}
	}
	loop := startLoop(t, BusyPoll(50*time.Microsecond))
	for name, option := range map[string]StreamOption{
		"backlog":     Backlog(-1),
		"connections": MaxConnections(-1),
		"handshake":   HandshakeTimeout(-1),
	} {
		_, err := loop.Listen(background, "tcp", "127.0.0.1:0", option)
		if !errors.Is(err, EINVAL) {
			t.Errorf("listen, %s: %v", name, err)
		}
		if _, err := loop.Dial(background, "tcp", "127.0.0.1:1", option); !errors.Is(err, EINVAL) {
			t.Errorf("dial, %s: %v", name, err)
		}
	}
	for name, option := range map[string]PacketOption{
		"batch": PacketBatch(33), "size": PacketSize(2 << 20), "buffer": ReceiveBuffer(-1),
	} {
		_, err := loop.ListenPacket(background, "udp", "127.0.0.1:0", option)
		if !errors.Is(err, EINVAL) {
			t.Errorf("packets, %s: %v", name, err)
		}
	}
	_, err := loop.StartProcess(background, Command{Path: "true", Limits: make([]Rlimit, 17)})
	if !errors.Is(err, EINVAL) {
		t.Error("seventeen limits:", err)
	}
}

// In the simulated network all datagrams are lost, or none.
func TestSimulatedLoss(t *testing.T) {
	for _, share := range []float64{0, 1} {
		loop := startLoop(t, Simulated(7, 0.01), SimulatedLoss(share))
		there, err := loop.ListenPacket(background, "udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		here, err := loop.DialPacket(background, "udp", "", there.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < 20; i++ {
			if _, err := here.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		buffer := make([]byte, 8)
		for i := 0; share == 0 && i < 20; i++ {
			if _, _, err := there.ReadFrom(buffer); err != nil {
				t.Fatal(err)
			}
		}
		_ = there.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, _, err := there.ReadFrom(buffer); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("with a loss of %v: %v", share, err)
		}
		here.Close()
		there.Close()
	}
}

func TestServerOptions(t *testing.T) {
	loop := startLoop(t)
	path := filepath.Join(t.TempDir(), "socket")
	for _, cleanup := range []bool{true, false} {
		server, err := loop.Listen(background, "unix", path, CleanupSocket(cleanup))
		if err != nil {
			t.Fatal(err)
		}
		server.Close()
		_ = server.WaitClosed(background)
		if _, err := os.Stat(path); os.IsNotExist(err) != cleanup {
			t.Errorf("cleanup %v: %v", cleanup, err)
		}
	}
	server, err := loop.Listen(background, "tcp", "127.0.0.1:0", NotServing(), Hosts("127.0.0.2"),
		MaxConnections(1))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if server.IsServing() {
		t.Error("it serves already")
	}
	if err := server.StartServing(background); err != nil || !server.IsServing() {
		t.Error(err)
	}
	accepted := make(chan *Conn, 2)
	go func() {
		for {
			conn, err := server.AcceptConn(background)
			if err != nil {
				close(accepted)
				return
			}
			accepted <- conn
		}
	}()
	dial := func() *Conn {
		conn, err := loop.Dial(background, "tcp", server.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	one, two := dial(), dial()
	first := <-accepted
	select {
	case <-accepted:
		t.Error("two at a time")
	case <-time.After(5 * time.Millisecond):
	}
	first.Close()
	(<-accepted).Close()
	one.Close()
	two.Close()
}

// The file of a Unix socket may be called as if it were a host and a port.
func TestUnixSocketsOfAnyName(t *testing.T) {
	loop := startLoop(t)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if err = os.Chdir(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chdir(here) }) // before the folder goes
	server, err := loop.Listen(background, "unix", "localhost:80")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	conn, err := loop.Dial(background, "unix", "localhost:80")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if at := conn.RemoteAddr(); at.Network() != "unix" || at.String() != "localhost:80" {
		t.Error(at.Network(), at)
	}
}

// The file of a Unix socket goes with its server.
func TestAListenerThatIsCollectedIsClosed(t *testing.T) {
	loop := startLoop(t)
	path := filepath.Join(t.TempDir(), "socket")
	func() {
		if _, err := loop.Listen(background, "unix", path); err != nil {
			t.Fatal(err)
		}
	}()
	for end := time.Now().Add(hang); ; {
		runtime.GC()
		if _, err := os.Stat(path); os.IsNotExist(err) {
			return
		}
		if time.Now().After(end) {
			t.Fatal("it listens still")
		}
		time.Sleep(time.Millisecond)
	}
}

func file(t *testing.T, of interface{ File() (*os.File, error) }) *os.File {
	t.Helper()
	found, err := of.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { found.Close() })
	return found
}

// Sockets of package net, which stay its own.
func TestSocketsOfTheProgram(t *testing.T) {
	loop := startLoop(t)
	listening, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listening.Close()
	server, err := loop.FileListener(background, file(t, listening.(*net.TCPListener)))
	if err != nil {
		t.Fatal(err)
	}
	if server.Addr().String() != listening.Addr().String() {
		t.Error(server.Addr())
	}
	theirs, err := net.Dial("tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	conn, err := loop.FileConn(background, file(t, theirs.(*net.TCPConn)))
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := server.AcceptConn(background)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Send([]byte("over a copy\n")); err != nil {
		t.Error(err)
	}
	if line, err := accepted.ReadLine(background); string(line) != "over a copy\n" {
		t.Errorf("%q %v", line, err)
	}
	conn.Close()
	accepted.Close()
	server.Close()

	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	_ = conn.WaitClosed(background)
	_ = accepted.WaitClosed(background)
	_ = server.WaitClosed(background)

	if fails(loop.FileConn(background, os.Stdin)) == nil {
		t.Error("standard input was taken")
	}
	stream, packet := file(t, theirs.(*net.TCPConn)), file(t, packets.(*net.UDPConn))
	before := sharing(t, stream) + sharing(t, packet)
	for name, err := range map[string]error{
		"a datagram":  fails(loop.FileConn(background, packet)),
		"no datagram": fails(loop.FilePacketConn(background, stream)),
		"a flag":      fails(loop.FilePacketConn(background, packet, PacketReusePort(true))),
	} {
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if now := sharing(t, stream) + sharing(t, packet); now != before {
		t.Errorf("%d descriptors of them, then %d", before, now)
	}
	endpoint, err := loop.FilePacketConn(background, file(t, packets.(*net.UDPConn)),
		PacketBatch(4))
	if err != nil || endpoint.LocalAddr().String() != packets.LocalAddr().String() {
		t.Fatal(endpoint, err)
	}
	endpoint.Close()
	closed := file(t, theirs.(*net.TCPConn))
	closed.Close()
	if fails(loop.FileConn(background, closed)) == nil {
		t.Error("a closed file was taken")
	}
}

func fails[T any](_ T, err error) error { return err }

// sharing counts the descriptors of this process that are of the same socket.
func sharing(t *testing.T, of *os.File) (n int) {
	t.Helper()
	const folder = "/proc/self/fd/"
	raw, err := of.SyscallConn() // Fd would make the socket a blocking one
	if err != nil {
		t.Fatal(err)
	}
	own := ""
	if failed := raw.Control(func(fd uintptr) {
		own, err = os.Readlink(folder + strconv.Itoa(int(fd)))
	}); failed != nil || err != nil {
		t.Fatal(failed, err)
	}
	all, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		if name, err := os.Readlink(folder + one.Name()); err == nil && name == own {
			n++
		}
	}
	return n
}

func TestProcessOptions(t *testing.T) {
	loop := startLoop(t)
	reading, writing, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	group, mask := 0, 0o27
	child, err := loop.StartProcess(background, Command{
		Shell:  true,
		Path:   "umask; ulimit -n; echo through >&4; ps -o pgid= -p $$ | tr -d ' '; echo $$",
		Stdout: Pipe, ExtraFiles: []*os.File{nil, writing}, ProcessGroup: &group, Umask: &mask,
		Limits:    []Rlimit{{syscall.RLIMIT_NOFILE, syscall.Rlimit{Cur: 50, Max: 60}}},
		ReadLimit: 8,
	})
	if err != nil {
		t.Fatal(err)
	}
	writing.Close()
	for i, expected := range []string{"0027\n", "50\n"} {
		line, err := child.Stdout.ReadLine(background)
		if err != nil || string(line) != expected {
			t.Errorf("line %d: %q %v", i, line, err)
		}
	}
	leader, _ := child.Stdout.ReadLine(background)
	own, _ := child.Stdout.ReadLine(background)
	if string(leader) != string(own) || len(own) == 0 {
		t.Errorf("group %q of process %q", leader, own)
	}
	if exit, err := child.Wait(background); exit.Code != 0 || err != nil {
		t.Error(exit, err)
	}
	text := make([]byte, 16)
	if n, err := reading.Read(text); string(text[:n]) != "through\n" {
		t.Errorf("%q %v", text[:n], err)
	}
	long, err := loop.StartProcess(background,
		Command{Path: "echo", Args: []string{"too long a line"},
			Stdout: Pipe, ReadLimit: 4})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := long.Stdout.ReadLine(background); !errors.Is(err, ELIMITOVERRUN) {
		t.Error(err)
	}
	_, _ = long.Wait(background)
	nobody := uint32(65534)
	if os.Geteuid() != 0 {
		_, err := loop.StartProcess(background,
			Command{Path: "true", User: &nobody, Group: &nobody})
		if !errors.Is(err, syscall.EPERM) {
			t.Error(err)
		}
		return
	}
	other, err := loop.StartProcess(background,
		Command{Path: "id", Args: []string{"-u"}, Stdout: Pipe,
			Dir: "/", User: &nobody, Group: &nobody})
	if err != nil {
		t.Fatal(err)
	}
	if line, err := other.Stdout.ReadLine(background); string(line) != "65534\n" {
		t.Errorf("%q %v", line, err)
	}
	_, _ = other.Wait(background)
}

func TestExecutorOptions(t *testing.T) {
	loop := startLoop(t)
	pool := NewExecutor(loop, 1)
	if err := firstError(pool.SetName("worker"), pool.SetMaxQueue(1)); err != nil {
		t.Fatal(err)
	}
	if err := pool.SetMaxQueue(-1); !errors.Is(err, EINVAL) {
		t.Error(err)
	}
	running, finish := make(chan string, 2), make(chan struct{})
	job := func() (struct{}, error) {
		name, _ := os.ReadFile("/proc/thread-self/comm")
		running <- string(name)
		<-finish
		return struct{}{}, nil
	}
	results := make(chan error, 3)
	await := func() { results <- fails(RunIn(pool, job).Await(background)) }
	go await()
	if name := <-running; name != "worker_0\n" {
		t.Errorf("%q", name)
	}
	go await()
	go await() // one of them waits, for the other there is no place
	if err := <-results; !errors.Is(err, EQUEUEFULL) {
		t.Error(err)
	}
	close(finish)
	if err := firstError(<-results, <-results); err != nil {
		t.Error(err)
	}
	if err := pool.Shutdown(background, NoTimeout); err != nil {
		t.Error(err)
	}
}
