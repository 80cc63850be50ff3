// SPDX-License-Identifier: MIT
using System.Net.Sockets;

namespace AsyncLoop;

/// <summary>Options of connections and servers; what is not set is the library's default.</summary>
public sealed class StreamOptions
{
    /// <summary>The most bytes that ReadLine and ReadUntil look through.</summary>
    public int? Limit { get; init; }

    /// <summary>InterNetwork or InterNetworkV6 alone.</summary>
    public AddressFamily Family { get; init; }

    /// <summary>Where a connection comes from.</summary>
    public (string Host, int Port)? LocalAddress { get; init; }

    /// <summary>After which the next address of a name is tried, too (RFC 8305).</summary>
    public TimeSpan? HappyEyeballsDelay { get; init; }

    /// <summary>Of servers: the length of the kernel's queue.</summary>
    public int? Backlog { get; init; }

    /// <summary>Of servers: SO_REUSEADDR, by default on.</summary>
    public bool? ReuseAddress { get; init; }

    /// <summary>Of servers: SO_REUSEPORT.</summary>
    public bool ReusePort { get; init; }

    /// <summary>Of servers: false to listen with StartServing only.</summary>
    public bool StartServing { get; init; } = true;

    /// <summary>Of servers: more hosts to listen on, beside the one that is given.</summary>
    public IReadOnlyList<string>? Hosts { get; init; }

    /// <summary>
    /// Of servers: how many connections there are at a time; others wait in the kernel's queue.
    /// Null: any number.
    /// </summary>
    public long? MaxConnections { get; init; }

    /// <summary>
    /// Of servers on Unix sockets: whether the socket's file goes with the server, unless it is
    /// another's by then.
    /// </summary>
    public bool CleanupSocket { get; init; } = true;

    /// <summary>SO_KEEPALIVE.</summary>
    public bool KeepAlive { get; init; }

    /// <summary>A client's context for connections, a server's for servers; null: no TLS.</summary>
    public TlsContext? Tls { get; init; }

    /// <summary>The name that the certificate must be for; default: the host.</summary>
    public string? ServerHostName { get; init; }

    /// <summary>How long a handshake may take.</summary>
    public TimeSpan? TlsHandshakeTimeout { get; init; }

    /// <summary>How long closing waits for the peer's close_notify.</summary>
    public TimeSpan? TlsShutdownTimeout { get; init; }

    /// <summary>
    /// A session of an earlier connection to the same server, to be resumed: its
    /// <see cref="LoopStream.TlsSession"/>.
    /// </summary>
    public byte[]? TlsSession { get; init; }

    internal AloopHandle ToNative(SocketCopy? socket = null)
    {
        var handle = new AloopHandle(Errors.CheckPointer(Native.aloop_stream_options_new()));
        IntPtr o = handle.Raw;
        if (Limit is int limit)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(limit, nameof(Limit));
            Errors.Check(Native.aloop_stream_options_set_limit(o, (nuint)limit));
        }
        if (Family != AddressFamily.Unspecified)
        {
            Errors.Check(Native.aloop_stream_options_set_family(o, Sockets.FamilyInC(Family)));
        }
        if (LocalAddress is var (host, port))
        {
            Errors.Check(Native.aloop_stream_options_set_local_address(o, host, port));
        }
        if (HappyEyeballsDelay is TimeSpan delay)
        {
            Errors.Check(Native.aloop_stream_options_set_happy_eyeballs_delay(o,
                delay.TotalSeconds));
        }
        if (Backlog is int backlog) Errors.Check(Native.aloop_stream_options_set_backlog(o,
            backlog));
        if (ReuseAddress is bool reuse)
        {
            Errors.Check(Native.aloop_stream_options_set_reuse_address(o, reuse ? 1 : 0));
        }
        if (ReusePort) Errors.Check(Native.aloop_stream_options_set_reuse_port(o, 1));
        if (KeepAlive) Errors.Check(Native.aloop_stream_options_set_keep_alive(o, 1));
        if (socket != null)
        {
            Errors.Check(Native.aloop_stream_options_set_descriptor(o, socket.Descriptor));
        }
        SetServer(o);
        SetTls(o);
        return handle;
    }

    private void SetServer(IntPtr o)
    {
        if (!StartServing) Errors.Check(Native.aloop_stream_options_set_start_serving(o, 0));
        foreach (string host in Hosts ?? [])
        {
            Errors.Check(Native.aloop_stream_options_add_host(o, host));
        }
        if (MaxConnections is long most)
        {
            Errors.Check(Native.aloop_stream_options_set_max_connections(o, most));
        }
        if (!CleanupSocket) Errors.Check(Native.aloop_stream_options_set_cleanup_socket(o, 0));
    }

    private void SetTls(IntPtr o)
    {
        if (Tls != null) Errors.Check(Native.aloop_stream_options_set_tls(o, Tls.Raw), Tls);
        if (ServerHostName != null)
        {
            Errors.Check(Native.aloop_stream_options_set_server_hostname(o, ServerHostName));
        }
        if (TlsHandshakeTimeout is TimeSpan h)
        {
            Errors.Check(Native.aloop_stream_options_set_tls_handshake_timeout(o, h.TotalSeconds));
        }
        if (TlsShutdownTimeout is TimeSpan t)
        {
            Errors.Check(Native.aloop_stream_options_set_tls_shutdown_timeout(o, t.TotalSeconds));
        }
        if (TlsSession != null) SetSession(o, TlsSession);
    }

    private static unsafe void SetSession(IntPtr o, byte[] session)
    {
        fixed (byte* p = session)
        {
            IntPtr bytes = Errors.CheckPointer(
                Native.aloop_bytes_new(p, (nuint)session.Length));
            long status = Native.aloop_stream_options_set_tls_session(o, bytes);
            Native.aloop_bytes_unref(bytes);
            Errors.Check(status);
        }
    }
}

internal static class Sockets
{
    // .NET numbers families as Windows does.
    internal static int FamilyInC(AddressFamily family) => family switch
    {
        AddressFamily.InterNetwork => 2,
        AddressFamily.InterNetworkV6 => 10,
        AddressFamily.Unix => 1,
        AddressFamily.Unspecified => 0,
        _ => throw new ArgumentOutOfRangeException(nameof(family)),
    };
}
