package asyncloop

import (
	"context"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"libasyncloop.org/asyncloop/internal/sys"
)

// A PacketConn is an endpoint for datagrams: a net.PacketConn, and a net.Conn if it was
// dialed.
type PacketConn struct {
	o      *object
	read   deadline
	write  deadline
	once   sync.Once
	closed chan struct{}
	local  net.Addr
	remote net.Addr // nil unless it was dialed
}

var _ net.PacketConn = (*PacketConn)(nil)
var _ net.Conn = (*PacketConn)(nil)

// A PacketOption changes how an endpoint is made, which fails with EINVAL where a value
// is out of range.
type PacketOption func(options uintptr) (status int64)

// PacketBroadcast sets SO_BROADCAST, PacketReusePort SO_REUSEPORT, ReceiveBuffer
// SO_RCVBUF, in bytes.
func PacketBroadcast(on bool) PacketOption {
	return func(o uintptr) int64 { return sys.Datagram_options_set_broadcast(o, flag(on)) }
}
func PacketReusePort(on bool) PacketOption {
	return func(o uintptr) int64 { return sys.Datagram_options_set_reuse_port(o, flag(on)) }
}
func ReceiveBuffer(bytes int) PacketOption {
	return func(o uintptr) int64 { return sys.Datagram_options_set_receive_buffer(o, int32(bytes)) }
}

// PacketSize is the longest datagram that is received whole, 65536 unless set.
func PacketSize(bytes int) PacketOption {
	return func(o uintptr) int64 { return sys.Datagram_options_set_max_size(o, int64(bytes)) }
}

// PacketBatch is how many datagrams one system call takes, 1 to 32; 16 unless set.
func PacketBatch(n int) PacketOption {
	return func(o uintptr) int64 { return sys.Datagram_options_set_batch(o, int32(n)) }
}

// withPacketOptions begins an endpoint with them.
func withPacketOptions(set []PacketOption, more ...PacketOption) func() (uintptr, int64) {
	return func() (uintptr, int64) {
		options := sys.Datagram_options_new()
		defer sys.Unref(options)
		for _, one := range append(set[:len(set):len(set)], more...) {
			if status := one(options); status < 0 {
				return 0, status
			}
		}
		return sys.Create_datagram_endpoint(options), sys.ENOMEM
	}
}

// ListenPacket makes an endpoint on an address; network is "udp" (also "udp4", "udp6")
// or "unixgram".
func (l *Loop) ListenPacket(ctx context.Context, network, address string,
	options ...PacketOption) (*PacketConn, error) {
	local, err := packetAddress(network, address,
		sys.Datagram_options_set_local_address, sys.Datagram_options_set_local_path)
	return l.endpoint(ctx, "listen", network, err, options, local)
}

// DialPacket makes an endpoint with one peer, to which Write writes and from which alone
// it reads; it is bound to local unless that is "".
func (l *Loop) DialPacket(ctx context.Context, network, local, remote string,
	options ...PacketOption) (*PacketConn, error) {
	to, err := packetAddress(network, remote,
		sys.Datagram_options_set_remote_address, sys.Datagram_options_set_remote_path)
	both := []PacketOption{to}
	if local != "" && err == nil {
		var from PacketOption
		from, err = packetAddress(network, local,
			sys.Datagram_options_set_local_address, sys.Datagram_options_set_local_path)
		both = append(both, from)
	}
	return l.endpoint(ctx, "dial", network, err, options, both...)
}

func (l *Loop) endpoint(ctx context.Context, op, network string, err error,
	options []PacketOption, where ...PacketOption) (*PacketConn, error) {
	var made *PacketConn
	if err == nil {
		made, err = Op[*PacketConn]{loop: l, begin: withPacketOptions(options, where...),
			outcome: packets(l)}.Await(ctx)
	}
	if err != nil {
		return nil, &net.OpError{Op: op, Net: network, Err: err}
	}
	return made, nil
}

// packetAddress is the option that is an address.
func packetAddress(network, address string, ip func(uintptr, string, int32) int64,
	path func(uintptr, string) int64) (PacketOption, error) {
	if network == "unixgram" {
		return func(o uintptr) int64 { return refused(noNUL(address), path(o, address)) }, nil
	}
	family := int32(0)
	switch network {
	case "udp":
	case "udp4":
		family = syscall.AF_INET
	case "udp6":
		family = syscall.AF_INET6
	default:
		return nil, net.UnknownNetworkError(network)
	}
	host, port, err := split(network, address)
	return func(o uintptr) int64 {
		if family != 0 {
			if status := sys.Datagram_options_set_family(o, family); status < 0 {
				return status
			}
		}
		return refused(noNUL(host), ip(o, host, port))
	}, err
}

// packets is the outcome that is an endpoint.
func packets(loop *Loop) func(int64, uintptr, error) (*PacketConn, error) {
	return func(_ int64, p uintptr, err error) (*PacketConn, error) {
		if err != nil {
			return nil, err
		}
		c := &PacketConn{
			o:      newObject(loop, func(to *uintptr) int64 { *to = p; return 0 }),
			closed: make(chan struct{}),
		}
		c.read.init()
		c.write.init()
		c.local = ownedAddress(sys.Datagram_local_address(p))
		c.remote = ownedAddress(sys.Datagram_remote_address(p))
		return c, nil
	}
}

func ownedAddress(p uintptr) net.Addr {
	defer sys.Unref(p)
	return packetAddr(p)
}

