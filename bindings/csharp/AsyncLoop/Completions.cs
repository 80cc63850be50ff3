// Tasks in the order in which they end.
// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;

namespace AsyncLoop;

public sealed partial class Loop
{
    /// <summary>
    /// The tasks in the order in which they end; a TimeoutException once the time is up.
    /// asyncio.as_completed.
    /// </summary>
    public static async IAsyncEnumerable<Task<T>> AsCompleted<T>(IEnumerable<Task<T>> tasks,
        TimeSpan? timeout = null, [EnumeratorCancellation] CancellationToken token = default)
    {
        Task<T>[] given = [.. tasks];
        Loop loop = Current;
        var by = new Dictionary<IntPtr, Task<T>>();
        using var completions = new AloopHandle(Listen(loop, given, by, timeout));
        for (int left = by.Count; left > 0; left--)
        {
            yield return await Operations.Start(loop,
                () => Native.aloop_as_completed_next(completions.Raw), (in Completion c) =>
                {
                    Native.aloop_unref(c.Value);
                    return by[c.Value];
                }, token);
        }
    }

    /// <inheritdoc cref="AsCompleted{T}(IEnumerable{Task{T}}, TimeSpan?, CancellationToken)"/>
    public static IAsyncEnumerable<Task<T>> AsCompleted<T>(IEnumerable<LoopTask<T>> tasks,
        TimeSpan? timeout = null, CancellationToken token = default) =>
        AsCompleted(tasks.Select(task => task.AsTask()), timeout, token);

    private static unsafe IntPtr Listen<T>(Loop loop, Task<T>[] given,
        Dictionary<IntPtr, Task<T>> by, TimeSpan? timeout)
    {
        IntPtr[] futures = Futures(loop, given);
        for (int i = 0; i < given.Length; i++) by[futures[i]] = given[i];
        IntPtr completions;
        fixed (IntPtr* f = futures)
        {
            Errors.Check(Native.aloop_as_completed(&completions, f, futures.Length,
                timeout is TimeSpan t ? Seconds(t, -1) : -1));
        }
        return completions;
    }
}
