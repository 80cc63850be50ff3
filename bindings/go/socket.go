package asyncloop

import (
	"context"
	"net"
	"os"
	"syscall"

	"libasyncloop.org/asyncloop/internal/sys"
)

// duplicate gives a descriptor of the same socket, so that the caller's file stays the
// caller's, as in package net.
func duplicate(file *os.File) (int, error) {
	connection, err := file.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	if failed := connection.Control(func(from uintptr) {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if fd, err = syscall.Dup(int(from)); err == nil {
			syscall.CloseOnExec(fd)
		}
	}); failed != nil {
		return -1, failed
	}
	return fd, err
}

// overFile begins an operation over a socket of the program's, of which it makes a copy;
// what is refused is closed.
func overFile[T any](ctx context.Context, l *Loop, file *os.File,
	begin func(fd int32) func() (uintptr, int64),
	outcome func(int64, uintptr, error) (T, error)) (T, error) {
	fd, err := duplicate(file)
	if err == nil {
		var made T
		taken := false
		made, err = Op[T]{loop: l, begin: begin(int32(fd)),
			outcome: func(status int64, value uintptr, err error) (T, error) {
				taken = err == nil
				return outcome(status, value, err)
			}}.Await(ctx)
		if err == nil {
			return made, nil
		}
		if !taken {
			syscall.Close(fd)
		}
	}
	var none T
	return none, &net.OpError{Op: "file", Net: "file+net", Err: err}
}

// FileConn makes a Conn over a copy of a connected socket, which stays the caller's to
// close: net.FileConn. TLS over it is StartTLS.
func (l *Loop) FileConn(ctx context.Context, file *os.File) (*Conn, error) {
	return overFile(ctx, l, file, func(fd int32) func() (uintptr, int64) {
		return withOptions([]StreamOption{descriptor(fd)}, func(o uintptr) uintptr {
			return sys.Open_connection("", 0, o)
		})
	}, connected(l))
}

// FileListener serves on a copy of a bound socket, which stays the caller's to close:
// net.FileListener.
func (l *Loop) FileListener(ctx context.Context, file *os.File,
	options ...StreamOption) (*Listener, error) {
	return overFile(ctx, l, file, func(fd int32) func() (uintptr, int64) {
		options := append(options[:len(options):len(options)], descriptor(fd))
		return withOptions(options, func(o uintptr) uintptr {
			if _, ok := nameOf(int(fd)).(*net.UnixAddr); ok {
				return sys.Start_unix_server(0, 0, "", o)
			}
			return sys.Start_server(0, 0, "", 0, o)
		})
	}, listening(l))
}

// FilePacketConn makes a PacketConn over a copy of a datagram socket, which stays the
// caller's to close: net.FilePacketConn.
func (l *Loop) FilePacketConn(ctx context.Context, file *os.File,
	options ...PacketOption) (*PacketConn, error) {
	return overFile(ctx, l, file, func(fd int32) func() (uintptr, int64) {
		return withPacketOptions(options, func(o uintptr) int64 {
			return sys.Datagram_options_set_descriptor(o, fd)
		})
	}, packets(l))
}

func descriptor(fd int32) StreamOption {
	return func(o uintptr) int64 { return sys.Stream_options_set_descriptor(o, fd) }
}

// nameOf is the address to which a stream socket is bound; nil where it has none.
func nameOf(fd int) net.Addr {
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return nil
	}
	switch a := name.(type) {
	case *syscall.SockaddrInet4:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	case *syscall.SockaddrInet6:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	case *syscall.SockaddrUnix:
		return &net.UnixAddr{Name: a.Name, Net: "unix"}
	}
	return nil
}
