// Locks, events, conditions, semaphores, barriers: C's, for the tasks of one loop. They
// belong to the loop whose task first waits on one.
// SPDX-License-Identifier: MIT
namespace AsyncLoop;

/// <summary>An object of the library; it is dropped when disposed of, or collected.</summary>
public abstract class LoopObject : IDisposable
{
    private readonly AloopHandle _handle;

    private protected LoopObject(IntPtr owned) => _handle = new AloopHandle(owned);

    internal IntPtr Raw => _handle.Raw;

    /// <summary>Drops the library's object; any thread.</summary>
    public void Dispose()
    {
        if (!_handle.IsClosed) Closing(_handle.DangerousGetHandle());
        _handle.Dispose();
        GC.SuppressFinalize(this);
    }

    // What is under way may hold the object, too.
    private protected virtual void Closing(IntPtr it) { }

    private protected Task<long> Start(Func<IntPtr, IntPtr> begin, CancellationToken token) =>
        Operations.Start(Loop.Current, () => begin(Raw), token);

    // An operation like the others: who is cancelled, or has no more time, does not get in later.
    private protected Task<Releaser> Enter(Func<IntPtr, IntPtr> begin, Action release,
        CancellationToken token) => Operations.Start(Loop.Current, () => begin(Raw),
            (in Completion _) => new Releaser(release), token);

    private protected long Check(long status) => Errors.Check(status, this);
}

/// <summary>What gives back what it stands for when disposed of.</summary>
public sealed class Releaser : IDisposable
{
    private Action? _release;

    internal Releaser(Action release) => _release = release;

    /// <summary>Gives it back, once.</summary>
    public void Dispose() => Interlocked.Exchange(ref _release, null)?.Invoke();
}

/// <summary>A fair lock, not reentrant. asyncio.Lock.</summary>
public sealed class LoopLock : LoopObject
{
    /// <summary>A lock that nobody has.</summary>
    public LoopLock() : base(New()) { }

    private static unsafe IntPtr New()
    {
        IntPtr it;
        Errors.Check(Native.aloop_lock_new(&it));
        return it;
    }

    /// <summary>Done when the caller has the lock.</summary>
    public Task AcquireAsync(CancellationToken token = default) =>
        Start(Native.aloop_lock_acquire, token);

    /// <summary>The same for a using statement: <c>using (await l.EnterAsync())</c>.</summary>
    public Task<Releaser> EnterAsync(CancellationToken token = default) =>
        Enter(Native.aloop_lock_acquire, Release, token);

    /// <summary>Wakes the first in line. Status.NotOwner if it is not held.</summary>
    public void Release() => Check(Native.aloop_lock_release(Raw));

    /// <summary>Whether somebody has it.</summary>
    public bool IsLocked => Check(Native.aloop_lock_locked(Raw)) != 0;

    /// <summary>How many wait for it.</summary>
    public int Waiting =>
        (int)Check(Native.aloop_lock_statistic(Raw, Native.ALOOP_LOCK_STAT_WAITING));
}

/// <summary>A flag that tasks wait for. asyncio.Event.</summary>
public sealed class LoopEvent : LoopObject
{
    /// <summary>An event that is not set.</summary>
    public LoopEvent() : base(New()) { }

    private static unsafe IntPtr New()
    {
        IntPtr it;
        Errors.Check(Native.aloop_event_new(&it));
        return it;
    }

    /// <summary>Wakes all that wait, also if it is reset at once.</summary>
    public void Set() => Check(Native.aloop_event_set(Raw));

    /// <summary>Who waits from now on waits for the next Set.</summary>
    public void Clear() => Check(Native.aloop_event_clear(Raw));

    /// <summary>Whether it is set.</summary>
    public bool IsSet => Check(Native.aloop_event_is_set(Raw)) != 0;

    /// <summary>How many wait for it.</summary>
    public int Waiting =>
        (int)Check(Native.aloop_event_statistic(Raw, Native.ALOOP_EVENT_STAT_WAITING));

    /// <summary>Done when it is set, or was.</summary>
    public Task WaitAsync(CancellationToken token = default) =>
        Start(Native.aloop_event_wait, token);
}

/// <summary>A lock, and a line of those who wait for a change. asyncio.Condition.</summary>
public sealed class LoopCondition : LoopObject
{
    /// <summary>With a lock of its own, or the one given.</summary>
    public LoopCondition(LoopLock? of = null) : base(New(of)) { }

    private static unsafe IntPtr New(LoopLock? of)
    {
        IntPtr it;
        Errors.Check(Native.aloop_condition_new(&it, of?.Raw ?? IntPtr.Zero), of);
        return it;
    }

    /// <summary>Done when the caller has the lock.</summary>
    public Task AcquireAsync(CancellationToken token = default) =>
        Start(Native.aloop_condition_acquire, token);

    /// <summary>The same for a using statement.</summary>
    public Task<Releaser> EnterAsync(CancellationToken token = default) =>
        Enter(Native.aloop_condition_acquire, Release, token);

    /// <summary>Gives the lock back.</summary>
    public void Release() => Check(Native.aloop_condition_release(Raw));

    /// <summary>Whether somebody has the lock.</summary>
    public bool IsLocked => Check(Native.aloop_condition_locked(Raw)) != 0;

    /// <summary>How many wait to be notified.</summary>
    public int Waiting =>
        (int)Check(Native.aloop_condition_statistic(Raw, Native.ALOOP_CONDITION_STAT_WAITING));

