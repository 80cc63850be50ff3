// Package conformance holds Conn and Listener against golang.org/x/net/nettest, Go's
// own test of what a net.Conn must do. A module of its own, so that the binding
// depends on nothing; Debian has the package (golang-golang-x-net-dev).
package conformance

import (
	"context"
	"net"
	"testing"

	"golang.org/x/net/nettest"
	"libasyncloop.org/asyncloop"
)

func TestConn(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		network := network
		t.Run(network, func(t *testing.T) {
			nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
				return pipe(t, network)
			})
		})
	}
}

// pipe is a connection and the other end of it.
func pipe(t *testing.T, network string) (net.Conn, net.Conn, func(), error) {
	ctx := context.Background()
	loop, err := asyncloop.Start(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	address := "127.0.0.1:0"
	if network == "unix" {
		address = t.TempDir() + "/socket"
	}
	listener, err := loop.Listen(ctx, network, address)
	if err != nil {
		return nil, nil, nil, err
	}
	one, err := loop.Dial(ctx, network, listener.Addr().String())
	if err != nil {
		return nil, nil, nil, err
	}
	other, err := listener.Accept()
	stop := func() {
		one.Close()
		other.Close()
		listener.Close()
		if err := loop.Close(); err != nil {
			t.Error(err)
		}
	}
	return one, other, stop, err
}
