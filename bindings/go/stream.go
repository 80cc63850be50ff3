package asyncloop

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"libasyncloop.org/asyncloop/internal/sys"
)

// chunk is how much Write hands over before it waits for room.
const chunk = 64 << 10

// A Conn is a connection: a net.Conn, and asyncio's stream reader and writer.
type Conn struct {
	o       *object
	reading chan struct{} // one reader and one writer at a time
	writing chan struct{}
	read    deadline
	write   deadline
	once    sync.Once
	closed  chan struct{}
	local   net.Addr
	remote  net.Addr
}

var _ net.Conn = (*Conn)(nil)

// newConn takes the reference over; on the loop's thread.
func newConn(loop *Loop, p uintptr) *Conn {
	c := &Conn{
		o:       newObject(loop, func(to *uintptr) int64 { *to = p; return 0 }),
		reading: make(chan struct{}, 1),
		writing: make(chan struct{}, 1),
		closed:  make(chan struct{}),
	}
	c.read.init()
	c.write.init()
	c.local = address(extra(p, "sockname"))
	c.remote = address(extra(p, "peername"))
	return c
}

func extra(p uintptr, name string) string {
	return textOf(func(text []byte) int64 { return sys.Stream_get_extra_info(p, name, text) })
}

func address(text string) net.Addr {
	if tcp, err := netip.ParseAddrPort(text); err == nil { // which never asks for a name
		return net.TCPAddrFromAddrPort(tcp)
	}
	return &net.UnixAddr{Name: text, Net: "unix"}
}

// connected is the outcome that is a stream.
func connected(loop *Loop) func(int64, uintptr, error) (*Conn, error) {
	return func(_ int64, value uintptr, err error) (*Conn, error) {
		if err != nil {
			return nil, err
		}
		return newConn(loop, value), nil
	}
}

// A StreamOption changes how a connection or a server is made, which fails with EINVAL
// where a value is out of range.
type StreamOption func(options uintptr) (status int64)

// Limit is the most bytes that ReadLine and ReadUntil look through; 65536 unless set.
func Limit(bytes int) StreamOption {
	return func(o uintptr) int64 { return sys.Stream_options_set_limit(o, int64(bytes)) }
}

// LocalAddress is where a connection comes from; port 0: any.
func LocalAddress(host string, port int) StreamOption {
	return func(o uintptr) int64 {
		return refused(noNUL(host), sys.Stream_options_set_local_address(o, host, int32(port)))
	}
}

// HappyEyeballs starts the next address of a host after delay, beside the first.
func HappyEyeballs(delay time.Duration) StreamOption {
	return func(o uintptr) int64 {
		return sys.Stream_options_set_happy_eyeballs_delay(o, delay.Seconds())
	}
}

// KeepAlive sets SO_KEEPALIVE.
func KeepAlive(on bool) StreamOption {
	return func(o uintptr) int64 { return sys.Stream_options_set_keep_alive(o, flag(on)) }
}

// Backlog is the length of a server's queue in the kernel.
func Backlog(n int) StreamOption {
	return func(o uintptr) int64 { return sys.Stream_options_set_backlog(o, int32(n)) }
}

// ReusePort and ReuseAddress set SO_REUSEPORT and SO_REUSEADDR of a server.
func ReusePort(on bool) StreamOption {
	return func(o uintptr) int64 { return sys.Stream_options_set_reuse_port(o, flag(on)) }
}
func ReuseAddress(on bool) StreamOption {
	return func(o uintptr) int64 { return sys.Stream_options_set_reuse_address(o, flag(on)) }
}

// withOptions begins what make makes with them, and with texts.
func withOptions(set []StreamOption, make func(options uintptr) uintptr,
	texts ...string) func() (uintptr, int64) {
	return func() (uintptr, int64) {
		if status := noNUL(texts...); status < 0 {
			return 0, status
		}
		options := sys.Stream_options_new()
		defer sys.Unref(options)
		for _, one := range set {
			if status := one(options); status < 0 {
				return 0, status
			}
		}
		return make(options), sys.ENOMEM
	}
}

// Dialing connects; network is "tcp" (also "tcp4", "tcp6") or "unix".
func (l *Loop) Dialing(network, address string, options ...StreamOption) Op[*Conn] {
	if network == "unix" {
		return Op[*Conn]{loop: l, outcome: connected(l), begin: withOptions(options,
			func(o uintptr) uintptr { return sys.Open_unix_connection(address, o) }, address)}
	}
	host, port, err := hostPort(network, address)
	if err != nil {
		return failedOp[*Conn](l, err)
	}
	options = append(options[:len(options):len(options)], family(network))
	return Op[*Conn]{loop: l, outcome: connected(l), begin: withOptions(options,
		func(o uintptr) uintptr { return sys.Open_connection(host, port, o) }, host)}
}

