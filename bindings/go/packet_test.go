package asyncloop

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestPackets(t *testing.T) {
	loop := startLoop(t)
	one, err := loop.ListenPacket(background, "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	other, err := loop.ListenPacket(background, "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := one.WriteTo([]byte("a datagram"), other.LocalAddr()); n != 10 || err != nil {
		t.Error(n, err)
	}
	text := make([]byte, 64)
	n, from, err := other.ReadFrom(text)
	if err != nil || string(text[:n]) != "a datagram" || from.String() != one.LocalAddr().String() {
		t.Errorf("%q %v %v", text[:n], from, err)
	}
	_ = other.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
	if _, _, err := other.ReadFrom(text); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	_ = other.SetReadDeadline(time.Time{})
	go func() {
		time.Sleep(time.Millisecond)
		other.Close()
	}()
	if _, _, err := other.ReadFrom(text); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	one.Close()
	for _, conn := range []*PacketConn{one, other} {
		if err := conn.WaitClosed(background); err != nil {
			t.Error(err)
		}
	}
	given := &net.UDPAddr{IP: net.ParseIP("fe80::1"), Port: 7, Zone: "eth0"}
	if hostOf(given) != "fe80::1%eth0" {
		t.Error("the zone of an address is lost:", hostOf(given))
	}
}

// With one peer: reads from that alone, and Write needs no address.
func TestDialedPackets(t *testing.T) {
	loop := startLoop(t)
	server, err := loop.ListenPacket(background, "udp4", "127.0.0.1:0", PacketSize(4),
		ReceiveBuffer(1<<16))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	client, err := loop.DialPacket(background, "udp", "127.0.0.1:0", server.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.SetWriteBufferLimits(1000, 100); err != nil {
		t.Error(err)
	}
	if n, err := client.Write([]byte("too long")); n != 8 || err != nil {
		t.Error(n, err)
	}
	text := make([]byte, 64)
	n, from, err := server.ReadFrom(text)
	if err != nil || string(text[:n]) != "too " || from.String() != client.LocalAddr().String() {
		t.Errorf("%q %v %v", text[:n], from, err)
	}
	if _, err := server.WriteTo([]byte("back"), from); err != nil {
		t.Error(err)
	}
	if n, err := client.Read(text); err != nil || string(text[:n]) != "back" {
		t.Errorf("%q %v", text[:n], err)
	}
	if client.RemoteAddr().String() != server.LocalAddr().String() || server.RemoteAddr() != nil {
		t.Error(client.RemoteAddr(), server.RemoteAddr())
	}
	if _, err := client.WriteTo([]byte("x"), from); !errors.Is(err, net.ErrWriteToConnected) {
		t.Error(err)
	}
	if _, err := server.Write([]byte("x")); !errors.Is(err, syscall.ENOTCONN) {
		t.Error(err)
	}
	if _, err := server.WriteTo([]byte("x"), nil); !errors.Is(err, EINVAL) {
		t.Error(err)
	}
	if _, err := loop.ListenPacket(background, "ip", "127.0.0.1:0"); err == nil {
		t.Error("no such network")
	}
	if _, err := loop.DialPacket(background, "udp", "", "no port"); err == nil {
		t.Error("no such address")
	}
}

func TestUnixPackets(t *testing.T) {
	loop := startLoop(t)
	folder := t.TempDir()
	open := func(name string) *PacketConn {
		conn, err := loop.ListenPacket(background, "unixgram", folder+"/"+name)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	one, other := open("one"), open("other")
	if _, err := one.WriteTo([]byte("a datagram"), other.LocalAddr()); err != nil {
		t.Error(err)
	}
	text := make([]byte, 64)
	n, from, err := other.ReadFrom(text)
	if err != nil || string(text[:n]) != "a datagram" || from.String() != folder+"/one" ||
		from.Network() != "unixgram" {
		t.Errorf("%q %v %v", text[:n], from, err)
	}
	dialed, err := loop.DialPacket(background, "unixgram", "", folder+"/one")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dialed.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if n, from, err = one.ReadFrom(text); err != nil || n != 1 || from != nil {
		t.Error(n, from, err)
	}
	dialed.Close()
	one.Close()
	other.Close()
	if err := other.SetReadDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := loop.DialPacket(background, "unixgram", "", folder+"/none"); err == nil {
		t.Error("nobody is there")
	}
}
