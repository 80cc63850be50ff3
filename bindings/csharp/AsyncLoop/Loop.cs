// The event loop: making it, running it, closing it. What is called by way of C, and
// what other threads hand in, is in LoopCallbacks.cs; the rest of the class stands
// with its concept.
//
// Run drives the loop with aloop_loop_poll: C runs steps and callbacks, and each
// crossing brings back the completion records of all operations that have ended.
// SPDX-License-Identifier: MIT
namespace AsyncLoop;

/// <summary>
/// An event loop. It runs tasks on the thread that calls <see cref="Run{T}"/>; what awaits in them
/// continues on that thread. All members are for that thread, except where they say so.
/// </summary>
public sealed partial class Loop : IDisposable
{
    private const int RecordsAtOnce = 256;
    private const double ExecutorPatience = 300;  // seconds, as asyncio's

    [ThreadStatic] private static Loop? t_here;

    private readonly IntPtr _loop;
    private readonly LoopContext _context;
    private readonly IntPtr _self;  // a root, for the callbacks of C
    private readonly List<Operation?> _operations = [null];  // 0 is nobody's token
    private readonly Stack<int> _free = new();
    private readonly HashSet<LoopTask> _tasks = [];
    private volatile bool _closed;
    private int _taken;  // by the thread that runs or closes it
    private Thread _thread = Thread.CurrentThread;  // to which it belongs, until another runs it

    /// <summary>A loop, which does not run yet.</summary>
    public unsafe Loop(LoopOptions? options = null)
    {
        using AloopHandle? o = options?.ToNative();
        IntPtr loop;
        Errors.Check(Native.aloop_loop_new(&loop, o?.Raw ?? IntPtr.Zero));
        _loop = loop;
        _context = new LoopContext(this);
        _self = Root.Hold(this);
        Scheduler = new LoopScheduler(this);
    }

    /// <summary>
    /// The loop that runs here, or whose task began what runs here. Throws where there is none.
    /// </summary>
    public static Loop Current =>
        CurrentOrNull ?? throw new AloopException(Status.NoRunningLoop);

    /// <summary>The same; null where there is none.</summary>
    public static Loop? CurrentOrNull => t_here ?? LoopTask.Current?.Home;

    /// <summary>Runs TPL tasks as callbacks of this loop. Any thread.</summary>
    public TaskScheduler Scheduler { get; }

    /// <summary>Code after an await in it runs as a callback of this loop. Any thread.</summary>
    public SynchronizationContext Context => _context;

    /// <summary>True once it was closed. Any thread.</summary>
    public bool IsClosed => _closed;

    /// <summary>The loop's clock.</summary>
    public TimeSpan Time => TimeSpan.FromSeconds(Native.aloop_loop_time(Raw));

