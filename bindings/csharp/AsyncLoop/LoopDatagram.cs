// Datagrams over UDP and Unix sockets.
// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace AsyncLoop;

/// <summary>How an endpoint is made; what is not set is the library's default.</summary>
public sealed class DatagramOptions
{
    /// <summary>Where it is bound; a port of 0 is any.</summary>
    public (string? Host, int Port)? LocalAddress { get; init; }
    /// <summary>Its only peer.</summary>
    public (string Host, int Port)? RemoteAddress { get; init; }
    /// <summary>The path of a Unix socket; "@name" is an abstract one.</summary>
    public string? LocalPath { get; init; }
    /// <summary>The path of its only peer.</summary>
    public string? RemotePath { get; init; }
    /// <summary>Where no address tells.</summary>
    public AddressFamily Family { get; init; }
    /// <summary>SO_REUSEPORT.</summary>
    public bool ReusePort { get; init; }
    /// <summary>SO_BROADCAST.</summary>
    public bool Broadcast { get; init; }
    /// <summary>The longest datagram; longer ones are cut.</summary>
    public int? MaxSize { get; init; }
    /// <summary>SO_RCVBUF, in bytes.</summary>
    public int? ReceiveBuffer { get; init; }
    /// <summary>How many datagrams one system call takes, 1 to 32.</summary>
    public int? Batch { get; init; }

    internal AloopHandle ToNative(SocketCopy? socket = null)
    {
        var handle = new AloopHandle(Errors.CheckPointer(Native.aloop_datagram_options_new()));
        IntPtr o = handle.Raw;
        if (LocalAddress is var (local, port))
        {
            Errors.Check(Native.aloop_datagram_options_set_local_address(o, local, port));
        }
        if (RemoteAddress is var (remote, to))
        {
            Errors.Check(Native.aloop_datagram_options_set_remote_address(o, remote, to));
        }
        if (LocalPath != null) Errors.Check(Native.aloop_datagram_options_set_local_path(o,
            LocalPath));
        if (RemotePath != null) Errors.Check(Native.aloop_datagram_options_set_remote_path(o,
            RemotePath));
        if (Family != AddressFamily.Unspecified)
        {
            Errors.Check(Native.aloop_datagram_options_set_family(o, Sockets.FamilyInC(Family)));
        }
        if (ReusePort) Errors.Check(Native.aloop_datagram_options_set_reuse_port(o, 1));
        if (Broadcast) Errors.Check(Native.aloop_datagram_options_set_broadcast(o, 1));
        if (MaxSize is int size)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(size, nameof(MaxSize));
            Errors.Check(Native.aloop_datagram_options_set_max_size(o, (nuint)size));
        }
        if (ReceiveBuffer is int bytes)
        {
            Errors.Check(Native.aloop_datagram_options_set_receive_buffer(o, bytes));
        }
        if (Batch is int n) Errors.Check(Native.aloop_datagram_options_set_batch(o, n));
        if (socket != null)
        {
            Errors.Check(Native.aloop_datagram_options_set_descriptor(o, socket.Descriptor));
        }
        return handle;
    }
}

/// <summary>
/// What was received, from whom (null: an unnamed socket), and whether it is cut.
/// </summary>
public sealed record Datagram(byte[] Data, EndPoint? From, bool Truncated);

/// <summary>An endpoint of datagrams. asyncio.DatagramTransport.</summary>
public sealed class LoopDatagram : IAsyncDisposable
{
    private readonly Loop _home;
    private readonly AloopHandle _handle;

    private LoopDatagram(Loop home, IntPtr owned)
    {
        _home = home;
        _handle = new AloopHandle(owned);
    }

    /// <summary>Makes an endpoint. loop.create_datagram_endpoint.</summary>
    public static Task<LoopDatagram> OpenAsync(DatagramOptions options,
        CancellationToken token = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        Loop loop = Loop.Current;
        return Operations.Start(loop, () =>
        {
            using AloopHandle o = options.ToNative();
            return Native.aloop_create_datagram_endpoint(o.Raw);
        }, (in Completion c) => new LoopDatagram(loop, c.Value), token);
    }

    /// <summary>
    /// An endpoint over a copy of a datagram socket, which stays the caller's to dispose of.
    /// </summary>
    public static Task<LoopDatagram> OpenSocketAsync(Socket socket, DatagramOptions? options = null,
        CancellationToken token = default)
    {
        Loop loop = Loop.Current;
        return SocketCopy.Start(loop, socket, copy =>
        {
            using AloopHandle o = (options ?? new DatagramOptions()).ToNative(copy);
            return Native.aloop_create_datagram_endpoint(o.Raw);
        }, made => new LoopDatagram(loop, made), token);
    }

    private static readonly Result<Datagram> s_packet = static (in Completion c) =>
    {
        var packet = new Datagram(BytesOf(c.Value),
            LoopDns.AnyEndPointOf(Native.aloop_packet_address(c.Value)),
            Native.aloop_packet_truncated(c.Value) == 1);
        Native.aloop_unref(c.Value);
        return packet;
    };

