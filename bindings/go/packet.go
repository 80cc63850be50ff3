package asyncloop

import (
	"context"
	"net"
	"os"
	"sync"
	"time"

	"libasyncloop.org/asyncloop/internal/sys"
)

// A PacketConn is an endpoint for datagrams: a net.PacketConn.
type PacketConn struct {
	o      *object
	read   deadline
	write  deadline
	once   sync.Once
	closed chan struct{}
	local  net.Addr
}

var _ net.PacketConn = (*PacketConn)(nil)

// ListenPacket makes one on an address; network is "udp" (also "udp4", "udp6").
func (l *Loop) ListenPacket(ctx context.Context, network, address string) (*PacketConn, error) {
	where, err := net.ResolveUDPAddr(network, address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	host := ""
	if where.IP != nil {
		host = where.IP.String()
	}
	return Op[*PacketConn]{loop: l, begin: starting(func() uintptr {
		options := sys.Datagram_options_new()
		defer sys.Unref(options)
		sys.Datagram_options_set_local_address(options, host, int32(where.Port))
		return sys.Create_datagram_endpoint(options)
	}), outcome: func(_ int64, p uintptr, err error) (*PacketConn, error) {
		if err != nil {
			return nil, &net.OpError{Op: "listen", Net: network, Err: err}
		}
		return newPacketConn(l, p), nil
	}}.Await(ctx)
}

func newPacketConn(loop *Loop, p uintptr) *PacketConn {
	c := &PacketConn{
		o:      newObject(loop, func(to *uintptr) int64 { *to = p; return 0 }),
		closed: make(chan struct{}),
	}
	c.read.init()
	c.write.init()
	local := sys.Datagram_local_address(p) // a reference
	c.local = udpAddress(local)
	sys.Unref(local)
	return c
}

// udpAddress is an aloop_address, borrowed, as Go has it.
func udpAddress(p uintptr) net.Addr {
	if p == 0 {
		return nil
	}
	text := make([]byte, 128)
	n := sys.Address_format(p, text)
	found, err := net.ResolveUDPAddr("udp", string(text[:min(max(n, 0), int64(len(text)-1))]))
	if err != nil {
		return nil
	}
	return found
}

// ReadFrom reads one datagram; what is longer than b is cut.
func (c *PacketConn) ReadFrom(b []byte) (n int, from net.Addr, err error) {
	if err = c.ready(&c.read); err != nil {
		return 0, nil, c.failed("read", err)
	}
	n, err = opOf(c.o, sys.Datagram_recvfrom,
		func(_ int64, packet uintptr, err error) (int, error) {
			if err != nil {
				return 0, err
			}
			defer sys.Unref(packet)
			from = udpAddress(sys.Packet_address(packet))
			return sys.CopyMemory(b, sys.Packet_data(packet), sys.Packet_size(packet)), nil
		}).awaitUntil(c.closed, c.read.passed())
	if err != nil {
		return 0, nil, c.failed("read", c.reason(err))
	}
	return n, from, nil
}

// WriteTo sends b as one datagram.
func (c *PacketConn) WriteTo(b []byte, to net.Addr) (int, error) {
	if err := c.ready(&c.write); err != nil {
		return 0, c.failed("write", err)
	}
	where, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, c.failed("write", EINVAL)
	}
	err := c.o.just(func(p uintptr) int64 {
		var address uintptr
		status := sys.Address_new(&address, where.IP.String(), int32(where.Port))
		if status < 0 {
			return status
		}
		defer sys.Unref(address)
		return sys.Datagram_sendto_nowait(p, b, address)
	})
	if err == nil {
		_, err = c.o.waiting(sys.Datagram_drain).awaitUntil(c.closed, c.write.passed())
	}
	if err != nil {
		return 0, c.failed("write", c.reason(err))
	}
	return len(b), nil
}

// Close sends what is queued, and closes.
func (c *PacketConn) Close() error {
	first := false
	c.once.Do(func() { close(c.closed); first = true })
	if !first {
		return c.failed("close", net.ErrClosed)
	}
	return c.o.just(sys.Datagram_close)
}

func (c *PacketConn) LocalAddr() net.Addr { return c.local }

func (c *PacketConn) SetDeadline(t time.Time) error {
	c.read.set(t)
	c.write.set(t)
	return nil
}
func (c *PacketConn) SetReadDeadline(t time.Time) error  { c.read.set(t); return nil }
func (c *PacketConn) SetWriteDeadline(t time.Time) error { c.write.set(t); return nil }

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

func (c *PacketConn) reason(err error) error { return givenUp(c.closed, err) }

func (c *PacketConn) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: c.local, Err: err}
}
