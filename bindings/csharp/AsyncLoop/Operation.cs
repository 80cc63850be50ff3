// An operation is something of C that is under way, and the Task that stands for it.
//
// It begins with the call that gives the Task, on the loop's thread: at once, or, called
// from another thread, as soon as the loop gets to it. A completion record tells its
// end; its token is the operation's place in the loop's table. Until then the operation
// holds a reference to its future, so that it can be cancelled: by the CancellationToken,
// or because the LoopTask that began it is cancelled.
// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace AsyncLoop;

/// <summary>The layout of aloop_completion.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Completion
{
    internal ulong Token;
    internal long Status;
    internal IntPtr Value;
    internal IntPtr FreeFn;
    internal IntPtr Error;
}

internal abstract unsafe class Operation
{
    internal readonly Loop Home;
    internal LoopTask? Owner;  // in whose list it stands
    internal Operation? Previous, Next;
    internal ulong Slot;
    private IntPtr _future;  // a reference, while it is under way
    private bool _done;
    private CancellationToken _token;
    private CancellationTokenRegistration _registration;

    protected Operation(Loop home) => Home = home;

    protected abstract IntPtr Begin();
    protected abstract void Finish(in Completion completion);
    protected abstract void Fail(Exception exception);

    internal void StartFrom(LoopTask? owner, CancellationToken token)
    {
        Owner = owner;
        _token = token;
        if (token.IsCancellationRequested) End(new OperationCanceledException());
        else if (Home.IsHere) BeginNow();
        else if (!Home.TryPost(static state => ((Operation)state!).BeginNow(), this))
        {
            Fail(new ObjectDisposedException(nameof(Loop)));
        }
    }

    private void BeginNow()
    {
        if (Home.IsClosed)  // it came too late
        {
            End(new ObjectDisposedException(nameof(Loop)));
            return;
        }
        if (_token.IsCancellationRequested || Owner is { CancelWaits: true })
        {
            if (!_token.IsCancellationRequested) Owner!.CancelWaits = false;
            End(new OperationCanceledException());
            return;
        }
        IntPtr future;
        try
        {
            future = Begin();
        }
        catch (Exception e)
        {
            End(e);
            return;
        }
        if (future == IntPtr.Zero)
        {
            End(Home.IsClosed ? new ObjectDisposedException(nameof(Loop))
                : new OutOfMemoryException());
            return;
        }
        Watch(future);
    }

    private void Watch(IntPtr future)
    {
        _future = Native.aloop_ref(future);
        Slot = Home.Enter(this);
        long status = Native.aloop_loop_start(Home.Raw, future, Slot);
        if (status < 0)
        {
            Home.Leave(this);
            End(Errors.ToException(status, IntPtr.Zero));
            return;
        }
        Owner?.Add(this);
        if (_token.CanBeCanceled)
        {
            _registration = _token.UnsafeRegister(static state =>
                ((Operation)state!).CancelFromAnywhere(), this);
        }
    }

    // The token that asked for a cancellation, as whoever catches that may want to know.
    protected CancellationToken TokenOf(OperationCanceledException e) =>
        _token.IsCancellationRequested ? _token : e.CancellationToken;

    private void CancelFromAnywhere()
    {
        if (Home.IsHere) Cancel();
        else Home.TryPost(static state => ((Operation)state!).Cancel(), this);
    }

    // On the loop's thread; false if it is done, and perhaps only its record under way.
    internal bool Cancel() =>
        _future != IntPtr.Zero && Native.aloop_future_cancel(_future, null) > 0;

    // Its record has come. It has left the loop's table.
    internal void Complete(in Completion completion)
    {
        Release();
        try
        {
            if (completion.Status < 0) Fail(Errors.ToException(completion.Status,
                completion.Error));
            else Finish(completion);
        }
        catch (Exception e)
        {
            Fail(e);
        }
        if (completion.Error != IntPtr.Zero) Native.aloop_error_unref(completion.Error);
    }

    internal void End(Exception exception)
    {
        Release();
        Fail(exception);
    }

    private void Release()
    {
        _done = true;
        _registration.Dispose();
        Owner?.Remove(this);
        if (_future != IntPtr.Zero) Native.aloop_unref(_future);
        _future = IntPtr.Zero;
    }

    // Moves it to another task, which answers for its cancellation from now on.
    internal void MoveTo(LoopTask task)
    {
        if (_done) return;
        Owner?.Remove(this);
        Owner = task;
        if (_future != IntPtr.Zero) task.Add(this);
    }
}

internal sealed class Operation<T> : Operation
{
    private readonly TaskCompletionSource<T> _source;
    private readonly Func<IntPtr> _begin;
    private readonly Result<T> _result;
    private readonly Ended? _ended;

    internal Operation(Loop home, Func<IntPtr> begin, Result<T> result, Ended? ended) : base(home)
    {
        _begin = begin;
        _result = result;
        _ended = ended;
        // Code of another thread goes on in the pool: it may block, which the loop must not.
        _source = new TaskCompletionSource<T>(this, home.IsHere ? TaskCreationOptions.None
            : TaskCreationOptions.RunContinuationsAsynchronously);
    }

    internal Task<T> Task => _source.Task;

    protected override IntPtr Begin() => _begin();

    protected override void Finish(in Completion completion)
    {
        T result = _result(completion);
        _ended?.Invoke(null);
        _source.TrySetResult(result);
    }

    protected override void Fail(Exception exception)
    {
        if (_ended != null) exception = _ended(exception) ?? exception;
        if (exception is OperationCanceledException e) _source.TrySetCanceled(TokenOf(e));
        else _source.TrySetException(exception);
    }
}

internal delegate T Result<T>(in Completion completion);

// Gets the failure, or null; gives another in its place, or null.
internal delegate Exception? Ended(Exception? failure);

internal static class Operations
{
    // Begins what `begin` gives, a future of C, which may be NULL.
    internal static Task<T> Start<T>(Loop loop, Func<IntPtr> begin, Result<T> result,
        CancellationToken token, Ended? ended = null)
    {
        LoopTask? owner = LoopTask.Current;
        var operation = new Operation<T>(loop, begin, result, ended);
        operation.StartFrom(owner?.Home == loop ? owner : null, token);
        return operation.Task;
    }

    internal static Task<long> Start(Loop loop, Func<IntPtr> begin, CancellationToken token,
        Ended? ended = null) => Start(loop, begin, StatusOf, token, ended);

    internal static readonly Result<long> StatusOf = static (in Completion c) => c.Status;
    internal static readonly Result<byte[]> BytesOf = static (in Completion c) =>
        Bytes.Take(c.Value);
}
