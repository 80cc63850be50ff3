// Awaiting several things at once, by C's own gather, wait, wait_for and the like, so
// that they do what asyncio's do. What is awaited is given to C as tasks: a LoopTask as
// it is, anything else as a task that awaits it. Outcomes are taken from the .NET side.
// SPDX-License-Identifier: MIT
namespace AsyncLoop;

/// <summary>When <see cref="Loop.Wait"/> has waited enough.</summary>
public enum ReturnWhen
{
    /// <summary>When all are done.</summary>
    AllCompleted = Native.ALOOP_ALL_COMPLETED,
    /// <summary>When one is done.</summary>
    FirstCompleted = Native.ALOOP_FIRST_COMPLETED,
    /// <summary>When one has failed, or all are done.</summary>
    FirstException = Native.ALOOP_FIRST_EXCEPTION,
}

/// <summary>How one of several ended.</summary>
public readonly record struct Outcome<T>(T? Value, Exception? Error)
{
    /// <summary>Whether it has a value.</summary>
    public bool Succeeded => Error == null;
}

internal static class Combine
{
    // Consumes the futures.
    internal static unsafe IntPtr Gather(IntPtr[] futures, bool returnExceptions)
    {
        fixed (IntPtr* f = futures)
        {
            return Native.aloop_gather(f, futures.Length,
                returnExceptions ? Native.ALOOP_RETURN_EXCEPTIONS : 0);
        }
    }

    internal static readonly Result<long> DropResults = static (in Completion c) =>
    {
        Native.aloop_unref(c.Value);
        return c.Status;
    };

    // The LoopTask behind a Task, or one that awaits it and passes a cancellation on.
    internal static LoopTask TaskOf(Loop loop, Task task)
    {
        if (task.AsyncState is LoopTask already && already.Home == loop) return already;
        LoopTask<Nothing> wrapper = loop.Create(() => Await(task), null);
        if (task.AsyncState is Operation own && own.Home == loop) own.MoveTo(wrapper);
        return wrapper;
    }

    private static async Task<Nothing> Await(Task task)
    {
        if (task.AsyncState is Operation) await task;
        else await task.WaitAsync(LoopTask.CurrentToken);
        return default;
    }

    internal static void Cancel(Loop loop, Task task)
    {
        if (loop.IsHere && task.AsyncState is LoopTask one) one.Cancel();
        else if (loop.IsHere && task.AsyncState is Operation own) own.Cancel();
    }

    // The outcome of a task that is done: its own, where it was only waited for by a wrapper.
    internal static Exception? ErrorOf(Task task) =>
        task.IsCanceled ? new TaskCanceledException(task) : task.Exception?.InnerException;
}

public sealed unsafe partial class Loop
{
    /// <summary>
    /// Waits; zero or less lets everything else that is ready run once, but -1 ms,
    /// <see cref="System.Threading.Timeout.InfiniteTimeSpan"/>, waits until it is cancelled.
    /// asyncio.sleep.
    /// </summary>
    public static Task Sleep(TimeSpan delay, CancellationToken token = default) =>
        Sleep(Seconds(delay, double.PositiveInfinity), token);

    /// <summary>Waits some seconds.</summary>
    public static Task Sleep(double seconds, CancellationToken token = default) =>
        Operations.Start(Current, () => Native.aloop_sleep(seconds), token);

    /// <summary>Waits some milliseconds, as Task.Delay does; -1: until it is cancelled.</summary>
    public static Task Delay(int milliseconds, CancellationToken token = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(milliseconds,
            System.Threading.Timeout.Infinite);
        return Sleep(milliseconds < 0 ? double.PositiveInfinity : milliseconds / 1000.0, token);
    }

    /// <summary>
    /// Awaits all and gives their results in order; the first failure ends it, not the others.
    /// Cancelling it cancels all. asyncio.gather.
    /// </summary>
    public static Task<T[]> Gather<T>(params Task<T>[] tasks) => GatherAll(tasks, false,
        static (Task<T> task) => task.GetAwaiter().GetResult());

