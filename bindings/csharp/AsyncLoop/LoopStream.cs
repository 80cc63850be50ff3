// Connections: C's stream as a System.IO.Stream. What is asynchronous may be called from
// any thread, so that code of .NET which continues on the pool can use it; a memory that
// is read into is pinned until C is done with it.
// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace AsyncLoop;

/// <summary>
/// A connection. asyncio's StreamReader and StreamWriter in one. One task may read at a time, and
/// one write. Members of <see cref="Stream"/> throw <see cref="IOException"/> with the library's
/// exception inside, the others that itself. What is asynchronous may be called from any thread.
/// </summary>
public sealed class LoopStream : Stream
{
    private readonly Loop _home;
    private readonly AloopHandle _handle;
    private int _disposed;

    internal LoopStream(Loop home, IntPtr owned)
    {
        _home = home;
        _handle = new AloopHandle(owned);
    }

    internal IntPtr Raw
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsDisposed, this);
            return _handle.Raw;
        }
    }

    private bool IsDisposed => Volatile.Read(ref _disposed) != 0;

    private static Task<LoopStream> Open(Func<IntPtr, IntPtr> begin, StreamOptions? options,
        CancellationToken token)
    {
        Loop loop = Loop.Current;
        return Operations.Start(loop, () =>
        {
            using AloopHandle? o = options?.ToNative();
            return begin(o?.Raw ?? IntPtr.Zero);
        }, (in Completion c) => new LoopStream(loop, c.Value), token);
    }

    /// <summary>Connects by TCP; host null is this machine. asyncio.open_connection.</summary>
    public static Task<LoopStream> ConnectAsync(string? host, int port,
        StreamOptions? options = null,
        CancellationToken token = default) =>
        Open(o => Native.aloop_open_connection(host, port, o), options, token);

    /// <summary>Connects to a Unix socket; "@name" is an abstract one.</summary>
    public static Task<LoopStream> ConnectUnixAsync(string path, StreamOptions? options = null,
        CancellationToken token = default) =>
        Open(o => Native.aloop_open_unix_connection(path, o), options, token);

    /// <summary>
    /// A stream over a copy of a connected socket, which stays the caller's to dispose of. TLS over
    /// it is StartTlsAsync.
    /// </summary>
    public static Task<LoopStream> OpenSocketAsync(Socket socket, CancellationToken token = default)
    {
        Loop loop = Loop.Current;
        return SocketCopy.Start(loop, socket, copy =>
        {
            using AloopHandle o = new StreamOptions().ToNative(copy);
            return Native.aloop_open_connection(null, 0, o.Raw);
        }, made => new LoopStream(loop, made), token);
    }

    /// <summary>
    /// A stream over the reading end of a pipe, whose descriptor becomes the stream's; if it fails,
    /// it stays the caller's.
    /// </summary>
    public static Task<LoopStream> OpenReadPipeAsync(int descriptor,
        StreamOptions? options = null) =>
        Open(o => Native.aloop_connect_read_pipe(descriptor, o), options, default);

    /// <summary>The same for the writing end.</summary>
    public static Task<LoopStream> OpenWritePipeAsync(int descriptor,
        StreamOptions? options = null) =>
        Open(o => Native.aloop_connect_write_pipe(descriptor, o), options, default);

    /// <summary>Two connected streams in memory.</summary>
    public static unsafe (LoopStream A, LoopStream B) Pair(StreamOptions? options = null)
    {
        Loop loop = Loop.Current;
        using AloopHandle? o = options?.ToNative();
        IntPtr a, b;
        Errors.Check(Native.aloop_stream_pair(&a, &b, o?.Raw ?? IntPtr.Zero));
        return (new(loop, a), new(loop, b));
    }

    // Reading ---------------------------------------------------------------------------

    private Task<byte[]> ReadBytes(Func<IntPtr, IntPtr> begin, CancellationToken token) =>
        Operations.Start(_home, () => begin(Raw), Operations.BytesOf, token);

    /// <summary>
    /// Up to n bytes, at least one; n negative: all until the end. Empty: the end.
    /// </summary>
    public Task<byte[]> ReadBytesAsync(long n = -1, CancellationToken token = default) =>
        ReadBytes(s => Native.aloop_stream_read(s, n), token);

    /// <summary>n bytes, or an <see cref="IncompleteReadException"/>.</summary>
    public Task<byte[]> ReadBytesExactlyAsync(long n, CancellationToken token = default) =>
        ReadBytes(s => Native.aloop_stream_readexactly(s, n), token);

    /// <summary>Up to and including the separator.</summary>
    public unsafe Task<byte[]> ReadUntilAsync(ReadOnlyMemory<byte> separator,
        CancellationToken token = default) =>
        ReadBytes(s =>
        {
            fixed (byte* p = separator.Span)
            {
                return Native.aloop_stream_readuntil(s, p, (nuint)separator.Length);
            }
        }, token);

    /// <summary>A line with its '\n'; at the end what is left, perhaps nothing.</summary>
    public Task<byte[]> ReadLineBytesAsync(CancellationToken token = default) =>
        ReadBytes(Native.aloop_stream_readline, token);

    /// <summary>A line of UTF-8 without its end; null at the end of the stream.</summary>
    public Task<string?> ReadLineAsync(CancellationToken token = default) =>
        Operations.Start(_home, () => Native.aloop_stream_readline(Raw), s_line, token);

    private static readonly Result<string?> s_line = static (in Completion c) =>
    {
        ReadOnlySpan<byte> line = Bytes.Take(c.Value);
        if (line.IsEmpty) return null;
        if (line[^1] == '\n') line = line[..^1];
        if (!line.IsEmpty && line[^1] == '\r') line = line[..^1];
        return Encoding.UTF8.GetString(line);
    };

    /// <inheritdoc/>
    public override unsafe ValueTask<int> ReadAsync(Memory<byte> buffer,
        CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty) return default;
        MemoryHandle pin = buffer.Pin();
        var memory = (IntPtr)pin.Pointer;
        return new(Operations.Start(_home, () =>
            Native.aloop_stream_read_into(Raw, memory, (nuint)buffer.Length),
            s_count, cancellationToken, failure =>
            {
                pin.Dispose();
                return AsIo(failure);
            }));
    }

    private static readonly Result<int> s_count = static (in Completion c) => (int)c.Status;

    // Also of a connection that ended because its peer fell silent.
    internal static Exception? AsIo(Exception? failure) =>
        failure is AloopException or TimeoutException
            ? new IOException(failure.Message, failure) : failure;

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count,
        CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <summary>Blocks; not on the loop's thread.</summary>
    public override int Read(byte[] buffer, int offset, int count)
    {
        RefuseToBlock();
        return ReadAsync(buffer, offset, count, CancellationToken.None).GetAwaiter().GetResult();
    }

    // Stream's own ones block a second operation until the first is done.

    /// <inheritdoc/>
    public override IAsyncResult BeginRead(byte[] buffer, int offset, int count,
        AsyncCallback? callback, object? state) =>
        TaskToAsyncResult.Begin(ReadAsync(buffer, offset, count), callback, state);

    /// <inheritdoc/>
    public override int EndRead(IAsyncResult asyncResult) =>
        TaskToAsyncResult.End<int>(asyncResult);

    /// <summary>Whether the end was read.</summary>
    public bool IsAtEnd => Check(Native.aloop_stream_at_eof(Raw)) != 0;

    /// <summary>Reads wait from now on.</summary>
    public void PauseReading() => Check(Native.aloop_stream_pause_reading(Raw));

    /// <summary>Reads go on.</summary>
    public void ResumeReading() => Check(Native.aloop_stream_resume_reading(Raw));

    // Writing ---------------------------------------------------------------------------

    /// <summary>
    /// Sends or queues at once; how many bytes now wait. Await a drain now and then.
    /// </summary>
    public unsafe long WriteNoWait(ReadOnlySpan<byte> data)
    {
        fixed (byte* p = data)
        {
            return Check(Native.aloop_stream_write(Raw, p, (nuint)data.Length));
        }
    }

    /// <summary>The same with a text in UTF-8.</summary>
    public long WriteNoWait(string text) => WriteNoWait(Encoding.UTF8.GetBytes(text));

    /// <summary>Done when less than the low-water mark waits.</summary>
    public Task DrainAsync(CancellationToken token = default) =>
        Operations.Start(_home, () => Native.aloop_stream_drain(Raw), token);

    /// <summary>Sends a text in UTF-8, and drains.</summary>
    public Task WriteTextAsync(string text, CancellationToken token = default) =>
        Operations.Start(_home, () =>
        {
            WriteNoWait(text);
            return Native.aloop_stream_drain(Raw);
        }, token);

    /// <inheritdoc/>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer,
        CancellationToken cancellationToken = default) =>
        new(Operations.Start(_home, () =>
        {
            WriteNoWait(buffer.Span);
            return Native.aloop_stream_drain(Raw);
        }, cancellationToken, AsIo));

    /// <inheritdoc/>
    public override Task WriteAsync(byte[] buffer, int offset, int count,
        CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <summary>
    /// On the loop's thread it queues, elsewhere it blocks until that is drained.
    /// </summary>
    public override void Write(byte[] buffer, int offset, int count)
    {
        if (!_home.IsHere)
        {
            WriteAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();
            return;
        }
        try
        {
            WriteNoWait(buffer.AsSpan(offset, count));
        }
        catch (AloopException e)
        {
            throw AsIo(e)!;
        }
    }

    /// <inheritdoc/>
    public override IAsyncResult BeginWrite(byte[] buffer, int offset, int count,
        AsyncCallback? callback, object? state) =>
        TaskToAsyncResult.Begin(WriteAsync(buffer, offset, count), callback, state);

    /// <inheritdoc/>
    public override void EndWrite(IAsyncResult asyncResult) => TaskToAsyncResult.End(asyncResult);

    /// <summary>Nothing: what is written is sent.</summary>
    public override void Flush() { }

    /// <inheritdoc/>
    public override Task FlushAsync(CancellationToken cancellationToken) =>
        Operations.Start(_home, () => Native.aloop_stream_drain(Raw), cancellationToken, AsIo);

    /// <summary>Ends the sending side; the peer reads the end.</summary>
    public void CompleteWriting() => Check(Native.aloop_stream_write_eof(Raw));

    /// <summary>Whether it can.</summary>
    public bool CanCompleteWriting => Check(Native.aloop_stream_can_write_eof(Raw)) != 0;

    /// <summary>
    /// Sends count bytes of a file from offset on, -1: to its end; how many. The file stays open
    /// until that is done, whoever disposes of it meanwhile.
    /// </summary>
    public Task<long> SendFileAsync(SafeHandle file, long offset = 0, long count = -1,
        CancellationToken token = default)
    {
        ArgumentNullException.ThrowIfNull(file);
        bool held = false;
        file.DangerousAddRef(ref held);
        return Operations.Start(_home, () => Native.aloop_stream_sendfile(Raw,
            (int)file.DangerousGetHandle(), offset, count), token, failure =>
            {
                file.DangerousRelease();
                return failure;
            });
    }

    /// <summary>
    /// Where DrainAsync begins to wait, and where it ends. Negative: by asyncio's rule.
    /// </summary>
    public void SetWriteBufferLimits(long high = -1, long low = -1) =>
        Check(Native.aloop_stream_set_write_buffer_limits(Raw, high, low));

    /// <summary>How many bytes wait to be sent.</summary>
    public long WriteBufferSize => Check(Native.aloop_stream_get_write_buffer_size(Raw));

    /// <summary>Upgrades the connection to TLS, as the context's side.</summary>
    public Task StartTlsAsync(TlsContext context, StreamOptions? options = null,
        CancellationToken token = default) => Operations.Start(_home, () =>
        {
            using AloopHandle? o = options?.ToNative();
            return Native.aloop_stream_start_tls(Raw, context.Raw, o?.Raw ?? IntPtr.Zero);
        }, token);

    /// <summary>The peer's certificate in DER; null where there is none.</summary>
    public unsafe byte[]? PeerCertificate
    {
        get
        {
            IntPtr der;
            long status = Native.aloop_stream_get_peer_certificate(Raw, &der);
            if (status == Status.NoEntry) return null;
            Check(status);
            return Bytes.Take(der);
        }
    }

    /// <summary>
    /// The TLS session, a secret, for <see cref="StreamOptions.TlsSession"/>; with TLS 1.3 it comes
    /// with the first data. Null where there is none.
    /// </summary>
    public unsafe byte[]? TlsSession
    {
        get
        {
            IntPtr session;
            long status = Native.aloop_stream_get_tls_session(Raw, &session);
            if (status == Status.NoEntry) return null;
            Check(status);
            return Bytes.Take(session);
        }
    }

    // Closing ---------------------------------------------------------------------------

    /// <summary>
    /// Sends what waits, then closes; the object stays usable for WaitClosedAsync.
    /// </summary>
    public void StartClosing() => Check(Native.aloop_stream_close(Raw));

    /// <summary>Closes at once; what waits is dropped.</summary>
    public void Abort() => Check(Native.aloop_stream_abort(Raw));

    /// <summary>Whether it is closed or closes.</summary>
    public bool IsClosing => IsDisposed || Check(Native.aloop_stream_is_closing(Raw)) != 0;

    /// <summary>Done when the descriptor is closed; fails with what ended the connection.</summary>
    public Task WaitClosedAsync(CancellationToken token = default) =>
        Operations.Start(_home, () => Native.aloop_stream_wait_closed(Raw), token);

    /// <summary>Sends what waits, closes, and waits for that.</summary>
    public override async ValueTask DisposeAsync()
    {
        if (IsDisposed) return;
        try
        {
            if (!_home.IsClosed) await Operations.Start(_home, CloseAndWait, default);
        }
        catch (Exception e) when (e is AloopException or TimeoutException
            or ObjectDisposedException)
        {
            // What ended the connection was told to whoever read or wrote; or somebody else has
            // disposed of it, or closed the loop, in the meantime.
        }
        finally
        {
            Dispose();  // a task that is cancelled closes it, too
        }
    }

    private IntPtr CloseAndWait()
    {
        Native.aloop_stream_close(Raw);
        return Native.aloop_stream_wait_closed(Raw);
    }

    /// <summary>
    /// Closes it, from any thread, without waiting: what waits is still sent. Whoever reads gets to
    /// the end.
    /// </summary>
    protected override void Dispose(bool disposing)
    {
        if (disposing && Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            // Others may have a reference: a read that waits, the process whose pipe it is.
            if (_home.IsHere) CloseAndDrop(_handle);
            else if (!_home.TryPost(static h => CloseAndDrop((AloopHandle)h!), _handle))
            {
                _handle.Dispose();
            }
        }
        base.Dispose(disposing);
    }

    private static void CloseAndDrop(AloopHandle handle)
    {
        Native.aloop_stream_close(handle.Raw);
        handle.Dispose();
    }

    // Information -----------------------------------------------------------------------

    /// <summary>"peername", "sockname" and the like as text; null where it is not known.</summary>
    public unsafe string? GetExtraInfo(string name)
    {
        long length = Native.aloop_stream_get_extra_info(Raw, name, null, 0);
        if (length < 0) return null;
        return Text.Of((buffer, size) =>
            Native.aloop_stream_get_extra_info(Raw, name, buffer, size));
    }

    /// <summary>The peer's address, such as "127.0.0.1:80".</summary>
    public string? RemoteName => GetExtraInfo("peername");

    /// <summary>The own address.</summary>
    public string? LocalName => GetExtraInfo("sockname");

    /// <inheritdoc/>
    public override bool CanRead => !IsDisposed;

    /// <inheritdoc/>
    public override bool CanWrite => !IsDisposed;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    private long Check(long status) => Errors.Check(status, this);

    private void RefuseToBlock()
    {
        if (_home.IsHere) throw new InvalidOperationException("it would block the loop");
    }
}
