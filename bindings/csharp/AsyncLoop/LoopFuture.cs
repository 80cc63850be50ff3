// A plain future: what somebody else will finish. Its value stays on this side; C knows
// how it ended.
// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;

namespace AsyncLoop;

/// <summary>
/// An outcome that is not there yet, for tasks of one loop: as TaskCompletionSource, but who is
/// cancelled while awaiting it cancels it. asyncio.Future.
/// </summary>
public sealed class LoopFuture<T> : LoopObject
{
    private readonly Loop _home;
    private T? _value;
    private Exception? _failure;

    /// <summary>A pending future of the running loop.</summary>
    public LoopFuture() : this(Loop.Current) { }

    private LoopFuture(Loop home)
        : base(Errors.CheckPointer(Native.aloop_loop_create_future(home.Raw))) =>
        _home = home;

    /// <summary>Finishes it. Status.InvalidState if it is done.</summary>
    public void SetResult(T value)
    {
        Check(Native.aloop_future_set_result(Raw, 0, IntPtr.Zero, IntPtr.Zero));
        _value = value;
    }

    /// <summary>Finishes it with a failure.</summary>
    public void SetException(Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        IntPtr error = Errors.ToC(exception);
        long status = Native.aloop_future_set_error(Raw, error);
        Native.aloop_error_unref(error);
        Check(status);
        _failure = exception;
    }

    /// <summary>Cancels it; false if it was done.</summary>
    public bool Cancel(string? message = null) =>
        Check(Native.aloop_future_cancel(Raw, message)) != 0;

    /// <summary>Whether it is done, however.</summary>
    public bool IsCompleted => Check(Native.aloop_future_done(Raw)) != 0;

    /// <summary>Whether it was cancelled.</summary>
    public bool IsCanceled => Check(Native.aloop_future_cancelled(Raw)) != 0;

    /// <summary>Waits for it.</summary>
    public Task<T> WaitAsync(CancellationToken token = default) => Operations.Start(_home,
        () => Native.aloop_ref(Raw), (in Completion _) => _value!, token,
        failure => failure is null or OperationCanceledException ? failure : _failure ?? failure);

    /// <summary>Makes it awaitable.</summary>
    public TaskAwaiter<T> GetAwaiter() => WaitAsync().GetAwaiter();
}