    /// <inheritdoc cref="Gather{T}(Task{T}[])"/>
    public static Task<T[]> Gather<T>(IEnumerable<Task<T>> tasks) => Gather([.. tasks]);

    /// <inheritdoc cref="Gather{T}(Task{T}[])"/>
    public static Task<T[]> Gather<T>(LoopTask<T> first, params LoopTask<T>[] others) =>
        Gather(others.Prepend(first));

    /// <inheritdoc cref="Gather{T}(Task{T}[])"/>
    public static Task<T[]> Gather<T>(IEnumerable<LoopTask<T>> tasks) =>
        Gather(tasks.Select(task => task.AsTask()));

    /// <summary>The same; failures are among the outcomes.</summary>
    public static Task<Outcome<T>[]> GatherOutcomes<T>(params Task<T>[] tasks) =>
        GatherAll(tasks, true,
        static (Task<T> task) => Combine.ErrorOf(task) is Exception e
            ? new Outcome<T>(default, e)
            : new Outcome<T>(task.Result, null));

    /// <inheritdoc cref="GatherOutcomes{T}(Task{T}[])"/>
    public static Task<Outcome<T>[]> GatherOutcomes<T>(IEnumerable<Task<T>> tasks) =>
        GatherOutcomes([.. tasks]);

    /// <inheritdoc cref="GatherOutcomes{T}(Task{T}[])"/>
    public static Task<Outcome<T>[]> GatherOutcomes<T>(LoopTask<T> first,
        params LoopTask<T>[] others) => GatherOutcomes(others.Prepend(first));

    /// <inheritdoc cref="GatherOutcomes{T}(Task{T}[])"/>
    public static Task<Outcome<T>[]> GatherOutcomes<T>(IEnumerable<LoopTask<T>> tasks) =>
        GatherOutcomes(tasks.Select(task => task.AsTask()));

    private static Task<R[]> GatherAll<T, R>(
        Task<T>[] tasks, bool all, Func<Task<T>, R> outcome)
    {
        Task<T>[] given = [.. tasks];
        Loop loop = Current;
        return Operations.Start(loop, () => Combine.Gather(Futures(loop, given), all),
            (in Completion c) =>
            {
                Native.aloop_unref(c.Value);
                return Array.ConvertAll(given, task => outcome(task));
            }, default);
    }

    private static IntPtr[] Futures(Loop loop, Task[] tasks)
    {
        foreach (Task task in tasks) ArgumentNullException.ThrowIfNull(task, nameof(tasks));
        return Array.ConvertAll(tasks, task => Combine.TaskOf(loop, task).Future());
    }

    /// <summary>
    /// Awaits task; cancelling who awaits the shield leaves task running. asyncio.shield.
    /// </summary>
    public static Task<T> Shield<T>(Task<T> task)
    {
        Loop loop = Current;
        return Operations.Start(loop,
            () => Native.aloop_shield(Combine.TaskOf(loop, task).Future()),
            (in Completion _) => task.GetAwaiter().GetResult(), default);
    }

    /// <inheritdoc cref="Shield{T}(Task{T})"/>
    public static Task<T> Shield<T>(LoopTask<T> task) => Shield(task.AsTask());

    /// <inheritdoc cref="Shield{T}(Task{T})"/>
    public static Task Shield(Task task)
    {
        Loop loop = Current;
        return Operations.Start(loop,
            () => Native.aloop_shield(Combine.TaskOf(loop, task).Future()), default);
    }

    /// <summary>
    /// The outcome of task, or a TimeoutException when the time is up: then it was cancelled, and
    /// its cleanup awaited. A Task that the loop cannot cancel runs on unobserved; give a function
    /// to have a task of the loop. asyncio.wait_for.
    /// </summary>
    public static Task<T> WaitFor<T>(Task<T> task, TimeSpan timeout,
        CancellationToken token = default) =>
        WaitFor(task, timeout, (in Completion _) => task.GetAwaiter().GetResult(), token);