// packetAddr is an aloop_address, borrowed, as Go has it; nil: it has no name.
func packetAddr(p uintptr) net.Addr {
	switch sys.Address_family(p) {
	case syscall.AF_UNIX:
		name := textOf(func(text []byte) int64 { return sys.Address_host(p, text) })
		if name != "" {
			return &net.UnixAddr{Name: name, Net: "unixgram"}
		}
	case syscall.AF_INET, syscall.AF_INET6:
		found, err := net.ResolveUDPAddr("udp",
			textOf(func(text []byte) int64 { return sys.Address_format(p, text) }))
		if err == nil {
			return found
		}
	}
	return nil
}

// ReadFrom reads one datagram; what is longer than b is cut.
func (c *PacketConn) ReadFrom(b []byte) (n int, from net.Addr, err error) {
	if err = c.ready(&c.read); err != nil {
		return 0, nil, c.failed("read", nil, err)
	}
	late := c.read.passed()
	n, cancelled, err := opOf(c.o, sys.Datagram_recvfrom,
		func(_ int64, packet uintptr, err error) (int, error) {
			if err != nil {
				return 0, err
			}
			defer sys.Unref(packet)
			from = packetAddr(sys.Packet_address(packet))
			return sys.CopyMemory(b, sys.Packet_data(packet), sys.Packet_size(packet)), nil
		}).awaitUntil(c.closed, late)
	if err != nil {
		return 0, nil, c.failed("read", nil, c.reason(late, cancelled, err))
	}
	return n, from, nil
}

// Read is ReadFrom where it does not matter from whom.
func (c *PacketConn) Read(b []byte) (int, error) {
	n, _, err := c.ReadFrom(b)
	return n, err
}

// WriteTo sends b as one datagram.
func (c *PacketConn) WriteTo(b []byte, to net.Addr) (int, error) {
	if c.remote != nil {
		return 0, c.failed("write", to, net.ErrWriteToConnected)
	}
	return c.send(b, to, func() (address uintptr, status int64) {
		switch to := to.(type) {
		case *net.UDPAddr:
			if to == nil {
				return 0, sys.EINVAL
			}
			status = sys.Address_new(&address, hostOf(to), int32(to.Port))
		case *net.UnixAddr:
			if to == nil {
				return 0, sys.EINVAL
			}
			if status = noNUL(to.Name); status == 0 {
				status = sys.Address_new_unix(&address, to.Name)
			}
		default:
			status = sys.EINVAL
		}
		return address, status
	})
}

// hostOf is the host of an address as C has it, with the zone of a link-local one.
func hostOf(to *net.UDPAddr) string {
	return (&net.IPAddr{IP: to.IP, Zone: to.Zone}).String()
}

// Write sends b as one datagram to the peer that was dialed.
func (c *PacketConn) Write(b []byte) (int, error) {
	if c.remote == nil {
		return 0, c.failed("write", nil, syscall.ENOTCONN)
	}
	return c.send(b, c.remote, func() (uintptr, int64) { return 0, 0 })
}

func (c *PacketConn) send(b []byte, to net.Addr, address func() (uintptr, int64)) (int, error) {
	if err := c.ready(&c.write); err != nil {
		return 0, c.failed("write", to, err)
	}
	late := c.write.passed()
	cancelled := false
	err := c.o.just(func(p uintptr) int64 {
		where, status := address()
		if status < 0 {
			return status
		}
		defer sys.Unref(where)
		return sys.Datagram_sendto_nowait(p, b, where)
	})
	if err == nil {
		_, cancelled, err = c.o.waiting(sys.Datagram_drain).awaitUntil(c.closed, late)
	}
	if err != nil {
		return 0, c.failed("write", to, c.reason(late, cancelled, err))
	}
	return len(b), nil
}

// SetWriteBufferLimits sets the marks between which writing waits.
func (c *PacketConn) SetWriteBufferLimits(high, low int) error {
	return c.o.just(func(p uintptr) int64 {
		return sys.Datagram_set_write_buffer_limits(p, int64(high), int64(low))
	})
}

// Close sends what is queued, and closes.
func (c *PacketConn) Close() error {
	first := false
	c.once.Do(func() { close(c.closed); first = true })
	if !first {
		return c.failed("close", nil, net.ErrClosed)
	}
	return c.o.just(sys.Datagram_close)
}

// WaitClosed waits until the descriptor is closed, and what was queued is sent.
func (c *PacketConn) WaitClosed(ctx context.Context) error {
	return wait(ctx, c.o.waiting(sys.Datagram_wait_closed))
}

// RemoteAddr is the only peer; nil where there is none.
func (c *PacketConn) RemoteAddr() net.Addr { return c.remote }
func (c *PacketConn) LocalAddr() net.Addr  { return c.local }

// SetDeadline bounds what reads and writes, also what does now; the zero time is no bound.
func (c *PacketConn) SetDeadline(t time.Time) error      { return c.until(t, &c.read, &c.write) }
func (c *PacketConn) SetReadDeadline(t time.Time) error  { return c.until(t, &c.read) }
func (c *PacketConn) SetWriteDeadline(t time.Time) error { return c.until(t, &c.write) }

func (c *PacketConn) until(t time.Time, of ...*deadline) error {
	if err := setAll(c.closed, t, of); err != nil {
		return c.failed("set", nil, err)
	}
	return nil
}

func (c *PacketConn) ready(d *deadline) error {
	select {
	case <-c.closed:
		return net.ErrClosed
	case <-d.passed():
		return os.ErrDeadlineExceeded
	default:
		return nil
	}
}

func (c *PacketConn) reason(late <-chan struct{}, cancelled bool, err error) error {
	if cancelled {
		return err
	}
	return c.o.loop.givenUp(c.closed, late, err)
}

func (c *PacketConn) failed(op string, to net.Addr, err error) error {
	network := "udp"
	if c.local != nil {
		network = c.local.Network()
	}
	return &net.OpError{Op: op, Net: network, Source: c.local, Addr: to, Err: err}
}
