package asyncloop

import (
	"context"
	"net"
	"sync"

	"libasyncloop.org/asyncloop/internal/sys"
)

// A Listener is a server whose connections are accepted one by one: a
// net.Listener. asyncio's Server. One that is collected is closed, as Go's are.
type Listener struct {
	o      *object
	addr   net.Addr
	once   sync.Once
	closed chan struct{}
}

var _ net.Listener = (*Listener)(nil)

// Listen serves on an address; network is "tcp" (also "tcp4", "tcp6") or "unix".
// Without a host it is every address of this machine; port 0 is any.
func (l *Loop) Listen(ctx context.Context, network, address string,
	options ...StreamOption) (*Listener, error) {
	var begin func() (uintptr, int64)
	if network == "unix" {
		begin = withOptions(options, func(o uintptr) uintptr {
			return sys.Start_unix_server(0, 0, address, o)
		}, address)
	} else {
		host, port, err := hostPort(network, address)
		if err != nil {
			return nil, &net.OpError{Op: "listen", Net: network, Err: err}
		}
		options = append(options[:len(options):len(options)], family(network))
		begin = withOptions(options, func(o uintptr) uintptr {
			return sys.Start_server(0, 0, host, port, o)
		}, host)
	}
	server, err := Op[*Listener]{loop: l, begin: begin, outcome: listening(l)}.Await(ctx)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	return server, nil
}

// listening is the outcome that is a server.
func listening(loop *Loop) func(int64, uintptr, error) (*Listener, error) {
	return func(_ int64, p uintptr, err error) (*Listener, error) {
		if err != nil {
			return nil, err
		}
		s := &Listener{
			o:      newObject(loop, func(to *uintptr) int64 { *to = p; return 0 }),
			closed: make(chan struct{}),
		}
		s.o.dropped = closing(loop, sys.Ref(p))
		var fd int32 // of its first socket
		if sys.Server_sockets(p, &fd, 1) >= 1 {
			s.addr = nameOf(int(fd))
		}
		if s.addr == nil {
			s.addr = &net.TCPAddr{Port: int(sys.Server_port(p, 0))}
		}
		return s, nil
	}
}

// closing closes a server of C, which listens as long as nobody does, and drops the
// reference.
func closing(loop *Loop, server uintptr) func() {
	return func() {
		if loop.Post(func() {
			sys.Server_close(server)
			sys.Unref(server)
		}) != nil { // the loop has ended, and so has the server
			sys.Unref(server)
		}
	}
}

// Hosts are more hosts for a server to listen on, beside the one of its address.
func Hosts(hosts ...string) StreamOption {
	return func(o uintptr) int64 {
		for _, host := range hosts {
			if status := refused(noNUL(host), sys.Stream_options_add_host(o, host)); status < 0 {
				return status
			}
		}
		return 0
	}
}

// MaxConnections is how many connections a server has at a time; others wait in the
// kernel's queue. 0: any number.
func MaxConnections(n int) StreamOption {
	return func(o uintptr) int64 {
		return sys.Stream_options_set_max_connections(o, int64(n))
	}
}

// CleanupSocket says whether the file of a Unix socket goes with its server, which it
// does unless it is another's by then.
func CleanupSocket(on bool) StreamOption {
	return func(o uintptr) int64 { return sys.Stream_options_set_cleanup_socket(o, flag(on)) }
}

// NotServing makes a server that is bound, but listens from StartServing on only.
func NotServing() StreamOption {
	return func(o uintptr) int64 { return sys.Stream_options_set_start_serving(o, 0) }
}

// StartServing listens, after NotServing. Again: nothing.
func (s *Listener) StartServing(ctx context.Context) error {
	return wait(ctx, s.o.waiting(sys.Server_start_serving))
}

// Accepting waits for the next connection.
func (s *Listener) Accepting() Op[*Conn] {
	return opOf(s.o, sys.Server_accept, connected(s.o.loop))
}

// AcceptConn is Accepting, awaited. ESTALE once it is closed.
func (s *Listener) AcceptConn(ctx context.Context) (*Conn, error) {
	return s.Accepting().Await(ctx)
}

// Accept is AcceptConn as net.Listener has it.
func (s *Listener) Accept() (net.Conn, error) {
	conn, cancelled, err := s.Accepting().awaitUntil(s.closed, nil)
	if err != nil {
		if !cancelled {
			err = s.o.loop.givenUp(s.closed, nil, err)
		}
		return nil, &net.OpError{Op: "accept", Net: s.addr.Network(), Addr: s.addr, Err: err}
	}
	return conn, nil
}

// Close listens no more; the connections stay.
func (s *Listener) Close() error {
	first := false
	s.once.Do(func() { close(s.closed); first = true })
	if !first {
		return &net.OpError{Op: "close", Net: s.addr.Network(), Addr: s.addr, Err: net.ErrClosed}
	}
	return s.o.just(sys.Server_close)
}

// Addr is where it listens.
func (s *Listener) Addr() net.Addr { return s.addr }

// WaitClosed waits until it and its last connection are closed.
func (s *Listener) WaitClosed(ctx context.Context) error {
	return wait(ctx, s.o.waiting(sys.Server_wait_closed))
}

// CloseClients closes every connection that it accepted; AbortClients at once.
func (s *Listener) CloseClients() error { return s.o.just(sys.Server_close_clients) }
func (s *Listener) AbortClients() error { return s.o.just(sys.Server_abort_clients) }

// IsServing tells whether it accepts connections.
func (s *Listener) IsServing() bool { return s.o.is(sys.Server_is_serving) }

// Serve accepts until the listener is closed or ctx is done, and returns why: a
// net.ErrClosed, for one. It runs handle as a task for each connection, which is closed
// when that returns; its error is reported (OnUnhandled).
func (s *Listener) Serve(ctx context.Context,
	handle func(ctx context.Context, conn *Conn) error) error {
	for {
		conn, err := s.AcceptConn(ctx)
		if err != nil {
			return err
		}
		Go(ctx, s.o.loop, func(ctx context.Context) (struct{}, error) {
			defer conn.Close()
			return struct{}{}, handle(ctx, conn)
		})
	}
}