    /// <inheritdoc cref="WaitFor{T}(Task{T}, TimeSpan, CancellationToken)"/>
    public static Task WaitFor(Task task, TimeSpan timeout, CancellationToken token = default) =>
        WaitFor(task, timeout, Operations.StatusOf, token);

    /// <inheritdoc cref="WaitFor{T}(Task{T}, TimeSpan, CancellationToken)"/>
    public static Task<T> WaitFor<T>(LoopTask<T> task, TimeSpan timeout,
        CancellationToken token = default) =>
        WaitFor(task.AsTask(), timeout, token);

    private static Task<R> WaitFor<R>(Task task, TimeSpan timeout, Result<R> result,
        CancellationToken token)
    {
        Loop loop = Current;
        double seconds = Seconds(timeout, double.PositiveInfinity);
        if (seconds > 0 || task.IsCompleted)
        {
            return Operations.Start(loop,
                () => Native.aloop_wait_for(Combine.TaskOf(loop, task).Future(),
                    Math.Max(seconds, 1e-9)), result,
                token, failure =>
                {
                    // It may not even have begun to wait.
                    if (failure is OperationCanceledException) Combine.Cancel(loop, task);
                    return failure;
                });
        }
        // Now, before what was just spawned gets to its first step.
        LoopTask one = Combine.TaskOf(loop, task);
        one.Cancel();
        return Operations.Start(loop, one.Future, result, token, failure =>
            failure is OperationCanceledException && one.AsTask().IsCanceled
                ? new TimeoutException(Status.Describe(Status.TimedOut), failure)
                : failure);
    }

    /// <inheritdoc cref="WaitFor{T}(Task{T}, TimeSpan, CancellationToken)"/>
    public static Task<T> WaitFor<T>(Func<Task<T>> main, TimeSpan timeout,
        CancellationToken token = default) =>
        WaitFor(Spawn(main).AsTask(), timeout, token);

    /// <inheritdoc cref="WaitFor{T}(Task{T}, TimeSpan, CancellationToken)"/>
    public static Task WaitFor(Func<Task> main, TimeSpan timeout,
        CancellationToken token = default) =>
        WaitFor(Spawn(main).AsTask(), timeout, token);

    // How C has a time; what is infinite in .NET is `endless`, what is negative is over.
    internal static double Seconds(TimeSpan time, double endless) =>
        time == System.Threading.Timeout.InfiniteTimeSpan ? endless
            : Math.Max(time.TotalSeconds, 0);

    /// <summary>
    /// Waits until as many are done as returnWhen says, or the time is up. Never throws for them
    /// and cancels none. asyncio.wait.
    /// </summary>
    public static Task<(Task[] Done, Task[] Pending)> Wait(IEnumerable<Task> tasks,
        TimeSpan? timeout = null,
        ReturnWhen returnWhen = ReturnWhen.AllCompleted, CancellationToken token = default)
    {
        Task[] given = [.. tasks];
        Loop loop = Current;
        var by = new Dictionary<IntPtr, Task>();
        return Operations.Start(loop, () =>
        {
            IntPtr[] futures = Futures(loop, given);
            for (int i = 0; i < given.Length; i++) by[futures[i]] = given[i];
            fixed (IntPtr* f = futures)
            {
                return Native.aloop_wait(f, futures.Length,
                    timeout is TimeSpan t ? Seconds(t, -1) : -1, (int)returnWhen);
            }
        }, (in Completion c) =>
        {
            var result = (Among(by, Native.aloop_wait_result_done(c.Value)),
                Among(by, Native.aloop_wait_result_pending(c.Value)));
            Native.aloop_unref(c.Value);
            return result;
        }, token);
    }

    private static Task[] Among(Dictionary<IntPtr, Task> by, IntPtr results)
    {
        var tasks = new Task[Native.aloop_results_count(results)];
        for (int i = 0; i < tasks.Length; i++)
        {
            tasks[i] = by[Native.aloop_results_future(results, i)];
        }
        return tasks;
    }
}
