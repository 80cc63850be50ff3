package asyncloop

import (
	"context"
	"crypto/x509"
	"runtime"
	"strings"
	"time"

	"libasyncloop.org/asyncloop/internal/sys"
)

// A TLSContext is what a TLS client or server knows: certificates, authorities,
// versions. Python's ssl.SSLContext. Go's crypto/tls over a Conn works as well.
type TLSContext struct{ o *object }

// NewTLSClient makes a client's: it verifies the server's certificate against the
// system's authorities, and its name.
func NewTLSClient(loop *Loop) *TLSContext {
	return &TLSContext{newObject(loop, sys.Tls_context_new_client)}
}

// NewTLSServer makes a server's, which needs LoadCertChain.
func NewTLSServer(loop *Loop) *TLSContext {
	return &TLSContext{newObject(loop, sys.Tls_context_new_server)}
}

// set changes the context, by texts; a failure comes with OpenSSL's reason.
func (c *TLSContext) set(what func(p uintptr) int64, texts ...string) error {
	if c.o.err != nil {
		return c.o.err
	}
	if noNUL(texts...) < 0 {
		return EINVAL
	}
	var failure error
	if err := c.o.loop.do(func() {
		if status := what(c.o.p); status < 0 {
			failure = fromC(status, sys.Tls_context_error(c.o.p))
		}
	}); err != nil {
		return err
	}
	runtime.KeepAlive(c)
	return failure
}

// LoadVerify names the authorities that certificates must come from, instead of
// the system's: a file in PEM, or a directory (openssl rehash).
func (c *TLSContext) LoadVerify(file, directory string) error {
	return c.set(func(p uintptr) int64 {
		return sys.Tls_context_load_verify(p, file, directory)
	}, file, directory)
}

// LoadVerifyPEM is the same from memory.
func (c *TLSContext) LoadVerifyPEM(pem string) error {
	return c.set(func(p uintptr) int64 {
		return sys.Tls_context_load_verify_memory(p, pem)
	}, pem)
}

// LoadCertChain loads the own certificate and its key, of PEM files; without
// keyFile both are in certFile.
func (c *TLSContext) LoadCertChain(certFile, keyFile, password string) error {
	return c.set(func(p uintptr) int64 {
		return sys.Tls_context_load_cert_chain(p, certFile, keyFile, password)
	}, certFile, keyFile, password)
}

// LoadCertChainPEM is the same from memory.
func (c *TLSContext) LoadCertChainPEM(cert, key, password string) error {
	return c.set(func(p uintptr) int64 {
		return sys.Tls_context_load_cert_chain_memory(p, cert, key, password)
	}, cert, key, password)
}

// VerifyMode says whether the peer must have a certificate that verifies.
type VerifyMode int32

const (
	VerifyNone     VerifyMode = sys.TLS_VERIFY_NONE
	VerifyOptional VerifyMode = sys.TLS_VERIFY_OPTIONAL
	VerifyRequired VerifyMode = sys.TLS_VERIFY_REQUIRED
)

// SetVerifyMode sets it.
func (c *TLSContext) SetVerifyMode(mode VerifyMode) error {
	return c.set(func(p uintptr) int64 { return sys.Tls_context_set_verify_mode(p, int32(mode)) })
}

// SetCheckHostname says whether a client checks the server's name.
func (c *TLSContext) SetCheckHostname(check bool) error {
	return c.set(func(p uintptr) int64 {
		return sys.Tls_context_set_check_hostname(p, flag(check))
	})
}

// SetALPN names the protocols spoken over TLS, the preferred first.
func (c *TLSContext) SetALPN(protocols ...string) error {
	return c.set(func(p uintptr) int64 {
		return sys.Tls_context_set_alpn(p, strings.Join(protocols, ","))
	}, protocols...)
}

// SetVersions bounds the version by tls.VersionTLS12 and the like; 0: no bound.
func (c *TLSContext) SetVersions(least, most uint16) error {
	return c.set(func(p uintptr) int64 {
		if status := sys.Tls_context_set_min_version(p, int32(least)); status < 0 {
			return status
		}
		return sys.Tls_context_set_max_version(p, int32(most))
	})
}

