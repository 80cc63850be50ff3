// How many at a time, how many in a time, and a value that is made once.
// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace AsyncLoop;

/// <summary>A semaphore that knows which task has its tokens. Trio's CapacityLimiter.</summary>
public sealed class LoopCapacityLimiter : LoopObject
{
    /// <summary>With so many tokens.</summary>
    public LoopCapacityLimiter(long tokens) : base(New(tokens)) { }

    private static unsafe IntPtr New(long tokens)
    {
        IntPtr it;
        Errors.Check(Native.aloop_limiter_new(&it, tokens));
        return it;
    }

    private static IntPtr Borrower() =>
        LoopTask.Current is { Raw: not 0 } task ? task.Raw
            : throw new AloopException(Status.NoTask);

    /// <summary>Done when the current task has a token; it has one at most.</summary>
    public Task AcquireAsync(CancellationToken token = default)
    {
        IntPtr borrower = Borrower();
        return Start(it => Native.aloop_limiter_acquire_on_behalf_of(it, borrower), token);
    }

    /// <summary>The same at once, or false.</summary>
    public bool TryAcquire()
    {
        long status = Native.aloop_limiter_acquire_on_behalf_of_nowait(Raw, Borrower());
        if (status == Status.Again) return false;
        Check(status);
        return true;
    }

    /// <summary>The current task's token goes back.</summary>
    public void Release() => Check(Native.aloop_limiter_release_on_behalf_of(Raw, Borrower()));

    /// <summary>For a using statement, in one task.</summary>
    public Task<Releaser> EnterAsync(CancellationToken token = default)
    {
        IntPtr borrower = Borrower();
        return Enter(it => Native.aloop_limiter_acquire_on_behalf_of(it, borrower), Release,
            token);
    }

    /// <summary>How many tokens there are; may be changed at any time.</summary>
    public long Total
    {
        get => Check(Native.aloop_limiter_total_tokens(Raw));
        set => Check(Native.aloop_limiter_set_total_tokens(Raw, value));
    }

    /// <summary>How many are out.</summary>
    public long Borrowed =>
        Check(Native.aloop_limiter_statistic(Raw, Native.ALOOP_LIMITER_STAT_BORROWED));
}

/// <summary>A token bucket: so many in a second, and so many at once.</summary>
public sealed class LoopRateLimiter : LoopObject
{
    /// <summary>Full at first.</summary>
    public LoopRateLimiter(double perSecond, long burst) : base(New(perSecond, burst)) { }

    private static unsafe IntPtr New(double perSecond, long burst)
    {
        IntPtr it;
        Errors.Check(Native.aloop_rate_limiter_new(&it, perSecond, burst));
        return it;
    }

    /// <summary>Done when the caller has used up n tokens.</summary>
    public Task AcquireAsync(long n = 1, CancellationToken token = default) =>
        Start(it => Native.aloop_rate_limiter_acquire(it, n), token);

    /// <summary>The same at once, or false.</summary>
    public bool TryAcquire(long n = 1)
    {
        long status = Native.aloop_rate_limiter_acquire_nowait(Raw, n);
        if (status == Status.Again) return false;
        Check(status);
        return true;
    }
}

/// <summary>A value that is made once, by the first who asks for it.</summary>
public sealed class LoopOnce<T> : LoopObject
{
    private T? _value;

    /// <summary>An empty cell.</summary>
    public LoopOnce() : base(New()) { }

    private static unsafe IntPtr New()
    {
        IntPtr it;
        Errors.Check(Native.aloop_once_new(&it));
        return it;
    }

    /// <summary>Whether it is full.</summary>
    public bool IsFull => Check(Native.aloop_once_statistic(Raw, Native.ALOOP_ONCE_STAT_FULL)) != 0;

    /// <summary>
    /// What is in it. If it is empty, init makes that, in a task of its own, while others wait; if
    /// that fails, the next who waits tries.
    /// </summary>
    public Task<T> GetOrInitAsync(Func<Task<T>> init, CancellationToken token = default)
    {
        Loop loop = Loop.Current;
        return OnceInit.Hold(root => Operations.Start(loop,
            () => Native.aloop_once_get_or_init(Raw, OnceInit.Function, root),
            (in Completion _) => _value!, token), () =>
                loop.Create(() => Fill(init), null).Future());
    }

    private async Task<T> Fill(Func<Task<T>> init) => _value = await init();
}

// The initializer that C calls while an operation is under way, and a root until then.
internal sealed unsafe class OnceInit(Func<IntPtr> make)
{
    internal static readonly IntPtr Function =
        (IntPtr)(delegate* unmanaged[Cdecl]<IntPtr, IntPtr>)&OnInit;

    internal static Task<T> Hold<T>(Func<IntPtr, Task<T>> start, Func<IntPtr> make)
    {
        IntPtr root = Root.Hold(new OnceInit(make));
        Task<T> task = start(root);
        task.GetAwaiter().UnsafeOnCompleted(() => Root.Drop(root));
        return task;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static IntPtr OnInit(IntPtr root) => Root.Of<OnceInit>(root).Make();

    private IntPtr Make()
    {
        try
        {
            return make();
        }
        catch (Exception)
        {
            return IntPtr.Zero;  // out of memory, which C reports
        }
    }
}
