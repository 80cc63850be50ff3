package asyncloop

import (
	"errors"
	"net"
	"os"
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
}