// SetCiphers sets those of TLS 1.2 and older, SetCipherSuites those of TLS 1.3, in
// OpenSSL's words.
func (c *TLSContext) SetCiphers(ciphers string) error {
	return c.set(func(p uintptr) int64 { return sys.Tls_context_set_ciphers(p, ciphers) }, ciphers)
}
func (c *TLSContext) SetCipherSuites(suites string) error {
	return c.set(func(p uintptr) int64 {
		return sys.Tls_context_set_ciphersuites(p, suites)
	}, suites)
}

// AddName gives clients that ask a server for name the settings of other.
func (c *TLSContext) AddName(name string, other *TLSContext) error {
	if other.o.err != nil {
		return other.o.err
	}
	return c.set(func(p uintptr) int64 {
		return sys.Tls_context_add_name(p, name, other.o.p)
	}, name)
}

// SetSessionCache makes a client remember the sessions of so many servers.
func (c *TLSContext) SetSessionCache(servers int) error {
	return c.set(func(p uintptr) int64 {
		return sys.Tls_context_set_session_cache(p, int32(servers))
	})
}

// SetKeylogFile appends the secrets of each connection to a file, for Wireshark.
func (c *TLSContext) SetKeylogFile(path string) error {
	return c.set(func(p uintptr) int64 { return sys.Tls_context_set_keylog_file(p, path) }, path)
}

// TLS makes a connection or a server speak TLS.
func TLS(c *TLSContext) StreamOption {
	return func(o uintptr) int64 {
		if c.o.err != nil {
			return int64(CodeOf(c.o.err))
		}
		return sys.Stream_options_set_tls(o, c.o.p)
	}
}

// ServerHostname is the name that the server's certificate must be for; the host
// that is dialed unless set.
func ServerHostname(name string) StreamOption {
	return func(o uintptr) int64 {
		return refused(noNUL(name), sys.Stream_options_set_server_hostname(o, name))
	}
}

// HandshakeTimeout bounds the handshake, ShutdownTimeout the end of a connection.
func HandshakeTimeout(limit time.Duration) StreamOption {
	return func(o uintptr) int64 {
		return sys.Stream_options_set_tls_handshake_timeout(o, limit.Seconds())
	}
}
func ShutdownTimeout(limit time.Duration) StreamOption {
	return func(o uintptr) int64 {
		return sys.Stream_options_set_tls_shutdown_timeout(o, limit.Seconds())
	}
}

// TLSSession resumes a session of an earlier connection to the same server.
func TLSSession(session []byte) StreamOption {
	return func(o uintptr) int64 {
		copied := sys.Bytes_new(session)
		defer sys.Bytes_unref(copied)
		return sys.Stream_options_set_tls_session(o, copied)
	}
}

// StartTLS upgrades the connection in place.
func (c *Conn) StartTLS(ctx context.Context, with *TLSContext, options ...StreamOption) error {
	if err := firstError(c.o.err, with.o.err); err != nil {
		return err
	}
	return wait(ctx, Op[struct{}]{loop: c.o.loop, outcome: nothing, begin: withOptions(options,
		func(o uintptr) uintptr { return sys.Stream_start_tls(c.o.p, with.o.p, o) })})
}

func firstError(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

// ExtraInfo tells about the connection, "" where there is nothing: "peername",
// "sockname", "fd", and of TLS "tls_version", "cipher", "alpn_protocol",
// "verify_result", "peercert_subject" and others (tls.h has them all).
func (c *Conn) ExtraInfo(name string) string {
	text := ""
	_ = c.o.just(func(p uintptr) int64 { text = extra(p, name); return 0 })
	return text
}

// PeerCertificate is the certificate of the other side.
func (c *Conn) PeerCertificate() (*x509.Certificate, error) {
	der, err := c.gives(sys.Stream_get_peer_certificate)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// Session is for TLSSession: a secret. With TLS 1.3 it comes with the first data.
func (c *Conn) Session() ([]byte, error) { return c.gives(sys.Stream_get_tls_session) }

func (c *Conn) gives(get func(p uintptr, to *uintptr) int64) ([]byte, error) {
	var data []byte
	err := c.o.just(func(p uintptr) int64 {
		var found uintptr
		status := get(p, &found)
		if status >= 0 {
			data = sys.BytesOf(found)
			sys.Bytes_unref(found)
		}
		return status
	})
	return data, err
}
