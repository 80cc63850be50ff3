// Servers: connections are taken one by one, or handed to a task each.
// SPDX-License-Identifier: MIT
using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace AsyncLoop;

/// <summary>
/// A server of streams. One that is collected is closed. What is asynchronous may be called from
/// any thread. asyncio.start_server.
/// </summary>
public sealed class LoopServer : IAsyncDisposable
{
    private readonly Loop _home;
    private readonly AloopHandle _handle;

    private LoopServer(Loop home, IntPtr owned)
    {
        _home = home;
        _handle = new AloopHandle(owned);
    }

    /// <summary>
    /// Closes the server, which the loop holds for as long as it listens, whether anybody is there
    /// to accept or not.
    /// </summary>
    ~LoopServer()
    {
        if (_handle.IsClosed) return;
        IntPtr server = _handle.Raw;  // the reference is taken along
        _handle.SetHandleAsInvalid();
        if (!_home.TryPost(static state => CloseAndDrop((IntPtr)state!), server))
        {
            Native.aloop_unref(server);
        }
    }

    private static void CloseAndDrop(IntPtr server)
    {
        Native.aloop_server_close(server);
        Native.aloop_unref(server);
    }

    private static Task<LoopServer> Start(Func<IntPtr, IntPtr> begin, StreamOptions? options,
        CancellationToken token)
    {
        Loop loop = Loop.Current;
        return Operations.Start(loop, () =>
        {
            using AloopHandle? o = options?.ToNative();
            return begin(o?.Raw ?? IntPtr.Zero);
        }, (in Completion c) => new LoopServer(loop, c.Value), token);
    }

    /// <summary>Listens on TCP; host null: every address of this machine; port 0: any.</summary>
    public static Task<LoopServer> StartAsync(string? host, int port, StreamOptions? options = null,
        CancellationToken token = default) =>
        Start(o => Native.aloop_start_server(IntPtr.Zero, IntPtr.Zero, host, port, o), options,
            token);

    /// <summary>Listens on a Unix socket; "@name" is an abstract one.</summary>
    public static Task<LoopServer> StartUnixAsync(string path, StreamOptions? options = null,
        CancellationToken token = default) =>
        Start(o => Native.aloop_start_unix_server(IntPtr.Zero, IntPtr.Zero, path, o), options,
            token);

    /// <summary>
    /// Listens on a copy of a bound socket, which stays the caller's to dispose of.
    /// </summary>
    public static Task<LoopServer> StartSocketAsync(Socket socket, StreamOptions? options = null,
        CancellationToken token = default)
    {
        Loop loop = Loop.Current;
        return SocketCopy.Start(loop, socket, copy =>
        {
            using AloopHandle o = (options ?? new StreamOptions()).ToNative(copy);
            return socket.AddressFamily == AddressFamily.Unix
                ? Native.aloop_start_unix_server(IntPtr.Zero, IntPtr.Zero, null, o.Raw)
                : Native.aloop_start_server(IntPtr.Zero, IntPtr.Zero, null, 0, o.Raw);
        }, made => new LoopServer(loop, made), token);
    }

    /// <summary>The port of its first socket.</summary>
    public int Port => (int)Check(Native.aloop_server_port(_handle.Raw, 0));

    /// <summary>The descriptors that listen.</summary>
    public unsafe int[] Sockets
    {
        get
        {
            var descriptors = new int[Check(Native.aloop_server_sockets(_handle.Raw, null, 0))];
            fixed (int* d = descriptors)
            {
                Check(Native.aloop_server_sockets(_handle.Raw, d, descriptors.Length));
            }
            return descriptors;
        }
    }

    /// <summary>Whether it listens.</summary>
    public bool IsServing => Check(Native.aloop_server_is_serving(_handle.Raw)) != 0;

    /// <summary>Listens, where the options said not to.</summary>
    public Task StartServingAsync() =>
        Operations.Start(_home, () => Native.aloop_server_start_serving(_handle.Raw), default);

    /// <summary>The next connection. ObjectDisposedException once the server is closed.</summary>
    public Task<LoopStream> AcceptAsync(CancellationToken token = default) =>
        Operations.Start(_home, () => Native.aloop_server_accept(_handle.Raw),
            (in Completion c) => new LoopStream(_home, c.Value), token);

    /// <summary>The connections, until the server is closed.</summary>
    public async IAsyncEnumerable<LoopStream> AcceptAllAsync(
        [EnumeratorCancellation] CancellationToken token = default)
    {
        while (true)
        {
            LoopStream client;
            try
            {
                client = await AcceptAsync(token);
            }
            catch (ObjectDisposedException)
            {
                yield break;
            }
            yield return client;
        }
    }

    /// <summary>
    /// Runs handler as a task for each connection, which is closed when it has ended; until the
    /// server is closed. What a handler throws goes to the loop's exception handler.
    /// </summary>
    public async Task ServeAsync(Func<LoopStream, Task> handler, CancellationToken token = default)
    {
        if (!_home.IsHere)
        {
            await _home.InvokeAsync(() => ServeAsync(handler, token), token);
            return;
        }
        await foreach (LoopStream client in AcceptAllAsync(token))
        {
            _ = Loop.Spawn(() => Handle(handler, client));
        }
    }

    private static async Task Handle(Func<LoopStream, Task> handler, LoopStream client)
    {
        using (client) await handler(client);
    }

    /// <summary>Listens no more; the connections stay.</summary>
    public void Close() => Check(Native.aloop_server_close(_handle.Raw));

    /// <summary>Done when it is closed and its last connection is.</summary>
    public Task WaitClosedAsync(CancellationToken token = default) =>
        Operations.Start(_home, () => Native.aloop_server_wait_closed(_handle.Raw), token);

    /// <summary>
    /// Closes it and waits for its connections; after the time a TimeoutException that names those
    /// still open. They stay so: call it again, or abort them.
    /// </summary>
    public Task ShutDownAsync(TimeSpan timeout) => Operations.Start(_home,
        () => Native.aloop_server_shutdown(_handle.Raw, timeout.TotalSeconds), default);

    /// <summary>How many connections it has.</summary>
    public unsafe int Connections =>
        (int)Check(Native.aloop_server_connections(_handle.Raw, null, 0));

    /// <summary>Closes every connection that came from the server.</summary>
    public void CloseClients() => Check(Native.aloop_server_close_clients(_handle.Raw));

    /// <summary>Aborts every connection that came from the server.</summary>
    public void AbortClients() => Check(Native.aloop_server_abort_clients(_handle.Raw));

    /// <summary>Closes the server, and waits for its connections.</summary>
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
            if (!_home.IsClosed && !_handle.IsClosed) Native.aloop_server_close(_handle.Raw);
            _handle.Dispose();
            GC.SuppressFinalize(this);
        }
    }

    private IntPtr CloseAndWait()
    {
        Native.aloop_server_close(_handle.Raw);
        return Native.aloop_server_wait_closed(_handle.Raw);
    }

    private long Check(long status) => Errors.Check(status, this);
}