    internal IntPtr Raw
    {
        get
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            return _loop;
        }
    }

    // Whether this is the thread on which the loop runs now.
    internal bool IsHere => t_here == this;

    /// <summary>
    /// Makes a loop, runs main on it in this thread, cancels what is left, closes the loop, and
    /// returns or throws what main did. asyncio.run.
    /// </summary>
    public static T Run<T>(Func<Task<T>> main, LoopOptions? options = null,
        CancellationToken token = default)
    {
        if (t_here != null) throw new AloopException(Status.LoopRunning);
        using var loop = new Loop(options);
        return loop.RunUntilComplete(main, token);
    }

    /// <inheritdoc cref="Run{T}"/>
    public static void Run(Func<Task> main, LoopOptions? options = null,
        CancellationToken token = default) =>
        Run(WithResult(main), options, token);

    /// <summary>Runs main on this loop in this thread, and returns or throws what it did.</summary>
    public T RunUntilComplete<T>(Func<Task<T>> main, CancellationToken token = default)
    {
        ArgumentNullException.ThrowIfNull(main);
        ObjectDisposedException.ThrowIf(_closed, this);
        Take();
        try
        {
            return RunMain(main, token);
        }
        finally
        {
            Volatile.Write(ref _taken, 0);
        }
    }

    // One thread at a time, and until it lets go of the loop.
    private void Take()
    {
        if (Interlocked.Exchange(ref _taken, 1) != 0) throw new AloopException(Status.LoopRunning);
    }

    private T RunMain<T>(Func<Task<T>> main, CancellationToken token)
    {
        using var here = new Stay(this);
        ComeHere();
        LoopTask<T> task = Create(main, null);
        Task<T> outcome = task.AsTask();
        using (token.UnsafeRegister(static state =>
        {
            var t = (LoopTask)state!;
            t.Home.TryPost(static t => ((LoopTask)t!).Cancel(), t);
        }, task))
        {
            PollUntil(outcome);
        }
        if (outcome.IsCanceled) token.ThrowIfCancellationRequested();
        return outcome.GetAwaiter().GetResult();
    }

    /// <inheritdoc cref="RunUntilComplete{T}"/>
    public void RunUntilComplete(Func<Task> main, CancellationToken token = default) =>
        RunUntilComplete(WithResult(main), token);

    /// <summary>
    /// Makes the run end after the iteration under way, with Status.LoopStopped. Any thread.
    /// </summary>
    public void Stop()
    {
        lock (_gate)
        {
            if (!_closed) Errors.Check(Native.aloop_loop_stop(_loop));
        }
    }

    /// <summary>Begins main as a task of the running loop. asyncio.create_task.</summary>
    public static LoopTask<T> Spawn<T>(Func<Task<T>> main, string? name = null) =>
        Current.Create(main, name);

    /// <inheritdoc cref="Spawn{T}"/>
    public static LoopTask<Nothing> Spawn(Func<Task> main, string? name = null) =>
        Current.Create(WithResult(main), name);

    /// <summary>The tasks of this loop that have not ended.</summary>
    public IReadOnlyList<LoopTask> Tasks => [.. _tasks];

    internal LoopTask<T> Create<T>(Func<Task<T>> main, string? name, IntPtr group = default)
    {
        ArgumentNullException.ThrowIfNull(main);
        if (!IsHere) throw new AloopException(Status.WrongThread);
        var task = new LoopTask<T>(this, main);
        _tasks.Add(task);
        task.Start(name, group);
        return task;
    }

    internal void Ended(LoopTask task) => _tasks.Remove(task);

    internal static Func<Task<Nothing>> WithResult(Func<Task> main)
    {
        ArgumentNullException.ThrowIfNull(main);
        return async () =>
        {
            await main();
            return default;
        };
    }

    // Makes the loop that of this thread while it runs.
    private readonly ref struct Stay
    {
        private readonly SynchronizationContext? _before = SynchronizationContext.Current;

        internal Stay(Loop loop)
        {
            if (t_here != null) throw new AloopException(Status.LoopRunning);
            Errors.Check(Native.aloop_set_event_loop(loop.Raw));
            SynchronizationContext.SetSynchronizationContext(null);
            t_here = loop;
        }

        public void Dispose()
        {
            t_here = null;
            Native.aloop_set_event_loop(IntPtr.Zero);
            SynchronizationContext.SetSynchronizationContext(_before);
        }
    }

    // To C the thread that runs a loop becomes its thread: then tasks can be made in it.
    private void ComeHere()
    {
        if (_thread == Thread.CurrentThread) return;
        _thread = Thread.CurrentThread;
        PollUntil(InvokeAsync(static () => Task.CompletedTask));
    }

    private unsafe void PollUntil(Task outcome)
    {
        Completion* records = stackalloc Completion[RecordsAtOnce];
        while (!outcome.IsCompleted)
        {
            long n =
                Errors.Check(Native.aloop_loop_poll(_loop, (IntPtr)records, RecordsAtOnce, -1));
            for (long i = 0; i < n; i++) Dispatch(records[i]);
            if (n == 0 && !outcome.IsCompleted) throw new AloopException(Status.LoopStopped);
        }
    }

    private void Dispatch(in Completion record)
    {
        if (record.Token != 0)
        {
            Operation operation = _operations[(int)record.Token]!;
            Leave(operation);
            operation.Complete(record);
            return;
        }
        if (record.Error != IntPtr.Zero) Native.aloop_error_unref(record.Error);
    }

    internal ulong Enter(Operation operation)
    {
        if (_free.TryPop(out int slot))
        {
            _operations[slot] = operation;
            return (ulong)slot;
        }
        _operations.Add(operation);
        return (ulong)_operations.Count - 1;
    }

    internal void Leave(Operation operation)
    {
        _operations[(int)operation.Slot] = null;
        _free.Push((int)operation.Slot);
    }

    // Somebody of .NET looks at how this future ends; a record without an operation tells C so.
    internal void Claim(IntPtr future)
    {
        Errors.Check(Native.aloop_loop_start(Raw, Native.aloop_ref(future), 0));
    }

    internal IntPtr FinishedFuture(Task task)
    {
        IntPtr future = Errors.CheckPointer(Native.aloop_loop_create_future(Raw));
        if (task.IsCompletedSuccessfully)
        {
            Native.aloop_future_set_result(future, 0, IntPtr.Zero, IntPtr.Zero);
            return future;
        }
        Native.aloop_future_set_error_code(future,
            task.IsCanceled ? Status.Canceled : Errors.CodeOf(task.Exception!.InnerException!));
        return future;
    }

    /// <summary>
    /// Cancels what is left, waits for it, and closes; where another loop runs in this thread, it
    /// closes at once. Nothing if it is closed already; Status.LoopRunning while it runs, in
    /// whatever thread.
    /// </summary>
    public void Dispose()
    {
        if (_closed) return;
        Take();
        try
        {
            if (t_here == null) RunCleanUp();
        }
        finally
        {
            Close();
        }
    }

    private void RunCleanUp()
    {
        using var here = new Stay(this);
        ComeHere();
        PollUntil(Create(WithResult(CleanUp), "cleanup").AsTask());
    }

    // In asyncio's order: tasks, generators, executor.
    private async Task CleanUp()
    {
        LoopTask[] left = [.. _tasks.Where(task => task != LoopTask.Current)];
        foreach (LoopTask task in left) task.Cancel();
        foreach (LoopTask task in left)
        {
            Task outcome = task.AsTask();
            await outcome.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing
                | ConfigureAwaitOptions.ContinueOnCapturedContext);
            if (outcome.IsFaulted) Report(outcome.Exception!.InnerException!);
        }
        await CancelTasksOfC();
        await Operations.Start(this, () => Native.aloop_loop_shutdown_asyncgens(Raw), default);
        await Operations.Start(this,
            () => Native.aloop_loop_shutdown_default_executor(Raw, ExecutorPatience), default);
    }

    // Those that a C library has begun on this loop.
    private Task CancelTasksOfC()
    {
        IntPtr tasks = Native.aloop_all_tasks(Raw);
        if (tasks == IntPtr.Zero) return Task.CompletedTask;
        var others = new List<IntPtr>();
        for (long i = 0; i < Native.aloop_results_count(tasks); i++)
        {
            IntPtr task = Native.aloop_results_future(tasks, i);
            if (task != LoopTask.Current!.Raw) others.Add(Native.aloop_ref(task));
        }
        Native.aloop_results_unref(tasks);
        foreach (IntPtr task in others) Native.aloop_task_cancel(task, null);
        if (others.Count == 0) return Task.CompletedTask;
        return Operations.Start(this, () => Combine.Gather([.. others], true),
            Combine.DropResults, default);
    }

    private void Close()
    {
        lock (_gate) _closed = true;
        foreach (SignalHandler handler in _signals.Keys) handler.Dispose();
        Native.aloop_loop_close(_loop);
        foreach (Operation? operation in _operations.ToArray())
        {
            operation?.End(new ObjectDisposedException(nameof(Loop)));
        }
        DrainPosted();
        Root.Drop(_self);
        Native.aloop_loop_unref(_loop);
    }
}

/// <summary>The result of what has none.</summary>
public readonly struct Nothing;