    /// <summary>
    /// Gives the lock back, waits to be notified, and has it again however it ends.
    /// </summary>
    public Task WaitAsync(CancellationToken token = default) =>
        Start(Native.aloop_condition_wait, token);

    /// <summary>Waits until predicate, which is called with the lock held, is true.</summary>
    public async Task WaitForAsync(Func<bool> predicate, CancellationToken token = default)
    {
        while (!predicate()) await WaitAsync(token);
    }

    /// <summary>Wakes n at most of those who wait; how many it woke.</summary>
    public int Notify(int n = 1) => (int)Check(Native.aloop_condition_notify(Raw, n));

    /// <summary>Wakes all.</summary>
    public int NotifyAll() => (int)Check(Native.aloop_condition_notify_all(Raw));
}

/// <summary>So many permits. asyncio.Semaphore and BoundedSemaphore.</summary>
public sealed class LoopSemaphore : LoopObject
{
    /// <summary>A bounded one refuses to be released beyond its first value.</summary>
    public LoopSemaphore(long value, bool bounded = false) : base(New(value, bounded)) { }

    private static unsafe IntPtr New(long value, bool bounded)
    {
        IntPtr it;
        Errors.Check(bounded
            ? Native.aloop_bounded_semaphore_new(&it, value)
            : Native.aloop_semaphore_new(&it, value));
        return it;
    }

    /// <summary>Done when the caller has a permit.</summary>
    public Task AcquireAsync(CancellationToken token = default) =>
        Start(Native.aloop_semaphore_acquire, token);

    /// <summary>The same for a using statement.</summary>
    public Task<Releaser> EnterAsync(CancellationToken token = default) =>
        Enter(Native.aloop_semaphore_acquire, Release, token);

    /// <summary>Gives a permit back.</summary>
    public void Release() => Check(Native.aloop_semaphore_release(Raw));

    /// <summary>Whether an acquire would have to wait.</summary>
    public bool IsLocked => Check(Native.aloop_semaphore_locked(Raw)) != 0;

    /// <summary>The permits that nobody has.</summary>
    public long Value => Check(Native.aloop_semaphore_value(Raw));

    /// <summary>How many wait for one.</summary>
    public int Waiting =>
        (int)Check(Native.aloop_semaphore_statistic(Raw, Native.ALOOP_SEMAPHORE_STAT_WAITING));
}

/// <summary>Where tasks wait until there are enough of them. asyncio.Barrier.</summary>
public sealed class LoopBarrier : LoopObject
{
    /// <summary>For so many tasks.</summary>
    public LoopBarrier(long parties) : base(New(parties)) { }

    private static unsafe IntPtr New(long parties)
    {
        IntPtr it;
        Errors.Check(Native.aloop_barrier_new(&it, parties));
        return it;
    }

    /// <summary>
    /// Waits for the others; the place of arrival. Status.BrokenBarrier if it is reset or aborted.
    /// </summary>
    public Task<int> WaitAsync(CancellationToken token = default) => Operations.Start(Loop.Current,
        () => Native.aloop_barrier_wait(Raw), static (in Completion c) => (int)c.Status, token);

    /// <summary>Those who wait fail; then the barrier is as new.</summary>
    public Task ResetAsync() => Start(Native.aloop_barrier_reset, default);

    /// <summary>So does everybody from now on, until a reset.</summary>
    public Task AbortAsync() => Start(Native.aloop_barrier_abort, default);

    /// <summary>How many it is for.</summary>
    public long Parties => Check(Native.aloop_barrier_parties(Raw));

    /// <summary>How many wait.</summary>
    public long Waiting => Check(Native.aloop_barrier_n_waiting(Raw));

    /// <summary>Whether it was aborted.</summary>
    public bool IsBroken => Check(Native.aloop_barrier_broken(Raw)) != 0;
}

/// <summary>Readers together or one writer alone; first come, first served.</summary>
public sealed class LoopReadWriteLock : LoopObject
{
    /// <summary>A lock that nobody has.</summary>
    public LoopReadWriteLock() : base(New()) { }

    private static unsafe IntPtr New()
    {
        IntPtr it;
        Errors.Check(Native.aloop_rwlock_new(&it));
        return it;
    }

    /// <summary>Done when the caller may read, with others.</summary>
    public Task AcquireReadAsync(CancellationToken token = default) =>
        Start(Native.aloop_rwlock_acquire_read, token);

    /// <summary>Done when the caller may write, alone.</summary>
    public Task AcquireWriteAsync(CancellationToken token = default) =>
        Start(Native.aloop_rwlock_acquire_write, token);

    /// <summary>A reader leaves.</summary>
    public void ReleaseRead() => Check(Native.aloop_rwlock_release_read(Raw));

    /// <summary>The writer leaves.</summary>
    public void ReleaseWrite() => Check(Native.aloop_rwlock_release_write(Raw));

    /// <summary>How many read.</summary>
    public int Readers =>
        (int)Check(Native.aloop_rwlock_statistic(Raw, Native.ALOOP_RWLOCK_STAT_READERS));

    /// <summary>For a using statement: a reader.</summary>
    public Task<Releaser> EnterReadAsync(CancellationToken token = default) =>
        Enter(Native.aloop_rwlock_acquire_read, ReleaseRead, token);

    /// <summary>For a using statement: the writer.</summary>
    public Task<Releaser> EnterWriteAsync(CancellationToken token = default) =>
        Enter(Native.aloop_rwlock_acquire_write, ReleaseWrite, token);
}
