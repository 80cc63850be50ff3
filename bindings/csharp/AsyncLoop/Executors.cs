// Blocking functions beside the loop, on threads of C's executors. A job runs on a
// thread that C made, with the ExecutionContext of its caller.
// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace AsyncLoop;

internal abstract unsafe class Job
{
    internal static readonly IntPtr Function =
        (IntPtr)(delegate* unmanaged[Cdecl]<IntPtr, IntPtr, long>)&OnJob;

    private readonly ExecutionContext? _flow = ExecutionContext.Capture();

    protected abstract void Run();

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static long OnJob(IntPtr root, IntPtr value)
    {
        var job = Root.Of<Job>(root);
        try
        {
            if (job._flow == null) job.Run();
            else ExecutionContext.Run(job._flow, static j => ((Job)j!).Run(), job);
            return 0;
        }
        catch (Exception e)
        {
            return Errors.Raise(e);
        }
    }
}

internal sealed class Job<T>(Func<CancellationToken, T> body) : Job
{
    private readonly CancellationTokenSource _cancelled = new();
    private T? _result;

    protected override void Run() => _result = body(_cancelled.Token);

    // begin gets a root, which is C's from then on.
    internal static Task<T> Start(Loop loop, Func<CancellationToken, T> body,
        Func<IntPtr, IntPtr> begin, CancellationToken token)
    {
        ArgumentNullException.ThrowIfNull(body);
        var job = new Job<T>(body);
        return Operations.Start(loop, () => begin(Root.Hold(job)),
            (in Completion _) => job._result!, token, failure =>
            {
                // Where it runs already.
                if (failure is OperationCanceledException) job._cancelled.Cancel();
                return failure;
            });
    }
}

public sealed partial class Loop
{
    /// <summary>
    /// Runs a blocking function in a thread of the loop's default executor. Its token is cancelled
    /// when nobody waits for it any more. asyncio.to_thread.
    /// </summary>
    public static Task<T> RunInThread<T>(Func<CancellationToken, T> job,
        CancellationToken token = default) =>
        Job<T>.Start(Current, job,
            root => Native.aloop_to_thread(Job.Function, root, Root.Free), token);

    /// <inheritdoc cref="RunInThread{T}(Func{CancellationToken, T}, CancellationToken)"/>
    public static Task<T> RunInThread<T>(Func<T> job, CancellationToken token = default) =>
        RunInThread(_ => job(), token);

    /// <inheritdoc cref="RunInThread{T}(Func{CancellationToken, T}, CancellationToken)"/>
    public static Task RunInThread(Action job, CancellationToken token = default) =>
        RunInThread(_ =>
        {
            job();
            return default(Nothing);
        }, token);

    /// <summary>Makes an executor the one of RunInThread.</summary>
    public void SetDefaultExecutor(LoopExecutor executor) =>
        Errors.Check(Native.aloop_loop_set_default_executor(Raw, executor.Raw), executor);
}

/// <summary>Threads for blocking functions; any thread, any number of loops.</summary>
public sealed class LoopExecutor : LoopObject
{
    /// <summary>At most so many threads; 0: by the number of cores.</summary>
    public LoopExecutor(int threads = 0, string? name = null) : base(New(threads, name)) { }

    private LoopExecutor(IntPtr owned) : base(owned) { }

    private static IntPtr New(int threads, string? name)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        using var made =
            new AloopHandle(Errors.CheckPointer(Native.aloop_executor_new_threads(threads)));
        if (name != null) Errors.Check(Native.aloop_executor_set_name(made.Raw, name));
        return Native.aloop_ref(made.Raw);
    }

    /// <summary>Runs its jobs as tasks of a scheduler, such as that of the thread pool.</summary>
    public static LoopExecutor Of(TaskScheduler scheduler) => new(SchedulerExecutor.New(scheduler));

    /// <summary>How many jobs may wait for a thread; more fail with Status.QueueFull.</summary>
    public void SetMaxQueue(long jobs) => Check(Native.aloop_executor_set_max_queue(Raw, jobs));

    /// <summary>Runs a job. loop.run_in_executor.</summary>
    public Task<T> RunAsync<T>(Func<CancellationToken, T> job, CancellationToken token = default)
    {
        Loop loop = Loop.Current;
        return Job<T>.Start(loop, job,
            root => Native.aloop_run_in_executor(loop.Raw, Raw, Job.Function, root, Root.Free),
                token);
    }

    /// <inheritdoc cref="RunAsync{T}(Func{CancellationToken, T}, CancellationToken)"/>
    public Task<T> RunAsync<T>(Func<T> job, CancellationToken token = default) =>
        RunAsync(_ => job(), token);

    /// <summary>The names of the jobs that run now.</summary>
    public unsafe string Running =>
        Text.Of((buffer, size) => Native.aloop_executor_running(Raw, buffer, size));

    /// <summary>
    /// Takes no more jobs and waits for those that run; a TimeoutException names those that do.
    /// </summary>
    public Task ShutDownAsync(TimeSpan? timeout = null) => Start(
        it => Native.aloop_executor_shutdown(it, timeout is TimeSpan t ? Loop.Seconds(t, -1) : -1),
            default);
}

internal sealed unsafe class SchedulerExecutor(TaskScheduler scheduler)
{
    // The layout of aloop_executor_vtable.
    [StructLayout(LayoutKind.Sequential)]
    private struct Table
    {
        internal IntPtr Submit, Withdraw, Shutdown;
    }

    internal static IntPtr New(TaskScheduler scheduler)
    {
        ArgumentNullException.ThrowIfNull(scheduler);
        var table = new Table
        {
            Submit = (IntPtr)(delegate* unmanaged[Cdecl]<IntPtr, IntPtr, long>)&OnSubmit,
        };
        IntPtr root = Root.Hold(new SchedulerExecutor(scheduler));
        IntPtr it = Native.aloop_executor_new_custom((IntPtr)(&table), root, Root.Free);
        if (it == IntPtr.Zero) Root.Drop(root);
        return Errors.CheckPointer(it);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static long OnSubmit(IntPtr self, IntPtr job)
    {
        try
        {
            using AsyncFlowControl flow = ExecutionContext.SuppressFlow();
            Task.Factory.StartNew(static j => Native.aloop_job_run((IntPtr)j!), job,
                CancellationToken.None,
                TaskCreationOptions.DenyChildAttach, Root.Of<SchedulerExecutor>(self).Scheduler);
            return 0;
        }
        catch (Exception e)
        {
            return Errors.Raise(e);
        }
    }

    private TaskScheduler Scheduler { get; } = scheduler;
}
