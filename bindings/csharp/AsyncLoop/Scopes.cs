// Blocks of a task: timeouts and groups. They are C's, entered and left in steps of the
// task that the block belongs to.
// SPDX-License-Identifier: MIT
namespace AsyncLoop;

// What the two have in common. A block is its task's: where one ends early it cancels all that
// the task awaits, so that of two side by side, in methods that Task.WhenAll awaits for
// instance, each would cancel the other. The method knows by its flow which block it is in.
internal sealed class Block
{
    private static readonly AsyncLocal<Block?> s_flow = new();

    private readonly LoopTask _task;
    private readonly Block? _outer;
    private bool _left;

    private Block(LoopTask task, Block? outer)
    {
        _task = task;
        _outer = outer;
    }

    internal static Block Enter()
    {
        LoopTask task = LoopTask.Current ?? throw new AloopException(Status.NoTask);
        Block? around = s_flow.Value?._task == task ? Open(s_flow.Value) : null;
        if (Open(task.Innermost) != around)
        {
            throw new InvalidOperationException("There is a timeout or group beside this one in "
                + "the same task. Give each a task of its own: Loop.Spawn.");
        }
        return s_flow.Value = task.Innermost = new Block(task, around);
    }

    internal void Leave() => _left = true;

    private static Block? Open(Block? block)
    {
        while (block is { _left: true }) block = block._outer;
        return block;
    }
}

/// <summary>A time limit around a block: see <see cref="Loop.Timeout{T}"/>.</summary>
public sealed class LoopTimeout
{
    private readonly AloopHandle _handle;

    private LoopTimeout(IntPtr owned) => _handle = new AloopHandle(owned);

    internal static unsafe LoopTimeout Enter(double seconds)
    {
        IntPtr timeout;
        Errors.Check(Native.aloop_timeout_enter(&timeout, seconds));
        return new LoopTimeout(timeout);
    }

    internal long Exit(long status)
    {
        long end = Native.aloop_timeout_exit(_handle.Raw, status);
        GC.KeepAlive(_handle);
        LoopTask.Current?.Settle();
        return end;
    }

    /// <summary>The loop's time at which it expires; null for never.</summary>
    public TimeSpan? When
    {
        get
        {
            double when = Native.aloop_timeout_when(_handle.Raw);
            GC.KeepAlive(_handle);
            return double.IsInfinity(when) ? null : TimeSpan.FromSeconds(when);
        }
    }

    /// <summary>Sets that time anew; null for never.</summary>
    public void Reschedule(TimeSpan? when) => Errors.Check(
        Native.aloop_timeout_reschedule(_handle.Raw, when?.TotalSeconds
            ?? double.PositiveInfinity), _handle);

    /// <summary>Whether the time was up.</summary>
    public bool Expired => Errors.Check(Native.aloop_timeout_expired(_handle.Raw), _handle) != 0;
}

public sealed partial class Loop
{
    /// <summary>
    /// Runs body; when the time is up its innermost await is cancelled, and the whole throws
    /// <see cref="TimeoutException"/>. In a task of the loop, where it may stand in another block
    /// but not beside one. asyncio.timeout.
    /// </summary>
    public static async Task<T> Timeout<T>(TimeSpan delay, Func<LoopTimeout, Task<T>> body)
    {
        Block block = Block.Enter();
        try
        {
            return await TimeoutIn(delay, body);
        }
        finally
        {
            block.Leave();
        }
    }

    private static async Task<T> TimeoutIn<T>(TimeSpan delay, Func<LoopTimeout, Task<T>> body)
    {
        LoopTimeout timeout = LoopTimeout.Enter(Seconds(delay, double.PositiveInfinity));
        T? result = default;
        Exception? failure = null;
        try
        {
            result = await body(timeout);
        }
        catch (Exception e)
        {
            failure = e;
        }
        long status = failure == null ? 0 : Errors.CodeOf(failure);
        if (timeout.Exit(status) == Status.TimedOut && status == Status.Canceled)
        {
            throw new TimeoutException(Status.Describe(Status.TimedOut), failure);
        }
        if (failure != null) Errors.Rethrow(failure);
        return result!;
    }

