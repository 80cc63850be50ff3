package asyncloop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"syscall"
	"testing"
	"time"
)

// selfSigned makes a certificate for localhost, and its key, in PEM.
func selfSigned(t *testing.T) (cert, key string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}))
}

func tlsEcho(t *testing.T, loop *Loop, cert, key string) *Listener {
	server := NewTLSServer(loop)
	if err := server.LoadCertChainPEM(cert, key, ""); err != nil {
		t.Fatal(err)
	}
	if err := server.SetALPN("echo"); err != nil {
		t.Fatal(err)
	}
	listener, err := loop.Listen(background, "tcp", "127.0.0.1:0", TLS(server))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				conn.Close()
			}()
		}
	}()
	return listener
}

func TestTLS(t *testing.T) {
	loop := startLoop(t, OnUnhandled(func(Unhandled) {}))
	cert, key := selfSigned(t)
	listener := tlsEcho(t, loop, cert, key)
	client := NewTLSClient(loop)
	_, err := loop.Dial(background, "tcp", listener.Addr().String(), TLS(client),
		ServerHostname("localhost"))
	if CodeOf(err).Name() != "ALOOP_ETLSCERT" {
		t.Error("an authority that nobody knows:", err)
	}
	if err := client.LoadVerifyPEM(cert); err != nil {
		t.Fatal(err)
	}
	if err := client.SetALPN("echo"); err != nil {
		t.Error(err)
	}
	_, err = loop.Dial(background, "tcp", listener.Addr().String(), TLS(client),
		ServerHostname("example.org"))
	if CodeOf(err).Name() != "ALOOP_ETLSCERT" {
		t.Error("another name:", err)
	}
	conn, err := loop.Dial(background, "tcp", listener.Addr().String(), TLS(client),
		ServerHostname("localhost"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	echoed(t, conn)
	if conn.ExtraInfo("alpn_protocol") != "echo" || conn.ExtraInfo("tls_version") != "TLSv1.3" {
		t.Error(conn.ExtraInfo("alpn_protocol"), conn.ExtraInfo("tls_version"))
	}
	found, err := conn.PeerCertificate()
	if err != nil || found.Subject.CommonName != "localhost" {
		t.Error(found, err)
	}
	if err := conn.CloseWrite(); !errors.Is(err, syscall.ENOSYS) {
		t.Error(err)
	}
	var detail *Error
	if err := client.LoadVerifyPEM("no PEM"); !errors.As(err, &detail) || detail.Message == "" {
		t.Error(err)
	}
}

func echoed(t *testing.T, conn io.ReadWriter) {
	t.Helper()
	if _, err := io.WriteString(conn, "through TLS"); err != nil {
		t.Fatal(err)
	}
	back := make([]byte, len("through TLS"))
	if _, err := io.ReadFull(conn, back); err != nil || string(back) != "through TLS" {
		t.Errorf("%q %v", back, err)
	}
}

// Go's crypto/tls as the client, over a Conn of the loop.
func TestTLSWithGo(t *testing.T) {
	loop := startLoop(t)
	cert, key := selfSigned(t)
	listener := tlsEcho(t, loop, cert, key)
	conn, err := loop.Dial(background, "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(cert))
	secure := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: "localhost",
		NextProtos: []string{"echo"}})
	defer secure.Close()
	echoed(t, secure)
}

func TestStartTLS(t *testing.T) {
	loop := startLoop(t)
	cert, key := selfSigned(t)
	listener, err := loop.Listen(background, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	server, client := NewTLSServer(loop), NewTLSClient(loop)
	if err := server.LoadCertChainPEM(cert, key, ""); err != nil {
		t.Fatal(err)
	}
	if err := client.LoadVerifyPEM(cert); err != nil {
		t.Fatal(err)
	}
	go func() {
		conn, err := listener.AcceptConn(background)
		if err != nil {
			t.Error(err)
			return
		}
		if err = conn.StartTLS(background, server); err != nil {
			t.Error(err)
		}
		_, _ = io.Copy(conn, conn)
		conn.Close()
	}()
	conn, err := loop.Dial(background, "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.StartTLS(background, client, ServerHostname("localhost")); err != nil {
		t.Fatal(err)
	}
	echoed(t, conn)
}
