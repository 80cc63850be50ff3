// What runs as a callback of the loop: actions, timers, descriptors, and what other
// threads hand in. That is put in a list here, and one call of C wakes the loop for all
// that is in it.
// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace AsyncLoop;

/// <summary>A failure that nobody handled, as the loop reports it.</summary>
public sealed record LoopFault(string Message, Exception? Exception, string Source);

/// <summary>
/// A callback that was scheduled; disposing of it cancels it. For the loop's thread.
/// </summary>
public readonly struct LoopHandle(Loop loop, ulong id) : IDisposable
{
    /// <summary>False if it ran, was cancelled or never was, or the loop is closed.</summary>
    public bool Cancel() => IsOpen && Native.aloop_loop_cancel_handle(loop.Raw, id) >= 0;

    private bool IsOpen => loop is { IsClosed: false };

    /// <summary>
    /// The loop's time at which it is due; null where there is no such timer any more.
    /// </summary>
    public TimeSpan? When
    {
        get
        {
            if (!IsOpen) return null;
            double when = Native.aloop_loop_handle_when(loop.Raw, id);
            return double.IsNaN(when) ? null : TimeSpan.FromSeconds(when);
        }
    }

    /// <summary>Cancels it.</summary>
    public void Dispose() => Cancel();
}

public sealed unsafe partial class Loop
{
    private static readonly IntPtr s_callback =
        (IntPtr)(delegate* unmanaged[Cdecl]<IntPtr, long>)&OnCallback;
    private static readonly IntPtr s_posted =
        (IntPtr)(delegate* unmanaged[Cdecl]<IntPtr, long>)&OnPosted;

    private readonly object _gate = new();
    private List<(SynchronizationContext?, SendOrPostCallback, object?)> _posted = [];
    private List<(SynchronizationContext?, SendOrPostCallback, object?)> _running = [];
    private Action<LoopFault>? _handler;

    /// <summary>Runs action in the next iteration. loop.call_soon.</summary>
    public LoopHandle CallSoon(Action action) => Register(action, static (loop, fn, data, free) =>
        Native.aloop_loop_call_soon(loop, fn, data, free));

    /// <summary>Runs action after a time. loop.call_later.</summary>
    public LoopHandle CallLater(TimeSpan delay, Action action) =>
        Register(action, (loop, fn, data, free) =>
        Native.aloop_loop_call_later(loop, delay.TotalSeconds, fn, data, free));

    /// <summary>Runs action at a time of the loop's clock. loop.call_at.</summary>
    public LoopHandle CallAt(TimeSpan when, Action action) =>
        Register(action, (loop, fn, data, free) =>
        Native.aloop_loop_call_at(loop, when.TotalSeconds, fn, data, free));

    /// <summary>Runs action in each iteration in which the descriptor can be read.</summary>
    public void AddReader(int descriptor, Action action) =>
        Register(action, (loop, fn, data, free) =>
        Native.aloop_loop_add_reader(loop, descriptor, fn, data, free));

    /// <summary>False if there was none.</summary>
    public bool RemoveReader(int descriptor) =>
        Errors.Check(Native.aloop_loop_remove_reader(Raw, descriptor)) != 0;

    /// <summary>Runs action in each iteration in which the descriptor can be written.</summary>
    public void AddWriter(int descriptor, Action action) =>
        Register(action, (loop, fn, data, free) =>
        Native.aloop_loop_add_writer(loop, descriptor, fn, data, free));

    /// <summary>False if there was none.</summary>
    public bool RemoveWriter(int descriptor) =>
        Errors.Check(Native.aloop_loop_remove_writer(Raw, descriptor)) != 0;

    /// <summary>Runs action on the loop's thread. Any thread; loop.call_soon_threadsafe.</summary>
    public void Post(Action action)
    {
        ArgumentNullException.ThrowIfNull(action);
        if (!TryPost(s_run, new Callback(this, action, ExecutionContext.Capture())))
        {
            throw new ObjectDisposedException(nameof(Loop));
        }
    }

    /// <summary>
    /// Runs main as a task of this loop. Any thread; asyncio.run_coroutine_threadsafe.
    /// </summary>
    public Task<T> InvokeAsync<T>(Func<Task<T>> main, CancellationToken token = default)
    {
        ArgumentNullException.ThrowIfNull(main);
        var source =
            new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(() =>
        {
            try
            {
                Invoke(main, source, token);
            }
            catch (Exception e)
            {
                source.TrySetException(e);  // the loop has closed
            }
        });
        return source.Task;
    }