// Dial is Dialing, awaited.
func (l *Loop) Dial(ctx context.Context, network, address string,
	options ...StreamOption) (*Conn, error) {
	return l.Dialing(network, address, options...).Await(ctx)
}

// DialContext is Dial as http.Transport and others want it.
func (l *Loop) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := l.Dial(ctx, network, address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	return conn, nil
}

func hostPort(network, address string) (string, int32, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return "", 0, net.UnknownNetworkError(network)
	}
	return split(network, address)
}

func split(network, address string) (string, int32, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err := net.LookupPort(network, service)
	return host, int32(port), err
}

func family(network string) StreamOption {
	return func(o uintptr) int64 {
		switch network {
		case "tcp4":
			return sys.Stream_options_set_family(o, syscall.AF_INET)
		case "tcp6":
			return sys.Stream_options_set_family(o, syscall.AF_INET6)
		}
		return 0
	}
}

// bytes is the outcome that is an aloop_bytes.
func bytes(_ int64, value uintptr, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	data := sys.BytesOf(value)
	sys.Bytes_unref(value)
	return data, nil
}

// ReadLine reads a line with its '\n'; at the end what is left, perhaps nothing.
func (c *Conn) ReadLine(ctx context.Context) ([]byte, error) { return c.ReadingLine().Await(ctx) }

// ReadingLine is ReadLine, to be awaited.
func (c *Conn) ReadingLine() Op[[]byte] { return opOf(c.o, sys.Stream_readline, bytes) }

// ReadExactly reads n bytes. EINCOMPLETEREAD, an io.ErrUnexpectedEOF, if there
// are less.
func (c *Conn) ReadExactly(ctx context.Context, n int) ([]byte, error) {
	return opOf(c.o, func(p uintptr) uintptr { return sys.Stream_readexactly(p, int64(n)) },
		bytes).Await(ctx)
}

// ReadUntil reads up to and including separator.
func (c *Conn) ReadUntil(ctx context.Context, separator []byte) ([]byte, error) {
	return opOf(c.o, func(p uintptr) uintptr { return sys.Stream_readuntil(p, separator) },
		bytes).Await(ctx)
}

// ReadAll reads to the end.
func (c *Conn) ReadAll(ctx context.Context) ([]byte, error) {
	return opOf(c.o, func(p uintptr) uintptr { return sys.Stream_read(p, -1) }, bytes).Await(ctx)
}

// Send queues data, which is sent as the peer takes it; Drain waits while much is
// queued.
func (c *Conn) Send(data []byte) error {
	return c.o.just(func(p uintptr) int64 { return sys.Stream_write(p, data) })
}

// Drain waits until there is room again.
func (c *Conn) Drain(ctx context.Context) error { return wait(ctx, c.o.waiting(sys.Stream_drain)) }

// CloseWrite ends the sending side, once everything is sent. Not over TLS: syscall.ENOSYS.
func (c *Conn) CloseWrite() error { return c.o.just(sys.Stream_write_eof) }

// AtEOF tells whether the end was read.
func (c *Conn) AtEOF() bool { return c.o.is(sys.Stream_at_eof) }

// Abort closes at once; what is queued is dropped.
func (c *Conn) Abort() error {
	c.once.Do(func() { close(c.closed) })
	return c.o.just(sys.Stream_abort)
}

// WaitClosed waits until the descriptor is closed, and fails with what ended the
// connection.
func (c *Conn) WaitClosed(ctx context.Context) error {
	return wait(ctx, c.o.waiting(sys.Stream_wait_closed))
}

// Buffered is how many bytes wait to be sent.
func (c *Conn) Buffered() int { return c.o.number(sys.Stream_get_write_buffer_size) }

// SetWriteBufferLimits sets the marks between which Drain works.
func (c *Conn) SetWriteBufferLimits(high, low int) error {
	return c.o.just(func(p uintptr) int64 {
		return sys.Stream_set_write_buffer_limits(p, int64(high), int64(low))
	})
}

// net.Conn ---------------------------------------------------------------------