    private static unsafe byte[] BytesOf(IntPtr packet) => new ReadOnlySpan<byte>(
        (void*)Native.aloop_packet_data(packet), (int)Native.aloop_packet_size(packet)).ToArray();

    /// <summary>The next datagram. One may wait at a time; cancelled, it loses none.</summary>
    public Task<Datagram> ReceiveAsync(CancellationToken token = default) =>
        Operations.Start(_home, () => Native.aloop_datagram_recvfrom(_handle.Raw), s_packet, token);

    /// <summary>The datagrams, until the endpoint is closed.</summary>
    public async IAsyncEnumerable<Datagram> ReceiveAllAsync(
        [EnumeratorCancellation] CancellationToken token = default)
    {
        while (true)
        {
            Datagram next;
            try
            {
                next = await ReceiveAsync(token);
            }
            catch (ObjectDisposedException)
            {
                yield break;
            }
            yield return next;
        }
    }

    /// <summary>
    /// Sends one; to: null where the endpoint has a peer. Waits while much is queued.
    /// </summary>
    public unsafe Task SendAsync(ReadOnlyMemory<byte> data, EndPoint? to = null,
        CancellationToken token = default)
    {
        MemoryHandle pin = data.Pin();
        var memory = (IntPtr)pin.Pointer;
        return Operations.Start(_home, () =>
        {
            using AloopHandle? address = to == null ? null : LoopDns.ToNative(to);
            return SendTo(memory, data.Length, address);
        }, token, failure =>
        {
            pin.Dispose();
            return failure;
        });
    }

    private unsafe IntPtr SendTo(IntPtr memory, int length, AloopHandle? address) =>
        Native.aloop_datagram_sendto(
        _handle.Raw, (byte*)memory, (nuint)length, address?.Raw ?? IntPtr.Zero);

    /// <summary>Sends or queues one at once; how many bytes now wait.</summary>
    public unsafe long SendNoWait(ReadOnlySpan<byte> data, EndPoint? to = null)
    {
        using AloopHandle? address = to == null ? null : LoopDns.ToNative(to);
        fixed (byte* p = data)
        {
            return Check(Native.aloop_datagram_sendto_nowait(_handle.Raw, p, (nuint)data.Length,
                address?.Raw ?? IntPtr.Zero));
        }
    }

    /// <summary>Done when less than the low-water mark waits.</summary>
    public Task DrainAsync(CancellationToken token = default) =>
        Operations.Start(_home, () => Native.aloop_datagram_drain(_handle.Raw), token);

    /// <summary>Its own address.</summary>
    public EndPoint? LocalEndPoint => Take(Native.aloop_datagram_local_address(_handle.Raw));

    /// <summary>Its peer's.</summary>
    public EndPoint? RemoteEndPoint => Take(Native.aloop_datagram_remote_address(_handle.Raw));

    private EndPoint? Take(IntPtr address)
    {
        if (address == IntPtr.Zero) return null;
        EndPoint? there = LoopDns.AnyEndPointOf(address);
        Native.aloop_unref(address);
        GC.KeepAlive(this);
        return there;
    }

    /// <summary>Datagrams that the kernel dropped, as of the last one received.</summary>
    public long Dropped =>
        Check(Native.aloop_datagram_statistic(_handle.Raw, Native.ALOOP_DATAGRAM_STAT_DROPPED));

    /// <summary>How many bytes wait to be sent.</summary>
    public long WriteBufferSize => Check(Native.aloop_datagram_get_write_buffer_size(_handle.Raw));

    /// <summary>
    /// Where SendAsync begins to wait, and where it ends. Negative: by asyncio's rule.
    /// </summary>
    public void SetWriteBufferLimits(long high = -1, long low = -1) =>
        Check(Native.aloop_datagram_set_write_buffer_limits(_handle.Raw, high, low));

    /// <summary>Receives no more, sends what is queued, then closes.</summary>
    public void Close() => Check(Native.aloop_datagram_close(_handle.Raw));

    /// <summary>The same without sending.</summary>
    public void Abort() => Check(Native.aloop_datagram_abort(_handle.Raw));

    /// <summary>Done when the descriptor is closed.</summary>
    public Task WaitClosedAsync(CancellationToken token = default) =>
        Operations.Start(_home, () => Native.aloop_datagram_wait_closed(_handle.Raw), token);

    /// <summary>Closes it, and waits for that.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_handle.IsClosed) return;
        try
        {
            if (!_home.IsClosed) await Operations.Start(_home, CloseAndWait, default);
        }
        finally
        {
            // Of a task that is cancelled the operation may not have begun.
            if (!_home.IsClosed && !_handle.IsClosed) Native.aloop_datagram_close(_handle.Raw);
            _handle.Dispose();
        }
    }

    private IntPtr CloseAndWait()
    {
        Native.aloop_datagram_close(_handle.Raw);
        return Native.aloop_datagram_wait_closed(_handle.Raw);
    }

    private long Check(long status) => Errors.Check(status, this);
}