    private void Invoke<T>(Func<Task<T>> main, TaskCompletionSource<T> source,
        CancellationToken token)
    {
        if (token.IsCancellationRequested)
        {
            source.TrySetCanceled(token);
            return;
        }
        LoopTask<T> task = Create(main, null);
        CancellationTokenRegistration registration = token.UnsafeRegister(
            _ => TryPost(static t => ((LoopTask)t!).Cancel(), task), null);
        task.AsTask().ContinueWith(done =>
        {
            registration.Dispose();
            if (done.IsCanceled)
            {
                source.TrySetCanceled(token.IsCancellationRequested ? token : default);
            }
            else if (done.IsFaulted) source.TrySetException(done.Exception!.InnerExceptions);
            else source.TrySetResult(done.Result);
        }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
    }

    /// <inheritdoc cref="InvokeAsync{T}"/>
    public Task InvokeAsync(Func<Task> main, CancellationToken token = default) =>
        InvokeAsync(WithResult(main), token);

    /// <summary>
    /// Gets the failures that nobody handles; null, the default, writes them to standard error.
    /// </summary>
    public Action<LoopFault>? ExceptionHandler
    {
        get => _handler;
        set
        {
            _handler = value;
            Errors.Check(value == null
                ? Native.aloop_loop_set_exception_handler(Raw, IntPtr.Zero, IntPtr.Zero,
                    IntPtr.Zero)
                : Native.aloop_loop_set_exception_handler(Raw,
                    (IntPtr)(delegate* unmanaged[Cdecl]<IntPtr, IntPtr, IntPtr, void>)&OnFault,
                        _self,
                    IntPtr.Zero));
        }
    }

    internal bool TryPost(SendOrPostCallback d, object? state) => TryPost(_context, d, state);

    private bool TryPost(SynchronizationContext context, SendOrPostCallback d, object? state)
    {
        lock (_gate)
        {
            if (_closed) return false;
            if (_posted.Count == 0 &&
                Native.aloop_loop_call_soon_threadsafe(_loop, s_posted, _self, IntPtr.Zero) < 0)
            {
                return false;
            }
            _posted.Add((context, d, state));
            return true;
        }
    }

    // Code that must run is run elsewhere if the loop is closed.
    internal void PostIn(SynchronizationContext context, SendOrPostCallback d, object? state)
    {
        if (!TryPost(context, d, state)) ThreadPool.QueueUserWorkItem(_ => d(state));
    }

    internal void SendIn(SynchronizationContext context, SendOrPostCallback d, object? state)
    {
        if (IsHere)
        {
            RunIn(context, d, state);
            return;
        }
        using var done = new ManualResetEventSlim();
        Exception? failure = null;
        PostIn(context, _ =>
        {
            try
            {
                d(state);
            }
            catch (Exception e)
            {
                failure = e;
            }
            done.Set();
        }, null);
        done.Wait();
        if (failure != null) Errors.Rethrow(failure);
    }

    // What a callback or somebody's code after an await threw.
    internal void Report(Exception exception)
    {
        if (_handler != null)
        {
            Tell(_handler, new LoopFault("unhandled exception", exception, ""));
            return;
        }
        if (_closed)  // C does not report any more
        {
            Console.Error.WriteLine("unhandled exception: " + Errors.Describe(exception, true));
            return;
        }
        IntPtr error = Native.aloop_error_new(Errors.CodeOf(exception),
            Errors.Describe(exception, true), IntPtr.Zero);
        Native.aloop_loop_call_exception_handler(_loop, "unhandled exception", error);
        Native.aloop_error_unref(error);
    }

    // What the handler throws has nobody left to go to, and must not go through C.
    private static void Tell(Action<LoopFault>? handler, LoopFault fault)
    {
        try
        {
            handler?.Invoke(fault);
        }
        catch (Exception e)
        {
            Console.Error.WriteLine("the exception handler of a loop failed: "
                + Errors.Describe(e, true));
        }
    }

    private delegate long Registration(IntPtr loop, IntPtr fn, IntPtr data, IntPtr free);

    private LoopHandle Register(Action action, Registration register)
    {
        ArgumentNullException.ThrowIfNull(action);
        IntPtr loop = Raw;
        IntPtr data = Root.Hold(new Callback(this, action, ExecutionContext.Capture()));
        long id = register(loop, s_callback, data, Root.Free);
        if (id < 0) Root.Drop(data);
        return new LoopHandle(this, (ulong)Errors.Check(id));
    }

    private sealed record Callback(Loop Home, Action Action, ExecutionContext? Flow);

    private static readonly SendOrPostCallback s_run = static state =>
    {
        var c = (Callback)state!;
        if (c.Flow == null) c.Action();
        else ExecutionContext.Run(c.Flow, static a => ((Action)a!)(), c.Action);
    };

    private static void RunIn(SynchronizationContext? context, SendOrPostCallback d, object? state)
    {
        SynchronizationContext? before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(context);
        try
        {
            d(state);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    private void DrainPosted()
    {
        lock (_gate) (_posted, _running) = (_running, _posted);
        foreach (var (context, d, state) in _running)
        {
            try
            {
                RunIn(context, d, state);
            }
            catch (Exception e)
            {
                Report(e);
            }
        }
        _running.Clear();
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static long OnPosted(IntPtr self)
    {
        Root.Of<Loop>(self).DrainPosted();
        return 0;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static long OnCallback(IntPtr data)
    {
        var callback = Root.Of<Callback>(data);
        try
        {
            RunIn(callback.Home._context, s_run, callback);
        }
        catch (Exception e)
        {
            callback.Home.Report(e);
        }
        return 0;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnFault(IntPtr loop, IntPtr context, IntPtr self)
    {
        long code = Native.aloop_exception_context_code(context);
        Exception? exception = code < 0
            ? Errors.ToException(code, Native.aloop_exception_context_error(context))
            : null;
        Tell(Root.Of<Loop>(self)._handler, new LoopFault(
            Native.aloop_exception_context_message(context) ?? "", exception,
            Native.aloop_exception_context_source(context) ?? ""));
    }
}