// Read reads up to len(b) bytes, at least one; io.EOF at the end.
func (c *Conn) Read(b []byte) (int, error) {
	if err := c.enter(c.reading, &c.read); err != nil {
		return 0, c.failed("read", err)
	}
	defer func() { <-c.reading }()
	if len(b) == 0 {
		return 0, nil
	}
	late := c.read.passed()
	n, cancelled, err := opOf(c.o,
		func(p uintptr) uintptr { return sys.Stream_read(p, int64(len(b))) },
		func(_ int64, value uintptr, err error) (int, error) {
			if err != nil {
				return 0, err
			}
			n := sys.CopyBytes(b, value)
			sys.Bytes_unref(value)
			return n, nil
		}).awaitUntil(c.closed, late)
	if err != nil {
		return 0, c.failed("read", c.reason(late, cancelled, err))
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Write sends b, and returns when all of it is sent or queued within the limits.
func (c *Conn) Write(b []byte) (int, error) {
	if err := c.enter(c.writing, &c.write); err != nil {
		return 0, c.failed("write", err)
	}
	defer func() { <-c.writing }()
	done := 0
	for done < len(b) || done == 0 {
		part := b[done:]
		if len(part) > chunk {
			part = part[:chunk]
		}
		late := c.write.passed()
		cancelled := false
		err := c.Send(part)
		if err == nil {
			done += len(part)
			_, cancelled, err = c.o.waiting(sys.Stream_drain).awaitUntil(c.closed, late)
		}
		if err != nil {
			return done, c.failed("write", c.reason(late, cancelled, err))
		}
		if len(b) == 0 {
			break
		}
	}
	return done, nil
}

// Close sends what is queued and closes; it does not wait for that.
func (c *Conn) Close() error {
	first := false
	c.once.Do(func() { close(c.closed); first = true })
	if !first {
		return c.failed("close", net.ErrClosed)
	}
	return c.o.just(sys.Stream_close)
}

func (c *Conn) LocalAddr() net.Addr  { return c.local }
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline bounds Read and Write, also those of now; the zero time is no bound.
// What takes a context is bounded by that.
func (c *Conn) SetDeadline(t time.Time) error      { return c.until(t, &c.read, &c.write) }
func (c *Conn) SetReadDeadline(t time.Time) error  { return c.until(t, &c.read) }
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.until(t, &c.write) }

func (c *Conn) until(t time.Time, of ...*deadline) error {
	if err := setAll(c.closed, t, of); err != nil {
		return c.failed("set", err)
	}
	return nil
}

// enter takes the turn to read or write.
func (c *Conn) enter(turn chan struct{}, d *deadline) error {
	select {
	case <-c.closed:
		return net.ErrClosed
	default:
	}
	select {
	case <-d.passed():
		return os.ErrDeadlineExceeded
	default:
	}
	select {
	case turn <- struct{}{}:
		return nil
	case <-c.closed:
		return net.ErrClosed
	case <-d.passed():
		return os.ErrDeadlineExceeded
	}
}

// reason is why an operation failed; cancelled: with the task, and for nothing else.
func (c *Conn) reason(late <-chan struct{}, cancelled bool, err error) error {
	if cancelled {
		return err
	}
	return c.o.loop.givenUp(c.closed, late, err)
}

// givenUp is why an operation failed that a close, a deadline or the end of the loop may
// have ended.
func (l *Loop) givenUp(closed, late <-chan struct{}, err error) error {
	select {
	case <-closed:
		return net.ErrClosed
	default:
	}
	if CodeOf(err) != ECANCELED {
		return err
	}
	select {
	case <-late:
		return os.ErrDeadlineExceeded
	default:
	}
	if l.isStopping() {
		return net.ErrClosed
	}
	return err
}

func (c *Conn) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: c.local.Network(), Source: c.local, Addr: c.remote, Err: err}
}

// setAll sets deadlines of what is not closed.
func setAll(closed <-chan struct{}, t time.Time, of []*deadline) error {
	select {
	case <-closed:
		return net.ErrClosed
	default:
	}
	for _, one := range of {
		one.set(t)
	}
	return nil
}

// A deadline closes a channel when it has passed; setting it anew makes another.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	over  chan struct{}
}

func (d *deadline) init() { d.over = make(chan struct{}) }

func (d *deadline) passed() chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.over
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		<-d.over // the timer is closing it
	}
	d.timer = nil
	select {
	case <-d.over:
		d.over = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		close(d.over)
		return
	}
	over := d.over
	d.timer = time.AfterFunc(left, func() { close(over) })
}