    /// <inheritdoc cref="Timeout{T}"/>
    public static Task Timeout(TimeSpan delay, Func<LoopTimeout, Task> body) =>
        Timeout<Nothing>(delay, async timeout =>
        {
            await body(timeout);
            return default;
        });

    /// <inheritdoc cref="Timeout{T}"/>
    public static Task Timeout(TimeSpan delay, Func<Task> body) => Timeout(delay, _ => body());
}

/// <summary>
/// Tasks that end before the block does that began them. The first failure cancels the others
/// and the block. As long as one of them runs they may begin others, also after the block's body.
/// asyncio.TaskGroup.
/// </summary>
public sealed class TaskGroup
{
    private readonly AloopHandle _group;
    private readonly Loop _home = Loop.Current;
    private readonly LoopTask _task;  // whose block it is
    private bool _joined;

    private unsafe TaskGroup(LoopTask task)
    {
        IntPtr group;
        Errors.Check(Native.aloop_task_group_enter(&group));
        _group = new AloopHandle(group);
        _task = task;
    }

    /// <summary>
    /// Runs body and waits for the tasks that it began. If any failed, throws an
    /// <see cref="AggregateException"/> of all failures. In a task of the loop, where it may stand
    /// in another block but not beside one.
    /// </summary>
    public static async Task Run(Func<TaskGroup, Task> body)
    {
        LoopTask task = LoopTask.Current ?? throw new AloopException(Status.NoTask);
        Block block = Block.Enter();
        try
        {
            await RunIn(task, body);
        }
        finally
        {
            block.Leave();
        }
    }

    private static async Task RunIn(LoopTask task, Func<TaskGroup, Task> body)
    {
        var group = new TaskGroup(task);
        Exception? failure = null;
        try
        {
            await body(group);
        }
        catch (Exception e)
        {
            failure = e;
        }
        if (task.CancelWaits)
        {
            task.CancelWaits = false;
            failure ??= new OperationCanceledException();
        }
        try
        {
            await Operations.Start(group._home, () => group.Join(failure), default);
        }
        catch (OperationCanceledException) when (failure is OperationCanceledException)
        {
            Errors.Rethrow(failure);
        }
        finally
        {
            group.Leave();
            task.Settle();
        }
    }

    // For a step of the task, which may have ended if nobody awaited the block. A reference that
    // goes with the join is C's only where that is accepted.
    private IntPtr Join(Exception? failure)
    {
        if (_task.Raw == IntPtr.Zero || Native.aloop_current_task(IntPtr.Zero) != _task.Raw)
        {
            throw failure ?? new AloopException(Status.NoTask);
        }
        _joined = true;
        return Native.aloop_task_group_join(Native.aloop_ref(_group.Raw),
            failure == null ? 0 : Errors.Raise(failure));
    }

    // Disposes of it, not leaving it to the collector, which sees no circle through C.
    private void Leave()
    {
        if (!_joined) Native.aloop_task_group_cancel(_group.Raw);
        _group.Dispose();
    }

    /// <summary>
    /// A task of the group. Status.ShutDown once one has failed, the group was cancelled, or all
    /// have ended after the body.
    /// </summary>
    public LoopTask<T> Spawn<T>(Func<Task<T>> main, string? name = null)
    {
        if (_group.IsClosed) throw new AloopException(Status.ShutDown);
        LoopTask<T> task = _home.Create(main, name, _group.Raw);
        GC.KeepAlive(_group);
        return task;
    }

    /// <inheritdoc cref="Spawn{T}"/>
    public LoopTask<Nothing> Spawn(Func<Task> main, string? name = null) =>
        Spawn(Loop.WithResult(main), name);

    /// <summary>
    /// Cancels what is left of the group, and its block; the whole then ends well. Nothing once it
    /// has ended.
    /// </summary>
    public void Cancel()
    {
        if (!_group.IsClosed) Errors.Check(Native.aloop_task_group_cancel(_group.Raw), _group);
    }
}
